"""At a glance: what a run is, as pairs of a label and a text."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from s2robot.evaluation.pages.rendering import duration
from s2robot.evaluation.pages.runs import Run

Pairs = list[tuple[str, str]]


def facts(run: Run) -> Pairs:
    """The known ones of a run, the most telling first."""
    return [(label, text) for label, text in _facts(run) if text]


def subtitle(run: Run) -> str:
    """Policy, encoder and task in a line."""
    return " · ".join(text for text in (_policy(run), _encoder(run), _task(run)) if text)


def pick(plain: Mapping[str, Any], key: str) -> Any:
    """A value of nested plain data by its dotted key; None where it is not."""
    value: Any = plain
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def number(value: Any) -> float | None:
    """A finite number, None for anything else."""
    return float(value) if type(value) in (int, float) and math.isfinite(value) else None


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    made = run.made
    yield "Task", _task(run)
    yield "Policy", _policy(run)
    yield "Encoder", _encoder(run)
    yield "Cameras", _cameras(run)
    yield "Demonstrations", _demonstrations(run)
    yield "Parameters", _parameters(run)
    yield "Training", _training(run)
    yield "Checkpoints", _checkpoints(run)
    yield "Date", _plain(made.get("date") or made.get("started"))
    yield "Commit", _commit(made)
    yield "Hardware", _plain(made.get("hardware"))
    yield "Versions", _plain(made.get("versions"))


def _task(run: Run) -> str:
    env_ids = [str(pick(one, "spec.env_id") or "") for one in run.checkpoints.values()]
    env_ids += [one.summary.env_id for one in run.evaluations]
    return next(filter(None, env_ids), "")


def _policy(run: Run) -> str:
    name, head = pick(run.config, "policy.name"), pick(run.config, "policy.head")
    return f"{name} ({head} head)" if name and head else _plain(name)


def _encoder(run: Run) -> str:
    encoder = run.config.get("encoder")
    if not isinstance(encoder, Mapping):
        return ""
    sizes = encoder.get("sizes") or []
    scales = " + ".join(map(str, sizes)) if isinstance(sizes, list) else str(sizes)
    return f"{encoder.get('name')} at {scales} pixels" if scales else _plain(encoder.get("name"))


def _cameras(run: Run) -> str:
    cameras = next((found for one in run.checkpoints.values() if (found := pick(one, "spec.cameras"))), None)
    if not isinstance(cameras, Mapping):
        return ""
    return ", ".join(f"{name}{_shape(camera)}" for name, camera in cameras.items())


def _shape(camera: Any) -> str:
    size, features = pick(camera, "size"), pick(camera, "features")
    if not isinstance(size, list) or not isinstance(features, list):
        return ""
    return f" {'x'.join(map(str, size))} (features {'x'.join(map(str, features))})"


def _demonstrations(run: Run) -> str:
    paths = pick(run.config, "data.path")
    where = ", ".join(map(str, paths)) if isinstance(paths, list) else _plain(paths)
    train, valid = (pick(run.sizes, f"demonstrations.{part}") for part in ("train", "valid"))
    if train is None:
        return where
    return f"{train} to train, {valid} to validate, of {where}"


def _parameters(run: Run) -> str:
    policy, encoder = (number(run.sizes.get(f"{part}_parameters")) for part in ("policy", "encoder"))
    if policy is None:
        return ""
    frozen = f", and {encoder / 1e6:.1f} M frozen in the encoder" if encoder else ""
    return f"{policy / 1e6:.2f} M trained{frozen}"


def _training(run: Run) -> str:
    steps, batch = pick(run.config, "optim.steps"), pick(run.config, "optim.batch_size")
    last, seed = pick(run.checkpoints, "last.step"), run.config.get("seed")
    seconds = pick(run.stages, "train.seconds")
    done = f"step {last} of {steps}" if last is not None and last != steps else f"{steps} steps"
    parts = [
        done if steps else "",
        f"batch {batch}" if batch else "",
        f"seed {seed}" if seed is not None else "",
        duration(seconds) if seconds is not None else "",
    ]
    return ", ".join(filter(None, parts))


def _checkpoints(run: Run) -> str:
    return ", ".join(f"{name}: step {one['step']}" for name, one in run.checkpoints.items())


def _commit(made: Mapping[str, Any]) -> str:
    commit = _plain(made.get("commit"))
    changed = made.get("clean") is False or made.get("dirty") is True
    return f"{commit} with changes that are not committed" if commit and changed else commit


def _plain(value: Any) -> str:
    """Any plain data as a line of text; empty for None."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return "" if value is None else str(value)
