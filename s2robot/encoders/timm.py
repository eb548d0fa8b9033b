"""Encoders out of timm: `timm/<any of its names>`, and those that robot learners use under short names.

A name's preprocessing is its authors', as timm records it with the weights. The map is that of the last
layer with a stride of at most 16: a vision transformer's last block with the final norm, a residual
network's third stage. This module is data; PyTorch is imported when a network is described or built.
"""

from __future__ import annotations

import difflib
import socket
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from s2robot.encoders.options import EncoderConfig
from s2robot.errors import UserError
from s2robot.files import cache_root

if TYPE_CHECKING:
    from s2robot.encoders.network import Pretrained

HUB_FILE = "model.safetensors"
State = dict[str, Any]  # tensors by name


@dataclass(frozen=True)
class Timm:
    """A timm architecture as an entry of the registry; None takes what timm records for its weights."""

    name: str
    model: str  # timm's name, with the tag of the weights
    about: str = ""
    tile: int | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    interpolation: str | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))  # of create_model
    unpack: Callable[[dict[str, Any]], State] = lambda state: state  # a published file's content -> tensors
    own_licence: str | None = None
    download: tuple[str, str] | None = None  # (address, file name) of weights that are not on timm's hub

    @property
    def licence(self) -> str:
        return self.own_licence or self.timm_config().license or "not stated"

    @property
    def source(self) -> str:
        if self.download:
            return self.download[0]
        return f"https://huggingface.co/{self.timm_config().hf_hub_id}/resolve/main/{HUB_FILE}"

    @property
    def kept_file(self) -> Path:
        """Where weights are looked for, besides the hub's own cache."""
        name = self.download[1] if self.download else f"{self.name.removeprefix('timm/')}.safetensors"
        return cache_root() / "weights" / name

    def __call__(self, options: EncoderConfig | None = None) -> Pretrained:
        """With weights of the file, of the cache, or of the hub; see `Architecture`."""
        from s2robot.encoders.timm_network import pretrained

        chosen = options or EncoderConfig()
        return pretrained(self, chosen, Path(chosen.weights) if chosen.weights else self._find())

    def untrained(self, options: EncoderConfig | None = None) -> Pretrained:
        """The same with random weights."""
        from s2robot.encoders.timm_network import pretrained

        return pretrained(self, options or EncoderConfig(), None)

    def timm_config(self) -> Any:
        """What timm records with the weights."""
        from timm.models import get_pretrained_cfg

        return get_pretrained_cfg(self.model)

    def file_here(self) -> Path | None:
        """The weights if they are on this machine."""
        if self.kept_file.is_file():
            return self.kept_file
        if self.download is not None:
            return None
        try:
            return _from_hub(self.timm_config().hf_hub_id, download=False)
        except OSError:
            return None

    def _find(self) -> Path:
        if self.kept_file.is_file():
            return self.kept_file
        reason = "they are not downloaded by themselves"
        if self.download is None:
            try:
                return _from_hub(self.timm_config().hf_hub_id)
            except OSError as error:
                reason = f"the hub does not answer ({' '.join(str(error).split())[:80]})"
        raise UserError(
            f"weights of encoder {self.name!r} are not here and {reason}: download {self.source} "
            f"(licence: {self.licence}) to {self.kept_file}, or say encoder.weights=FILE (of a checkpoint's "
            f"encoder: weights=FILE)"
        )


def any_timm(name: str) -> Timm:
    """The entry `timm/<model>`; UserError with the nearest name if timm has no such model."""
    import timm

    model = name.removeprefix("timm/")
    if not timm.is_model(model):
        near = difflib.get_close_matches(model, timm.list_models(), n=1)
        hint = f"did you mean 'timm/{near[0]}'? " if near else ""
        raise UserError(f"unknown encoder {name!r}; {hint}timm.list_models() shows all")
    if "." in model and model not in timm.list_pretrained(model):
        tags = ", ".join(timm.list_pretrained(f"{model.partition('.')[0]}.*")) or "none"
        raise UserError(f"unknown weights {name!r}; timm has: {tags}")
    return Timm(name, model)


def _from_hub(repository: str, download: bool = True) -> Path:
    """The hub's file, out of its cache or downloaded; OSError if neither can be."""
    from huggingface_hub import constants, hf_hub_download

    try:
        return Path(hf_hub_download(repository, HUB_FILE, local_files_only=True))
    except OSError:
        if not download:
            raise
    if not urllib.request.getproxies():  # the hub's client tries for half a minute where a look-up tells
        socket.getaddrinfo(urllib.parse.urlsplit(constants.ENDPOINT).hostname, 443)
    return Path(hf_hub_download(repository, HUB_FILE))


# S2's paper shows DINOv2 tiles of 224; timm's 518 is the size of the last, short phase of its training
TIMM = [
    Timm("dinov2_s", "vit_small_patch14_dinov2.lvd142m", "DINOv2 ViT-S/14, class token", tile=224),
    Timm("dinov2_b", "vit_base_patch14_dinov2.lvd142m", "DINOv2 ViT-B/14, class token", tile=224),
    Timm("dinov2_l", "vit_large_patch14_dinov2.lvd142m", "DINOv2 ViT-L/14, class token", tile=224),
    Timm("dinov3_s", "vit_small_patch16_dinov3.lvd1689m", "DINOv3 ViT-S/16, class token and registers"),
    Timm("dinov3_b", "vit_base_patch16_dinov3.lvd1689m", "DINOv3 ViT-B/16, class token and registers"),
    Timm("clip_b16", "vit_base_patch16_clip_224.openai", "CLIP ViT-B/16 of OpenAI"),
    Timm("siglip2_b16", "vit_base_patch16_siglip_224.v2_webli", "SigLIP 2 ViT-B/16, no prefix tokens"),
    Timm("mae_b", "vit_base_patch16_224.mae", "MAE ViT-B/16, no commercial use"),
    Timm("mae_l", "vit_large_patch16_224.mae", "MAE ViT-L/16, no commercial use"),
    Timm("deit3_s", "deit3_small_patch16_224.fb_in22k_ft_in1k", "DeiT III ViT-S/16"),
    Timm("deit3_b", "deit3_base_patch16_224.fb_in22k_ft_in1k", "DeiT III ViT-B/16"),
    Timm("resnet18", "resnet18.tv_in1k", "torchvision's ResNet-18"),
    Timm("resnet50", "resnet50.tv_in1k", "torchvision's ResNet-50"),
]
