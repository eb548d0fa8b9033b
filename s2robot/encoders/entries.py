"""The registered encoders by name, without PyTorch until one is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s2robot.encoders.robotics import ROBOTICS
from s2robot.encoders.timm import TIMM, any_timm
from s2robot.registry import Lazy, Registry

if TYPE_CHECKING:
    from s2robot.encoders.network import Architecture


class EncoderRegistry(Registry["Architecture"]):
    """The encoders by name; besides those listed, `timm/<name>` is any of timm's."""

    def missing(self, name: str) -> Architecture:
        if name.startswith("timm/"):
            return any_timm(name)
        return super().missing(name)


ENCODERS = EncoderRegistry("encoder")
ENCODERS["lite0"] = Lazy("s2robot.encoders.packaged:LITE0")
ENCODERS["lite2"] = Lazy("s2robot.encoders.packaged:LITE2")
for entry in [*TIMM, *ROBOTICS]:
    ENCODERS[entry.name] = entry
