"""Behaviour cloning with robomimic's networks: MLP, GMM, RNN-GMM and Transformer-GMM, each on action chunks.

"What Matters in Learning from Offline Human Demonstrations for Robot Manipulation", arXiv 2108.03298;
the chunk is that of ACT, arXiv 2304.13705 (`horizon=1` for robomimic's single action).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.errors import UserError, unknown_name
from s2robot.policies.base import Policy, PolicyConfig, check_attention, masked_mean
from s2robot.policies.robomimic_nets import KEY, Mixture, build, likeliest, mixture_nll
from s2robot.policies.sequence import check_stride, chunks, read_once, remembered, without_repeats
from s2robot.types import Batch, Spec

LOSSES = {"mlp": ("l1", "l2"), "gmm": ("nll",), "rnn_gmm": ("nll",), "transformer_gmm": ("nll",)}


@dataclass
class BCConfig(PolicyConfig):
    name: str = "bc"
    network: str = "mlp"  # mlp, gmm, rnn_gmm, transformer_gmm
    loss: str | None = None  # l1 or l2 (mlp), nll (the others); None: the first that fits
    hidden: list[int] = field(default_factory=lambda: [512, 512])  # not of the transformer
    modes: int = 5  # of the mixtures
    min_std: float = 0.01  # of a mode, in normalised actions
    rnn_dim: int = 256
    rnn_layers: int = 2
    width: int = 128  # of the transformer, as are the next three
    layers: int = 2
    attention_heads: int = 4
    dropout: float = 0.1

    @property
    def remembers(self) -> bool:
        return self.network in ("rnn_gmm", "transformer_gmm")

    def check(self) -> None:
        super().check()
        if self.network not in LOSSES:
            raise unknown_name("policy.network", self.network, LOSSES)
        if self.loss is not None and self.loss not in LOSSES[self.network]:
            fitting = " or ".join(LOSSES[self.network])
            raise UserError(
                f"policy.loss={self.loss} does not fit policy.network={self.network}; it takes {fitting}"
            )
        if self.action_norm != "limits":
            raise UserError(f"policy={self.name} acts within [-1, 1]: policy.action_norm must be limits")
        check_attention(self.width, self.attention_heads)


class BC(Policy):
    """robomimic's actors (their outputs pass a tanh) on the vectors of the observation encoder.

    `mlp` and `gmm` read the last `obs_steps` observations at once. `rnn_gmm` and `transformer_gmm` remember
    and are trained on sequences of `obs_steps` decisions. While acting, the RNN's hidden state travels in the
    state and starts anew every `obs_steps` decisions, as robomimic's does; of the transformer the last
    `obs_steps` vectors do, the first one repeated to fill its context as in training.
    A mixture acts with the mean of its likeliest mode.
    """

    config: BCConfig

    def __init__(self, spec: Spec, config: BCConfig) -> None:
        super().__init__(spec, config)
        self.loss_name = config.loss or LOSSES[config.network][0]
        self.stride = config.obs_stride
        self.net = _make_net(
            config,
            input_dim=self.observe.dim * config.read_steps,
            action_dim=self.actions.dim * config.horizon,
        )

    def loss(self, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        actions, mask = chunks(batch, self.stride) if self.config.remembers else (batch.actions, batch.mask)
        seen, target = self._window(batch), self.actions(actions)
        if self.config.network == "rnn_gmm":  # starts at the first observation, as it does when acting
            order, real = without_repeats(batch, self.stride)
            rows = torch.arange(len(order), device=order.device)[:, None]
            seen, target, mask = seen[rows, order], target[rows, order], mask[rows, order] & real[..., None]
        if self.config.network == "mlp":
            error = self.net({KEY: seen}).view_as(target) - target
            loss = masked_mean(error.abs() if self.loss_name == "l1" else error.square(), mask)
        else:
            loss = mixture_nll(self.net.forward_train({KEY: seen}), target, mask)
        return loss, {self.loss_name: loss.detach()}

    @torch.no_grad()
    def predict(
        self,
        obs: Mapping[str, Float[Tensor, "b to ..."]],
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        if self.config.remembers:
            check_stride(self.stride, self.config.action_steps)
        seen = self._vectors(obs)
        if self.config.network == "rnn_gmm":
            mixture, state = self._recurrent_step(seen, state)
            return self._chunk(mixture), state
        if self.config.network == "transformer_gmm":
            seen, state = remembered(state, seen[:, -1], self.config.obs_steps)
        return self._chunk(self._out(seen)), state

    @torch.no_grad()
    def predict_windows(
        self, batch: Batch, generators: Sequence[torch.Generator] | None = None
    ) -> Float[Tensor, "b ta da"]:
        seen = self._window(batch)
        if self.config.network != "rnn_gmm":
            return self._chunk(self._out(seen))
        order, real = without_repeats(batch, self.stride)
        rows = torch.arange(len(order), device=order.device)
        return self._chunk(self._out(seen[rows[:, None], order]), real.sum(1) - 1)

    def _vectors(self, obs: Mapping[str, Float[Tensor, "b to ..."]]) -> Tensor:
        """What the network reads: "b to d" if it remembers, else the steps side by side, "b (to d)"."""
        seen = self.observe(obs)
        return seen if self.config.remembers else seen.flatten(1)

    def _window(self, batch: Batch) -> Tensor:
        """The same of training windows."""
        if not self.config.remembers:
            return self._vectors(batch.obs)
        return read_once(lambda obs: self.observe(obs)[:, 0], batch, self.stride)

    def _out(self, seen: Tensor) -> Tensor | Mixture:
        return self.net({KEY: seen}) if self.config.network == "mlp" else self.net.forward_train({KEY: seen})

    def _chunk(self, out: Tensor | Mixture, last: Tensor | None = None) -> Float[Tensor, "b ta da"]:
        """The chunk to execute; of sequences that at the place `last` ("b", the end if None)."""
        flat = out if isinstance(out, Tensor) else likeliest(out)  # b [to] (ta da)
        if flat.ndim == 3:
            flat = flat[:, -1] if last is None else flat[torch.arange(len(flat), device=flat.device), last]
        return self.actions.denormalize(flat.unflatten(-1, (self.config.horizon, self.actions.dim)))

    def _recurrent_step(
        self, seen: Float[Tensor, "b 1 d"], state: Sequence[Any] | None
    ) -> tuple[Mixture, list[tuple[Tensor, int]]]:
        """One decision of each row; its state: hidden and cell "2 layers d", and decisions so far."""
        fresh = seen.new_zeros(2, self.config.rnn_layers, self.config.rnn_dim), 0
        rows = [row or fresh for row in state or [None] * len(seen)]
        rows = [fresh if made == self.config.obs_steps else (hidden, made) for hidden, made in rows]
        hidden, cell = torch.stack([hidden for hidden, _ in rows], dim=2)  # layers b d
        mixture, (hidden, cell) = self.net.forward_train(
            {KEY: seen}, rnn_init_state=(hidden, cell), return_state=True
        )
        after = torch.stack([hidden, cell]).unbind(2)
        return mixture, [(row, made + 1) for row, (_, made) in zip(after, rows, strict=True)]


def _make_net(config: BCConfig, input_dim: int, action_dim: int) -> Any:
    layers = {"mlp_layer_dims": list(config.hidden)}
    # robomimic narrows the modes in eval mode so that a sample is near a mean; here only means are executed
    mixture = {"num_modes": config.modes, "min_std": config.min_std, "low_noise_eval": False}
    match config.network:
        case "mlp":
            return build("ActorNetwork", input_dim, action_dim, **layers)
        case "gmm":
            return build("GMMActorNetwork", input_dim, action_dim, **layers, **mixture)
        case "rnn_gmm":
            recurrent = {
                "rnn_hidden_dim": config.rnn_dim,
                "rnn_num_layers": config.rnn_layers,
                "rnn_kwargs": {},
            }
            return build("RNNGMMActorNetwork", input_dim, action_dim, **layers, **recurrent, **mixture)
    return build(
        "TransformerGMMActorNetwork",
        input_dim,
        action_dim,
        transformer_embed_dim=config.width,
        transformer_num_layers=config.layers,
        transformer_num_heads=config.attention_heads,
        transformer_context_length=config.obs_steps,
        transformer_emb_dropout=config.dropout,
        transformer_attn_dropout=config.dropout,
        transformer_block_output_dropout=config.dropout,
        **mixture,
    )
