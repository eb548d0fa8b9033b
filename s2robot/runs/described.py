"""What a checkpoint says of itself, as typed values: the description may come from anyone."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from s2robot.errors import UserError
from s2robot.runs import steps
from s2robot.runs.plain import build, describe
from s2robot.types import Spec

MOST_STEPS = 10**12  # of a training
AXES = (0, 1)  # of frames (h, w, 3) that `flips` may name


@dataclass(frozen=True)
class Description:
    """The fields of `checkpoint.json` that loading reads."""

    step: int
    spec: dict[str, Any]
    config: dict[str, Any]  # of the training
    encoders: dict[str, Any]
    training_seeds: list[int]
    selection_seeds: list[int]
    metrics: dict[str, float]
    weights_sha256: str | None = None  # 0.1 did not record it


@dataclass(frozen=True)
class Resumable(Description):
    """The fields of `checkpoint.json` that going on with a training reads."""

    best: float | None = field(kw_only=True)  # smallest so far of what chooses a checkpoint


D = TypeVar("D", bound=Description)


def described(plain: Mapping[str, Any], where: str) -> Description:
    """The description in a JSON object. Raises `UserError` that begins with `where` for other types."""
    return _described(Description, plain, where)


def resumable(plain: Mapping[str, Any], file: Path, compared: Iterable[str]) -> Resumable:
    """The description, in `file`, of a checkpoint that a training is to go on from.

    Raises `UserError` for other types, a step that is not that of the folder's name, and where one of the
    fields is missing that are `compared` with the training's own: as if it had been set up in the same way.
    """
    try:
        found = _described(Resumable, plain, str(file))
        if missing := sorted(set(compared) - plain.keys()):
            raise UserError(f"{file} has no {missing[0]!r}")
        if found.best is not None and not math.isfinite(found.best):
            raise UserError(f"{file}: best is {describe(found.best)}, expected a finite number or null")
        folder = file.parent  # called `last` where a copy made folders of links
        if steps.NAME.fullmatch(folder.name) and found.step != (named := steps.step_of(folder)):
            raise UserError(f"{file}: step is {found.step}, expected {named} as in the folder's name")
    except UserError as error:
        raise UserError(
            f"{error}: the file was changed or is damaged, so the training cannot be resumed; put it back, "
            f"or train anew with overwrite=true"
        ) from error
    return found


def _described(kind: type[D], plain: Mapping[str, Any], where: str) -> D:
    known = {field.name for field in fields(kind)}
    found = build(kind, {name: plain[name] for name in known & plain.keys()}, where)
    if not 0 <= found.step <= MOST_STEPS:
        raise UserError(f"{where}: step is {found.step}, expected 0 to {MOST_STEPS}")
    if not isinstance(policy := found.config.get("policy"), dict):
        raise UserError(f"{where}: config: policy is {describe(policy)}, expected a JSON object")
    return found


def spec_of(plain: Mapping[str, Any], where: str) -> Spec:
    """The spec in a JSON object, today's or that of 0.1. Raises `UserError` for values that no spec has."""
    spec = build(Spec, json.loads(json.dumps(Spec.from_dict(plain).to_dict())), where)
    sizes = {"action_dim": spec.action_dim} | {f"proprio.{key}": dim for key, dim in spec.proprio.items()}
    for name, camera in spec.cameras.items():
        for of, values in (
            ("size", camera.size),
            ("features", camera.features),
            ("prefix", camera.prefix or ()),
        ):
            sizes |= {f"cameras.{name}.{of}[{i}]": value for i, value in enumerate(values)}
        sizes[f"cameras.{name}.scales"] = camera.scales
        if not set(camera.flips) <= set(AXES):
            raise UserError(
                f"{where}: cameras.{name}.flips is {list(camera.flips)}, expected axes of {list(AXES)}"
            )
    for name, size in sizes.items():
        if size < 1:
            raise UserError(f"{where}: {name} is {size}, expected at least 1")
    return spec
