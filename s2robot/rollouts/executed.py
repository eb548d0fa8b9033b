"""What an actor learns about its last chunk: what of it was really executed."""

from typing import Any

import numpy as np
from jaxtyping import Float

from s2robot.types import Actor


def after_executing(actor: Actor, state: Any, actions: Float[np.ndarray, "k da"]) -> Any:
    """An episode's state when these actions were executed; actors without a method `executed` keep theirs."""
    report = getattr(actor, "executed", None)
    return state if report is None else report(state, actions)
