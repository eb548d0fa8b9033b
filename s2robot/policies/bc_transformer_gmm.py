"""Behaviour cloning with robomimic's transformer and Gaussian mixture, arXiv 2108.03298."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from s2robot.policies.mixture import Mixture, MixturePolicy, mixture_nll
from s2robot.policies.options.bc import BCTransformerGMMConfig
from s2robot.policies.remembering import DECISIONS, Carried, Carries, RememberingPolicy, no_decision, window
from s2robot.policies.robomimic_nets import build, raw_outputs
from s2robot.policies.sequence import chunks, read_once
from s2robot.types import Batch, Observation, Spec


class BCTransformerGMM(RememberingPolicy, MixturePolicy):
    """A transformer over the vectors of the last `obs_steps` decisions, which learns at each of them.

    While acting an episode carries them; the first one is repeated to fill the context, as in training.
    """

    config: BCTransformerGMMConfig

    def __init__(self, spec: Spec, config: BCTransformerGMMConfig) -> None:
        super().__init__(spec, config)
        self.net = build(
            "TransformerGMMActorNetwork",
            self.observe.dim,
            self.actions.dim * config.horizon,
            transformer_embed_dim=config.width,
            transformer_num_layers=config.layers,
            transformer_num_heads=config.attention_heads,
            transformer_context_length=config.obs_steps,
            transformer_emb_dropout=config.dropout,
            transformer_attn_dropout=config.dropout,
            transformer_block_output_dropout=config.dropout,
            **self.mixture_sizes,
        )

    def loss(self, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        actions, mask = chunks(batch, self.stride)  # b to ta da, b to ta
        loss = mixture_nll(self._window_mixture(batch), self.actions(actions), mask)
        return loss, {"nll": loss.detach()}

    def carries(self) -> dict[str, Carries]:
        steps = torch.zeros(self.config.obs_steps, self.observe.dim)
        return {
            DECISIONS: Carries(no_decision(), "", "decisions of the episode up to now"),
            "steps": Carries(steps, "to d", "what the last decisions observed, the newest last"),
        }

    def decide(
        self, obs: Observation, carried: Carried
    ) -> tuple[Float[Tensor, "b ta da"], dict[str, Tensor]]:
        decisions = carried[DECISIONS]
        steps = window(decisions, carried["steps"], self.observe(obs)[:, -1])  # b to d
        chunk = self.chunk(self.mixture(raw_outputs(self.net, steps)))[:, -1]
        return chunk, {DECISIONS: decisions + 1, "steps": steps}

    @torch.no_grad()
    def predict_windows(
        self, batch: Batch, generators: Sequence[torch.Generator] | None = None
    ) -> Float[Tensor, "b ta da"]:
        return self.chunk(self._window_mixture(batch))[:, -1]

    def _window_mixture(self, batch: Batch) -> Mixture:
        seen = read_once(lambda obs: self.observe(obs)[:, 0], batch, self.stride)  # b to d
        return self.mixture(raw_outputs(self.net, seen))
