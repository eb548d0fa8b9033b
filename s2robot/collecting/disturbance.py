"""How a scripted expert is disturbed, so that its demonstrations show corrections.

"DART: Noise Injection for Robust Imitation Learning", arXiv 1703.09327: what is executed deviates, what is
recorded as the action to imitate is the expert's own, correcting one.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from s2robot.collecting.collection import Collection

PUSH_FADES = 1 / 3  # probability, each step
DRIFT_BEGINS = DRIFT_FADES = 0.1


@dataclass
class Disturbance:
    """What is added to the actions of one episode: noise, pushes off course, and drifts.

    An action begins with a translation (3) and a rotation (3), as far as it has so many numbers; what
    follows, such as the gripper, is left alone. A push adds a constant direction of random strength to the
    translation for a few steps. A drift is weak, turns as well, and lasts longer: it holds the expert a
    little beside where it wants to be, where a policy ends up that sees its goal there.
    """

    noise: float  # deviation of each component
    push_probability: float  # that a push begins, each step
    drift: float = 0.0  # the largest, of translation and of rotation
    limits: tuple[Any, Any] = (-1, 1)  # of what is executed
    push: np.ndarray = field(default_factory=lambda: np.zeros(3), init=False)
    drifting: np.ndarray = field(default_factory=lambda: np.zeros(6), init=False)

    @staticmethod
    def of(collection: Collection, limits: tuple[Any, Any] = (-1, 1)) -> "Disturbance":
        """As a collection's settings, which are resolved, say."""
        noise, pushes, drift = collection.noise, collection.push_probability, collection.drift
        assert noise is not None and pushes is not None and drift is not None
        return Disturbance(noise, pushes, drift, limits)

    def __call__(self, action: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The action that is executed in place of the expert's."""
        if self.push.any():
            self.push = self.push if rng.random() > PUSH_FADES else np.zeros(3)
        elif rng.random() < self.push_probability:
            self.push = _drawn(rng, 0.3, 1.0)
        executed = action.copy()
        executed[:3] += self.push[: len(executed)]
        executed[:6] += (self.noise * rng.normal(size=6))[: len(executed)]
        if self.drift:  # drawn last: without it an episode is what it was before there were drifts
            if self.drifting.any():
                self.drifting = self.drifting if rng.random() > DRIFT_FADES else np.zeros(6)
            elif rng.random() < DRIFT_BEGINS:
                self.drifting = np.concatenate([_drawn(rng, 0.0, self.drift) for _ in range(2)])
            executed[:6] += self.drifting[: len(executed)]
        return np.clip(executed, *self.limits).astype(np.float32)


def _drawn(rng: np.random.Generator, least: float, most: float) -> np.ndarray:
    """A vector (3,) in any direction whose length is between these."""
    vector = rng.normal(size=3)
    vector *= rng.uniform(least, most) / np.linalg.norm(vector)
    return vector
