"""What a dataset holds, as plain data and as lines of text."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.pieces import pieces
from s2robot.datasets.tools.leniently import structural_errors
from s2robot.errors import number_of

SHOWN = 8  # numbers of a range: an arm with its gripper, and one more


def summarize(dataset: Dataset) -> dict[str, Any]:
    """What `s2robot info --json` prints. Reads numbers, in pieces, and no frames."""
    recorded = dataset.keys.low_dim()
    keys = {name: key for name in recorded if (key := dataset.keys.resolve(name))}
    for name, key in dataset.proprio_keys.items():  # maybe chosen outside of the observations
        if key not in keys.values():
            keys[name], recorded[name] = key, dataset.keys.arrays[key]
    used = {key for key in (*keys.values(), *dataset.action_keys.values())}
    used |= {camera.key for camera in dataset.cameras.values()}
    others = {key: one for key, one in dataset.keys.arrays.items() if key not in used}
    of_actions = list(dataset.action_keys.values())
    actions = [dataset.keys.arrays[key] for key in of_actions]
    return {
        "format": dataset.format,
        "version": dataset.version,
        "episodes": len(dataset.episodes),
        "frames": int(dataset.offsets[-1]),
        "cameras": {name: list(camera.size) for name, camera in dataset.cameras.items()},
        "low_dim": {name: _width(one.shape) for name, one in recorded.items()},
        "action_dim": sum(_width(one.shape) for one in actions),
        "fps": dataset.fps,
        "env": _env(dataset.env_args),
        "paths": [str(source.path) for source in dataset.sources],
        "lengths": [int(length) for length in dataset.lengths],
        "names": list(dataset.episodes),
        "actions": of_actions,
        "executed_actions": dataset.source.executed_actions,
        "proprio": list(dataset.proprio_keys),
        "ranges": {
            name: _range(dataset, key)
            for name, key in [*keys.items(), *zip(of_actions, of_actions, strict=True)]
        },
        "orientation": {name: orientation(dataset, name) for name in dataset.cameras},
        "family": dataset.preset.name if dataset.preset else None,
        "env_args": dataset.env_args,
        "env_problem": dataset.env_problem,
        "tasks": list(dataset.tasks),
        "masks": {key: len(names) for source in dataset.sources for key, names in source.masks.items()},
        "seeds": len(dataset.seeds),
        "other": {key: f"{one.describe()} {one.note}".strip() for key, one in others.items()},
        "errors": len(structural_errors(dataset)),
    }


def orientation(dataset: Dataset, camera: str) -> dict[str, str]:
    """How a camera's frames are stored and how that is known."""
    given = dataset.options.orientation
    given = given.get(camera) if isinstance(given, Mapping) else given
    if given:
        return {"stored": given, "known_by": "the option orientation"}
    stored, who = dataset.stored_orientation()
    return {
        "stored": stored,
        "known_by": who or "an assumption; check it with a contact sheet (--sheet FILE.png)",
    }


def lines(summary: Mapping[str, Any]) -> list[str]:
    """The summary as text."""
    lengths, cameras = summary["lengths"], summary["cameras"]
    fps = f"{summary['fps']:g} frames a second" if summary["fps"] else "frames a second not known"
    version = f" {summary['version']}" if summary["version"] else ""
    family = f" ({summary['family']})" if summary["family"] else ""
    frames = number_of(summary["frames"], "frame")
    text = [
        f"{', '.join(summary['paths'])}: {summary['format']}{version}{family}",
        f"episodes   {summary['episodes']}: {_few(summary['names'])}; {frames}, {fps}",
        f"lengths    {min(lengths)} to {max(lengths)}, mean {np.mean(lengths):.1f}",
    ]
    for name, (height, width) in cameras.items():
        how = summary["orientation"][name]
        text.append(f"camera     {name} {height}x{width}, {how['stored']} (known by {how['known_by']})")
    for name, width in summary["low_dim"].items():
        used = ", proprioception" if name in summary["proprio"] else ""
        text.append(f"low-dim    {name} ({width}){used}: {_show(summary['ranges'].get(name))}")
    for name in summary["actions"]:
        text.append(f"actions    {name}: {_show(summary['ranges'][name])}")
    if summary["executed_actions"]:
        text.append(
            f"executed   {summary['executed_actions']}: what was done, where it is not to be imitated"
        )
    text += [f"other      {key}: {told}" for key, told in summary["other"].items()]
    text.append(f"env        {summary['env'] or summary['env_problem'] or 'none: no rollouts'}")
    text += [f"task       {task}" for task in summary["tasks"]]
    masks = ", ".join(f"{key} {count}" for key, count in summary["masks"].items())
    text.append(f"splits     {masks or 'none: every tenth episode, or the last of fewer, is for validation'}")
    text.append(f"seeds      {summary['seeds'] or 'none'}")
    if summary["errors"]:
        text.append(f"FAULTS     {summary['errors']}; `s2robot validate` lists them")
    return text


def _width(shape: Sequence[int]) -> int:
    return int(np.prod(shape))


def _env(env_args: Mapping[str, Any] | None) -> str | None:
    name = (env_args or {}).get("env_name")
    return name if isinstance(name, str) and name else None


def _range(dataset: Dataset, key: str) -> dict[str, list[float | None]]:
    """Smallest and largest finite number of each column over all episodes; null where there is none."""
    width = _width(dataset.keys.arrays[key].shape)
    low, high = np.full(width, np.inf), np.full(width, -np.inf)
    for one in dataset.records:
        found = one.recorded.arrays.get(key)
        if found is None or found.kind != "numbers" or _width(found.shape) != width:
            continue
        for start, stop in pieces(found.rows, 8 * width):
            values = one.source.read(one.number, key, start, stop).reshape(stop - start, width)
            values = np.ma.masked_invalid(values.astype(np.float64))
            low, high = (
                np.minimum(low, values.min(0).filled(np.inf)),
                np.maximum(high, values.max(0).filled(-np.inf)),
            )
    return {
        "min": [float(value) if np.isfinite(value) else None for value in low],
        "max": [float(value) if np.isfinite(value) else None for value in high],
    }


def _show(range_: Mapping[str, Sequence[float | None]] | None) -> str:
    if range_ is None:
        return ""
    pairs = [
        "[nothing finite]" if low is None or high is None else f"[{low:.3g}, {high:.3g}]"
        for low, high in zip(range_["min"], range_["max"], strict=True)
    ]
    return " ".join(pairs[:SHOWN]) + (f" ... ({len(pairs)})" if len(pairs) > SHOWN else "")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]}, {names[1]}, ..., {names[-1]}"
