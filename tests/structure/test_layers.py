"""The order of the packages: who may import whom.

Every import counts, also those inside functions and those for type checking only.
"""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((*ROOT.glob("s2robot/**/*.py"), *ROOT.glob("envs/**/*.py")))

# A package imports only those of the lines above its own; the modules directly in s2robot/ are "root".
ORDER = [
    {"root"},
    {"processes"},
    {"encoders", "datasets", "policies"},
    {"features", "runs", "envs"},
    {"training", "rollouts"},
    {"evaluation"},
    {"collecting", "deploy", "machine", "cluster"},
    {"commands"},
]
LEVEL = {package: level for level, packages in enumerate(ORDER) for package in packages}
SIMULATING = {"rollouts", "collecting", "commands"}  # only these import `envs`
# `python -m s2robot`, which starts a command, and the package's own names, imported when they are used
ENTRIES = ("s2robot/__main__.py", "s2robot/__init__.py")


def package_of(module: str) -> str:
    """`s2robot.encoders.timm` -> `encoders`, `s2robot.errors` -> `root`, `envs.base` -> `envs`."""
    top, *rest = module.split(".")
    if top == "envs":
        return "envs"
    return rest[0] if rest and (ROOT / "s2robot" / rest[0]).is_dir() else "root"


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_by(file: Path) -> Iterator[str]:
    """Names of this project's modules (or of names in them) that a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (name for name in names if name.split(".")[0] in ("s2robot", "envs"))


def arrows() -> dict[tuple[str, str], set[str]]:
    """(importing package, imported package) -> the files that do so."""
    found = defaultdict(set)
    for file in FILES:
        importing, name = package_of(module_of(file)), str(file.relative_to(ROOT))
        for module in imported_by(file):
            if package_of(module) != importing and name not in ENTRIES:
                found[importing, package_of(module)].add(name)
    return found


def test_every_package_has_its_place_in_the_order() -> None:
    folders = {path.parent.name for path in ROOT.glob("s2robot/*/__init__.py")}

    assert folders | {"root", "envs"} <= LEVEL.keys()


def test_no_arrow_leads_upward_or_to_a_package_of_the_same_line() -> None:
    wrong = [
        f"{importing} imports {imported} in {', '.join(sorted(files))}"
        for (importing, imported), files in arrows().items()
        if LEVEL[imported] >= LEVEL[importing]
    ]

    assert wrong == []


def test_only_what_simulates_imports_the_environments() -> None:
    assert {importing for importing, imported in arrows() if imported == "envs"} <= SIMULATING


def test_the_modules_of_the_root_import_each_other_in_one_direction() -> None:
    graph = {
        module_of(file): {name for name in imported_by(file) if package_of(name) == "root"}
        for file in ROOT.glob("s2robot/*.py")
        if file.name not in ("__init__.py", "__main__.py")
    }
    while graph:
        free = {
            module for module, names in graph.items() if not imports_any_of(names, graph.keys() - {module})
        }
        assert free, f"these import each other: {sorted(graph)}"
        graph = {module: names for module, names in graph.items() if module not in free}


def imports_any_of(names: Iterable[str], modules: Iterable[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for name in names for module in modules)


@pytest.mark.parametrize(
    ("text", "modules"),
    [
        ("import s2robot.errors, os", ["s2robot.errors"]),
        ("def f():\n    from envs import opengl", ["envs.opengl"]),
        ("if TYPE_CHECKING:\n    from s2robot.runs import folder", ["s2robot.runs.folder"]),
    ],
)
def test_imports_are_found_wherever_they_stand(text: str, modules: list[str], tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(text)

    assert list(imported_by(file)) == modules
