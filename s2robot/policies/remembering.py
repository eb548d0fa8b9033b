"""Policies that remember: what an episode carries from one decision to the next.

These are a few tensors of fixed shapes, by name, and zeros in all of them begin an episode. So the rows of a
batch may be at different decisions, and an exported program can take and return them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from s2robot.errors import UserError
from s2robot.policies.base import Policy
from s2robot.policies.options.base import PolicyConfig
from s2robot.types import Observation, Spec

DECISIONS = "decisions"  # that an episode has had, int64; each of these policies carries it
Carried = Mapping[str, Tensor]  # by name, "b ..." of several rows


class Carries(NamedTuple):
    """One of the tensors that an episode carries."""

    start: Tensor  # zeros, on the CPU
    axes: str
    meaning: str


class RememberingPolicy(Policy):
    """A subclass says what an episode carries (`carries`) and decides with it (`decide`)."""

    def __init__(self, spec: Spec, config: PolicyConfig, width: int | None = None) -> None:
        super().__init__(spec, config, width)
        self.stride = config.obs_stride  # environment steps from one decision to the next

    def carries(self) -> dict[str, Carries]:
        """What an episode carries, by name."""
        raise NotImplementedError

    def decide(
        self, obs: Observation, carried: Carried
    ) -> tuple[Float[Tensor, "b ta da"], dict[str, Tensor]]:
        """Chunks in the environment's units, and what each row carries on."""
        raise NotImplementedError

    @torch.no_grad()
    def predict(
        self,
        obs: Observation,
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        """A row's state is what it carries. Raises `UserError` for other intervals than those learned."""
        if self.stride != self.config.action_steps:
            raise UserError(
                f"this policy remembers one observation every {self.stride} actions: "
                "action_steps must be that"
            )
        first = next(obs.tensors())
        fresh = {name: one.start.to(first.device) for name, one in self.carries().items()}
        rows = [fresh if row is None else row for row in state or [None] * len(first)]
        chunks, after = self.decide(obs, {name: torch.stack([row[name] for row in rows]) for name in fresh})
        return chunks, [{name: values[i] for name, values in after.items()} for i in range(len(rows))]


def no_decision() -> Int[Tensor, ""]:
    """The start of DECISIONS."""
    return torch.zeros((), dtype=torch.int64)


def where_first(
    decisions: Int[Tensor, "b"], first: Float[Tensor, "b *d"], later: Float[Tensor, "b *d"]
) -> Float[Tensor, "b *d"]:
    """`first` in rows whose episode begins, `later` in the others."""
    return torch.where((decisions == 0).view(-1, *[1] * (first.ndim - 1)), first, later)


def window(
    decisions: Int[Tensor, "b"], before: Float[Tensor, "b to *d"], now: Float[Tensor, "b *d"]
) -> Float[Tensor, "b to *d"]:
    """The last steps of each row, the one now behind them; an episode's first step is repeated to fill it."""
    newest = now[:, None]  # b 1 ...
    return torch.cat([where_first(decisions, newest.expand_as(before), before)[:, 1:], newest], dim=1)
