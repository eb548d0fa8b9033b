"""`s2.forward` against the installed reference, s2wrapper, over what it accepts."""

import itertools
from typing import Any

import pytest
import s2wrapper
import torch
from torch import Tensor, nn

from s2robot.encoders import s2
from s2robot.errors import UserError


class TinyConvNet(nn.Module):
    """Maps "b c h/8 w/8"; works at any input size and mixes neighbouring cells, so tile borders matter."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 6, 8, 8), nn.GELU(), nn.Conv2d(6, 5, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class TinyVit(nn.Module):
    """Tokens "b p+n c" with p prefix tokens that depend on the whole tile."""

    def __init__(self, prefix: int) -> None:
        super().__init__()
        self.net, self.prefix = TinyConvNet(), prefix

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.net(x).flatten(2).transpose(1, 2)
        pooled = tokens.std(1, keepdim=True) * torch.arange(1, self.prefix + 1).view(1, -1, 1)
        return torch.cat([pooled, tokens], dim=1)


SCALES = [
    {"scales": [1, 2]},
    {"scales": [1, 2, 3]},
    {"scales": [1, 1.5]},
    {"scales": [0.5, 1, 2]},
    {"scales": [1, 2], "max_split_size": 32},
    {"img_sizes": [64, 96]},
    {"img_sizes": [32, 128], "max_split_size": 64},
    {"img_sizes": [48]},
]
MODELS = [("bchw", 0), ("bnc", 0), ("bnc", 1), ("bnc", 5)]


@pytest.mark.parametrize("settings", SCALES, ids=str)
@pytest.mark.parametrize(("output_shape", "prefix"), MODELS)
def test_equals_the_reference(settings: dict, output_shape: str, prefix: int) -> None:
    torch.manual_seed(0)
    model = TinyConvNet() if output_shape == "bchw" else TinyVit(prefix)
    images = torch.randn(3, 3, 64, 64)
    count = len(settings.get("scales") or settings["img_sizes"])
    for to_index, split_forward in itertools.product(range(count), (False, True)):
        arguments = settings | {
            "resize_output_to_idx": to_index,
            "num_prefix_token": prefix,
            "output_shape": output_shape,
            "split_forward": split_forward,
        }
        expected = s2wrapper.forward(model, images, **arguments)
        actual = s2.forward(model, images, **arguments)
        assert actual.shape == expected.shape
        assert (actual - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_defaults_are_the_references() -> None:
    torch.manual_seed(0)
    model, images = TinyVit(0), torch.randn(2, 3, 32, 32)
    expected = s2wrapper.forward(model, images, [1, 2])
    torch.testing.assert_close(s2.forward(model, images, [1, 2]), expected, rtol=0, atol=1e-6)


def test_half_precision_and_gradients_pass_through() -> None:
    torch.manual_seed(0)
    model, images = TinyConvNet().bfloat16(), torch.randn(2, 3, 32, 32).bfloat16().requires_grad_()
    expected = s2wrapper.forward(model, images, scales=[1, 2], output_shape="bchw")
    actual = s2.forward(model, images, scales=[1, 2], output_shape="bchw")
    assert actual.dtype == torch.bfloat16
    torch.testing.assert_close(actual, expected)
    actual.float().square().mean().backward()
    assert images.grad is not None and images.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((1, 3, 32, 48), {"scales": [1]}, "square"),
        ((3, 32, 32), {"scales": [1]}, "square"),
        ((1, 3, 32, 32), {}, "scales"),
        ((1, 3, 32, 32), {"scales": [1], "output_shape": "nchw"}, "'bnc'"),
        ((1, 3, 32, 32), {"scales": [1], "output_shape": "bchw", "num_prefix_token": 1}, "num_prefix_token"),
        ((1, 3, 224, 224), {"scales": [1.3]}, "cannot be cut"),  # 291 pixels into 2 x 2
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_the_reference_refuses_is_refused_in_one_line(
    shape: tuple[int, ...], arguments: dict[str, Any], message: str
) -> None:
    images = torch.zeros(shape)
    with pytest.raises(AssertionError):
        s2wrapper.forward(TinyConvNet(), images, **arguments)
    with pytest.raises(UserError, match=message):
        s2.forward(TinyConvNet(), images, **arguments)
