"""robosuite's tasks through the interface of our own; the package robosuite is needed when one is made.

env = gymnasium.make("envs:s2robot/robosuite-Lift-v0", image_size=448)   # pip install 's2robot[robosuite]'
"""

from envs.registry import Expert, Task
from envs.robosuite.dataset import ROBOSUITE_TYPE, environment_of, is_installed, to_env_args
from envs.robosuite.env import MISSING, RobosuiteEnv
from envs.robosuite.lift_expert import LiftExpert

__all__ = [
    "MISSING",
    "ROBOSUITE_TYPE",
    "TASKS",
    "RobosuiteEnv",
    "environment_of",
    "is_installed",
    "to_env_args",
]

MAX_EPISODE_STEPS = 400


def _no_expert(seed: int) -> Expert:
    raise ValueError("of robosuite's tasks only s2robot/robosuite-Lift-v0 has a scripted expert")


TASKS: dict[str, Task] = {
    f"s2robot/robosuite-{name}-v0": Task(
        RobosuiteEnv, expert, {"task": name}, MAX_EPISODE_STEPS, noise=0.05, push_probability=0.02
    )
    for name, expert in {
        "Lift": LiftExpert,
        "PickPlaceCan": _no_expert,
        "NutAssemblySquare": _no_expert,
    }.items()
}
