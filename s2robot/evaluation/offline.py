"""Offline validation: what a policy predicts from demonstrated observations, beside what was demonstrated.

Each demonstration is replayed open loop, as a rollout would decide in it:

    step        0  1  2  3  4  5  6  7  8  9
    decisions   o           o           o        every action_steps, from the demonstration's observations
    predicted   a  a  a  a  a  a  a  a  a  a     the first action_steps of each chunk

It needs no simulator and costs one decision for every `action_steps` frames, in batches. A small error is
no success rate: in a rollout the errors add up.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int

from s2robot.datasets.action_numbers import ActionNumber, action_numbers
from s2robot.datasets.dataset import Dataset
from s2robot.datasets.windows import FeatureGather, Windows
from s2robot.evaluation.validation_file import Dimension, Replayed, Validation
from s2robot.policies import Policy
from s2robot.policies.normalizer import noise_of

BATCH = 64  # decisions at once
CHEAP = 512  # decisions; a validation of more is left for the end of the training
TRAINING = 20  # training demonstrations that are taken where there are no others, evenly spread
WITH_ARRAYS, MOST_ROWS = 20, 500  # episodes whose actions are kept, and steps of each
WORST = 5  # episodes that are named


class OfflineValidation:
    """The demonstrations to replay, and what is known of their actions."""

    def __init__(
        self,
        policy: Policy,
        dataset: Dataset,
        features: Mapping[str, FeatureGather],
        valid: Sequence[int],
        train: Sequence[int],
        device: torch.device,
        gathered_on: torch.device | None = None,
    ) -> None:
        """`valid` are the episodes to replay; some of `train` are taken where there are none.

        `device` is the policy's, `gathered_on` where batches are put together, the same unless given.
        """
        spread = np.linspace(0, len(train) - 1, min(TRAINING, len(train))).astype(int)
        self.episodes = list(valid) or [train[i] for i in spread]
        self.demonstrations = "validation" if valid else "training"
        self.policy, self.dataset, self.device = policy, dataset, device
        self.windows = Windows(dataset, features, policy.config, self.episodes, gathered_on or device)
        self.lengths = [dataset.lengths[i] for i in self.episodes]
        starts = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        every = policy.config.action_steps
        decisions = [
            start + np.arange(0, length, every) for start, length in zip(starts, self.lengths, strict=True)
        ]
        self.decisions = torch.from_numpy(np.concatenate(decisions))

    @property
    def is_cheap(self) -> bool:
        """Whether it may be done again and again in a training."""
        return len(self.decisions) <= CHEAP

    def run(self, step: int) -> Validation:
        """Replay with the weights and the mode that the policy has now; `step` is noted. Deterministic."""
        predicted, by_step = self._replay()
        every = self.dataset.actions()
        demonstrated = every[self.dataset.frames_of(self.episodes)]
        low, high = every.min(0), every.max(0)
        absolute = np.abs(predicted - demonstrated)
        moving = high - low > 2 * noise_of(torch.from_numpy(every).double()).numpy()
        relative = (absolute[:, moving] / (high - low)[moving]).mean(1) if moving.any() else absolute.mean(1)
        dimensions = [
            Dimension(
                name=number.name,
                unit=number.unit,
                low=float(low[i]),
                high=float(high[i]),
                mean_absolute=float(absolute[:, i].mean()),
                percentile_90=float(np.percentile(absolute[:, i], 90)),
                by_step=by_step[:, i].tolist(),
                constant=not bool(moving[i]),
                gripper_accuracy=_accuracy(number, predicted[:, i], demonstrated[:, i], low[i], high[i]),
            )
            for i, number in enumerate(action_numbers(self.dataset))
        ]
        ends = np.cumsum(self.lengths)
        parts = [slice(end - length, end) for end, length in zip(ends, self.lengths, strict=True)]
        errors = [float(relative[part].mean()) for part in parts]
        order = np.argsort(errors, kind="stable")[::-1]
        kept = {*order[: WITH_ARRAYS // 2].tolist()}  # the worst, and others from the first on
        kept |= set([i for i in range(len(parts)) if i not in kept][: WITH_ARRAYS - len(kept)])
        names = [self.dataset.episodes[i] for i in self.episodes]
        return Validation(
            step=step,
            demonstrations=self.demonstrations,
            action_steps=self.policy.config.action_steps,
            relative_error=float(relative.mean()),
            dimensions=dimensions,
            episodes=[
                _replayed(names[i], errors[i], predicted[part], demonstrated[part], i in kept)
                for i, part in enumerate(parts)
            ],
            worst=[names[i] for i in order[:WORST]],
        )

    @torch.no_grad()
    def _replay(self) -> tuple[Float[np.ndarray, "n da"], Float[np.ndarray, "ta da"]]:
        """The executed actions of all steps, and the mean absolute error at each step of a chunk."""
        executed = self.policy.config.action_steps
        predicted = np.zeros((len(self.windows), self.dataset.actions().shape[1]), np.float32)
        errors, counts = torch.zeros(()), torch.zeros(())
        for part in self.decisions.split(BATCH):
            batch = self.windows.batch(part).to(self.device)
            noise = [torch.Generator().manual_seed(window) for window in part.tolist()]
            chunks = self.policy.predict_windows(batch, noise)  # b ta da
            inside = batch.mask[..., None]  # b ta 1
            errors = errors + ((chunks - batch.actions).abs() * inside).sum(0).double().cpu()
            counts = counts + inside.sum(0).double().cpu()
            rows, steps = self._rows(part, executed, batch.mask[:, :executed].cpu())
            predicted[rows] = chunks[:, :executed].float().cpu().numpy()[steps]
        return predicted, (errors / counts.clamp(min=1)).numpy()

    @staticmethod
    def _rows(
        decisions: Int[torch.Tensor, "b"], executed: int, inside: torch.Tensor
    ) -> tuple[np.ndarray, np.ndarray]:
        """The demonstrations' steps that executed actions belong to, and which of a chunk are executed."""
        rows = decisions[:, None] + torch.arange(executed)
        return rows[inside].numpy(), inside.numpy()


def _accuracy(
    number: ActionNumber, predicted: np.ndarray, demonstrated: np.ndarray, low: np.floating, high: np.floating
) -> float | None:
    """How often both are on the same side of the middle of the range; None where it is no gripper."""
    if not number.is_gripper or not high > low:
        return None
    middle = (low + high) / 2
    return float(((predicted > middle) == (demonstrated > middle)).mean())


def _replayed(
    name: str, relative: float, predicted: np.ndarray, demonstrated: np.ndarray, with_arrays: bool
) -> Replayed:
    every = -(-len(predicted) // MOST_ROWS)
    return Replayed(
        name=name,
        steps=len(predicted),
        relative_error=relative,
        mean_absolute=np.abs(predicted - demonstrated).mean(0).tolist(),
        every=every,
        demonstrated=demonstrated[::every].tolist() if with_arrays else None,
        predicted=predicted[::every].tolist() if with_arrays else None,
    )
