"""Plugins: what is imported, from where, and how a faulty one is reported."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOAD = "from s2robot import plugins\nplugins.load({names})\nprint(plugins.loaded(), 'torch' in sys.modules)"


def load_in_process(names: list[str], cwd: Path, *path: Path) -> subprocess.CompletedProcess[str]:
    """`plugins.load(names)` in a process whose PYTHONPATH is the project and `path`."""
    program = "import sys\n" + LOAD.format(names=names)
    environment = {"PYTHONPATH": ":".join(map(str, [*path, ROOT]))}
    return subprocess.run(
        [sys.executable, "-c", program], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def reason(names: list[str], cwd: Path, *path: Path) -> str:
    """The text of the `UserError` that `plugins.load(names)` raises."""
    done = load_in_process(names, cwd, *path)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("s2robot.errors.UserError: "), done.stderr
    return last


def write_installed(folder: Path, distribution: str, module: str) -> None:
    """What pip leaves of a package with an entry point."""
    info = folder / f"{distribution}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[s2robot.plugins]\nanything = {module}\n")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def test_modules_on_the_path_are_loaded_and_named(elsewhere: Path, tmp_path: Path) -> None:
    (elsewhere / "mine.py").write_text("")
    done = load_in_process(["mine", "mine"], tmp_path, elsewhere)
    assert done.stdout == "['mine'] False\n", done.stderr


def test_the_current_folder_is_not_searched(elsewhere: Path) -> None:
    (elsewhere / "mine.py").write_text("raise SystemExit('was run')")
    said = reason(["mine"], elsewhere)
    assert "no module 'mine'" in said
    assert "the current folder is not searched" in said


def test_installed_plugins_are_loaded_without_being_named(elsewhere: Path, tmp_path: Path) -> None:
    (elsewhere / "mine.py").write_text("print('loaded')")
    write_installed(elsewhere, "my-plugin", "mine")
    done = load_in_process([], tmp_path, elsewhere)
    assert done.stdout == "loaded\n[] False\n", done.stderr


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (
            "import nonexistent_library",
            "needs a module that is missing: No module named 'nonexistent_library'",
        ),
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
        ("def f(:", "cannot be imported: SyntaxError"),
        (
            "from s2robot.registry import Registry\nheads = Registry('head')\nheads['a'] = 1\nheads['a'] = 2",
            "head 'a' is registered twice",
        ),
    ],
)
def test_a_faulty_plugin_is_named_with_its_reason(
    source: str, told: str, elsewhere: Path, tmp_path: Path
) -> None:
    (elsewhere / "mine.py").write_text(source)
    said = reason(["mine"], tmp_path, elsewhere)
    assert "plugin 'mine' (named by plugins=)" in said
    assert told in said


def test_a_faulty_installed_plugin_names_its_package(elsewhere: Path, tmp_path: Path) -> None:
    write_installed(elsewhere, "my-plugin", "gone")
    said = reason([], tmp_path, elsewhere)
    assert (
        "no module 'gone' (of the installed package my-plugin; `pip uninstall my-plugin` removes it)" in said
    )
