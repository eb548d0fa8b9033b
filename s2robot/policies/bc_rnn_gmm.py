"""Behaviour cloning with robomimic's recurrent network and Gaussian mixture, arXiv 2108.03298."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from s2robot.policies.mixture import MixturePolicy, mixture_nll
from s2robot.policies.options.bc import BCRNNGMMConfig
from s2robot.policies.robomimic_nets import build, raw_outputs
from s2robot.policies.sequence import check_stride, chunks, read_once, without_repeats
from s2robot.types import Batch, Observation, Spec


class BCRNNGMM(MixturePolicy):
    """It is trained on sequences of `obs_steps` decisions and starts at the first that is no repeat.

    While acting, the hidden state travels in the policy's state and starts anew every `obs_steps` decisions,
    as robomimic's does.
    """

    config: BCRNNGMMConfig

    def __init__(self, spec: Spec, config: BCRNNGMMConfig) -> None:
        super().__init__(spec, config)
        self.stride = config.obs_stride
        self.net = build(
            "RNNGMMActorNetwork",
            self.observe.dim,
            self.actions.dim * config.horizon,
            mlp_layer_dims=list(config.hidden),
            rnn_hidden_dim=config.rnn_dim,
            rnn_num_layers=config.rnn_layers,
            rnn_kwargs={},
            **self.mixture_sizes,
        )

    def loss(self, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        actions, mask = chunks(batch, self.stride)  # b to ta da, b to ta
        order, real = without_repeats(batch, self.stride)  # as it starts when acting
        rows = torch.arange(len(order), device=order.device)[:, None]
        mixture = self.mixture(raw_outputs(self.net, self._window(batch)[rows, order]))
        target, mask = self.actions(actions)[rows, order], mask[rows, order] & real[..., None]
        loss = mixture_nll(mixture, target, mask)
        return loss, {"nll": loss.detach()}

    @torch.no_grad()
    def predict(
        self,
        obs: Observation,
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        """A row's state: hidden and cell "2 layers d", and decisions since the last start."""
        check_stride(self.stride, self.config.action_steps)
        seen = self.observe(obs)  # b 1 d
        fresh = seen.new_zeros(2, self.config.rnn_layers, self.config.rnn_dim), 0
        rows = [row or fresh for row in state or [None] * len(seen)]
        rows = [fresh if made == self.config.obs_steps else (hidden, made) for hidden, made in rows]
        hidden, cell = torch.stack([hidden for hidden, _ in rows], dim=2)  # layers b d
        raw, (hidden, cell) = raw_outputs(self.net, seen, rnn_init_state=(hidden, cell), return_state=True)
        after = torch.stack([hidden, cell]).unbind(2)
        carried = [(row, made + 1) for row, (_, made) in zip(after, rows, strict=True)]
        return self.chunk(self.mixture(raw))[:, -1], carried

    @torch.no_grad()
    def predict_windows(
        self, batch: Batch, generators: Sequence[torch.Generator] | None = None
    ) -> Float[Tensor, "b ta da"]:
        order, real = without_repeats(batch, self.stride)
        rows = torch.arange(len(order), device=order.device)
        mixture = self.mixture(raw_outputs(self.net, self._window(batch)[rows[:, None], order]))
        return self.chunk(mixture)[rows, _last(real)]

    def _window(self, batch: Batch) -> Float[Tensor, "b to d"]:
        """The vectors of training windows."""
        return read_once(lambda obs: self.observe(obs)[:, 0], batch, self.stride)


def _last(real: Bool[Tensor, "b to"]) -> Tensor:
    """The place of the last observation in each row."""
    return real.sum(1) - 1
