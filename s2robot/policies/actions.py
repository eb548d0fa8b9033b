"""The actions that a policy's network works with, and how the environment's become these and come back."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.errors import UserError
from s2robot.policies.normalizer import Normalizer

ARM = 7  # numbers of one arm's absolute action: position 3, axis-angle 3, gripper 1
SMALLEST_ANGLE = 1e-6  # rad; below it the axis of a rotation is undefined


class Actions(nn.Module):
    """Normalised actions of `dim` numbers from the environment's, and back.

    `rotation="6d"` is for absolute poses in robomimic's layout (position 3, axis-angle 3, gripper 1, for each
    of one or two arms). Axis-angle jumps where the angle passes pi; the network gets the first two columns of
    the rotation matrix, which do not ("On the Continuity of Rotation Representations", arXiv 1812.07035).
    """

    def __init__(self, action_dim: int, rotation: str = "as_is") -> None:
        super().__init__()
        if rotation == "6d" and action_dim not in (ARM, 2 * ARM):
            raise UserError(
                f"policy.rotation=6d takes absolute actions of {ARM} or {2 * ARM} numbers "
                f"(position, axis-angle, gripper), these have {action_dim}"
            )
        self.arms = action_dim // ARM if rotation == "6d" else 0
        self.dim = action_dim + 3 * self.arms
        self.normalizer = Normalizer(self.dim)

    def fit(self, values: Float[Tensor, "n da"], mode: str = "limits") -> None:
        """Take the statistics of the environment's actions; `mode` is `Normalizer.fit`'s."""
        self.normalizer.fit(self._encode(values), mode)

    def forward(self, values: Float[Tensor, "... da"]) -> Float[Tensor, "... dim"]:
        return self.normalizer(self._encode(values))

    def denormalize(self, values: Float[Tensor, "... dim"]) -> Float[Tensor, "... da"]:
        """Inverse of calling it; what is no rotation becomes the nearest one by Gram-Schmidt."""
        values = self.normalizer.denormalize(values)
        if not self.arms:
            return values
        position, rotation, gripper = values.unflatten(-1, (self.arms, -1)).split((3, 6, 1), dim=-1)
        return torch.cat([position, six_to_axis_angle(rotation), gripper], dim=-1).flatten(-2)

    def _encode(self, values: Float[Tensor, "... da"]) -> Float[Tensor, "... dim"]:
        if not self.arms:
            return values
        position, rotation, gripper = values.unflatten(-1, (self.arms, -1)).split((3, 3, 1), dim=-1)
        return torch.cat([position, axis_angle_to_six(rotation), gripper], dim=-1).flatten(-2)


def axis_angle_to_six(rotation: Float[Tensor, "... 3"]) -> Float[Tensor, "... 6"]:
    """First two columns of the rotation matrix of axis times angle (rad), one behind the other."""
    x, y, z = rotation.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    # Rodrigues' formula; sinc divides by no angle, and does not wait for a GPU as matrix_exp does
    angle = rotation.norm(dim=-1)[..., None, None]
    half_angle = torch.sinc(angle / (2 * math.pi)).square() / 2
    matrix = torch.sinc(angle / math.pi) * skew + half_angle * (skew @ skew)
    matrix = matrix + torch.eye(3, dtype=matrix.dtype, device=matrix.device)
    return matrix[..., :2].transpose(-1, -2).flatten(-2)


def six_to_axis_angle(six: Float[Tensor, "... 6"]) -> Float[Tensor, "... 3"]:
    """Axis times angle in [0, pi] rad of the rotation that Gram-Schmidt makes of two vectors."""
    first, second = six.unflatten(-1, (2, 3)).unbind(-2)
    first = F.normalize(first, dim=-1)
    second = F.normalize(second - (first * second).sum(-1, keepdim=True) * first, dim=-1)
    columns = (first, second, torch.linalg.cross(first, second))
    return _axis_angle(torch.stack(columns, dim=-1))


def _axis_angle(matrix: Float[Tensor, "... 3 3"]) -> Float[Tensor, "... 3"]:
    """Through the quaternion, from its largest component, so that it is exact near 0 and near pi."""
    m = matrix
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    x, y, z = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    rows = (  # the quaternion (w, x, y, z) times 4 w, 4 x, 4 y, 4 z
        (1 + xx + yy + zz, x, y, z),
        (x, 1 + xx - yy - zz, xy, xz),
        (y, xy, 1 - xx + yy - zz, yz),
        (z, xz, yz, 1 - xx - yy + zz),
    )
    scaled = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)  # ... 4 4
    largest = scaled.diagonal(dim1=-2, dim2=-1).argmax(-1)
    index = largest[..., None, None].expand(*largest.shape, 1, 4)
    quaternion = F.normalize(scaled.gather(-2, index).squeeze(-2), dim=-1)
    quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)  # angle in [0, pi]
    sine = quaternion[..., 1:].norm(dim=-1, keepdim=True)
    angle = 2 * torch.atan2(sine, quaternion[..., :1])
    return (
        torch.where(sine > SMALLEST_ANGLE, angle / sine.clamp(min=SMALLEST_ANGLE), 2.0) * quaternion[..., 1:]
    )
