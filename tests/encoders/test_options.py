"""Each encoder option is defined once, and what was recorded before stays valid."""

import json
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from s2robot import parallel
from s2robot.config import option
from s2robot.encoders import ENCODERS, EncoderConfig, make_encoder, network, options
from s2robot.encoders.cameras import CameraEncoders
from s2robot.encoders.options import CAMERAS, NETWORK, SCALES, SPEED
from s2robot.encoders.s2 import S2
from s2robot.encoders.spec import EncoderSpec, S2Spec
from s2robot.errors import UserError
from s2robot.features.store import FeatureStore
from tests.encoders.tiny_pretrained import on_cpu, tiny_pretrained

# Written by the version before there was one definition of the options; "stores" are folders of features.
RECORDED = json.loads((Path(__file__).parent / "recorded_specs.json").read_text())["cases"]


@pytest.mark.parametrize("before", RECORDED, ids=lambda before: before["case"])
def test_keys_and_checkpoints_made_before_stay_valid(before: dict[str, Any], tmp_path: Path) -> None:
    encoders = CameraEncoders("lite0", device="cpu", backend="torch", **before["options"])
    assert encoders.spec_dict() == before["checkpoint"]
    assert encoders.encoder("agentview").spec.to_dict() == before["s2"]
    assert S2Spec.from_dict(before["s2"]) == encoders.encoder("agentview").spec
    for camera, folder in before["stores"].items():
        shape = encoders.feature_shape(camera, (64, 64))
        store = FeatureStore(encoders.encoder(camera).spec, shape, "float16", tmp_path)
        assert store.earlier.name == folder  # of format 1: nothing else of the key has changed
    again = CameraEncoders.from_dict(before["checkpoint"], device="cpu")
    assert again.spec_dict() == before["checkpoint"]


# A value that is no default for every option that a file of weights or a network does not decide.
OTHER: dict[str, Any] = {
    "name": "lite2",
    "weights": None,  # recorded by their checksum: test_packaged
    "layer": 3,
    "tile": 112,
    "precision": "bfloat16",
    "sizes": [32],
    "output_grid": [3, 3],
    "merge": "add",
    "antialias": False,
    "camera_sizes": {"cam": [64]},
    "camera_grids": {"cam": [1, 1]},
    "backend": "torch",
    "max_tiles": 7,
}


@pytest.mark.parametrize("field", fields(EncoderConfig), ids=lambda field: field.name)
def test_an_option_is_recorded_exactly_if_it_decides_numbers(field: Any) -> None:
    assert field.metadata["decides"] in (NETWORK, SCALES, CAMERAS, SPEED) and field.metadata["meaning"]
    if OTHER[field.name] is None:
        return
    usual = CameraEncoders("lite0", device="cpu")
    values = {"name": "lite0", field.name: OTHER[field.name]}
    other = CameraEncoders(**values, device="cpu")
    decisive = field.metadata["decides"] != SPEED
    assert (other.spec_dict() != usual.spec_dict()) == decisive
    assert (other.encoder("cam").spec.to_dict() != usual.encoder("cam").spec.to_dict()) == decisive
    again = CameraEncoders.from_dict(json.loads(json.dumps(other.spec_dict())), device="cpu")
    assert again.spec_dict() == other.spec_dict()
    if decisive:  # and it comes back as what it was
        assert getattr(again.options, field.name) == OTHER[field.name]


@dataclass
class MoreOptions(EncoderConfig):
    """Two more options, and nothing else is touched."""

    gain: float = option(1.0, "of the map", decides=SCALES)
    norm: bool = option(True, "the last norm", decides=NETWORK)


def test_adding_an_option_touches_its_definition_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (options, network, sys.modules["s2robot.encoders.cameras"]):
        monkeypatch.setattr(module, "EncoderConfig", MoreOptions)
    choices: list[dict[str, Any]] = [{}, {"gain": 1.0}, {"gain": 2.0, "norm": False}]
    plain, usual, other = (CameraEncoders("lite0", device="cpu", **chosen) for chosen in choices)
    assert usual.spec_dict() == plain.spec_dict()  # at its default it leaves keys as they are
    assert other.spec_dict()["gain"] == 2.0 and other.spec_dict()["base"]["norm"] is False
    assert other.encoder("cam").spec.to_dict().items() >= {"gain": 2.0, "norm": False}.items()
    again = CameraEncoders.from_dict(json.loads(json.dumps(other.spec_dict())), device="cpu")
    assert isinstance(again.options, MoreOptions)
    assert (again.options.gain, again.options.norm) == (2.0, False)
    assert EncoderSpec.from_dict(other.base.spec.to_dict()) == other.base.spec


@pytest.mark.usefixtures("unchecked")
def test_unknown_and_impossible_options_are_refused() -> None:
    for values, message in (
        ({"antialas": False}, "unknown encoder option 'antialas'; did you mean 'antialias'"),
        ({"merge": "mean"}, "merge is 'concat' or 'add', not 'mean'"),
        ({"precision": "float61"}, "did you mean 'float16'"),
        ({"sizes": "224"}, r"encoder.sizes='224' is of another type than list\[int\]"),
        ({"antialias": "no"}, "encoder.antialias='no' is of another type than bool"),
        ({"tile": 0}, "encoder.tile=0 must be at least 1"),
        ({"tile": 230}, "encoder.tile=230 is no multiple of the 16 pixels .* near it: 224, 240"),
        ({"output_grid": [28]}, r"e.g. \[28,28\], not \[28\]"),
    ):
        with pytest.raises(UserError, match=message):
            make_encoder("lite0", device="cpu", **values)


def test_values_from_python_become_the_declared_types() -> None:
    options = EncoderConfig.of(sizes=(np.int64(32), 48), camera_sizes={"wrist": (32,)}, weights=Path("a.pth"))
    assert (options.sizes, options.camera_sizes, options.weights) == ([32, 48], {"wrist": [32]}, "a.pth")
    assert options.sizes is not None and type(options.sizes[0]) is int


@pytest.mark.parametrize("name", ENCODERS)
def test_default_sizes_are_the_tile_and_twice_it(name: str) -> None:
    pretrained = ENCODERS[name].untrained()
    tile = pretrained.spec.tile
    encoder = S2(on_cpu(pretrained))
    assert encoder.spec.to_dict()["sizes"] == [tile, 2 * tile]
    assert [t.count for t in encoder.spec.tilings(2 * tile, 2 * tile)] == [1, 4]


def test_a_chosen_tile_cuts_what_the_trained_one_does_not(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "timm/vit_small_patch14_dinov2.lvd142m"  # timm records 518
    whole, cut = (S2(on_cpu(ENCODERS[name].untrained(), sizes=(224, 448), tile=tile)) for tile in (None, 224))
    assert (whole.spec.tile, cut.spec.tile) == (518, 224)
    assert [t.count for t in whole.spec.tilings(448, 448)] == [1, 1]
    assert [t.count for t in cut.spec.tilings(448, 448)] == [1, 4]
    cut.warn_of_whole_scales()
    assert not caplog.messages
    whole.warn_of_whole_scales()
    (line,) = caplog.messages
    assert "sees 448 pixels as one tile, because its tile is 518 pixels; encoder.tile=224 cuts" in line
    monkeypatch.setattr(parallel, "rank", lambda: 1)
    whole.warn_of_whole_scales()
    assert len(caplog.messages) == 1  # one process of several speaks


def test_the_tile_decides_the_numbers() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    whole, cut = (make_encoder("lite0", [32, 64], device="cpu", backend="torch", tile=t) for t in (None, 32))
    first, second = whole.encode(frames).map, cut.encode(frames).map
    torch.testing.assert_close(first[:, :112], second[:, :112])
    assert not torch.allclose(first[:, 112:], second[:, 112:])  # a tile does not see its neighbour


def test_max_tiles_is_the_backends_budget_and_measures_nothing() -> None:
    pretrained = tiny_pretrained()

    def never() -> torch.nn.Module:
        raise AssertionError("a network was built before a frame came")

    encoder = S2(on_cpu(network.Pretrained(pretrained.spec, never), "auto", sizes=(32,), max_tiles=3))
    assert encoder.backend.max_tiles == 3


LISTS_NAMES = """
import sys
from s2robot.encoders import ENCODERS, EncoderConfig
assert "lite0" in list(ENCODERS) and "dinov2_s" in list(ENCODERS)
assert EncoderConfig().name in ENCODERS
assert not {"torch", "timm"} & set(sys.modules), sorted(sys.modules)
"""


def test_names_and_options_are_there_without_pytorch() -> None:
    subprocess.run([sys.executable, "-c", LISTS_NAMES], check=True)
