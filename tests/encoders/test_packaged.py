"""EfficientNet-Lite's real weights, held against the release's own implementation."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from safetensors.torch import save_file
from skimage import data

from s2robot.encoders import ENCODERS, make_encoder
from s2robot.encoders.packaged import Trunk, load_classifier, packaged_file
from s2robot.errors import UserError

SIDES = {"lite0": 224, "lite2": 260}  # of the images that the networks were trained on


def coffee(side: int) -> torch.Tensor:
    crop = data.coffee()[:side, 100 : 100 + side]
    return torch.from_numpy(crop.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.mark.parametrize("name", SIDES)
def test_logits_are_those_of_the_release(name: str) -> None:
    """Its own implementation, PyPI's efficientnet-lite-pytorch, is run beside timm's with its weights."""
    release = EfficientNet.from_pretrained(f"efficientnet-{name}", weights_path=str(packaged_file(name)))
    image = coffee(SIDES[name])
    with torch.no_grad():
        logits, expected = load_classifier(name)(image), release.eval()(image)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)
    assert logits.argmax() == 967  # espresso


@pytest.mark.parametrize("name", SIDES)
def test_trunk_is_the_networks_own_stride_16_map(name: str) -> None:
    model: Any = load_classifier(name)
    with torch.no_grad():
        expected = model.forward_intermediates(coffee(224), indices=[3], intermediates_only=True)[0]
        torch.testing.assert_close(Trunk(model, 4)(coffee(224)), expected, atol=0, rtol=0)
    reductions = {info["reduction"]: info["num_chs"] for info in model.feature_info}
    assert ENCODERS[name]().spec.channels == reductions[16]


def test_weights_of_another_architecture_are_refused() -> None:
    with pytest.raises(UserError, match="holds no weights of encoder 'lite0'"):
        make_encoder("lite0", weights=packaged_file("lite2"), backend="torch").encode(
            np.zeros((1, 224, 224, 3), np.uint8)
        )


def test_missing_and_foreign_files_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        make_encoder("lite0", weights=tmp_path / "absent.pth")
    foreign = tmp_path / "foreign.pth"
    save_file({"x": torch.zeros(2)}, foreign)
    encoder = make_encoder("lite0", weights=foreign, backend="torch")
    with pytest.raises(UserError, match="is no checkpoint of tensors") as raised:
        encoder.encode(np.zeros((1, 224, 224, 3), np.uint8))
    assert "\n" not in str(raised.value)


def test_own_checkpoint_in_timm_layout_gives_its_own_features_and_another_checksum(tmp_path: Path) -> None:
    state = {key: value.clone() for key, value in load_classifier("lite0").state_dict().items()}
    state["conv_stem.weight"] *= 1.5
    torch.save(state, tmp_path / "mine.pth")
    frame = data.astronaut()[None, :224, :224]

    own, packaged = (
        make_encoder("lite0", sizes=(224,), weights=weights, backend="torch")
        for weights in (tmp_path / "mine.pth", None)
    )

    assert own.spec.weights_sha256 != packaged.spec.weights_sha256
    assert not torch.allclose(own.encode(frame).map, packaged.encode(frame).map)
