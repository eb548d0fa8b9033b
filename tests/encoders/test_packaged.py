"""EfficientNet-Lite's real weights, held against the release's own implementation."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skimage import data

from s2robot.encoders import ENCODERS, make_encoder
from s2robot.encoders.packaged import Trunk, load_classifier, packaged_file
from s2robot.errors import UserError

# Logits 0..4 and that of the likeliest class (967, espresso), by PyPI's efficientnet-lite-pytorch 0.1.0,
# for scikit-image's photograph `coffee` cropped at row 0, column 100 to the network's input size, in [-1, 1].
REFERENCE = {
    "lite0": (224, [0.85348868, 0.23250648, -0.75656891, 1.01006782, -0.19389306], 10.4538),
    "lite2": (260, [0.36014339, -0.00525066, -0.09407148, 0.57786435, -0.29293406], 9.4205),
}


def coffee(side: int) -> torch.Tensor:
    crop = data.coffee()[:side, 100 : 100 + side]
    return torch.from_numpy(crop.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


@pytest.mark.parametrize("name", REFERENCE)
def test_logits_are_those_of_the_release(name: str) -> None:
    side, first_logits, highest = REFERENCE[name]
    with torch.no_grad():
        logits = load_classifier(name)(coffee(side))[0]
    torch.testing.assert_close(logits[:5], torch.tensor(first_logits), atol=1e-4, rtol=0)
    assert logits.argmax() == 967
    assert logits.max().item() == pytest.approx(highest, abs=1e-3)


@pytest.mark.parametrize("name", REFERENCE)
def test_trunk_is_the_networks_own_stride_16_map(name: str) -> None:
    model = load_classifier(name)
    with torch.no_grad():
        expected = model.forward_intermediates(coffee(224), indices=[3], intermediates_only=True)[0]
        torch.testing.assert_close(Trunk(model, 4)(coffee(224)), expected, atol=0, rtol=0)
    reductions = {info["reduction"]: info["num_chs"] for info in model.feature_info}
    assert ENCODERS[name](None).spec.channels == reductions[16]


def test_weights_of_another_architecture_are_refused() -> None:
    with pytest.raises(UserError, match="holds no weights of encoder 'lite0'"):
        make_encoder("lite0", weights=packaged_file("lite2"), backend="torch").encode(
            np.zeros((1, 224, 224, 3), np.uint8)
        )


def test_missing_and_foreign_files_are_refused_in_one_line(tmp_path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        make_encoder("lite0", weights=tmp_path / "absent.pth")
    foreign = tmp_path / "foreign.pth"
    save_file({"x": torch.zeros(2)}, foreign)
    encoder = make_encoder("lite0", weights=foreign, backend="torch")
    with pytest.raises(UserError, match="is no checkpoint of tensors") as raised:
        encoder.encode(np.zeros((1, 224, 224, 3), np.uint8))
    assert "\n" not in str(raised.value)


def test_own_checkpoint_in_timm_layout_gives_its_own_features_and_another_checksum(tmp_path) -> None:
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
