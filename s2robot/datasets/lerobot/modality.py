"""GR00T's `meta/modality.json`: names of parts of the state and of the action.

Layout: https://github.com/NVIDIA/Isaac-GR00T, `getting_started/data_preparation.md`: `{state|action: {name:
{start, end, original_key}}}`, half-open columns of a flat array. A part is an array of its own here,
`observation.state.NAME` or `action.NAME`, which `data.proprio` and `data.actions` can name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from s2robot.datasets.lerobot.files import Folder
from s2robot.datasets.lerobot.info import INDEX_COLUMNS, Feature
from s2robot.datasets.problem import Problem

MODALITY = "meta/modality.json"
WHOLE = {"state": "observation.state", "action": "action"}  # arrays that are divided, unless it says others


@dataclass(frozen=True)
class Part:
    """Columns start to end of an array."""

    of: str  # the array's key
    start: int
    end: int

    @property
    def width(self) -> int:
        return self.end - self.start


class Parts:
    """The parts by their keys, none where the file is absent; `warnings` of those that do not fit."""

    def __init__(self, folder: Folder, features: Mapping[str, Feature]) -> None:
        """Raises `UserError` for a file that is no JSON."""
        self.by_key: dict[str, Part] = {}
        self.warnings: list[Problem] = []
        file = folder.root / MODALITY
        said = folder.json(MODALITY) if file.exists() else {}
        for group, name, stated in _stated(said):
            key = f"{WHOLE[group]}.{name}"
            part = _part(stated, WHOLE[group], features)
            if part is None:
                told = f"{group}.{name} is {stated!r:.100}, no columns of an array; it is ignored"
                self.warnings.append(Problem(told, str(file)))
            elif key not in features:
                self.by_key[key] = part


def _stated(said: Any) -> Iterator[tuple[str, str, Any]]:
    """Group, name and description of each part."""
    for group in WHOLE:
        parts = said.get(group) if isinstance(said, dict) else None
        for name, stated in parts.items() if isinstance(parts, dict) else ():
            yield group, name, stated


def _part(stated: Any, usual: str, features: Mapping[str, Feature]) -> Part | None:
    """None if it is none."""
    if not isinstance(stated, dict):
        return None
    key, start, end = stated.get("original_key") or usual, stated.get("start"), stated.get("end")
    feature = features.get(key) if isinstance(key, str) else None
    if feature is None or key in INDEX_COLUMNS or feature.is_camera or len(feature.shape) != 1:
        return None
    if not isinstance(start, int) or not isinstance(end, int) or bool in (type(start), type(end)):
        return None
    return Part(key, start, end) if 0 <= start < end <= feature.shape[0] else None
