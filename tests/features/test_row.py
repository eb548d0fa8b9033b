"""A row holds the numbers of the map and then those of the prefix tokens."""

import torch

from s2robot.features.row import Row
from s2robot.types import Features


def test_what_is_joined_is_split_again() -> None:
    features = Features(torch.randn(4, 3, 2, 5), torch.randn(4, 7, 6))
    row = Row((3, 2, 5), (7, 6))
    rows = row.join(features)
    assert rows.shape == (4, row.numbers) == (4, 30 + 42)
    again = row.split(rows[[2, 0]][:, None])  # as windows have them, "b to d"
    assert torch.equal(again.map, features.map[[2, 0], None])
    assert again.prefix is not None and features.prefix is not None
    assert torch.equal(again.prefix, features.prefix[[2, 0], None])


def test_without_prefix_tokens_a_row_is_the_map() -> None:
    maps = torch.randn(4, 3, 2, 5)
    row = Row((3, 2, 5))
    assert row.numbers == 30 and torch.equal(row.join(Features(maps)), maps.flatten(1))
    again = row.split(maps.flatten(1))
    assert torch.equal(again.map, maps) and again.map.is_contiguous() and again.prefix is None
