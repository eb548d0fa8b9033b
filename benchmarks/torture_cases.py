"""The commands that `torture.py` stops: how each is typed, what its result is, how it is cleared away."""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

COLLECT = [
    *("collect", "--env", "s2robot/PickCube-v0", "--episodes", "3", "--image-size", "32"),
    *("--workers", "2"),
]
ENCODER = ["encoder.sizes=[64]", "encoder.backend=torch"]
TRAIN = [
    *("train", "data.path=a.hdf5", *ENCODER, "device=cpu", "policy=bc", "policy.hidden=[16]"),
    *("policy.head_args.keypoints=4", "optim.batch_size=8", "optim.steps=60", "optim.warmup_steps=2"),
    *("optim.log_every=10", "optim.valid_every=20", "optim.checkpoint_every=10"),
]
EVAL = ["eval", "checkpoint=trained", "episodes=4", "video=1", "workers=2", "device=cpu", "backend=torch"]


@dataclass(frozen=True)
class Case:
    """A command; `made` is what it writes, `again` how it is typed the second time if not in the same way."""

    name: str
    words: list[str]
    made: str
    result: Callable[[Path], str]  # of the folder: equal for equal results
    again: list[str] | None = None
    has_workers: bool = False

    def clear(self, folder: Path) -> None:
        """Delete what the command writes, and what is left of it."""
        for path in [folder / self.made, *folder.glob(f"{self.made}.*"), *folder.glob(f".{self.made}.*")]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def prepare(finished: Callable[[list[str]], str], evaluates: bool) -> None:
    """Make the demonstrations and, to evaluate, the run that the commands read. `finished` runs a command."""
    demonstrations = [[*COLLECT, "--out", "a.hdf5"], [*COLLECT, "--seed", "1", "--out", "b.hdf5"]]
    for words in [*demonstrations, *([[*TRAIN, "run_dir=trained"]] if evaluates else [])]:
        if wrong := finished(words):
            sys.exit(f"{' '.join(words)}: {wrong}")


def _hdf5(name: str) -> Callable[[Path], str]:
    """The hash of all arrays and attributes of a file."""

    def result(folder: Path) -> str:
        digest = hashlib.sha256()

        def add(path: str, node: Any) -> None:
            digest.update(path.encode() + repr(sorted((k, str(v)) for k, v in node.attrs.items())).encode())
            if isinstance(node, h5py.Dataset):
                digest.update(node[()].tobytes() if node.shape else str(node[()]).encode())

        with h5py.File(folder / name, "r") as file:
            file.visititems(add)
        return digest.hexdigest()

    return result


def _files(pattern: str) -> Callable[[Path], str]:
    """The hashes of the files of a pattern, by their names."""

    def result(folder: Path) -> str:
        found = (path for path in sorted(folder.glob(pattern)) if path.is_file())
        return json.dumps({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in found})

    return result


def _features(folder: Path) -> str:
    """The hashes of all stored features, whatever their order: what is encoded twice shows as more."""
    rows = []
    for records in sorted(folder.glob("store/*/segments/*/records.bin")):
        data, count = (records.parent / "rows.bin").read_bytes(), _rows(records)
        size = len(data) // count if count else 0
        rows += [hashlib.sha256(data[i * size : (i + 1) * size]).hexdigest() for i in range(count)]
    return json.dumps(sorted(rows))


def _rows(records: Path) -> int:
    from s2robot.features.segment import RECORD

    return records.stat().st_size // RECORD.itemsize


def _episodes(folder: Path) -> str:
    lines = (folder / "trained" / "eval" / "default" / "episodes.jsonl").read_text().splitlines()
    episodes = {one["seed"]: {**one, "wall_s": 0} for one in map(json.loads, lines)}
    assert len(episodes) == len(lines), "a seed is there twice"
    return json.dumps(sorted(episodes.items()))


CASES = {
    case.name: case
    for case in (
        Case("collect", [*COLLECT, "--out", "new.hdf5"], "new.hdf5", _hdf5("new.hdf5"), has_workers=True),
        Case("features", ["features", "a.hdf5", *ENCODER, "--root", "store"], "store", _features),
        Case(
            "train",
            [*TRAIN, "run_dir=run"],
            "run",
            _files("run/checkpoints/last/*.safetensors"),
            again=[*TRAIN, "run_dir=run", "resume=true"],
        ),
        Case("eval", EVAL, "trained/eval", _episodes, has_workers=True),
        Case("convert", ["convert", "a.hdf5", "target", "--fps", "10"], "target", _files("target/data/*/*")),
        Case("merge", ["merge", "a.hdf5", "b.hdf5", "--out", "m.hdf5"], "m.hdf5", _hdf5("m.hdf5")),
        Case("split", ["split", "a.hdf5", "--out", "s.hdf5"], "s.hdf5", _hdf5("s.hdf5")),
    )
}
