"""Heads by name: what is trained on top of the frozen features, one for each camera.

Peers hand the policy one pooled vector of a frozen encoder; keeping the grid and training the pooling
is what closes the gap. A new head is a file and a line here.
"""

from s2robot.errors import UserError
from s2robot.policies.heads.attention import Attention
from s2robot.policies.heads.base import CameraShape, Head
from s2robot.policies.heads.cls import Cls
from s2robot.policies.heads.conv import Conv
from s2robot.policies.heads.mean import Mean
from s2robot.policies.heads.spatial_softmax import SpatialSoftmax
from s2robot.policies.heads.tokens import Tokens
from s2robot.registry import Registry

__all__ = ["HEADS", "CameraShape", "Head", "check_head"]

HEADS: Registry[type[Head]] = Registry("policy head")
HEADS["attention"] = Attention
HEADS["cls"] = Cls
HEADS["conv"] = Conv
HEADS["mean"] = Mean
HEADS["spatial_softmax"] = SpatialSoftmax
HEADS["tokens"] = Tokens


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
