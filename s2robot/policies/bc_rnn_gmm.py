"""Behaviour cloning with robomimic's recurrent network and Gaussian mixture, arXiv 2108.03298."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from s2robot.policies.mixture import MixturePolicy, mixture_nll
from s2robot.policies.options.bc import BCRNNGMMConfig
from s2robot.policies.remembering import DECISIONS, Carried, Carries, RememberingPolicy, no_decision
from s2robot.policies.robomimic_nets import build, raw_outputs
from s2robot.policies.sequence import chunks, read_once, without_repeats
from s2robot.types import Batch, Observation, Spec


class BCRNNGMM(RememberingPolicy, MixturePolicy):
    """It is trained on sequences of `obs_steps` decisions and starts at the first that is no repeat.

    While acting, an episode carries the hidden state, which starts anew every `obs_steps` decisions, as
    robomimic's does.
    """

    config: BCRNNGMMConfig

    def __init__(self, spec: Spec, config: BCRNNGMMConfig) -> None:
        super().__init__(spec, config)
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

    def carries(self) -> dict[str, Carries]:
        hidden = torch.zeros(2, self.config.rnn_layers, self.config.rnn_dim)
        return {
            DECISIONS: Carries(no_decision(), "", "decisions since the network started"),
            "hidden": Carries(hidden, "2 layers d", "hidden and cell state of the LSTM"),
        }

    def decide(
        self, obs: Observation, carried: Carried
    ) -> tuple[Float[Tensor, "b ta da"], dict[str, Tensor]]:
        anew = carried[DECISIONS] == self.config.obs_steps  # b
        decisions = carried[DECISIONS].masked_fill(anew, 0)
        hidden = carried["hidden"].masked_fill(anew[:, None, None, None], 0)  # b 2 layers d
        state = tuple(one.transpose(0, 1).contiguous() for one in hidden.unbind(1))  # each layers b d
        raw, state = raw_outputs(self.net, self.observe(obs), rnn_init_state=state, return_state=True)
        chunk = self.chunk(self.mixture(raw))[:, -1]
        return chunk, {DECISIONS: decisions + 1, "hidden": torch.stack(state).permute(2, 0, 1, 3)}

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
