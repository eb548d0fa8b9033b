"""A dataset of one format is opened without the packages that only another format needs."""

import subprocess
import sys
from pathlib import Path


def test_an_hdf5_file_needs_neither_pyarrow_nor_pyav(demos_path: Path) -> None:
    code = (
        "import sys; from s2robot.datasets import open_dataset; open_dataset(sys.argv[1]);"
        "print([name for name in ('pyarrow', 'av') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(demos_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
