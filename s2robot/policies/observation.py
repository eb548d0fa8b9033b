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
from s2robot.types import CameraSpec, Observation, Spec


@dataclass
class Statistics:
    """What the normalisation of a policy is fitted to. Only training needs it."""

    features: dict[str, tuple[Tensor, Tensor]]  # camera -> (mean, deviation), each "c"
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
        self.module_of = {camera: module_name(shapes.key) for camera, shapes in spec.cameras.items()}
        heads = {
            self.module_of[camera]: HEADS[head](_camera_shape(shapes, proprio_dim), **head_args)
            for camera, shapes in spec.cameras.items()
        }
        self.heads = nn.ModuleDict(heads)
        self.proprio_keys = list(spec.proprio)
        self.proprio = nn.ModuleDict({module_name(key): Normalizer(dim) for key, dim in spec.proprio.items()})
        self.dim = sum(head.dim for head in heads.values()) + proprio_dim
        self.tokens_a_step = sum(head.tokens for head in heads.values()) + bool(proprio_dim)
        if width is not None:
            inputs = {key: head.dim for key, head in heads.items()}
            inputs |= {PROPRIO: proprio_dim} if proprio_dim else {}
            self.project = nn.ModuleDict({key: nn.Linear(dim, width) for key, dim in inputs.items()})
            self.step = nn.Parameter(0.02 * torch.randn(obs_steps, 1, width)) if obs_steps > 1 else None

    def fit(self, statistics: Statistics, proprio_norm: str = "limits") -> None:
        """Take the normalisation from the training data; `proprio_norm` is `Normalizer.fit`'s mode."""
        for camera, (mean, deviation) in statistics.features.items():
            self._head(camera).fit(mean, deviation)
        for key, values in statistics.proprio.items():
            self._normalizer(key).fit(torch.from_numpy(values), proprio_norm)

    def forward(self, obs: Observation) -> Float[Tensor, "b to d"]:
        proprio = self._proprio(obs)
        parts = [self._see(camera, obs, proprio) for camera in self.module_of]  # b to d
        return torch.cat([*parts, *proprio], dim=-1)

    def tokens(self, obs: Observation) -> Float[Tensor, "b n d"]:
        """Tokens of all steps, the oldest first; they carry embeddings of step, camera, and cell."""
        proprio = self._proprio(obs)
        inputs = {name: self._see(camera, obs, proprio) for camera, name in self.module_of.items()}
        inputs |= {PROPRIO: torch.cat(proprio, dim=-1)} if proprio else {}  # each b to d, or b to n d
        parts = []
        for name, values in inputs.items():
            tokens = self.project[name](values)
            parts.append(tokens if tokens.ndim == 4 else tokens[:, :, None])  # b to n d
        tokens = torch.cat(parts, dim=2)
        if self.step is not None:
            tokens = tokens + self.step
        return tokens.flatten(1, 2)

    def proprioception(self, obs: Observation) -> Float[Tensor, "b to d"]:
        """All proprioception of each step, normalised, side by side: `proprio_dim` numbers."""
        return self.normalized(obs.proprio)

    def normalized(self, proprio: Mapping[str, Float[Tensor, "b t _"]]) -> Float[Tensor, "b t d"]:
        """Proprioception of any frames, normalised, side by side."""
        return torch.cat([self._normalizer(key)(proprio[key]) for key in self.proprio_keys], dim=-1)

    def normalizers(self) -> dict[str, Normalizer]:
        """That of each key of the proprioception."""
        return {key: self._normalizer(key) for key in self.proprio_keys}

    def look(self, obs: Observation) -> dict[str, Float[Tensor, "b k gh gw"]]:
        """How much the head of each camera weighs the cells of the newest step; only of heads that weigh."""
        proprio = torch.cat([one[:, -1] for one in self._proprio(obs)], dim=-1) if self.proprio_keys else None
        found = {}
        for camera in self.module_of:
            head, maps = self._head(camera), obs.features[camera].map[:, -1]
            weights = head.look(maps, proprio if head.reads_proprio else None)
            if weights is not None:
                found[camera] = weights.unflatten(2, maps.shape[2:])
        return found

    def gives_keypoints(self, camera: str) -> bool:
        """Whether what a camera's head weighs is a place each."""
        return self._head(camera).gives_keypoints

    def _see(
        self, camera: str, obs: Observation, proprio: list[Float[Tensor, "b to _"]]
    ) -> Float[Tensor, "b to *n d"]:
        """What a camera's head makes of each step."""
        head, (maps, prefix) = self._head(camera), obs.features[camera]
        if not head.reads_prefix:
            prefix = None
        elif prefix is None:
            raise ValueError(f"the head of {camera} reads prefix tokens, and the observation has none")
        state = torch.cat(proprio, dim=-1).flatten(0, 1) if head.reads_proprio else None
        seen = head(maps.flatten(0, 1), None if prefix is None else prefix.flatten(0, 1), state)
        return seen.unflatten(0, maps.shape[:2])

    def _proprio(self, obs: Observation) -> list[Float[Tensor, "b to _"]]:
        return [self._normalizer(key)(obs.proprio[key]) for key in self.proprio_keys]

    def _head(self, camera: str) -> Head:
        head = self.heads[self.module_of[camera]]
        assert isinstance(head, Head)
        return head

    def _normalizer(self, key: str) -> Normalizer:
        normalizer = self.proprio[module_name(key)]
        assert isinstance(normalizer, Normalizer)
        return normalizer


PROPRIO = "proprio"  # name of the module that makes tokens of proprioception


def module_name(key: str) -> str:
    """The key as a module may be called: without dots, and no attribute or module that is there already."""
    name = key.replace("%", "%25").replace(".", "%2E")
    return f"%{name}" if name == PROPRIO or hasattr(nn.ModuleDict, name) else name


def _camera_shape(camera: CameraSpec, proprio: int) -> CameraShape:
    channels, *grid = camera.features
    return CameraShape(channels, (grid[0], grid[1]), camera.scales, camera.prefix, proprio)
