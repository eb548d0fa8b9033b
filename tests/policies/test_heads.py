"""The contract of a head, over the registry, and what a spatial softmax is for."""

import copy

import pytest
import torch
from torch import nn

from s2robot.errors import UserError
from s2robot.policies import POLICIES, PolicyConfig
from s2robot.policies.heads import HEADS, CameraShape, Head, check_head
from s2robot.policies.heads.attention import Attention
from s2robot.policies.heads.conv import Conv
from s2robot.policies.heads.expectation import distribution, expected_places
from s2robot.policies.heads.spatial_softmax import SpatialSoftmax
from s2robot.policies.heads.standardized import standardized_linear
from s2robot.policies.heads.tokens import Tokens
from s2robot.policies.observation import ObservationEncoder
from tests.policies.policy_cases import OBS_STEPS, SPEC, fitted, make_batch

SHAPE = CameraShape(channels=6, grid=(5, 9), scales=2, prefix=(3, 10), proprio=4)
OPTIONS: dict[str, list[dict[str, object]]] = {  # other than the defaults
    "attention": [{"proprio": True}],
    "spatial_softmax": [{"hidden": 8}],
    "tokens": [{"cells": 2}],
}
CASES = [(name, options) for name in sorted(HEADS) for options in [{}, *OPTIONS.get(name, [])]]
WIDTH = 16


def inputs(b: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A map, prefix tokens and proprioception."""
    return torch.randn(b, 6, 5, 9).half() * 3 + 2, torch.randn(b, 3, 10).half(), torch.randn(b, 4)


def fitted_head(name: str, options: dict[str, object]) -> Head:
    head = HEADS[name](SHAPE, **options)
    head.fit(torch.full((6,), 2.0), torch.full((6,), 3.0))
    return head


@pytest.mark.parametrize(("name", "options"), CASES)
def test_features_become_vectors_or_tokens_of_the_declared_length(
    name: str, options: dict[str, object]
) -> None:
    head, given = fitted_head(name, options), inputs()
    before = copy.deepcopy(given)
    out = head(*given)
    assert out.shape == ((4, head.tokens, head.dim) if head.gives_tokens else (4, head.dim))
    assert out.dtype == torch.float32
    assert out.isfinite().all()
    assert all(torch.equal(a, b) for a, b in zip(given, before, strict=True))
    out.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in head.parameters())


@pytest.mark.parametrize(("name", "options"), CASES)
def test_head_reads_what_it_says_it_reads(name: str, options: dict[str, object]) -> None:
    head, (features, prefix, proprio) = fitted_head(name, options), inputs()
    out = head(features, prefix if head.reads_prefix else None, proprio if head.reads_proprio else None)
    assert torch.equal(out, head(features, prefix, proprio))
    assert torch.equal(out, head(features, prefix + 1e-2 * torch.randn(3, 10), proprio)) != head.reads_prefix
    assert torch.equal(out, head(features, prefix, proprio + 1)) != head.reads_proprio


@pytest.mark.parametrize(("name", "options"), CASES)
def test_rows_do_not_mix(name: str, options: dict[str, object]) -> None:
    head, given = fitted_head(name, options).eval(), inputs()
    alone = head(*(value[2:3] for value in given))
    torch.testing.assert_close(head(*given)[2:3], alone)


@pytest.mark.parametrize("name", sorted(set(HEADS) - {"cls"}))
def test_maps_are_standardised_with_the_statistics(name: str) -> None:
    """Maps of mean 2 and deviation 3 are, to a head fitted to them, standard ones (float16 apart)."""
    head, (features, *rest) = fitted_head(name, {}), inputs()
    expected = head(features, *rest)
    head.fit(torch.zeros(6), torch.ones(6))
    torch.testing.assert_close(head((features.float() - 2) / 3, *rest), expected, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("name", sorted(HEADS))
def test_constant_channels_are_not_blown_up(name: str) -> None:
    head, (features, *rest) = HEADS[name](SHAPE), inputs()
    head.fit(features.float().mean((0, 2, 3)), torch.zeros(6))
    assert head(features, *rest).isfinite().all()


@pytest.mark.parametrize("cell_by_cell", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_standardised_linear_is_standardise_then_linear(
    dtype: torch.dtype, cell_by_cell: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2robot.policies.heads.blocks.BLOCK", 100)  # two rows at a time, then one
    linear, maps = nn.Linear(6, 3), torch.randn(5, 6, 7).to(dtype) + 4
    mean, deviation = torch.rand(6) + 3, torch.rand(6) + 0.5
    standard = (maps.float() - mean[:, None]) / deviation[:, None]
    expected = linear(standard.transpose(1, 2)).transpose(1, 2)
    actual = standardized_linear(linear, mean, deviation, maps, cell_by_cell=cell_by_cell)
    assert actual.transpose(1, 2).is_contiguous() == cell_by_cell
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)
    toward = torch.randn(5, 3, 7)
    wanted = torch.autograd.grad(expected, list(linear.parameters()), toward)
    for given, grad in zip(
        torch.autograd.grad(actual, list(linear.parameters()), toward), wanted, strict=True
    ):
        torch.testing.assert_close(given, grad, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layout", [(0, 1, 2), (0, 2, 1)])
def test_expected_places_are_the_softmax_and_its_gradient(
    layout: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2robot.policies.heads.blocks.BLOCK", 60)  # two rows at a time, then one
    hidden = torch.randn(5, 4, 9).permute(layout).contiguous().permute(layout).requires_grad_()
    weight, bias = torch.randn(3, 4, requires_grad=True), torch.randn(3, requires_grad=True)
    grid, toward = torch.randn(9, 2), torch.randn(5, 3, 2)
    expected = (torch.matmul(weight, hidden.relu()) + bias[:, None]).softmax(-1) @ grid
    actual = expected_places(hidden, weight, bias, grid)
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(distribution(hidden, weight, bias) @ grid, expected)
    inputs = [hidden, weight, bias]
    wanted = torch.autograd.grad(expected, inputs, toward)
    for given, grad in zip(torch.autograd.grad(actual, inputs, toward), wanted, strict=True):
        torch.testing.assert_close(given, grad)


@pytest.mark.parametrize("hidden", [0, 8])
def test_keypoints_are_not_rounded_in_half_precision(hidden: int) -> None:
    """bfloat16 knows 256 places between 0.5 and 1."""
    head, (features, *_) = fitted_head("spatial_softmax", {"hidden": hidden}), inputs()
    exact = head(features)
    with torch.autocast("cpu", torch.bfloat16):
        places = head(features)
    assert places.dtype == torch.float32
    assert not torch.equal(places, places.bfloat16().float())
    torch.testing.assert_close(places, exact, atol=2e-3, rtol=0)


@pytest.mark.parametrize("name", sorted(HEADS))
def test_every_head_gives_tokens_to_a_transformer(name: str) -> None:
    observe = ObservationEncoder(SPEC, name, {}, OBS_STEPS, WIDTH)
    tokens = observe.tokens(make_batch(PolicyConfig(obs_steps=OBS_STEPS)).obs)
    assert tokens.shape == (3, OBS_STEPS * observe.tokens_a_step, WIDTH)
    tokens.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in observe.parameters())


@pytest.mark.parametrize("head", sorted(HEADS))
@pytest.mark.parametrize("name", sorted(POLICIES))
def test_every_policy_learns_with_every_head_or_says_why_not(name: str, head: str) -> None:
    try:
        policy = fitted(name, head=head)
    except UserError as error:
        assert HEADS[head].gives_tokens
        assert "reads a vector; choose attention, cls" in str(error)
        return
    torch.manual_seed(0)
    loss, _ = policy.loss(make_batch(policy.config, b=16))  # rows enough that dropout hides no input
    loss.backward()
    assert not [n for n, p in policy.named_parameters() if p.grad is None or not p.grad.any()]


def test_spatial_softmax_finds_a_peak() -> None:
    """A keypoint that looks at channel 0 tells where that channel peaks: column 7 of 9, row 1 of 5."""
    head = SpatialSoftmax(SHAPE, keypoints=1)
    with torch.no_grad():
        weight = head.get_parameter("score.weight").zero_()
        weight[0, 0] = 100
    features = torch.zeros(1, 6, 5, 9)
    features[0, 0, 1, 7] = 1
    expected = torch.tensor([[(7.5 / 9) * 2 - 1, (1.5 / 5) * 2 - 1]])
    torch.testing.assert_close(head(features), expected)


def test_tokens_of_a_scale_read_that_scale_and_that_cell() -> None:
    """Channels 3..5 are the second scale; cell (1, 7) is the 17th of 45."""
    head = Tokens(SHAPE, cells=9)
    features = torch.randn(1, 6, 5, 9)
    changed = features.clone()
    changed[0, 4, 1, 7] += 1
    differs = (head(features) != head(changed)).any(-1)[0]
    assert differs.nonzero().flatten().tolist() == [45 + 9 + 7]


def test_heads_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match="did you mean 'spatial_softmax'"):
        HEADS["spatial_softmx"]
    with pytest.raises(UserError, match="prefix tokens, which the features of this encoder have not"):
        HEADS["cls"](CameraShape(6, (5, 9)))
    with pytest.raises(
        UserError, match="encoder 'lite0' has none: choose attention, conv, mean, spatial_softmax"
    ):
        check_head("cls", "lite0", 0)
    check_head("cls", "mae_b", 1)
    check_head("mean", "lite0", 0)
    with pytest.raises(UserError, match="needs proprioception"):
        Attention(CameraShape(6, (5, 9)), proprio=True)
    with pytest.raises(UserError, match="width=10 must be divisible by 4"):
        Attention(SHAPE, width=10)
    with pytest.raises(UserError, match="width=30 must be divisible by 8"):
        Conv(SHAPE, width=30)


@pytest.mark.parametrize("size", [0, -3, True])  # other types are refused by their hints here
@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("attention", "queries"),
        ("attention", "width"),
        ("attention", "attention_heads"),
        ("cls", "dim"),
        ("conv", "width"),
        ("conv", "dim"),
        ("mean", "dim"),
        ("spatial_softmax", "keypoints"),
        ("tokens", "dim"),
        ("tokens", "cells"),
    ],
)
def test_a_head_of_nothing_is_refused(name: str, argument: str, size: object) -> None:
    with pytest.raises(UserError, match=rf"head_args\.{argument}={size} must be a whole number from 1 on"):
        HEADS[name](SHAPE, **{argument: size})
