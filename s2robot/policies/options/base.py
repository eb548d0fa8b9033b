"""What every policy can be configured with, and the choices that several policies share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import methodcaller
from typing import Any, ClassVar

from s2robot.config import MISSING, at_least, option
from s2robot.errors import UserError, unknown_name
from s2robot.policies.heads import HEADS

NORMALISATIONS = ("limits", "gaussian")  # each dimension onto [-1, 1]; onto mean 0 and deviation 1
ROTATIONS = ("as_is", "6d")  # see `s2robot.policies.actions`
AT_END = -1  # instead of a number of steps ahead: the last frame of the episode
LOSSES: Mapping[str, Callable[[Any], Any]] = {"l1": methodcaller("abs"), "l2": methodcaller("square")}


@dataclass
class PolicyConfig:
    """Options of every policy; each policy adds its own."""

    # Options that may be set for a trained policy: no weight depends on them.
    ACTING: ClassVar[tuple[str, ...]] = ("action_steps",)

    name: str = option(MISSING, "of the policy")
    obs_steps: int = option(1, "observations that a decision reads, the last is now")
    horizon: int = option(8, "predicted environment steps, the first is now")
    action_steps: int = option(4, "environment steps of the prediction that are executed")
    head: str = option("spatial_softmax", "what is trained on each camera's features, see docs/policies.md")
    head_args: dict[str, Any] = option({}, "options of the head, e.g. policy.head_args.keypoints=32")
    action_norm: str = option("limits", "of actions: limits (onto [-1, 1]), gaussian (mean 0, deviation 1)")
    proprio_norm: str = option("limits", "of proprioception: limits, gaussian")
    rotation: str = option("as_is", "of absolute actions: as_is, 6d (continuous rotations)")

    @property
    def remembers(self) -> bool:
        """Whether earlier observations reach the policy through its state."""
        return False

    @property
    def obs_stride(self) -> int:
        """Environment steps from one observation of a training window to the next."""
        return self.action_steps if self.remembers else 1

    @property
    def read_steps(self) -> int:
        """Observations that a rollout gives to `predict`."""
        return 1 if self.remembers else self.obs_steps

    @property
    def reads_prefix(self) -> bool:
        """Whether it must be given the encoder's prefix tokens, too. Imports the head."""
        return HEADS[self.head].reads_prefix

    @property
    def reads_executed(self) -> bool:
        """Whether it reads what was executed before."""
        return False

    @property
    def foreseen(self) -> Sequence[int]:
        """How many steps ahead proprioception is foreseen; -1 at the end of the episode."""
        return ()

    def check(self) -> None:
        """Raise `UserError` for values that cannot be or do not fit together."""
        at_least(1, self, "obs_steps", "horizon", group="policy.")
        if not 1 <= self.action_steps <= self.horizon:
            raise UserError(
                f"policy.action_steps={self.action_steps} must be between 1 and policy.horizon={self.horizon}"
            )
        self.check_choice("action_norm", NORMALISATIONS)
        self.check_choice("proprio_norm", NORMALISATIONS)
        self.check_choice("rotation", ROTATIONS)

    def check_choice(self, name: str, choices: Iterable[str]) -> None:
        """Raise `UserError` for an option that is none of `choices`."""
        if getattr(self, name) not in choices:
            raise unknown_name(f"policy.{name}", getattr(self, name), choices)


def check_widths(name: str, widths: Sequence[int]) -> None:
    """Raise `UserError` unless `policy.<name>` lists one layer or more, each at least 1 wide."""
    if not widths or min(widths) < 1:
        raise UserError(
            f"policy.{name}={list(widths)} must list one width or more, each at least 1, such as [512,512]"
        )


def check_share(name: str, share: float) -> None:
    """Raise `UserError` unless `policy.<name>`, a share that is dropped, is from 0 on and below 1."""
    if not 0 <= share < 1:  # also for NaN
        raise UserError(f"policy.{name}={share} must be at least 0 and below 1")


def check_attention(width: int, heads: int) -> None:
    """Raise `UserError` for a transformer whose width its attention heads cannot share."""
    if heads < 1 or width < 1:
        raise UserError(f"policy.width={width} and policy.attention_heads={heads} must be at least 1")
    if width % heads:
        raise UserError(f"policy.width={width} must be divisible by policy.attention_heads={heads}")
