import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS.parent), str(TESTS / "training"), str(TESTS / "datasets"), str(TESTS)]
# train.py, tiny_training, small_files, tiny_vit

from one_thread import one_thread  # noqa: E402, F401 (fixture)
from tiny_training import feature_cache, trained  # noqa: E402, F401 (fixtures)
