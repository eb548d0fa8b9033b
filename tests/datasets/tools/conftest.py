import sys
from pathlib import Path

DATASETS = Path(__file__).parents[1]
sys.path += [str(DATASETS), str(DATASETS / "lerobot"), str(DATASETS.parent / "commands")]
