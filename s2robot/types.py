"""The words that every package shares.

Axis legend, used in all shape strings:

    b  batch            h w    pixels of a frame        da  action dimension
    t  time             gh gw  cells of a feature grid  d   any other vector
    to observation steps (history, the last one is now)
    ta action steps      (chunk, the first one is now)
    tp action steps before now
    tf frames to foresee
    c  channels          n     tokens                   p   prefix tokens (of c2 channels)
                                                         _   a size of its own for each key

Images outside an encoder are uint8 "h w 3", top row first.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

IMAGE_SUFFIX = "_image"


def image_key(camera: str) -> str:
    """robosuite's observation key of a camera: `agentview` -> `agentview_image`."""
    return camera + IMAGE_SUFFIX


class Features(NamedTuple):
    """What an encoder gives: a grid of features and, where it has them, prefix tokens (class, registers)."""

    map: Float[Tensor, "*b c gh gw"]  # "b" of frames, "b to" of training windows and observations
    prefix: Float[Tensor, "*b p c2"] | None = None


@dataclass(frozen=True)
class CameraSpec:
    """A camera: where its frames are observed, and the shapes of frames and features."""

    key: str  # observation key of its frames in an environment
    size: tuple[int, int]  # (h, w) of the frames
    features: tuple[int, int, int]  # (c, gh, gw)
    scales: int = 1  # concatenated in c
    prefix: tuple[int, int] | None = None  # (p, c) of the prefix tokens, if there are any
    flips: tuple[int, ...] = ()  # axes of (h, w, 3) along which recorded frames were flipped to be upright


@dataclass(frozen=True)
class Spec:
    """What flows in and out of a policy, read off a dataset and its encoders, kept in the checkpoint."""

    env_id: str  # empty if the dataset names no environment
    env_kwargs: dict[str, Any]  # with these `gymnasium.make` observes what the dataset observed
    action_dim: int
    proprio: dict[str, int]  # observation key -> dimension
    cameras: dict[str, CameraSpec] = field(default_factory=dict)  # by name

    @property
    def observed(self) -> dict[str, tuple[int, ...]]:
        """Shape of everything that an environment must observe, by observation key."""
        images = {camera.key: (*camera.size, 3) for camera in self.cameras.values()}
        return {**images, **{key: (dim,) for key, dim in self.proprio.items()}}

    @staticmethod
    def read(
        dataset: "SpecSource",
        encoders: "SpecEncoders",
        cameras: Sequence[str],
        env_id: str = "",
        env_kwargs: Mapping[str, Any] | None = None,
    ) -> "Spec":
        """The spec of a policy that reads these cameras of a dataset through these encoders."""
        sizes = {camera: dataset.image_size(camera) for camera in cameras}
        return Spec(
            env_id=env_id,
            env_kwargs=dict(env_kwargs or {}),
            action_dim=dataset.actions().shape[1],
            proprio={key: values.shape[1] for key, values in dataset.proprioception().items()},
            cameras={
                camera: CameraSpec(
                    key=dataset.observation_key(camera),
                    size=size,
                    features=encoders.feature_shape(camera, size),
                    scales=encoders.scales(camera),
                    prefix=encoders.prefix_shape(camera),
                    flips=dataset.flips(camera),
                )
                for camera, size in sizes.items()
            },
        )

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    @staticmethod
    def from_dict(plain: Mapping[str, Any]) -> "Spec":
        """Inverse of `to_dict`, from what JSON gives back (lists for tuples), or from 0.1's layout."""
        values = dict(plain) if "cameras" in plain else _upgraded(plain)
        values["cameras"] = {name: _camera(camera) for name, camera in values["cameras"].items()}
        return Spec(**values)


@runtime_checkable
class SpecSource(Protocol):
    """The part of a dataset that a spec is read off."""

    def image_size(self, camera: str) -> tuple[int, int]: ...

    def observation_key(self, camera: str) -> str: ...

    def flips(self, camera: str) -> tuple[int, ...]: ...

    def proprioception(self) -> Mapping[str, Float[np.ndarray, "n _"]]: ...

    def actions(self) -> Float[np.ndarray, "n da"]: ...


@runtime_checkable
class SpecEncoders(Protocol):
    """The part of the cameras' encoders that a spec is read off."""

    def feature_shape(self, camera: str, image_size: tuple[int, int]) -> tuple[int, int, int]: ...

    def prefix_shape(self, camera: str) -> tuple[int, int] | None: ...

    def scales(self, camera: str) -> int: ...


def _camera(plain: Mapping[str, Any]) -> CameraSpec:
    tuples: dict[str, Any] = {k: tuple(v) if isinstance(v, list | tuple) else v for k, v in plain.items()}
    return CameraSpec(**tuples)


def _upgraded(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Today's layout of a spec of version 0.1, which had the shapes by observation key."""
    values = {key: plain[key] for key in ("env_id", "env_kwargs", "action_dim", "proprio")}
    values["cameras"] = {
        (name := key.removesuffix(IMAGE_SUFFIX)): {
            "key": key,
            "size": plain["images"][key],
            "features": features,
            "scales": plain.get("scales", {}).get(key, 1),
            "prefix": plain.get("prefix", {}).get(f"{name}_prefix"),
        }
        for key, features in plain["features"].items()
    }
    return values


@dataclass(frozen=True)
class Observation:
    """What a policy reads: the features of each camera, and proprioception."""

    features: Mapping[str, Features]  # camera -> map "b to c gh gw", prefix "b to p c" for heads that read it
    proprio: Mapping[str, Float[Tensor, "b to _"]]  # by observation key

    def map(self, change: Callable[[Tensor], Tensor]) -> "Observation":
        """The same of each tensor changed."""
        return Observation(
            {
                camera: Features(change(map), None if prefix is None else change(prefix))
                for camera, (map, prefix) in self.features.items()
            },
            {key: change(values) for key, values in self.proprio.items()},
        )

    def tensors(self) -> Iterator[Tensor]:
        """All of them."""
        for map, prefix in self.features.values():
            yield from (map,) if prefix is None else (map, prefix)
        yield from self.proprio.values()


@dataclass
class Batch:
    """Training windows: what was observed up to now and what the expert did from now on."""

    obs: Observation
    actions: Float[Tensor, "b ta da"]
    mask: Bool[Tensor, "b ta"]  # False beyond the end of the episode
    windows: Int[Tensor, "b"]  # which windows of the dataset these are, for messages
    # The expert's since before the first observation; zeros and False before the start of the episode:
    past_actions: Float[Tensor, "b tp da"]  # tp = to * (environment steps between observations)
    past_mask: Bool[Tensor, "b tp"]
    # What was executed in these steps; the expert's actions where the dataset records nothing else:
    executed: Float[Tensor, "b tp da"]
    # Proprioception of later frames of the demonstration, for policies that learn to foresee it:
    future: Mapping[str, Float[Tensor, "b tf _"]] = field(default_factory=dict)

    def pin_memory(self) -> "Batch":
        """The batch in page-locked memory, from where copies to a GPU do not block."""
        return self._each(_pinned)

    def to(self, device: torch.device) -> "Batch":
        """The batch on another device; `windows` stay where they are."""
        return self._each(lambda values: values.to(device, non_blocking=True))

    def copied(self) -> "Batch":
        """A batch of its own memory with the same numbers."""
        return self._each(torch.clone)

    def tensors(self) -> Iterator[Tensor]:
        """All of them but `windows`."""
        yield from self.obs.tensors()
        yield from (self.actions, self.mask, self.past_actions, self.past_mask, self.executed)
        yield from self.future.values()

    def _each(self, move: Callable[[Tensor], Tensor]) -> "Batch":
        return Batch(
            obs=self.obs.map(move),
            actions=move(self.actions),
            mask=move(self.mask),
            windows=self.windows,
            past_actions=move(self.past_actions),
            past_mask=move(self.past_mask),
            executed=move(self.executed),
            future={key: move(values) for key, values in self.future.items()},
        )


def _pinned(values: Tensor) -> Tensor:
    """A contiguous copy, since others block when they move on; maps gathered with prefix tokens are not.

    What is on a GPU, or page-locked and contiguous, is left as it is.
    """
    if values.is_cuda or (values.is_pinned() and values.is_contiguous()):
        return values
    return torch.empty(values.shape, dtype=values.dtype, pin_memory=True).copy_(values)


@runtime_checkable
class Actor(Protocol):
    """Whatever rollouts can act with: a trained policy with its encoders, or anything a test makes up.

    `act` is given the last `obs_steps` raw observations of each episode and returns a chunk of which
    the first `action_steps` are executed before the next decision (receding horizon). An actor that has a
    method `executed(state, actions)` is given these as they were executed, "k da" within the action space,
    and returns the episode's state to carry on. One that has a method `look(row)` can say what it looked at
    in a row of the last `act`: a `s2robot.rollouts.looking.Look` by the observation key of the camera.
    """

    obs_keys: tuple[str, ...]
    obs_steps: int
    action_steps: int

    def act(
        self,
        obs: Mapping[str, np.ndarray],  # "b to ...": images uint8 "b to h w 3", proprioception "b to d"
        states: Sequence[Any],  # "b", None at an episode's first call
        generators: Sequence[torch.Generator],  # "b", one an episode
    ) -> tuple[Float[np.ndarray, "b ta da"], list[Any]]: ...
