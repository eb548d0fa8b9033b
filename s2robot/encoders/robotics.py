"""Encoders pretrained for robots, from checkpoint files in the layouts that their authors published.

Layouts and preprocessing as in the releases' own loading code:
    MVP   github.com/ir413/mvp, mvp/backbones/vit.py and model_zoo.py
    VC-1  github.com/facebookresearch/eai-vc, vc_models/models/vit/vit.py and transforms/__init__.py
    R3M   github.com/facebookresearch/r3m, r3m/__init__.py and r3m/models/models_r3m.py
"""

from types import MappingProxyType
from typing import Any

from s2robot.encoders.timm import State, Timm

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def from_mae(content: dict[str, Any]) -> State:
    """MAE's layout (MVP, VC-1): all under "model", in timm's names, beside what only pretraining needs."""
    return {k: v for k, v in content["model"].items() if "decoder" not in k and k != "mask_token"}


def from_r3m(content: dict[str, Any]) -> State:
    """R3M's: a ResNet of torchvision under "r3m", beside a language model, all inside DataParallel."""
    inside = "module.convnet."
    return {k.removeprefix(inside): v for k, v in content["r3m"].items() if k.startswith(inside)}


def _mvp(name: str, model: str, about: str, size: int, release: str, file: str, **options: Any) -> Timm:
    return Timm(
        name,
        model,
        f"MVP {about}",
        tile=size,
        mean=IMAGENET_MEAN,  # of MAE's pretraining; a known reimplementation forgets it
        std=IMAGENET_STD,
        interpolation="bicubic",
        options=MappingProxyType({"img_size": size, **options}),
        unpack=from_mae,
        own_licence=MVP_LICENCE,
        download=(f"https://berkeley.box.com/shared/static/{release}.pth", file),
    )


def _vc1(name: str, model: str, about: str, repository: str, file: str) -> Timm:
    return Timm(
        name,
        model,
        f"VC-1 {about}, no commercial use",
        tile=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        interpolation="bicubic",
        unpack=from_mae,
        own_licence="cc-by-nc-4.0",
        download=(f"https://huggingface.co/facebook/{repository}/resolve/main/pytorch_model.bin", file),
    )


def _r3m(depth: int, drive_id: str) -> Timm:
    return Timm(
        f"r3m_{depth}",
        f"resnet{depth}.tv_in1k",  # for its architecture alone
        f"R3M ResNet-{depth}",
        tile=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        interpolation="bilinear",
        unpack=from_r3m,
        own_licence="mit",
        download=(f"https://drive.google.com/uc?id={drive_id}", f"r3m_{depth}.pt"),
    )


MVP_LICENCE = "not stated in the release"
ROBOTICS = [
    # twelve heads where timm's ViT-S has six: the same shapes, other numbers
    _mvp(
        "mvp_s",
        "vit_small_patch16_224",
        "ViT-S/16",
        224,
        "m93ynem558jo8vltlads5rcmnahgsyzr",
        "mae_pretrain_hoi_vit_small.pth",
        num_heads=12,
    ),
    _mvp(
        "mvp_b",
        "vit_base_patch16_224",
        "ViT-B/16",
        224,
        "0ckepd2ja3pi570z89ogd899cn387yut",
        "mae_pretrain_egosoup_vit_base.pth",
    ),
    _mvp(
        "mvp_l",
        "vit_large_patch16_224",
        "ViT-L/16",
        256,
        "6p0pc47mlpp4hhwlin2hf035lxlgddxr",
        "mae_pretrain_egosoup_vit_large_256.pth",
    ),
    _vc1("vc1_b", "vit_base_patch16_224", "ViT-B/16", "vc1-base", "vc1_vitb.pth"),
    _vc1("vc1_l", "vit_large_patch16_224", "ViT-L/16", "vc1-large", "vc1_vitl.pth"),
    _r3m(18, "1A1ic-p4KtYlKXdXHcV2QV0cUzI4kn0u-"),
    _r3m(34, "15bXD3QRhspIRacOKyWPw5y2HpoWUCEnE"),
    _r3m(50, "1Xu0ssuG0N1zjZS54wmWzJ7-nb0-7XzbA"),
]
