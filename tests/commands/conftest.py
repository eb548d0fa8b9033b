import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS.parent), str(TESTS / "training"), str(TESTS)]  # train.py, tiny_training, tiny_vit

from tiny_training import feature_cache, one_thread, trained  # noqa: E402, F401 (fixtures)
