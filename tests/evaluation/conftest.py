import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "rollouts"))  # tiny_env, tiny_actor
