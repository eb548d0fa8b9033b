"""Whether the actions of a policy mean something in an environment's action space. Imports no PyTorch."""

import gymnasium
import numpy as np
from jaxtyping import Float

from s2robot.errors import UserError

CLIPPED = 0.5  # of a dimension's range: what is said when it happens in most dimensions


def check_real(env_id: str, space: gymnasium.Space) -> None:
    """Raise `UserError` for a Box of whole numbers: a policy's actions would lose what is after the point."""
    if isinstance(space, gymnasium.spaces.Box) and space.dtype.kind != "f":
        raise UserError(
            f"{env_id} takes actions of {space.dtype}, a policy's real numbers would be cut to whole ones"
            ": its action_space must be a Box of float32"
        )


def clipping(
    env_id: str, space: gymnasium.Space, low: Float[np.ndarray, "da"], high: Float[np.ndarray, "da"]
) -> str:
    """A line for the user where the space holds little of what the demonstrations did, else "".

    `low` and `high` are their actions' range. Actions outside of the space are clipped.
    """
    if not isinstance(space, gymnasium.spaces.Box) or space.shape != low.shape:
        return ""
    inside = np.minimum(high, space.high) - np.maximum(low, space.low)
    most = inside < (1 - CLIPPED) * (high - low)
    if 2 * int(most.sum()) <= len(low):
        return ""
    return (
        f"{env_id} takes actions {_span(space.low, space.high)}, the demonstrations' are "
        f"{_span(low, high)}: most will be clipped; is it the environment that they were recorded in?"
    )


def _span(low: np.ndarray, high: np.ndarray) -> str:
    return f"from {float(low.min()):.3g} to {float(high.max()):.3g}"
