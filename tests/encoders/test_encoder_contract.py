"""What every encoder of the registry promises, on every backend."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from skimage import data
from torch import nn

from s2robot.encoders import ENCODERS, make_encoder
from s2robot.encoders.backends import BACKENDS, frozen
from s2robot.encoders.network import Pretrained
from s2robot.encoders.s2 import S2
from s2robot.encoders.spec import S2Spec
from s2robot.encoders.timm import Timm
from s2robot.errors import UserError
from tests.encoders.tiny_pretrained import on_cpu

FRAMES = np.stack([data.astronaut()[:96, 100:196], data.coffee()[:96, 100:196], data.chelsea()[:96, 100:196]])


WEIGHTS_ARE_HERE = ["lite0", "lite2"]
# `graph` is a GPU's (tests/cuda); to `compile` these takes minutes, test_backends.py does it with a small one
ON_A_CPU = [backend for backend in BACKENDS if backend not in ("graph", "compile")]
# with random weights: batch norm, a class token, registers and rotary positions
SMALL = ["resnet18", "r3m_18", "mvp_s", "dinov3_s", "timm/test_vit"]


@pytest.fixture(
    scope="module",
    params=[
        *(("lite0", backend) for backend in ON_A_CPU),
        ("lite2", "torch"),  # compiling a second network of the same kind would show nothing new
        *((n, None) for n in SMALL),
    ],
    ids=str,
)
def encoder(request: pytest.FixtureRequest) -> S2:
    name, backend = request.param
    if backend is not None:
        return make_encoder(name, sizes=(64, 96), backend=backend, device="cpu")
    torch.manual_seed(0)
    return S2(on_cpu(ENCODERS[name].untrained(), sizes=(64, 96)))


@pytest.mark.parametrize("name", [*ENCODERS, "timm/convnext_atto", "timm/vit_tiny_patch16_224"])
def test_every_entry_is_what_it_declares_and_frozen_to_the_last_norm(name: str) -> None:
    pretrained = ENCODERS[name].untrained()
    spec, tile = pretrained.spec, pretrained.spec.tile
    with torch.device("meta"):
        network = frozen(pretrained.build(), spec)
        out = network(torch.zeros(2, 3, tile, tile))
    cells, prefix = out if isinstance(out, tuple) else (out, None)

    assert spec.name == name and spec.tile % spec.stride == 0
    assert cells.shape == (2, spec.channels, *spec.grid(tile, tile))
    assert (prefix is None) == (spec.prefix_tokens == 0)
    if prefix is not None:
        assert prefix.shape == (2, spec.prefix_tokens, spec.channels)
    assert spec.interpolation in ("bicubic", "bilinear")
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert ENCODERS[name].licence and ENCODERS[name].source
    assert name.startswith("timm/") or ENCODERS[name].about


def test_declared_shape_is_measured_shape(encoder: S2) -> None:
    features = encoder.encode(FRAMES)
    assert features.map.shape == (3, encoder.spec.channels, *encoder.spec.grid(96, 96))
    assert features.map.dtype == torch.float32
    assert (features.prefix is None) == (encoder.spec.prefix_tokens == 0)


def test_frozen_whatever_a_parent_does(encoder: S2) -> None:
    before = encoder.encode(FRAMES).map
    parent = nn.ModuleDict({"encoder": encoder})

    parent.train()
    parent.requires_grad_(True)
    with torch.enable_grad():
        during = encoder.encode(FRAMES).map

    assert not encoder.training
    assert not during.requires_grad
    assert list(parent.parameters()) == [] and parent.state_dict() == {}
    assert torch.equal(encoder.encode(FRAMES).map, before)  # no batch norm drifted


def shallow(name: str) -> Pretrained:
    """An entry with its own weights if they come with it, else random ones; transformers of two blocks only.

    Twenty-two more would take seconds to make and be frozen by the same line.
    """
    entry = ENCODERS[name]
    if isinstance(entry, Timm) and entry.model.startswith(("vit_", "deit3_")):
        entry = replace(entry, options={**entry.options, "depth": 2})
    return entry() if name in WEIGHTS_ARE_HERE else entry.untrained()


@pytest.mark.parametrize("name", ENCODERS)
def test_every_entry_stays_frozen_when_a_parent_trains(name: str) -> None:
    torch.manual_seed(0)
    pretrained = shallow(name)
    stride = pretrained.spec.stride
    encoder = S2(on_cpu(pretrained, sizes=(4 * stride, 6 * stride)))
    before = encoder.encode(FRAMES)
    backend: Any = encoder.backend
    network = backend.network
    state = {key: value.clone() for key, value in network.state_dict().items()}
    norms = [n for n, m in network.named_modules() if isinstance(m, nn.LayerNorm | nn.BatchNorm2d)]
    parent = nn.ModuleDict({"encoder": encoder})

    parent.train()
    parent.requires_grad_(True)
    with torch.enable_grad():
        during = encoder.encode(FRAMES)

    assert norms and not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert network.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())  # no drift
    for given, same in zip(during, before, strict=True):
        if given is None or same is None:
            assert given is same
        else:
            assert torch.equal(given, same) and not given.requires_grad


def test_what_is_not_frozen_is_noticed() -> None:
    """A network in train mode does drift, and its last norm would learn: what the test above checks."""
    network = shallow("resnet18").build().train()
    mean = next(value for key, value in network.state_dict().items() if key.endswith("running_mean"))
    before = mean.clone()
    network(torch.randn(2, 3, 64, 64))
    assert not torch.equal(mean, before)
    last = [name for name, _ in shallow("mvp_s").build().named_parameters()][-2:]
    assert last == ["model.norm.weight", "model.norm.bias"]


def test_deterministic_and_input_unchanged(encoder: S2) -> None:
    frames = FRAMES.copy()
    first, second = encoder.encode(frames).map, encoder.encode(frames).map
    assert torch.equal(first, second)
    assert np.array_equal(frames, FRAMES)


def test_a_frame_does_not_depend_on_its_neighbours(encoder: S2) -> None:
    together, alone = encoder.encode(FRAMES).map[1:2], encoder.encode(FRAMES[1:2]).map
    assert (together - alone).abs().max() <= 1e-5 * alone.abs().max()
    assert not torch.allclose(encoder.encode(FRAMES).map[0], alone[0])


def test_spec_is_plain_data_and_comes_back(encoder: S2) -> None:
    plain = encoder.spec.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert S2Spec.from_dict(plain) == encoder.spec
    with pytest.raises(UserError, match="other fields than expected: weights_sha256"):
        S2Spec.from_dict({key: value for key, value in plain.items() if key != "weights_sha256"})


def test_views_and_tensors_are_taken_as_they_are(encoder: S2) -> None:
    mirrored = FRAMES[:, ::-1]  # negative stride
    read_only = FRAMES.copy()
    read_only.flags.writeable = False
    expected = encoder.encode(np.ascontiguousarray(mirrored)).map
    assert torch.equal(encoder.encode(mirrored).map, expected)
    assert torch.equal(encoder.encode(read_only).map, encoder.encode(torch.from_numpy(FRAMES)).map)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (FRAMES.astype(np.float32) / 255, "must be uint8 in 0..255, not float32"),
        (torch.from_numpy(FRAMES).float(), "must be uint8 in 0..255, not float32"),
        (FRAMES.transpose(0, 3, 1, 2), "channels come last"),
        (FRAMES[0], "needs a batch axis"),
        (FRAMES[..., :1], 'must have the shape "b h w 3"'),
        (FRAMES[:0], "there are no images"),
        ([[1, 2, 3]], "not list"),
        (FRAMES[:, :0], "1x1 pixels or more, not 0x96"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_wrong_images_are_refused_in_one_line(encoder: S2, images: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        encoder.encode(images)
    assert "\n" not in str(raised.value)
