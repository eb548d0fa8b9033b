"""Encoders out of timm: `timm/<any of its names>`, and those that robot learners use under short names.

A name's preprocessing is its authors', as timm records it with the weights. The map is that of the last
layer with a stride of at most 16: a vision transformer's last block with the final norm, a residual
network's third stage.
"""

import difflib
import inspect
import socket
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from s2robot.encoders.base import EncoderSpec
from s2robot.encoders.network import Pretrained, resolve_layer
from s2robot.encoders.weights import fill, load_state, sha256_of
from s2robot.errors import UserError
from s2robot.files import cache_root

HUB_FILE = "model.safetensors"
USUAL_STRIDE = 16
State = dict[str, Tensor]


class Maps(nn.Module):
    """A timm model up to one of its layers, as "b c gh gw" and prefix tokens where it has them."""

    def __init__(self, model: nn.Module, layer: int) -> None:
        super().__init__()
        self.model, self.layer = model, layer
        self.options = {"return_prefix_tokens": True} if _has_prefix(model) else {}
        model.prune_intermediate_layers([layer], prune_norm=False, prune_head=True)  # type: ignore[operator]

    def fit_tile(self, h: int, w: int) -> None:
        """Resize the position embedding now, by PyTorch: other engines' bicubic gives other numbers."""
        if hasattr(self.model, "set_input_size") and getattr(self.model, "pos_embed", None) is not None:
            self.model.set_input_size(img_size=(h, w))  # type: ignore[operator]

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        (out,) = self.model.forward_intermediates(  # type: ignore[operator]
            x,
            indices=[self.layer],
            norm=True,
            stop_early=True,
            output_fmt="NCHW",
            intermediates_only=True,
            **self.options,
        )
        return out if isinstance(out, Tensor) else tuple(out)


@dataclass(frozen=True)
class Timm:
    """A timm architecture as an entry of the registry; None takes what timm records for its weights."""

    name: str
    model: str  # timm's name, with the tag of the weights
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
        return self.own_licence or self._timm_config().license or "not stated"

    @property
    def source(self) -> str:
        if self.download:
            return self.download[0]
        return f"https://huggingface.co/{self._timm_config().hf_hub_id}/resolve/main/{HUB_FILE}"

    @property
    def kept_file(self) -> Path:
        """Where weights are looked for, besides the hub's own cache."""
        name = self.download[1] if self.download else f"{self.name.removeprefix('timm/')}.safetensors"
        return cache_root() / "weights" / name

    def __call__(self, weights: str | Path | None = None, layer: int | None = None) -> Pretrained:
        """With weights of the file, of the cache, or of the hub; see `Architecture`."""
        file = Path(weights) if weights else self._find()
        if not file.is_file():
            raise UserError(f"weights of encoder {self.name!r}: there is no file {file}")
        spec, at = self._describe(layer, sha256_of(file))
        return Pretrained(spec, lambda: Maps(self._load(file), at))

    def untrained(self, layer: int | None = None) -> Pretrained:
        """The same with random weights."""
        spec, at = self._describe(layer, "")
        return Pretrained(spec, lambda: Maps(self._create(), at))

    def _timm_config(self) -> Any:
        from timm.models import get_pretrained_cfg

        return get_pretrained_cfg(self.model)

    def _create(self) -> nn.Module:
        import timm

        model = timm.create_model(self.model, num_classes=0, **self.options)
        if hasattr(model, "dynamic_img_size") and not model.dynamic_img_size:
            # position embeddings follow the tile
            model = timm.create_model(self.model, num_classes=0, dynamic_img_size=True, **self.options)
        if not hasattr(model, "forward_intermediates"):
            raise UserError(f"encoder {self.name!r}: this architecture of timm gives no feature maps")
        return model

    def _describe(self, layer: int | None, sha256: str) -> tuple[EncoderSpec, int]:
        """The spec and the index of its layer."""
        with torch.device("meta"):
            model = self._create()
        layers: Any = model.feature_info
        layers = layers if isinstance(layers, list) else layers.info
        usual = max(
            (i for i, info in enumerate(layers) if info["reduction"] <= USUAL_STRIDE), default=len(layers) - 1
        )
        at = usual if layer is None else resolve_layer(self.name, layer, len(layers))
        config = self._timm_config()
        spec = EncoderSpec(
            name=self.name,
            channels=layers[at]["num_chs"],
            stride=layers[at]["reduction"],
            tile=self.tile or config.input_size[-1],
            mean=self.mean or tuple(config.mean),
            std=self.std or tuple(config.std),
            interpolation=self.interpolation or config.interpolation,
            prefix_tokens=int(getattr(model, "num_prefix_tokens", 0)) if _has_prefix(model) else 0,
            weights_sha256=sha256,
            precision="float32",
            layer=None if at == usual else at,
        )
        return spec, at

    def _load(self, file: Path) -> nn.Module:
        model = self._create()
        try:
            state = self.unpack(load_state(file))
            if convert := getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None):
                state = convert(state, model)
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise UserError(f"{file} holds no weights of encoder {self.name!r}: {error!r}") from error
        classifiers = self._timm_config().classifier or ()
        classifiers = (classifiers,) if isinstance(classifiers, str) else tuple(classifiers)
        known = model.state_dict()
        head = {k for k in state if k not in known and k.startswith(tuple(f"{c}." for c in classifiers))}
        return fill(model, {k: v for k, v in state.items() if k not in head}, self.name, file)

    def _find(self) -> Path:
        if self.kept_file.is_file():
            return self.kept_file
        reason = "they are not downloaded by themselves"
        if self.download is None:
            try:
                return _from_hub(self._timm_config().hf_hub_id)
            except OSError as error:
                reason = f"the hub does not answer ({' '.join(str(error).split())[:80]})"
        raise UserError(
            f"weights of encoder {self.name!r} are not here and {reason}: download {self.source} "
            f"(licence: {self.licence}) to {self.kept_file}, or say weights=FILE"
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


def hub_file(entry: Timm) -> Path | None:
    """The weights of an entry if they are on this machine."""
    if entry.kept_file.is_file():
        return entry.kept_file
    if entry.download is not None:
        return None
    try:
        return _from_hub(entry._timm_config().hf_hub_id, download=False)
    except OSError:
        return None


def _has_prefix(model: nn.Module) -> bool:
    parameters = inspect.signature(model.forward_intermediates).parameters  # type: ignore[arg-type]
    return "return_prefix_tokens" in parameters and getattr(model, "num_prefix_tokens", 0) > 0


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


def _dinov2(name: str, size: str) -> Timm:
    # S2's paper has it look at tiles of 224; timm's 518 is the size of its last, short phase of training
    return Timm(name, f"vit_{size}_patch14_dinov2.lvd142m", tile=224)


PRESETS = [
    _dinov2("dinov2_s", "small"),
    _dinov2("dinov2_b", "base"),
    _dinov2("dinov2_l", "large"),
    Timm("dinov3_s", "vit_small_patch16_dinov3.lvd1689m"),
    Timm("dinov3_b", "vit_base_patch16_dinov3.lvd1689m"),
    Timm("clip_b16", "vit_base_patch16_clip_224.openai"),
    Timm("siglip2_b16", "vit_base_patch16_siglip_224.v2_webli"),
    Timm("mae_b", "vit_base_patch16_224.mae"),
    Timm("mae_l", "vit_large_patch16_224.mae"),
    Timm("deit3_s", "deit3_small_patch16_224.fb_in22k_ft_in1k"),
    Timm("deit3_b", "deit3_base_patch16_224.fb_in22k_ft_in1k"),
    Timm("resnet18", "resnet18.tv_in1k"),
    Timm("resnet50", "resnet50.tv_in1k"),
]
