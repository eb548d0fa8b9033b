"""`s2robot subset`, `split` and `merge`: chosen episodes as they are."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from s2robot.datasets import open_dataset
from tests.datasets.lerobot.layouts import Recording
from tests.datasets.small_files import GYM, demo, write

Run = Callable[..., dict]
Refused = Callable[..., None]


def content(group: h5py.Group) -> dict[str, object]:
    """Everything in a group: arrays, and attributes by `key@attribute`."""
    found: dict[str, object] = {f"@{key}": str(value) for key, value in group.attrs.items()}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        found.update({f"{name}@{key}": str(value) for key, value in item.attrs.items()})
        if isinstance(item, h5py.Dataset):
            found[name] = (item.dtype, item.shape, item[()].tobytes(), item.chunks, item.compression)

    group.visititems(visit)
    return found


def test_a_subset_is_a_copy(demos_path: Path, tmp_path: Path, run: Run) -> None:
    before = demos_path.read_bytes()
    done = run("subset", demos_path, "--out", tmp_path / "b.hdf5", "--episodes", "demo_2,demo_0")
    assert (done["episodes"], done["masks"]) == (2, {"train": 1, "valid": 1})
    with h5py.File(demos_path) as source, h5py.File(tmp_path / "b.hdf5") as copy:
        assert list(copy["data"]) == ["demo_0", "demo_2"]
        for name in copy["data"]:
            assert content(copy[f"data/{name}"]) == content(source[f"data/{name}"])
        assert copy["data"].attrs["env_args"] == source["data"].attrs["env_args"]
        steps = [len(copy[f"data/{name}/actions"]) for name in copy["data"]]
        assert copy["data"].attrs["total"] == sum(steps)
        assert "collection" not in copy["data"].attrs  # or `s2robot collect` took it for its own
    assert demos_path.read_bytes() == before
    assert open_dataset(tmp_path / "b.hdf5").seeds < open_dataset(demos_path).seeds


def test_subsets_by_filter_key_and_number(
    demos_path: Path, tmp_path: Path, run: Run, refused: Refused
) -> None:
    done = run("subset", demos_path, "--out", tmp_path / "b.hdf5", "--mask", "train")
    assert (done["episodes"], done["masks"]) == (2, {"train": 2})
    assert done["lost"] == ["filter key valid: none of its episodes is chosen"]
    assert run("subset", demos_path, "--out", tmp_path / "c.hdf5", "--first", "1")["episodes"] == 1
    out = ["--out", tmp_path / "d.hdf5"]
    refused("subset", demos_path, *out, "--episodes", "demo_22", told="did you mean 'demo_2'")
    refused("subset", demos_path, *out, "--mask", "trian", told="did you mean 'train'")
    refused("subset", demos_path, *out, "--first", "0", told="at least one")
    refused("subset", demos_path, *out, told="one of the arguments")
    refused("subset", demos_path, "--out", tmp_path / "set", "--first", "1", told="s2robot convert")


def test_links_are_resolved_and_refused_ones_said(tmp_path: Path, run: Run) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "outside.hdf5", [demo(seed=7)])
    write(tmp_path / "in/frames.hdf5", [demo(seed=8)])
    path = write(tmp_path / "in/a.hdf5", [demo(seed=0)])
    with h5py.File(path, "a") as file:
        file["data/demo_0/obs/linked_image"] = h5py.ExternalLink(
            "frames.hdf5", "data/demo_0/obs/agentview_image"
        )
        file["data/demo_0/obs/secret"] = h5py.ExternalLink("../outside.hdf5", "data/demo_0/actions")
        layout = h5py.VirtualLayout((6, 7), np.float64)
        layout[:] = h5py.VirtualSource("frames.hdf5", "data/demo_0/actions", (6, 7))
        file.create_virtual_dataset("data/demo_0/obs/virtual", layout)
    done = run("subset", path, "--out", tmp_path / "b.hdf5", "--first", "1")
    assert [line for line in done["lost"] if "obs/secret" in line and "outside of the dataset" in line]
    with h5py.File(tmp_path / "b.hdf5") as file, h5py.File(tmp_path / "in/frames.hdf5") as frames:
        obs, linked = file["data/demo_0/obs"], frames["data/demo_0"]
        assert "secret" not in obs
        assert obs.get("linked_image", getlink=True).__class__ is h5py.HardLink
        np.testing.assert_array_equal(obs["linked_image"], linked["obs/agentview_image"])
        np.testing.assert_array_equal(obs["virtual"], linked["actions"])
        assert not obs["virtual"].is_virtual


def test_a_split(tmp_path: Path, run: Run, refused: Refused) -> None:
    masks = {"better": ["demo_1"], "train": ["demo_0"]}
    path = write(tmp_path / "a.hdf5", [demo(seed=i) for i in range(10)], masks=masks)
    words = ["split", path, "--valid", "0.25"]
    done = run(*words, "--out", tmp_path / "b.hdf5", "--seed", "3")
    assert done["masks"] == {"better": 1, "train": 8, "valid": 2}
    run(*words, "--out", tmp_path / "again.hdf5", "--seed", "3")
    run(*words, "--out", tmp_path / "other.hdf5", "--seed", "4")
    found = {name: _masks(tmp_path / f"{name}.hdf5") for name in ("b", "again", "other")}
    assert set(found["b"]["train"]) | set(found["b"]["valid"]) == {f"demo_{i}" for i in range(10)}
    assert not set(found["b"]["train"]) & set(found["b"]["valid"])
    assert found["b"] == found["again"] != found["other"]
    assert found["b"]["better"] == ["demo_1"]
    for valid in ("0", "1", "-0.1", "nan"):
        refused("split", path, "--valid", valid, "--out", tmp_path / "c.hdf5", told="between 0 and 1")
    one = write(tmp_path / "one.hdf5", [demo()])
    refused("split", one, "--out", tmp_path / "c.hdf5", told="one episode")


def _masks(path: Path) -> dict[str, list[str]]:
    with h5py.File(path) as file:
        return {key: [name.decode() for name in file["mask"][key]] for key in file["mask"]}


def test_a_merged_dataset(tmp_path: Path, run: Run) -> None:
    a = write(
        tmp_path / "a.hdf5",
        [demo(seed=i) for i in range(2)],
        masks={"train": ["demo_0"], "valid": ["demo_1"]},
    )
    b = write(tmp_path / "b.hdf5", [demo(seed=10 + i) for i in range(10)])
    done = run("merge", a, b, "--out", tmp_path / "c.hdf5")
    assert done["masks"] == {"train": 1 + 9, "valid": 1 + 1}  # every tenth of those that say nothing
    masks = _masks(tmp_path / "c.hdf5")
    assert masks["valid"] == ["demo_1", "demo_11"]
    with h5py.File(tmp_path / "c.hdf5") as file, h5py.File(b) as source:
        assert len(file["data"]) == 12
        assert content(file["data/demo_4"]) == content(source["data/demo_2"])
    assert len(open_dataset(tmp_path / "c.hdf5").episodes) == 12


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"one": demo(actions=np.zeros((6, 6)))}, "expected (7,)"),
        ({"one": demo(obs__agentview_image=np.zeros((6, 9, 9, 3), np.uint8))}, "expected (8, 6, 3)"),
        ({"one": demo(), "env_args": {**GYM, "env_name": "Other-v0"}}, "these do not fit"),
        ({"one": demo(), "env_args": {**GYM, "env_kwargs": {"control_freq": 5}}}, "these do not fit"),
    ],
)
def test_datasets_that_do_not_fit(change: dict, told: str, tmp_path: Path, refused: Refused) -> None:
    a = write(tmp_path / "a.hdf5", [demo()])
    b = write(tmp_path / "b.hdf5", [change["one"]], env_args=change.get("env_args", GYM))
    refused("merge", a, b, "--out", tmp_path / "c.hdf5", told=told)
    refused("merge", a, "--out", tmp_path / "c.hdf5", told="name at least two")


def test_robomimic_reads_what_was_merged(tmp_path: Path, run: Run) -> None:
    a, b = (write(tmp_path / f"{name}.hdf5", [demo(seed=i)], env_args=None) for i, name in enumerate("ab"))
    run("merge", a, b, "--out", tmp_path / "c.hdf5")
    with h5py.File(tmp_path / "c.hdf5") as file:
        assert json.loads(file["data"].attrs["env_args"]) == {}


def test_names_that_hold_commas(tmp_path: Path, run: Run, refused: Refused) -> None:
    path = write(tmp_path / "a.hdf5", {"a,b": demo(), "c": demo(seed=1), "d": demo(seed=2)})
    run("subset", path, "--out", tmp_path / "b.hdf5", "--episodes", "d,a,b")
    assert open_dataset(tmp_path / "b.hdf5").episodes == ["a,b", "d"]
    refused(
        "subset", path, "--out", tmp_path / "c.hdf5", "--episodes", "d,a", told="no episode 'a'; did you mean"
    )


@pytest.mark.parametrize("form", ["a.hdf5", "set"])
def test_a_task_is_chosen(form: str, tmp_path: Path, run: Run, refused: Refused) -> None:
    root: Path = Recording((3, 2, 3, 2), images="png").write(tmp_path / "set")
    out = tmp_path / ("out.hdf5" if form == "a.hdf5" else "out")
    if form == "a.hdf5":
        run("convert", root, tmp_path / form)
        root = tmp_path / form
    run("split", root, "--out", out, "data.task=lift the cube", "--valid", "0.5")
    found = open_dataset(out)
    assert (found.tasks, found.lengths) == (("lift the cube",), [2, 2])
    assert {key: len(names) for key, names in found.source.masks.items()} == {"train": 1, "valid": 1}
    first = out.with_name("first" + out.suffix)
    run("subset", root, "--out", first, "--first", "1", "data.task=lift the cube")
    assert open_dataset(first).lengths == [2]
    told = run(
        "subset", root, "--out", out.with_name("x" + out.suffix), "--first", "1", "data.cameras=[front]"
    )
    assert "nothing is chosen by data.cameras" in told["lost"][0]


@pytest.mark.parametrize("said", [99, "many", None])
def test_steps_are_counted_and_actions_may_have_another_name(said: Any, tmp_path: Path, run: Run) -> None:
    path = write(tmp_path / "a.hdf5", [demo(6), demo(4, seed=1)])
    with h5py.File(path, "a") as file:
        for one in file["data"].values():
            one.move("actions", "joints")
            del one.attrs["num_samples"]
            if said is not None:
                one.attrs["num_samples"] = said
    run("split", path, "--out", tmp_path / "b.hdf5", "--valid", "0.5", "data.actions=[joints]")
    with h5py.File(tmp_path / "b.hdf5") as file:
        assert [one.attrs["num_samples"] for one in file["data"].values()] == [6, 4]
        assert file["data"].attrs["total"] == 10
