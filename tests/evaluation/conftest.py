import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "rollout"))  # tiny_env, tiny_actor
