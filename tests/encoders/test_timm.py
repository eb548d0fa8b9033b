"""timm's architectures as encoders: their maps, weights files, and what is said when there are none."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from skimage import data

from s2robot.encoders import ENCODERS, EncoderConfig, make_encoder
from s2robot.encoders.s2 import S2
from s2robot.encoders.spec import EncoderSpec
from s2robot.encoders.timm import Timm
from s2robot.errors import UserError
from tests.encoders.tiny_pretrained import on_cpu

FRAMES = np.ascontiguousarray(data.astronaut()[None, :64, 200:264])
SMALLEST = "timm/test_vit"  # timm's own model for tests: 64 channels, stride 16


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without a network and with empty caches."""

    def unreachable(*_: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setenv("S2ROBOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("urllib.request.getproxies", dict)
    monkeypatch.setattr("socket.getaddrinfo", unreachable)
    return tmp_path


def random_weights(model: str, file: Path, **options: Any) -> Any:
    torch.manual_seed(0)
    network = timm.create_model(model, **options).eval()
    save_file(network.state_dict(), file)
    return network


def test_vision_transformer_gives_its_normed_tokens(tmp_path: Path) -> None:
    network = random_weights("test_vit", tmp_path / "w.safetensors", img_size=64)
    encoder = on_cpu(ENCODERS[SMALLEST](EncoderConfig(weights=str(tmp_path / "w.safetensors"))))
    features = encoder.encode(FRAMES)
    config = timm.get_pretrained_cfg("test_vit")
    assert config is not None
    pixels = torch.from_numpy(FRAMES).permute(0, 3, 1, 2) / 255
    pixels = (pixels - torch.tensor(config.mean)[:, None, None]) / torch.tensor(config.std)[:, None, None]
    with torch.no_grad():
        tokens = network.forward_features(pixels)
    expected = tokens[:, 1:].transpose(1, 2).unflatten(2, (4, 4))
    # the encoder was made for tiles of 160 and its position embedding resized twice
    assert features.prefix is not None
    assert features.map.shape == expected.shape and features.prefix.shape == (1, 1, 64)
    assert torch.nn.functional.cosine_similarity(features.map, expected).min() > 0.97


def test_at_its_own_size_the_numbers_are_timms(tmp_path: Path) -> None:
    network = random_weights("resnet18.tv_in1k", tmp_path / "w.safetensors")
    encoder = on_cpu(ENCODERS["resnet18"](EncoderConfig(weights=str(tmp_path / "w.safetensors"))))
    pixels = torch.from_numpy(FRAMES).permute(0, 3, 1, 2) / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        x = (pixels - mean[:, None, None]) / std[:, None, None]
        x = network.maxpool(network.act1(network.bn1(network.conv1(x))))
        expected = network.layer3(network.layer2(network.layer1(x)))
    torch.testing.assert_close(encoder.encode(FRAMES).map, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("layer", "channels", "stride"), [(-1, 512, 32), (2, 128, 8), (None, 256, 16)])
def test_layer_can_be_chosen(tmp_path: Path, layer: int | None, channels: int, stride: int) -> None:
    random_weights("resnet18.tv_in1k", tmp_path / "w.safetensors")
    pretrained = ENCODERS["resnet18"](EncoderConfig(weights=str(tmp_path / "w.safetensors"), layer=layer))
    assert (pretrained.spec.channels, pretrained.spec.stride) == (channels, stride)
    features = on_cpu(pretrained).encode(FRAMES)
    assert features.map.shape == (1, channels, 64 // stride, 64 // stride)


def test_another_layer_is_another_spec_and_the_usual_one_is_not() -> None:
    usual, same, other = (make_encoder("lite0", sizes=(64,), layer=layer).spec for layer in (None, 4, 3))
    assert usual == same and "layer" not in usual.to_dict()
    assert other.to_dict()["layer"] == 3 and (other.channels, other.stride) == (80, 16)
    again = EncoderSpec.from_dict(
        json.loads(json.dumps(ENCODERS["lite0"](EncoderConfig(layer=3)).spec.to_dict()))
    )
    assert again == ENCODERS["lite0"](EncoderConfig(layer=3)).spec
    with pytest.raises(UserError, match=r"has layers 0 to 6 .*, not 7"):
        make_encoder("lite0", layer=7)


def test_both_file_formats_give_the_same(tmp_path: Path) -> None:
    network = random_weights("test_vit", tmp_path / "w.safetensors")
    torch.save({"state_dict": network.state_dict()}, tmp_path / "w.pth")
    first, second = (
        S2(on_cpu(ENCODERS[SMALLEST](EncoderConfig(weights=str(tmp_path / name))), sizes=(64,)))
        .encode(FRAMES)
        .map
        for name in ("w.safetensors", "w.pth")
    )
    assert torch.equal(first, second)


def test_pickled_code_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path(tmp_path / "executed").write_text, ("x",))

    torch.save({"model": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match="is no checkpoint of tensors"):
        make_encoder(SMALLEST, (64,), tmp_path / "evil.pth", "torch", "cpu").encode(FRAMES)
    assert not (tmp_path / "executed").exists()


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    random_weights("test_vit2", tmp_path / "w.safetensors")
    encoder = make_encoder(SMALLEST, (64,), tmp_path / "w.safetensors", "torch", "cpu")
    with pytest.raises(UserError, match="holds no weights of encoder 'timm/test_vit'") as raised:
        encoder.encode(FRAMES)
    assert "\n" not in str(raised.value)


def test_without_a_network_one_line_says_what_to_do(offline: Path) -> None:
    address = "https://huggingface.co/timm/vit_small_patch14_dinov2.lvd142m/resolve/main/model.safetensors"
    said = r"hub does not answer .*or say encoder.weights=FILE .*: weights=FILE"
    with pytest.raises(UserError, match=said) as raised:
        make_encoder("dinov2_s")
    message = str(raised.value)
    assert address in message and str(offline / "cache/weights/dinov2_s.safetensors") in message
    assert "\n" not in message
    with pytest.raises(UserError, match=r"facebook/vc1-base.*licence: cc-by-nc-4.0.*vc1_vitb.pth"):
        make_encoder("vc1_b")


def test_weights_are_found_where_the_message_says(offline: Path) -> None:
    entry = ENCODERS[SMALLEST]
    assert isinstance(entry, Timm)
    entry.kept_file.parent.mkdir(parents=True)
    random_weights("test_vit", entry.kept_file)
    assert entry.file_here() == entry.kept_file
    assert make_encoder(SMALLEST, (64,), device="cpu", backend="torch").encode(FRAMES).map.isfinite().all()


def test_unknown_names_are_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'timm/resnet18'"):
        make_encoder("timm/resnt18")
    with pytest.raises(
        UserError, match=r"unknown weights 'timm/resnet18.none'; timm has: .*resnet18.tv_in1k"
    ):
        make_encoder("timm/resnet18.none")
    with pytest.raises(UserError, match="did you mean 'dinov2_s'"):
        make_encoder("dinov2s")


@pytest.mark.parametrize("model", ["test_vit", "test_resnet"])
def test_both_backends_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    monkeypatch.setenv("S2ROBOT_CACHE", str(tmp_path))  # of graphs that OpenVINO makes
    random_weights(model, tmp_path / "w.safetensors")
    oblong = data.astronaut()[None, :64, 200:296]
    expected, actual = (
        make_encoder(f"timm/{model}", (64, 96), tmp_path / "w.safetensors", backend, "cpu").encode(oblong)
        for backend in ("torch", "openvino")
    )
    assert (actual.map - expected.map).abs().max() <= 1e-3 * expected.map.abs().max()
    assert (actual.prefix is None) == (expected.prefix is None)
    if expected.prefix is not None and actual.prefix is not None:
        assert (actual.prefix - expected.prefix).abs().max() <= 1e-3 * expected.prefix.abs().max()
