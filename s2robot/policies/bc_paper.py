"""The robot policy of the S2 paper: a transformer over past features, proprioception and actions.

"When Do We Not Need Larger Vision Models?", arXiv 2403.13043, section 4.3: from the last 16 steps of visual
features, proprioception and actions, the next 16 actions.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from s2robot.policies.base import masked_mean
from s2robot.policies.options.base import LOSSES
from s2robot.policies.options.bc_paper import BCPaperConfig
from s2robot.policies.remembering import (
    DECISIONS,
    Carried,
    Carries,
    RememberingPolicy,
    no_decision,
    where_first,
    window,
)
from s2robot.policies.sequence import chunks, read_once
from s2robot.types import Batch, Observation, Spec


class BCPaper(RememberingPolicy):
    """A causal transformer; each step's tokens are those of the observation encoder and one of actions.

    A step is a decision: with `action_steps=1` these are the paper's steps; with more, a step's last token is
    made of all actions since the decision before, the transformer looks back as many times further, and a
    rollout renders and encodes one frame a decision. Every step of a training window learns the chunk
    that followed it. An episode carries earlier steps as tokens, so that only the new frame is encoded.
    Past actions are those that were executed: in training as the dataset recorded them (demonstrations that
    were disturbed keep the expert's actions as labels), in a rollout as it reports them to `executed`. Where
    nothing is reported they are those that were predicted.

    A policy that sees its past learns to repeat it, or an episode by heart ("Fighting Copycat Agents in
    Behavioral Cloning from Observation Histories", arXiv 2010.14876). So each training window draws a share,
    uniform to the power of (1 - h) / h with a mean of h = `history_dropout`, and that much is left out: steps
    are hidden from later ones, and past actions from all. Acting sees everything. Of 400 episodes of PickCube
    389 succeeded, and 278 when nothing was hidden (`python benchmarks/policies.py --history`).
    """

    config: BCPaperConfig

    def __init__(self, spec: Spec, config: BCPaperConfig) -> None:
        super().__init__(spec, config, config.width)
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
        hidden, undone = self._forgotten(len(mask), mask.device)
        predicted = self._chunks(self._window(batch, undone), hidden)
        loss = masked_mean(LOSSES[self.config.loss](predicted - self.actions(actions)), mask)
        return loss, {self.config.loss: loss.detach()}

    def carries(self) -> dict[str, Carries]:
        steps = torch.zeros(self.config.obs_steps, self.tokens_a_step, self.config.width)
        executed = torch.zeros(self.stride, self.spec.action_dim)
        did = "actions since the last decision; give what the robot did where that was not what was predicted"
        return {
            DECISIONS: Carries(no_decision(), "", "decisions of the episode up to now"),
            "steps": Carries(steps, "to m d", "tokens of the last decisions, the newest last"),
            "executed": Carries(executed, "k da", did),
        }

    def decide(
        self, obs: Observation, carried: Carried
    ) -> tuple[Float[Tensor, "b ta da"], dict[str, Tensor]]:
        decisions, executed = carried[DECISIONS], self.actions(carried["executed"])  # b, b k da
        done = where_first(decisions, torch.zeros_like(executed), executed)
        now = torch.cat([self.observe.tokens(obs), self.done(done.flatten(1))[:, None]], dim=1)  # b m d
        steps = window(decisions, carried["steps"], now)
        chunk = self.actions.denormalize(self._chunks(steps)[:, -1])
        return chunk, {DECISIONS: decisions + 1, "steps": steps, "executed": chunk[:, : self.stride]}

    def executed(self, state: Any, actions: Float[Tensor, "k da"]) -> Any:
        return {**state, "executed": actions}

    @torch.no_grad()
    def predict_windows(
        self, batch: Batch, generators: Sequence[torch.Generator] | None = None
    ) -> Float[Tensor, "b ta da"]:
        return self.actions.denormalize(self._chunks(self._window(batch))[:, -1])

    def _forgotten(self, b: int, device: torch.device) -> Bool[Tensor, "2 b to"]:
        """Steps of training windows that later ones do not see, and steps whose past actions none sees."""
        mean = self.config.history_dropout
        if not (self.training and mean):
            return torch.zeros(2, b, self.config.obs_steps, dtype=torch.bool, device=device)
        share = torch.rand(b, 1, device=device) ** ((1 - mean) / mean)  # of each window
        return torch.rand(2, b, self.config.obs_steps, device=device) < share

    def _window(self, batch: Batch, undone: Bool[Tensor, "b to"] | None = None) -> Float[Tensor, "b to m d"]:
        """The tokens of training windows; past actions are left out where `undone`."""
        past = self.actions(batch.executed) * batch.past_mask[..., None]  # b tp da
        past = past.unflatten(1, (-1, self.stride)).flatten(2)  # b to k*da
        if undone is not None:
            past = past * ~undone[..., None]
        seen = read_once(self.observe.tokens, batch, self.stride)  # b to m-1 d
        return torch.cat([seen, self.done(past)[:, :, None]], dim=2)

    def _chunks(
        self, tokens: Float[Tensor, "b to m d"], hidden: Bool[Tensor, "b to"] | None = None
    ) -> Float[Tensor, "b to ta da"]:
        """Normalised actions from each step on, read off its last token, which sees all of its step."""
        x = (tokens + self.time).flatten(1, 2)
        x = self.transformer(
            x, self._mask(hidden, x.device), is_causal=False
        )  # None: it compares, on a GPU waiting
        x = x[:, self.tokens_a_step - 1 :: self.tokens_a_step]
        return self.out(x).unflatten(-1, (self.config.horizon, self.actions.dim))

    def _mask(
        self, hidden: Bool[Tensor, "b to"] | None, device: torch.device
    ) -> Bool[Tensor, "n n"] | Bool[Tensor, "bh n n"]:
        """True where a token (row) must not look: at later steps, and at `hidden` ones but its own."""
        step = torch.arange(self.config.obs_steps, device=device).repeat_interleave(self.tokens_a_step)  # n
        later = step[:, None] < step
        if hidden is None:
            return later
        mask = later | (hidden[:, None, step] & (step[:, None] != step))  # b n n
        return mask.repeat_interleave(self.config.attention_heads, dim=0)
