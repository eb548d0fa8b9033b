import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from one_thread import one_thread  # noqa: F401 (fixture)
