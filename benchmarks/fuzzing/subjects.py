"""What is fuzzed: how a small valid input is made, and what reads it as the commands do."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
import yaml

from s2robot.commands.cli.entry import options_of
from s2robot.datasets import open_dataset
from s2robot.datasets.formats import FORMATS
from s2robot.datasets.lerobot import conversion, source  # noqa: F401 (imported before processes are forked)
from s2robot.encoders.spec import EncoderSpec
from s2robot.evaluation.comparison import compare_folders
from s2robot.evaluation.report import write_report
from s2robot.features.hashing import HASH
from s2robot.features.store import FeatureStore
from s2robot.features.writer import Writer
from s2robot.policies import make_policy
from s2robot.policies.acting import set_acting_options
from s2robot.policies.options.bc import BCConfig
from s2robot.runs import checkpoint
from s2robot.runs import folder as run_folder
from s2robot.types import CameraSpec, Spec

PROPRIO = ["robot0_eef_pos"]
SPEC = Spec("s2robot/PickCube-v0", {}, 3, {"pos": 3}, {"cam": CameraSpec("cam_image", (8, 8), (4, 2, 2))})
TASTE = EncoderSpec("fuzzed", 4, 16, 32, (0.0,) * 3, (1.0,) * 3, "bicubic", 0, "", "float32")

# What would be imported in each of the forked processes; nothing is computed here, which would start threads
for _format in FORMATS:
    FORMATS[_format]
with torch.device("meta"):
    make_policy(SPEC, BCConfig(name="bc", hidden=[8], head_args={"keypoints": 2}))


@dataclass(frozen=True)
class Subject:
    """`make` fills a folder; `read` reads it, raises `UserError`, and may say what it took wrongly."""

    make: Callable[[Path], None]
    read: Callable[[Path], str | None]


def make_dataset(folder: Path) -> None:
    rng = np.random.default_rng(0)
    with h5py.File(folder / "demos.hdf5", "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "s2robot/PickCube-v0", "type": 2, "env_kwargs": {}})
        for i in range(3):
            demo = data.create_group(f"demo_{i}")
            demo.attrs.update({"num_samples": 5, "seed": i})
            demo["actions"] = rng.uniform(-1, 1, (5, 7))
            demo["obs/robot0_eef_pos"] = rng.normal(size=(5, 3))
            frames = rng.integers(0, 255, (5, 16, 16, 3), dtype=np.uint8)
            demo.create_dataset("obs/front_image", data=frames, compression="gzip")
        file["mask/train"] = np.array([b"demo_0", b"demo_1"])
        file["mask/valid"] = np.array([b"demo_2"])


def read_dataset(folder: Path) -> None:
    path = folder / "demos.hdf5"
    _use(path if path.exists() or path.is_symlink() else folder)


def _use(path: Path) -> None:
    dataset = open_dataset(path, proprio=None if path.is_dir() else PROPRIO)
    dataset.splits("train", "valid")
    dataset.actions()
    dataset.proprioception()
    for name in dataset.episodes:
        for camera in dataset.cameras:
            dataset.read_frames(name, camera, 0, 2)
            dataset.episode_identity(name, camera)
    dataset.close()


def make_lerobot(folder: Path) -> None:
    make_dataset(folder)
    dataset = open_dataset(folder / "demos.hdf5", proprio=PROPRIO)
    conversion.convert(dataset, folder / "lerobot", lossless=False, fps=20)
    dataset.close()
    (folder / "demos.hdf5").unlink()


def make_checkpoint(folder: Path) -> None:
    policy = make_policy(SPEC, BCConfig(name="bc", hidden=[8], head_args={"keypoints": 2}))
    frames = torch.zeros(2, 8, 8, 3, dtype=torch.uint8)
    config = {"policy": vars(policy.config), "encoder": {"weights": None}, "env": {}}
    description = {"spec": SPEC.to_dict(), "config": config, "encoders": {}, "training_seeds": [1]}
    description |= {"selection_seeds": [2], "metrics": {"valid/loss": 0.5}}
    samples = {"frames.cam": frames, "features.cam": torch.zeros(2, 4, 2, 2)}
    checkpoint.save(folder / "checkpoints", 7, policy.state_dict(), {}, description, samples)
    np.save(folder.parent / "weights.npy", np.frombuffer(_weights(folder).read_bytes(), np.uint8))


def _weights(folder: Path) -> Path:
    return folder / "checkpoints" / "step_00000007" / checkpoint.WEIGHTS


def read_checkpoint(folder: Path) -> str | None:
    loaded = checkpoint.load(folder)
    set_acting_options(loaded.policy, {"action_steps": 1})
    if loaded.policy.spec != SPEC or loaded.step != 7:
        return None  # another valid description, of which there is no checksum
    there = np.frombuffer(_weights(folder).read_bytes(), np.uint8)
    same = np.array_equal(there, np.load(folder.parent / "weights.npy"))
    known = json.loads((_weights(folder).parent / "checkpoint.json").read_text()).get("weights_sha256")
    return None if same or known is None else "changed weights were taken as those that were saved"


def make_store(folder: Path) -> None:
    store = FeatureStore(TASTE, (4, 2, 2), "float16", folder)
    rows = np.random.default_rng(0).normal(size=(40, store.row.numbers)).astype(np.float16)
    hashes = np.frombuffer(np.random.default_rng(1).bytes(40 * HASH.itemsize), HASH)
    with Writer(store) as writer:
        writer.append(hashes, rows)
        writer.commit()
        writer.remember({bytes(16): hashes[:20]})
    np.savez(folder.parent / "rows.npz", rows=rows, hashes=hashes.view(np.uint8))


def read_store(folder: Path) -> str | None:
    kept = np.load(folder.parent / "rows.npz")
    hashes = np.ascontiguousarray(kept["hashes"]).view(HASH)
    store = FeatureStore(TASTE, (4, 2, 2), "float16", folder)
    snapshot = store.snapshot()
    found = snapshot.find(hashes)
    at = np.flatnonzero(found >= 0)
    if not len(at):
        return None
    rows = np.empty((len(at), store.row.numbers), np.float16)
    store.rows(snapshot).take(found[at], rows)
    return (
        None
        if np.array_equal(rows, kept["rows"][at])
        else "changed rows were taken as those that were stored"
    )


def make_run(folder: Path) -> None:
    config = {
        "policy": {"name": "bc"},
        "encoder": {"name": "lite0", "sizes": [64]},
        "data": {"path": "a.hdf5"},
    }
    config |= {"optim": {"steps": 30}, "seed": 0, "run_dir": "runs/a"}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    lines = [{"step": step, "valid/loss": 1 / step, "train/loss": 2.0} for step in (10, 20, 30)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "timings.json").write_text(json.dumps({"train": {"seconds": 60.0, "peak_gib": 1.0}}))
    start: dict[str, Any] = {
        "date": "2026-01-01",
        "command": "train",
        "commit": None,
        "clean": None,
        "versions": {"torch": "2"},
    }
    start |= {"hardware": {"cpu": "x", "cores": 2}, "step": 0, "folder": "/"}
    start["ended"] = {"how": "finished", "date": "2026-01-01", "step": 30, "reason": ""}
    (folder / "run.json").write_text(json.dumps({"s2robot": "0.2.0", "starts": [start]}))
    (folder / "checkpoints" / "last").mkdir(parents=True)
    about = {
        "format": 2,
        "step": 30,
        "spec": SPEC.to_dict(),
        "config": config,
        "metrics": {"valid/loss": 0.1},
    }
    (folder / "checkpoints" / "last" / "checkpoint.json").write_text(json.dumps(about))
    evaluation = folder / "eval" / "default"
    evaluation.mkdir(parents=True)
    plan = {"env_id": "Push-v0", "env_kwargs": {}, "batch": 1, "identity": {"step": 30}, "seeds": [1, 2, 3]}
    (evaluation / "seeds.json").write_text(json.dumps(plan))
    (evaluation / "summary.json").write_text(json.dumps({"decision_ms": 12.5}))
    one = {"success": True, "steps": 9, "return": 1.0, "wall_s": 0.5, "video": None}
    (evaluation / "episodes.jsonl").write_text(
        "".join(json.dumps({"seed": i, **one}) + "\n" for i in (1, 2, 3))
    )


def read_run(folder: Path) -> None:
    write_report(folder)
    run_folder.check(folder, resume=True)
    compare_folders(folder, folder)


def make_configuration(folder: Path) -> None:
    words = ["data.path=a.hdf5", "run_dir=runs/a", "policy=bc", "encoder.sizes=[64,128]", "optim.steps=10"]
    words += ["policy.head_args.keypoints=4", "env.kwargs={image_size: 64}", "data.cameras={a: obs/b}"]
    (folder / "words.json").write_text(json.dumps(words))


def read_configuration(folder: Path) -> None:
    try:
        words = json.loads((folder / "words.json").read_text()) if _regular(folder / "words.json") else []
    except ValueError:
        return
    options_of("train", [str(word)[:300] for word in words] if isinstance(words, list) else [str(words)])


def _regular(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


SUBJECTS = {
    "dataset": Subject(make_dataset, read_dataset),
    "lerobot": Subject(make_lerobot, lambda folder: _use(folder / "lerobot")),
    "checkpoint": Subject(make_checkpoint, read_checkpoint),
    "store": Subject(make_store, read_store),
    "run": Subject(make_run, read_run),
    "configuration": Subject(make_configuration, read_configuration),
}
