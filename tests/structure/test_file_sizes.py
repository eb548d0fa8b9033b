"""Files stay small: one idea each."""

from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
FILES = (*ROOT.glob("s2robot/**/*.py"), *ROOT.glob("envs/**/*.py"))
LINES = {str(file.relative_to(ROOT)): len(file.read_text().splitlines()) for file in FILES}


def test_few_files_lie_directly_in_the_package() -> None:
    assert len(list((ROOT / "s2robot").glob("*.py"))) <= 12


def test_no_file_is_long_and_most_are_short() -> None:
    assert {name: lines for name, lines in LINES.items() if lines > 300} == {}
    assert median(LINES.values()) < 100
