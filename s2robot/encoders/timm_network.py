"""A timm architecture up to one of its layers as a frozen network, with weights of a file."""

import inspect
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from s2robot.encoders.network import Pretrained, resolve_layer
from s2robot.encoders.options import EncoderConfig
from s2robot.encoders.spec import EncoderSpec
from s2robot.encoders.timm import Timm
from s2robot.encoders.weights import fill, load_state, sha256_of
from s2robot.errors import UserError

USUAL_STRIDE = 16


def pretrained(entry: Timm, options: EncoderConfig, file: Path | None) -> Pretrained:
    """The network of an entry with the weights of a file, or with random ones."""
    if file is not None and not file.is_file():
        raise UserError(f"weights of encoder {entry.name!r}: there is no file {file}")
    with torch.device("meta"):
        model = _create(entry)
    layers: Any = model.feature_info
    layers = layers if isinstance(layers, list) else layers.info
    usual = max(
        (i for i, info in enumerate(layers) if info["reduction"] <= USUAL_STRIDE), default=len(layers) - 1
    )
    at = usual if options.layer is None else resolve_layer(entry.name, options.layer, len(layers))
    config = entry.timm_config()
    spec = EncoderSpec(
        name=entry.name,
        channels=layers[at]["num_chs"],
        stride=layers[at]["reduction"],
        tile=entry.tile or config.input_size[-1],
        mean=entry.mean or tuple(config.mean),
        std=entry.std or tuple(config.std),
        interpolation=entry.interpolation or config.interpolation,
        prefix_tokens=int(getattr(model, "num_prefix_tokens", 0)) if _has_prefix(model) else 0,
        weights_sha256="" if file is None else sha256_of(file),
        precision="float32",
        layer=None if at == usual else at,
    )
    return Pretrained(spec, lambda: Maps(_create(entry) if file is None else _load(entry, file), at))


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


def _create(entry: Timm) -> nn.Module:
    import timm  # slow to import, and not needed when every feature is already stored

    model = timm.create_model(entry.model, num_classes=0, **entry.options)
    if hasattr(model, "dynamic_img_size") and not model.dynamic_img_size:
        # position embeddings follow the tile
        model = timm.create_model(entry.model, num_classes=0, dynamic_img_size=True, **entry.options)
    if not hasattr(model, "forward_intermediates"):
        raise UserError(f"encoder {entry.name!r}: this architecture of timm gives no feature maps")
    return model


def _load(entry: Timm, file: Path) -> nn.Module:
    model = _create(entry)
    try:
        state = entry.unpack(load_state(file))
        if convert := getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None):
            state = convert(state, model)
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise UserError(f"{file} holds no weights of encoder {entry.name!r}: {error!r}") from error
    classifiers = entry.timm_config().classifier or ()
    classifiers = (classifiers,) if isinstance(classifiers, str) else tuple(classifiers)
    known = model.state_dict()
    head = {k for k in state if k not in known and k.startswith(tuple(f"{c}." for c in classifiers))}
    return fill(model, {k: v for k, v in state.items() if k not in head}, entry.name, file)


def _has_prefix(model: nn.Module) -> bool:
    parameters = inspect.signature(model.forward_intermediates).parameters  # type: ignore[arg-type]
    return "return_prefix_tokens" in parameters and getattr(model, "num_prefix_tokens", 0) > 0
