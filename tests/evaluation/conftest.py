import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / "rollouts"), str(TESTS / "datasets")]  # tiny_env, tiny_actor, small_files
