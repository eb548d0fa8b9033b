"""The tasks, one file each: it declares `TASKS` (registered id -> `Task`) and is named here."""

from envs.registry import Task
from envs.tasks import peg_insertion, pick, place_by_colour, stack, thread_nut

TASKS: dict[str, Task] = {
    **pick.TASKS,
    **stack.TASKS,
    **place_by_colour.TASKS,
    **peg_insertion.TASKS,
    **thread_nut.TASKS,
}
