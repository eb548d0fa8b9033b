"""How far an episode came: the phases of picking and placing, read off the privileged state."""

from typing import Any

import numpy as np

from envs.placing import PlaceTask

PHASES = ("reach", "grasp", "carry", "align", "release")
NEAR_M = 0.02  # of the part: the gripper has reached it
OVER_M = 0.01  # of the goal, horizontally: the part has been carried there


class Progress:
    """The phases that an episode has completed; a later one counts only after the earlier ones."""

    def __init__(self, task: Any) -> None:
        self._task = task
        self.completed = 0

    def note(self, success: bool) -> None:
        """Look at the state that a step has led to."""
        while self.completed < len(PHASES) and (success or self._is_completed(PHASES[self.completed])):
            self.completed += 1

    @property
    def failed_in(self) -> str | None:
        """The first phase that was not completed; None after a success."""
        return PHASES[self.completed] if self.completed < len(PHASES) else None

    def _is_completed(self, phase: str) -> bool:
        task = self._task
        part = task.object_state()[:3]
        if phase == "reach":
            return bool(np.linalg.norm(part - task.panda.pose(task.data)[0]) < NEAR_M)
        if phase == "grasp":
            return bool(task.is_gripped())
        if not isinstance(task, PlaceTask):  # picking ends with lifting
            return phase == "carry" and task.is_success()
        if phase == "carry":
            return bool(np.linalg.norm((part - task.goal_pose()[0])[:2]) < OVER_M)
        return phase == "align" and task.is_placed()
