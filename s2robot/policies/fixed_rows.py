"""Denoising in batches of a fixed number of rows, so that a GPU can record it once and replay it.

Ten denoising steps of a small network are hundreds of operations, which take longer to start than to do.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.device import Graph, GraphError
from s2robot.policies.base import Policy
from s2robot.policies.generative import GenerativePolicy
from s2robot.types import Observation

log = logging.getLogger(__name__)
Predict = Callable[..., tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]]


def in_fixed_rows(policy: Policy, rows: int) -> Predict:
    """`policy.predict`, replayed on a GPU for up to `rows` rows where the policy denoises.

    A sampler that draws noise in its steps is left as it is: each row's noise comes from its own generator.
    """
    if isinstance(policy, GenerativePolicy) and not policy.process().draws:
        return FixedRows(policy, rows)
    return policy.predict


class FixedRows:
    """Call it as `predict`, with the policy's acting options and device as they were when it was made.

    Rows that a call does not fill hold what an earlier one left there, and are dropped. Without `graph` the
    same is computed on any device.
    """

    def __init__(self, policy: GenerativePolicy, rows: int, graph: bool = True) -> None:
        self._policy, self._rows = policy, rows
        self._replays = graph
        self._graph: Graph | None = None
        self._obs: Observation | None = None

    @torch.no_grad()
    def __call__(
        self,
        obs: Observation,
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        b = len(next(obs.tensors()))
        if b > self._rows:
            return self._policy.predict(obs, state, generators)
        own = self._obs or self._start(obs)
        for place, values in zip(own.tensors(), obs.tensors(), strict=True):
            place[:b].copy_(values, non_blocking=True)
        self._noise[:b].copy_(self._policy.noise(b, generators), non_blocking=True)
        self._run()
        return self._actions[:b].clone(), state

    def _start(self, obs: Observation) -> Observation:
        """Make the memory that is read and written, of the first observation's kinds and shapes."""
        self._obs = obs.map(lambda values: values.new_zeros(self._rows, *values.shape[1:]))
        device = next(obs.tensors()).device
        shape = (self._rows, self._policy.config.horizon, self._policy.actions.dim)
        self._noise = torch.zeros(shape, device=device)
        self._times = self._policy.process().times.to(device)
        self._graph = Graph(self._compute, device) if self._replays else None
        return self._obs

    def _compute(self) -> None:
        assert self._obs is not None
        self._actions = self._policy.denoise(self._obs, self._noise, self._times)

    def _run(self) -> None:
        if self._graph is not None:
            try:
                self._graph()
                return
            except GraphError as error:
                self._graph = None
                log.warning("denoising is not replayed as a graph: %s", error)
        self._compute()
