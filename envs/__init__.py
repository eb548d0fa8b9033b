"""MuJoCo manipulation tasks as Gymnasium environments; importing this package registers them.

env = gymnasium.make("envs:s2robot/PickCube-v0", image_size=448, control_freq=10)
expert = envs.make_expert("s2robot/PickCube-v0", seed=0)
"""

from envs import opengl

opengl.configure()  # MuJoCo reads its settings when it is first imported, which the next lines do

from envs import robosuite  # noqa: E402
from envs.registry import KNOWN, Expert, Task, make_expert, register  # noqa: E402
from envs.tasks import TASKS  # noqa: E402

__all__ = ["KNOWN", "TASKS", "Expert", "Task", "make_expert", "register"]

for _id, _task in (TASKS | robosuite.TASKS).items():  # those of robosuite need a package of their own
    register(_id, _task)
