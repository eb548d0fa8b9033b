"""`s2robot runs`: what the table says is what the files say."""

import json
from pathlib import Path
from typing import Any

import pytest

from s2robot.commands import runs
from s2robot.errors import UserError
from s2robot.evaluation.listing import lines, table
from s2robot.evaluation.success_rate import wilson_interval
from s2robot.runs.lock import locked

EPISODE = {"success": True, "steps": 3, "return": 1.0, "wall_s": 0.1, "video": None}


def write_run(folder: Path, step: int | None = None, ended: dict[str, Any] | None = None) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("optim: {steps: 12}\n")
    if step is not None:
        (folder / "checkpoints" / "last").mkdir(parents=True)
        (folder / "checkpoints" / "last" / "checkpoint.json").write_text(json.dumps({"step": step}))
    start = {"date": "2026-01-02T03:04:05+00:00", **({} if ended is None else {"ended": ended})}
    (folder / "run.json").write_text(json.dumps({"s2robot": "0.2.0", "starts": [start]}))
    (folder / "timings.json").write_text(json.dumps({"train": {"seconds": 75.2, "peak_gib": 1}}))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    finished = write_run(tmp_path / "runs" / "sweep" / "finished", 12, {"how": "finished", "reason": ""})
    evaluation = finished / "eval" / "default"
    evaluation.mkdir(parents=True)
    episodes = [{**EPISODE, "seed": seed, "success": seed != 3} for seed in (1, 2, 3)]
    (evaluation / "episodes.jsonl").write_text("".join(json.dumps(one) + "\n" for one in episodes))
    (evaluation / "seeds.json").write_text(json.dumps({"env_id": "a", "env_kwargs": {}, "seeds": [1, 2, 3]}))
    write_run(tmp_path / "runs" / "failed", None, {"how": "failed", "reason": "UserError: not finite"})
    write_run(tmp_path / "runs" / "killed", 7)
    write_run(tmp_path / "runs" / "stopped", 7, {"how": "stopped", "reason": "SIGTERM"})
    (write_run(tmp_path / "runs" / "damaged") / "timings.json").write_text("{")
    write_run(tmp_path / "runs" / "running", 5)
    return tmp_path / "runs"


def test_each_run_has_its_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with locked(folder / "running", "run_dir"):
        found = {one.run: one for one in lines(folder)}
        runs.cli([str(folder)])
    statuses = {name: one.status for name, one in found.items()}
    assert statuses == {
        "damaged": "damaged",
        "failed": "failed",
        "killed": "stopped",
        "running": "running",
        "stopped": "stopped",
        "sweep/finished": "finished",
    }
    finished = found["sweep/finished"]
    assert (finished.step, finished.steps, finished.successes, finished.episodes) == (12, 12, 2, 3)
    assert finished.ci95 == wilson_interval(2, 3)
    said = capsys.readouterr().out.splitlines()
    (line,) = [line for line in said if line.startswith("sweep/finished")]
    assert "finished  12 of 12  2 of 3 = 66.7% [20.8%, 93.9%]  1 min 15 s  2026-01-02 03:04" in line
    assert "failed: UserError: not finite" in said
    assert any(line.startswith("damaged: ") and "timings.json" in line for line in said)


def test_an_evaluation_of_other_weights_says_so(folder: Path) -> None:
    finished = folder / "sweep" / "finished"
    plan = json.loads((finished / "eval" / "default" / "seeds.json").read_text())
    plan["identity"] = {"weights": "abc", "step": 12}
    (finished / "eval" / "default" / "seeds.json").write_text(json.dumps(plan))
    saved = finished / "checkpoints" / "last" / "checkpoint.json"
    for weights, here in (("abc", True), ("xyz", False)):
        saved.write_text(json.dumps({"step": 12, "weights_sha256": weights}))
        (line,) = [one for one in lines(folder) if one.run == "sweep/finished"]
        assert line.weights_are_here == here
        assert any("of weights that no checkpoint has" in row for row in table([line])) != here


def test_an_evaluation_of_an_earlier_step_says_so(folder: Path) -> None:
    file = folder / "sweep" / "finished" / "eval" / "default" / "seeds.json"
    for step, told in ((8, True), (12, False)):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"identity": {"step": step}}))
        (line,) = [one for one in lines(folder) if one.run == "sweep/finished"]
        assert any(", of step 8" in row for row in table([line])) == told


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs.cli([str(folder), "--json"])
    found = {one["run"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["killed"]["status"] == "stopped" and found["killed"]["step"] == 7
    assert found["failed"]["success_rate"] is None


def test_a_folder_without_runs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds none"):
        runs.cli([str(tmp_path)])
    with pytest.raises(UserError, match="is no folder"):
        runs.cli([str(tmp_path / "nowhere")])


@pytest.mark.parametrize("name", ["config.yaml", "metrics.jsonl", "run.json", "timings.json"])
def test_a_link_out_of_a_run_is_not_read(name: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 7)
    (tmp_path / "secret").write_text("token: hunter2\n")
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(tmp_path / "secret")
    (line,) = lines(tmp_path)
    assert line.status == "damaged" and "is a link, which is not followed" in line.reason
    assert "hunter2" not in line.reason
