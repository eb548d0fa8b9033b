"""MVP, VC-1 and R3M from files as their authors publish them, written here with random weights.

Key names and shapes: facebookresearch/mae, models_mae.py (MVP and VC-1 keep its names: ir413/mvp, vit.py
`load_checkpoint`; facebookresearch/eai-vc, vit.py `load_mae_encoder`) and facebookresearch/r3m, __init__.py
`load_r3m` (a DataParallel around R3M: "module.convnet.*" of torchvision, "module.lang_*").
"""

import argparse
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from skimage import data
from torch import Tensor
from torchvision.models import resnet18

from s2robot.encoders import ENCODERS, EncoderConfig
from s2robot.errors import UserError
from tests.encoders.tiny_pretrained import on_cpu

FRAMES = data.astronaut()[None, :224, 100:324]
MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
PIXELS = (torch.from_numpy(FRAMES.copy()).permute(0, 3, 1, 2) / 255 - MEAN) / STD


def mae_checkpoint(file: Path, width: int, depth: int, cells: int) -> dict[str, Tensor]:
    """What MAE's pretraining saves: encoder, mask token, decoder (one layer of it here), options."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return 0.02 * torch.randn(*shape, generator=generator)

    encoder = {
        "cls_token": random(1, 1, width),
        "pos_embed": random(1, cells * cells + 1, width),
        "patch_embed.proj.weight": random(width, 3, 16, 16),
        "patch_embed.proj.bias": random(width),
        "norm.weight": 1 + random(width),
        "norm.bias": random(width),
    }
    for i in range(depth):
        encoder |= {
            f"blocks.{i}.norm1.weight": 1 + random(width),
            f"blocks.{i}.norm1.bias": random(width),
            f"blocks.{i}.attn.qkv.weight": random(3 * width, width),
            f"blocks.{i}.attn.qkv.bias": random(3 * width),
            f"blocks.{i}.attn.proj.weight": random(width, width),
            f"blocks.{i}.attn.proj.bias": random(width),
            f"blocks.{i}.norm2.weight": 1 + random(width),
            f"blocks.{i}.norm2.bias": random(width),
            f"blocks.{i}.mlp.fc1.weight": random(4 * width, width),
            f"blocks.{i}.mlp.fc1.bias": random(4 * width),
            f"blocks.{i}.mlp.fc2.weight": random(width, 4 * width),
            f"blocks.{i}.mlp.fc2.bias": random(width),
        }
    decoder = {
        "mask_token": random(1, 1, 512),
        "decoder_pos_embed": random(1, cells * cells + 1, 512),
        "decoder_embed.weight": random(512, width),
        "decoder_blocks.0.norm1.weight": random(512),
        "decoder_pred.bias": random(768),
    }
    torch.save({"model": encoder | decoder, "epoch": 1, "args": argparse.Namespace(lr=1e-3)}, file)
    return encoder


def vision_transformer(state: dict[str, Tensor], depth: int, heads: int) -> Tensor:
    """The tokens after the last norm, written from the paper (arXiv 2010.11929); LayerNorm adds 1e-6."""

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def norm(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)

    cells = F.conv2d(PIXELS, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=16)
    x = torch.cat([state["cls_token"], cells.flatten(2).transpose(1, 2)], 1) + state["pos_embed"]
    for i in range(depth):
        qkv = linear(norm(x, f"blocks.{i}.norm1"), f"blocks.{i}.attn.qkv")
        q, k, v = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in qkv.chunk(3, -1))
        attention = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
        x = x + linear((attention @ v).transpose(1, 2).flatten(2), f"blocks.{i}.attn.proj")
        hidden = F.gelu(linear(norm(x, f"blocks.{i}.norm2"), f"blocks.{i}.mlp.fc1"))
        x = x + linear(hidden, f"blocks.{i}.mlp.fc2")
    return norm(x, "norm")


def test_mvp_gives_the_papers_transformer_with_twelve_heads(tmp_path: Path) -> None:
    state = mae_checkpoint(tmp_path / "mvp.pth", width=384, depth=12, cells=14)
    features = on_cpu(ENCODERS["mvp_s"](EncoderConfig(weights=str(tmp_path / "mvp.pth")))).encode(FRAMES)
    tokens = vision_transformer(state, depth=12, heads=12)
    expected = tokens[:, 1:].transpose(1, 2).unflatten(2, (14, 14))
    torch.testing.assert_close(features.map, expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(features.prefix, tokens[:, :1], rtol=1e-3, atol=1e-4)
    assert features.prefix is not None
    six_heads = vision_transformer(state, depth=12, heads=6)[:, :1]
    assert not torch.allclose(features.prefix, six_heads, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "width", "depth", "cells"),
    [("mvp_b", 768, 12, 14), ("mvp_l", 1024, 24, 16), ("vc1_b", 768, 12, 14), ("vc1_l", 1024, 24, 14)],
)
def test_larger_ones_expect_what_is_published(name: str, width: int, depth: int, cells: int) -> None:
    with torch.device("meta"):
        state = ENCODERS[name].untrained().build().state_dict()
    shapes = {key.removeprefix("model."): tuple(value.shape) for key, value in state.items()}
    assert shapes["pos_embed"] == (1, cells * cells + 1, width)
    assert shapes[f"blocks.{depth - 1}.attn.qkv.weight"] == (3 * width, width)
    assert f"blocks.{depth}.attn.qkv.weight" not in shapes
    assert shapes["norm.weight"] == (width,)
    assert len(shapes) == 6 + 12 * depth


def test_r3m_is_torchvisions_resnet(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = resnet18().eval()
    inside = {k: v for k, v in network.state_dict().items() if not k.startswith("fc.")}
    language = {"lang_enc.model.embeddings.weight": torch.zeros(4, 2), "lang_rew.pred.0.bias": torch.zeros(3)}
    content = {f"module.convnet.{k}": v for k, v in inside.items()} | {
        f"module.{k}": v for k, v in language.items()
    }
    torch.save({"r3m": content, "global_step": 1}, tmp_path / "model.pt")

    features = on_cpu(ENCODERS["r3m_18"](EncoderConfig(weights=str(tmp_path / "model.pt")))).encode(FRAMES)

    with torch.no_grad():
        x = network.maxpool(network.relu(network.bn1(network.conv1(PIXELS))))
        expected = network.layer3(network.layer2(network.layer1(x)))
    torch.testing.assert_close(features.map, expected, rtol=1e-3, atol=1e-4)


def test_a_file_of_another_release_is_refused(tmp_path: Path) -> None:
    torch.save({"r3m": {"module.convnet.conv1.weight": torch.zeros(64, 3, 7, 7)}}, tmp_path / "model.pt")
    for name in ("vc1_b", "r3m_18"):
        encoder = on_cpu(ENCODERS[name](EncoderConfig(weights=str(tmp_path / "model.pt"))))
        with pytest.raises(UserError, match=f"holds no weights of encoder '{name}'") as raised:
            encoder.encode(FRAMES)
        assert "\n" not in str(raised.value)


def test_licences_and_preprocessing_are_the_authors() -> None:
    for name in ("mvp_s", "mvp_b", "mvp_l", "vc1_b", "vc1_l", "r3m_18", "r3m_34", "r3m_50"):
        spec = ENCODERS[name].untrained().spec
        assert (spec.mean, spec.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert ENCODERS["vc1_b"].licence == ENCODERS["mae_b"].licence == "cc-by-nc-4.0"
    assert ENCODERS["dinov3_s"].licence == "dinov3-license"
    assert ENCODERS["clip_b16"].untrained().spec.mean[0] == pytest.approx(0.48145466)
