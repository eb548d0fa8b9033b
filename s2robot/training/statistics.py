"""What the normalisation of a policy is fitted to: the training episodes, and nothing of the others."""

from collections.abc import Mapping, Sequence

from s2robot.datasets.dataset import Dataset
from s2robot.features import FeatureTable
from s2robot.policies.observation import Statistics


def statistics_of(
    dataset: Dataset, features: Mapping[str, FeatureTable], episodes: Sequence[int]
) -> Statistics:
    """Statistics of the features (a table for each camera), proprioception and actions of these episodes."""
    frames = dataset.frames_of(episodes)
    return Statistics(
        features={camera: table.channel_stats(frames) for camera, table in features.items()},
        proprio={key: values[frames] for key, values in dataset.proprioception().items()},
        actions=dataset.actions()[frames],
    )
