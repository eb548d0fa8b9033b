"""Heads by name: what is trained on top of the frozen features, one for each camera.

Peers hand the policy one pooled vector of a frozen encoder; keeping the grid and training the pooling
is what closes the gap. A new head is a file and a line here.
"""

from s2robot.errors import Registry
from s2robot.policies.heads.attention import Attention
from s2robot.policies.heads.base import CameraShape, Head
from s2robot.policies.heads.cls import Cls
from s2robot.policies.heads.conv import Conv
from s2robot.policies.heads.mean import Mean
from s2robot.policies.heads.spatial_softmax import SpatialSoftmax
from s2robot.policies.heads.tokens import Tokens

__all__ = ["HEADS", "CameraShape", "Head"]

HEADS: Registry[type[Head]] = Registry("policy head")
HEADS["attention"] = Attention
HEADS["cls"] = Cls
HEADS["conv"] = Conv
HEADS["mean"] = Mean
HEADS["spatial_softmax"] = SpatialSoftmax
HEADS["tokens"] = Tokens
