"""Files stay small: one idea each."""

from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
FILES = (*ROOT.glob("s2robot/**/*.py"), *ROOT.glob("envs/**/*.py"))
TESTS = (*ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/**/*.py"), *ROOT.glob("examples/**/*.py"))
LINES = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in FILES}


def test_few_files_lie_directly_in_the_package() -> None:
    assert len(list((ROOT / "s2robot").glob("*.py"))) <= 12


def test_no_file_is_long_and_most_are_short() -> None:
    assert {name: lines for name, lines in LINES.items() if lines > 300} == {}
    assert median(LINES.values()) < 100


def test_no_file_beside_the_packages_is_long() -> None:
    lines = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in TESTS}
    assert {name: count for name, count in lines.items() if count > 300} == {}
