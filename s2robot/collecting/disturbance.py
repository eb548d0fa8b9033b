"""How a scripted expert is disturbed, so that its demonstrations show corrections.

"DART: Noise Injection for Robust Imitation Learning", arXiv 1703.09327: what is executed deviates, what is
recorded as the action to imitate is the expert's own, correcting one.
"""

from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np

from envs.registry import AimingExpert, Expert
from s2robot.collecting.collection import Collection

PUSH_FADES = 1 / 3  # probability, each step
AIM_STRAYS, AIM_RETURNS = 0.1, 0.07


@dataclass
class Disturbance:
    """What is executed in one episode instead of the expert's actions: noise, pushes off course, stray aims.

    An action begins with a translation (3) and a rotation (3), as far as it has so many numbers; what
    follows, such as the gripper, is left alone. A push adds a constant direction of random strength to the
    translation for a few steps. A stray aim lasts for the half of an episode in all: what moves is what
    the expert would do if things were a few millimetres beside where they are, as a policy sees them. So
    demonstrations show what happens then, a part on the rim of its hole, and how to go on.
    """

    noise: float  # deviation of each component
    push_probability: float  # that a push begins, each step
    aim_error_m: float = 0.0  # the largest, in the plane
    limits: tuple[Any, Any] = (-1, 1)  # of what is executed
    push: np.ndarray = field(default_factory=lambda: np.zeros(3), init=False)
    beside_m: np.ndarray = field(default_factory=lambda: np.zeros(3), init=False)

    @staticmethod
    def of(collection: Collection, limits: tuple[Any, Any] = (-1, 1)) -> "Disturbance":
        """As a collection's settings, which are resolved, say."""
        noise, pushes, aim = collection.noise, collection.push_probability, collection.aim_error_m
        assert noise is not None and pushes is not None and aim is not None
        return Disturbance(noise, pushes, aim, limits)

    def __call__(
        self, expert: Expert, env: gymnasium.Env[Any, Any], rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """The expert's action, and the one that is executed in its place."""
        action = np.asarray(expert(env), dtype=np.float32)
        executed = action.copy()
        if self.aim_error_m:  # without it an episode draws what it drew before there was one
            self._stray(rng)
            if self.beside_m.any():
                assert isinstance(expert, AimingExpert)
                executed[:6] = expert.aim(env, self.beside_m)[:6]
        return action, self._moved(executed, rng)

    def _moved(self, action: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """An action with push and noise."""
        if self.push.any():
            self.push = self.push if rng.random() > PUSH_FADES else np.zeros(3)
        elif rng.random() < self.push_probability:
            self.push = rng.normal(size=3)
            self.push *= rng.uniform(0.3, 1.0) / np.linalg.norm(self.push)
        action[:3] += self.push[: len(action)]
        action[:6] += (self.noise * rng.normal(size=6))[: len(action)]
        return np.clip(action, *self.limits).astype(np.float32)

    def _stray(self, rng: np.random.Generator) -> None:
        """Begin or end a stray aim, now and then."""
        if self.beside_m.any():
            self.beside_m = self.beside_m if rng.random() > AIM_RETURNS else np.zeros(3)
        elif rng.random() < AIM_STRAYS:
            angle, far = rng.uniform(0, 2 * np.pi), self.aim_error_m * np.sqrt(rng.uniform())
            self.beside_m = far * np.array([np.cos(angle), np.sin(angle), 0.0])
