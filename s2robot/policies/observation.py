"""What a policy knows: cached features and proprioception in, a vector a step or tokens out."""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.errors import UserError, unknown_name
from s2robot.policies.heads import HEADS, CameraShape, Head
from s2robot.policies.normalizer import Normalizer
from s2robot.types import Spec, camera_of, prefix_key


@dataclass
class Statistics:
    """What the normalisation of a policy is fitted to. Only training needs it."""

    features: dict[str, tuple[Tensor, Tensor]]  # image key -> (mean, deviation), each "c"
    proprio: dict[str, np.ndarray]  # key -> "n d"
    actions: np.ndarray  # "n da"


class ObservationEncoder(nn.Module):
    """A head for each camera, and normalised proprioception.

    Policies that read a vector call it: all of a step side by side, `dim` numbers. Policies that are
    transformers say how wide their tokens are (`width`) and call `tokens`: for each step those of each camera
    (one, from a head that gives a vector) and one of the proprioception, `tokens_a_step` of them.
    """

    def __init__(
        self,
        spec: Spec,
        head: str,
        head_args: Mapping[str, Any],
        obs_steps: int = 1,
        width: int | None = None,
    ) -> None:
        """`head` and `head_args` as in `PolicyConfig`. Raises `UserError` for a head that does not fit."""
        super().__init__()
        if HEADS[head].gives_tokens and width is None:
            fitting = sorted(name for name, other in HEADS.items() if not other.gives_tokens)
            raise UserError(
                f"policy.head={head} gives tokens and this policy reads a vector; "
                f"choose {', '.join(fitting)}, or a policy that is a transformer"
            )
        known = signature(HEADS[head]).parameters.keys() - {"shape"}
        for name in head_args:
            if name not in known:
                raise unknown_name(f"option in policy.head_args of {head}", name, known)
        self.proprio_dim = proprio_dim = sum(spec.proprio.values())
        heads = {key: HEADS[head](_camera_shape(spec, key), **head_args) for key in spec.features}
        self.heads = nn.ModuleDict(heads)
        self.proprio = nn.ModuleDict({key: Normalizer(dim) for key, dim in spec.proprio.items()})
        self.dim = sum(head.dim for head in heads.values()) + proprio_dim
        self.tokens_a_step = sum(head.tokens for head in heads.values()) + bool(proprio_dim)
        if width is not None:
            inputs = {key: head.dim for key, head in heads.items()}
            inputs |= {PROPRIO: proprio_dim} if proprio_dim else {}
            self.project = nn.ModuleDict({key: nn.Linear(dim, width) for key, dim in inputs.items()})
            self.step = nn.Parameter(0.02 * torch.randn(obs_steps, 1, width)) if obs_steps > 1 else None

    def fit(self, statistics: Statistics, proprio_norm: str = "limits") -> None:
        """Take the normalisation from the training data; `proprio_norm` is `Normalizer.fit`'s mode."""
        for key, (mean, deviation) in statistics.features.items():
            self._head(key).fit(mean, deviation)
        for key, values in statistics.proprio.items():
            normalizer = self.proprio[key]
            assert isinstance(normalizer, Normalizer)
            normalizer.fit(torch.from_numpy(values), proprio_norm)

    def forward(self, obs: Mapping[str, Float[Tensor, "b to ..."]]) -> Float[Tensor, "b to d"]:
        proprio = self._proprio(obs)
        parts = [self._see(key, obs, proprio) for key in self.heads]  # b to d
        return torch.cat([*parts, *proprio], dim=-1)

    def tokens(self, obs: Mapping[str, Float[Tensor, "b to ..."]]) -> Float[Tensor, "b n d"]:
        """Tokens of all steps, the oldest first; they carry embeddings of step, camera, and cell."""
        proprio = self._proprio(obs)
        inputs = {key: self._see(key, obs, proprio) for key in self.heads}  # b to d, or b to n d
        inputs |= {PROPRIO: torch.cat(proprio, dim=-1)} if proprio else {}
        parts = []
        for key, values in inputs.items():
            tokens = self.project[key](values)
            parts.append(tokens if tokens.ndim == 4 else tokens[:, :, None])  # b to n d
        tokens = torch.cat(parts, dim=2)
        if self.step is not None:
            tokens = tokens + self.step
        return tokens.flatten(1, 2)

    def proprioception(self, obs: Mapping[str, Float[Tensor, "b to ..."]]) -> Float[Tensor, "b to d"]:
        """All proprioception of each step, normalised, side by side: `proprio_dim` numbers."""
        return torch.cat(self._proprio(obs), dim=-1)

    def _see(
        self, key: str, obs: Mapping[str, Float[Tensor, "b to ..."]], proprio: list[Tensor]
    ) -> Float[Tensor, "b to ..."]:
        """What a camera's head makes of each step."""
        head, maps = self._head(key), obs[key]
        prefix = obs[_prefix_key(key)].flatten(0, 1) if head.reads_prefix else None
        state = torch.cat(proprio, dim=-1).flatten(0, 1) if head.reads_proprio else None
        return head(maps.flatten(0, 1), prefix, state).unflatten(0, maps.shape[:2])

    def _proprio(self, obs: Mapping[str, Float[Tensor, "b to ..."]]) -> list[Float[Tensor, "b to d"]]:
        return [normalizer(obs[key]) for key, normalizer in self.proprio.items()]

    def _head(self, key: str) -> Head:
        head = self.heads[key]
        assert isinstance(head, Head)
        return head


PROPRIO = "proprio"


def _prefix_key(image_key: str) -> str:
    return prefix_key(camera_of(image_key))


def _camera_shape(spec: Spec, key: str) -> CameraShape:
    channels, *grid = spec.features[key]
    return CameraShape(
        channels=channels,
        grid=(grid[0], grid[1]),
        scales=spec.scales.get(key, 1),
        prefix=spec.prefix.get(_prefix_key(key)),
        proprio=sum(spec.proprio.values()),
    )
