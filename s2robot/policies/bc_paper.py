"""The robot policy of the S2 paper: a transformer over what was seen, felt and done.

"When Do We Not Need Larger Vision Models?", arXiv 2403.13043, section 4.3: from the last 16 steps of visual
features, proprioception and actions, the next 16 actions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from s2robot.errors import unknown_name
from s2robot.policies.base import LOSSES, Policy, PolicyConfig, check_attention, masked_mean
from s2robot.policies.sequence import check_stride, chunks, remembered
from s2robot.types import Batch, Spec


@dataclass
class BCPaperConfig(PolicyConfig):
    name: str = "bc_paper"
    obs_steps: int = 16
    horizon: int = 16
    action_steps: int = 4
    loss: str = "l1"  # l1 or l2
    width: int = 128
    layers: int = 3
    attention_heads: int = 4
    dropout: float = 0.1

    @property
    def remembers(self) -> bool:
        return True

    def check(self) -> None:
        super().check()
        if self.loss not in LOSSES:
            raise unknown_name("policy.loss", self.loss, LOSSES)
        check_attention(self.width, self.attention_heads)


class BCPaper(Policy):
    """A causal transformer; each step's tokens are those of the observation encoder and one of actions.

    A step is a decision: with `action_steps=1` these are the paper's steps; with more, a step's last token is
    made of all actions since the decision before, the transformer looks back as many times further, and a
    rollout renders and encodes one frame a decision. Every step of a training window learns the chunk
    that followed it. Earlier steps travel in the state as tokens, so that only the new frame is encoded.
    """

    config: BCPaperConfig

    def __init__(self, spec: Spec, config: BCPaperConfig) -> None:
        super().__init__(spec, config, config.width)
        self.stride = config.obs_stride
        self.done = nn.Linear(self.stride * self.actions.dim, config.width)
        self.tokens_a_step = self.observe.tokens_a_step + 1
        self.time = nn.Parameter(0.02 * torch.randn(config.obs_steps, 1, config.width))
        layer = nn.TransformerEncoderLayer(
            config.width,
            config.attention_heads,
            4 * config.width,
            config.dropout,
            "gelu",
            batch_first=True,
            norm_first=True,
        )
        self.transformer = nn.TransformerEncoder(
            layer, config.layers, nn.LayerNorm(config.width), enable_nested_tensor=False
        )
        self.out = nn.Linear(config.width, config.horizon * self.actions.dim)

    def loss(self, batch: Batch) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        actions, mask = chunks(batch, self.stride)  # b to ta da, b to ta
        predicted = self._chunks(self._window(batch))
        loss = masked_mean(LOSSES[self.config.loss](predicted - self.actions(actions)), mask)
        return loss, {self.config.loss: loss.detach()}

    @torch.no_grad()
    def predict(
        self,
        obs: Mapping[str, Float[Tensor, "b to ..."]],
        state: Sequence[Any] | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> tuple[Float[Tensor, "b ta da"], Sequence[Any] | None]:
        check_stride(self.stride, self.config.action_steps)
        seen = self._seen(obs)[:, -1]  # b m d
        rows = state if state is not None else [None] * len(seen)
        nothing = seen.new_zeros(self.stride, self.actions.dim)
        done = torch.stack([nothing if row is None else row[1] for row in rows])  # b k da
        now = torch.cat([seen, self.done(done.flatten(1))[:, None]], dim=1)  # b m+1 d
        before = [None if row is None else row[0] for row in rows]
        tokens, after = remembered(before, now, self.config.obs_steps)
        chunk = self._chunks(tokens)[:, -1]
        return self.actions.denormalize(chunk), list(zip(after, chunk[:, : self.stride], strict=True))

    @torch.no_grad()
    def predict_windows(
        self, batch: Batch, generators: Sequence[torch.Generator] | None = None
    ) -> Float[Tensor, "b ta da"]:
        return self.actions.denormalize(self._chunks(self._window(batch))[:, -1])

    def _window(self, batch: Batch) -> Float[Tensor, "b to m d"]:
        """The tokens of a training window."""
        past = self.actions(batch.past_actions) * batch.past_mask[..., None]  # b tp da
        done = self.done(past.unflatten(1, (-1, self.stride)).flatten(2))  # b to d
        return torch.cat([self._seen(batch.obs), done[:, :, None]], dim=2)

    def _seen(self, obs: Mapping[str, Float[Tensor, "b to ..."]]) -> Float[Tensor, "b to m d"]:
        return self.observe.tokens(obs).unflatten(1, (-1, self.observe.tokens_a_step))

    def _chunks(self, tokens: Float[Tensor, "b to m d"]) -> Float[Tensor, "b to ta da"]:
        """Normalised actions from each step on, read off its last token, which sees all of its step."""
        x = (tokens + self.time).flatten(1, 2)
        x = self.transformer(x, self._hidden(x.device))[:, self.tokens_a_step - 1 :: self.tokens_a_step]
        return self.out(x).unflatten(-1, (self.config.horizon, self.actions.dim))

    def _hidden(self, device: torch.device) -> Bool[Tensor, "n n"]:
        """True where a token (row) must not look: at the tokens of later steps."""
        step = torch.arange(self.config.obs_steps, device=device).repeat_interleave(self.tokens_a_step)
        return step[:, None] < step
