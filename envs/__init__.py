"""MuJoCo manipulation tasks as Gymnasium environments; importing this package registers them.

env = gymnasium.make("envs:s2robot/PickCube-v0", image_size=448, control_freq=10)
expert = envs.make_expert("s2robot/PickCube-v0", seed=0)
"""

from envs import opengl

opengl.configure()  # MuJoCo reads its settings when it is first imported, which the next lines do

import difflib  # noqa: E402

import gymnasium  # noqa: E402

from envs import robosuite  # noqa: E402
from envs.base import Expert, Task  # noqa: E402
from envs.tasks import TASKS  # noqa: E402

__all__ = ["KNOWN", "TASKS", "Expert", "Task", "make_expert"]

KNOWN: dict[str, Task] = {**TASKS, **robosuite.TASKS}  # those of robosuite need a package of their own

for _id, _task in KNOWN.items():
    gymnasium.register(
        _id,
        entry_point=f"{_task.env.__module__}:{_task.env.__qualname__}",
        kwargs=dict(_task.kwargs),
        max_episode_steps=_task.max_episode_steps,
    )


def make_expert(env_id: str, seed: int = 0) -> Expert:
    """The scripted expert of a task: `expert(env)` returns an action, float32 (7,).

    `seed` draws its style (pace). Raises ValueError for an unknown id.
    """
    name = env_id.removeprefix("envs:")
    if name not in KNOWN:
        near = difflib.get_close_matches(name, KNOWN, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown environment {env_id!r}; {hint}known: {', '.join(sorted(KNOWN))}")
    return KNOWN[name].expert(seed)
