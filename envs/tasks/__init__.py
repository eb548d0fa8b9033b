"""The tasks, one file each. A task file declares `TASKS`, registered id -> `Task`; a new file is named here."""

from envs.base import Task
from envs.tasks import pick

TASKS: dict[str, Task] = {**pick.TASKS}
