"""The contract of a head, over the registry, and what a spatial softmax is for."""

import pytest
import torch

from s2robot.errors import UserError
from s2robot.policies.heads import HEADS, SpatialSoftmax

SHAPE = (6, 5, 9)


@pytest.mark.parametrize("name", sorted(HEADS))
def test_maps_become_vectors_of_the_declared_length(name: str) -> None:
    head = HEADS[name](SHAPE)
    features = torch.randn(4, *SHAPE)
    before = features.clone()
    vector = head(features)
    assert vector.shape == (4, head.dim)
    assert torch.equal(features, before)
    vector.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in head.parameters())


@pytest.mark.parametrize("name", sorted(HEADS))
def test_rows_do_not_mix(name: str) -> None:
    head = HEADS[name](SHAPE).eval()
    features = torch.randn(4, *SHAPE)
    torch.testing.assert_close(head(features)[2:3], head(features[2:3]))


def test_spatial_softmax_finds_a_peak() -> None:
    """A keypoint that looks at channel 0 tells where that channel peaks: column 7 of 9, row 1 of 5."""
    head = SpatialSoftmax(SHAPE, keypoints=1)
    with torch.no_grad():
        head.score.weight.zero_()
        head.score.weight[0, 0] = 100
    features = torch.zeros(1, *SHAPE)
    features[0, 0, 1, 7] = 1
    expected = torch.tensor([[(7.5 / 9) * 2 - 1, (1.5 / 5) * 2 - 1]])
    torch.testing.assert_close(head(features), expected)


def test_unknown_head_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'spatial_softmax'"):
        HEADS["spatial_softmx"]
