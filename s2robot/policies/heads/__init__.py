"""Heads by name: what is trained on top of the frozen features, one for each camera.

Peers hand the policy one pooled vector of a frozen encoder; keeping the grid and training the pooling
is what closes the gap. A new head is a file and a line here. Listing the names imports no PyTorch.
"""

from typing import TYPE_CHECKING

from s2robot.errors import UserError
from s2robot.registry import Lazy, Registry, lazy_attributes

if TYPE_CHECKING:
    from s2robot.policies.heads.base import CameraShape, Head

__all__ = ["HEADS", "CameraShape", "Head", "check_head"]

HEADS: "Registry[type[Head]]" = Registry("policy head")
HEADS["attention"] = Lazy("s2robot.policies.heads.attention:Attention")
HEADS["cls"] = Lazy("s2robot.policies.heads.cls:Cls")
HEADS["conv"] = Lazy("s2robot.policies.heads.conv:Conv")
HEADS["mean"] = Lazy("s2robot.policies.heads.mean:Mean")
HEADS["spatial_softmax"] = Lazy("s2robot.policies.heads.spatial_softmax:SpatialSoftmax")
HEADS["tokens"] = Lazy("s2robot.policies.heads.tokens:Tokens")

__getattr__ = lazy_attributes(  # these import PyTorch
    __name__,
    CameraShape="s2robot.policies.heads.base:CameraShape",
    Head="s2robot.policies.heads.base:Head",
)


def check_head(name: str, encoder: str, prefix_tokens: int) -> None:
    """Raise `UserError` for a head that reads prefix tokens if the encoder of that name has none."""
    if HEADS[name].reads_prefix and not prefix_tokens:
        fitting = sorted(
            head for head, other in HEADS.items() if not (other.reads_prefix or other.gives_tokens)
        )
        raise UserError(
            f"policy.head={name} reads prefix tokens (class, registers), and encoder {encoder!r} has none: "
            f"choose {', '.join(fitting)}, or a vision transformer that has them"
        )
