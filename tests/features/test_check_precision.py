"""The check of stored features in each precision: other backends pass, other pictures and networks do not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor, nn

from s2robot.encoders import ENCODERS
from s2robot.encoders.cameras import CameraEncoders
from s2robot.encoders.network import NetworkEncoder, Pretrained
from s2robot.encoders.options import PRECISIONS, EncoderConfig
from s2robot.encoders.s2 import S2
from s2robot.errors import UserError
from s2robot.features import verify

SIZES = (64, 128)
PACKAGED = ["lite0", "lite2"]  # their weights are installed with the project
FRAMES = np.stack([data.astronaut()[:128, 150:278], data.coffee()[100:228, 200:328]])


class RoundedWeights(nn.Module):
    """A backend of half precision that keeps float32 between operations, as OpenVINO partly does."""

    def __init__(self, network: nn.Module, precision: str) -> None:
        super().__init__()
        self.network = network
        for parameter in network.parameters():
            parameter.data = parameter.data.to(getattr(torch, precision)).float()

    def forward(self, pixels: Tensor) -> Any:
        return self.network(pixels)


@pytest.fixture(scope="module", params=[(name, p) for name in PACKAGED for p in PRECISIONS], ids=" ".join)
def encoders(request: pytest.FixtureRequest) -> CameraEncoders:
    name, precision = request.param
    return CameraEncoders(name, SIZES, device="cpu", backend="torch", precision=precision)


def samples(
    encoders: CameraEncoders, pretrained: Pretrained | None = None, **options: Any
) -> dict[str, Tensor]:
    """The frames as a checkpoint holds them, with the features of a network that may differ."""
    base, precision = encoders.options, encoders.options.precision
    pretrained = pretrained or ENCODERS[base.name]()
    own = {"sizes": SIZES, "backend": "torch", "precision": precision, **options}
    network = NetworkEncoder(pretrained, EncoderConfig.of(name=base.name, **own), "cpu")
    return {"frames.cam": torch.from_numpy(FRAMES), "features.cam": S2(network).encode(FRAMES).map.half()}


def refuses(encoders: CameraEncoders, stored: dict[str, Tensor]) -> None:
    how = rf"in {encoders.options.precision} on backend torch; at most"
    with pytest.raises(UserError, match=rf"^features of cam differ by .* from those stored \({how}"):
        verify(encoders, stored)


def test_another_backend_of_the_precision_passes(encoders: CameraEncoders) -> None:
    precision = encoders.options.precision
    assert verify(encoders, samples(encoders))["cam"] < 1e-3
    made = ENCODERS[encoders.name]()
    rounded = Pretrained(made.spec, lambda: RoundedWeights(made.build(), precision))
    other = {} if precision == "float32" else {"precision": "float32"}  # between the operations
    assert verify(encoders, samples(encoders, rounded, **other))["cam"] > 0


def test_flipped_frames_are_refused(encoders: CameraEncoders) -> None:
    stored = samples(encoders)
    for axis in (1, 2):
        refuses(encoders, stored | {"frames.cam": stored["frames.cam"].flip(axis)})


def test_another_preprocessing_is_refused(encoders: CameraEncoders) -> None:
    made = ENCODERS[encoders.name]()
    imagenet = replace(made.spec, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    assert made.spec.mean != imagenet.mean
    refuses(encoders, samples(encoders, Pretrained(imagenet, made.build)))
    stored = samples(encoders)
    refuses(encoders, stored | {"frames.cam": stored["frames.cam"].flip(3)})  # blue first


def test_a_wrong_scale_is_refused(encoders: CameraEncoders) -> None:
    refuses(encoders, samples(encoders, sizes=(SIZES[0], 96)))


def test_other_weights_are_refused(encoders: CameraEncoders) -> None:
    made = ENCODERS[encoders.name]()

    def retrained() -> nn.Module:
        network = made.build()
        torch.manual_seed(0)
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.ndim == 4:
                    parameter.add_(0.1 * parameter.std() * torch.randn_like(parameter))
        return network

    refuses(encoders, samples(encoders, Pretrained(made.spec, retrained)))


def test_numbers_that_are_not_finite_are_refused(encoders: CameraEncoders) -> None:
    stored = samples(encoders)
    stored["features.cam"][0, 0, 0, 0] = torch.nan
    refuses(encoders, stored)
