"""ACT: a transformer that predicts a chunk; in training a latent variable encodes the expert's style.

"Learning Fine-Grained Bimanual Manipulation with Low-Cost Hardware", arXiv 2304.13705. Its temporal
ensembling is an option of the rollout and works with every policy.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from s2robot.parallel import mean_size
from s2robot.policies.base import Policy, masked_mean
from s2robot.policies.options.act import ACTConfig
from s2robot.types import Batch, Observation, Spec


class ACT(Policy):
    """A conditional variational autoencoder of chunks.

    Training: a transformer reads proprioception and the expert's chunk into a Gaussian of `z`; encoder and
    decoder, with one learned query for each step of the chunk, reconstruct it from `z` and the observation's
    tokens. The loss is L1 and `kl_weight` times the divergence of that Gaussian from a standard one.
    Acting: z = 0.
    """

    config: ACTConfig

    def __init__(self, spec: Spec, config: ACTConfig) -> None:
        super().__init__(spec, config, config.width)
        width, tokens = config.width, config.obs_steps * self.observe.tokens_a_step
        self.style = _encoder(config, config.style_layers)
        self.style_start = nn.Parameter(0.02 * torch.randn(1, width))
        self.style_action = nn.Linear(self.actions.dim, width)
        self.style_proprio = nn.Linear(self.observe.proprio_dim, width) if self.observe.proprio_dim else None
        self.style_time = nn.Parameter(0.02 * torch.randn(config.horizon, width))
        self.style_out = nn.Linear(width, 2 * config.latent)
        self.latent = nn.Linear(config.latent, width)
        self.places = nn.Parameter(0.02 * torch.randn(1 + tokens, width))
        self.encoder = _encoder(config, config.encoder_layers)
        layer = nn.TransformerDecoderLayer(**_sizes(config))
        self.decoder = nn.TransformerDecoder(layer, config.decoder_layers, nn.LayerNorm(width))
        self.queries = nn.Parameter(torch.randn(config.horizon, width))
        self.out = nn.Linear(width, self.actions.dim)

    def loss(self, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        target = self.actions(batch.actions)
        mean, log_variance = self._style(batch, target)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        l1 = masked_mean((self._chunk(batch.obs, z) - target).abs(), batch.mask)
        kl = (mean.square() + log_variance.exp() - log_variance - 1).sum() / mean_size(len(mean)) / 2
        return l1 + self.config.kl_weight * kl, {"l1": l1.detach(), "kl": kl.detach()}

    @torch.no_grad()
    def predict(
        self,
        obs: Observation,
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        return self.actions.denormalize(self._chunk(obs, None)), state

    def _style(
        self, batch: Batch, actions: Float[Tensor, "b ta da"]
    ) -> tuple[Float[Tensor, "b z"], Float[Tensor, "b z"]]:
        """Mean and logarithm of the variance of z. Steps beyond the end of the episode are not read."""
        tokens = [self.style_start.expand(len(actions), 1, -1)]
        if self.style_proprio is not None:
            tokens.append(self.style_proprio(self.observe.proprioception(batch.obs)[:, -1:]))
        known = torch.ones_like(batch.mask[:, : len(tokens)])
        tokens.append(self.style_action(actions) + self.style_time)
        hidden: Bool[Tensor, "b n"] = ~torch.cat([known, batch.mask], dim=1)
        read = self.style(torch.cat(tokens, dim=1), src_key_padding_mask=hidden)[:, 0]
        mean, log_variance = self.style_out(read).chunk(2, dim=-1)
        return mean, log_variance

    def _chunk(self, obs: Observation, z: Float[Tensor, "b z"] | None) -> Float[Tensor, "b ta da"]:
        """Normalised actions; z is 0 if None."""
        seen = self.observe.tokens(obs)  # b n d
        if z is None:
            z = seen.new_zeros(len(seen), self.config.latent)
        memory = self.encoder(torch.cat([self.latent(z)[:, None], seen], dim=1) + self.places)
        return self.out(self.decoder(self.queries.expand(len(seen), -1, -1), memory))


def _encoder(config: ACTConfig, layers: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(**_sizes(config))
    return nn.TransformerEncoder(layer, layers, nn.LayerNorm(config.width), enable_nested_tensor=False)


def _sizes(config: ACTConfig) -> dict[str, Any]:
    return {
        "d_model": config.width,
        "nhead": config.attention_heads,
        "dim_feedforward": 4 * config.width,
        "dropout": config.dropout,
        "batch_first": True,
        "norm_first": True,
    }
