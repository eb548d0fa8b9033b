"""The diagnosis of a task: it runs, its phases are in order, its errors are right."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def diagnosis(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The modules of `benchmarks/diagnosis`, which are imported from the folder of the scripts."""
    monkeypatch.syspath_prepend(FOLDER)
    import diagnose
    from diagnosis import demonstrations, phases, state

    yield SimpleNamespace(
        main=diagnose.main, make=demonstrations.make, Progress=phases.Progress, Description=state.Description
    )


def test_it_prints_one_json_object(
    diagnosis: Any,
    demos_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    probe = f"encoder.sizes=[32] data.cameras=[agentview] features.root={tmp_path}"
    words = ["PickCube", "--tiny", "--workers", "1", "--error-mm", "2", "--json"]
    words += ["--data", str(demos_path), "--probe", probe, "--closed-loop"]
    monkeypatch.setattr(sys, "argv", ["diagnose.py", *words])
    diagnosis.main()
    found = json.loads(capsys.readouterr().out)
    assert found["task"] == "s2robot/PickCube-v0"
    assert found["expert"]["solved"] == 2
    assert [row["error_mm"] for row in found["imitation"]] == [0.0, 2.0]
    for row in found["imitation"]:
        assert row["solved"] + sum(row["failed_in"].values()) == row["episodes"] == 1
    (row,) = found["probes"]
    assert 0 < row["errors"]["part_mm"] < 500
    assert row["closed_loop"]["episodes"] == 1


def test_it_locates_part_and_goal_in_first_frames(
    diagnosis: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    import locate

    words = ["ThreadNut", "--starts", "8", "16", "--test", "4", "--steps", "10"]
    words += ["--probe", "encoder.sizes=[32]"]
    monkeypatch.setattr(sys, "argv", ["locate.py", *words, "--json"])
    locate.main()
    few, more = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (few["starts"], more["starts"]) == (8, 16)
    assert few["errors"] != more["errors"]
    assert 0 < more["errors"]["goal_mm"] < 500


def test_colours_are_looked_for_where_part_and_slot_are(diagnosis: Any) -> None:
    import colours

    env = diagnosis.make(colours.ENV_ID)
    task = env.unwrapped
    for seed in range(3):
        env.reset(seed=seed)
        image = task.observe((colours.CAMERA,))[f"{colours.CAMERA}_image"].astype(int)
        points = np.stack([task.data.body("part").xpos, task.goal_pose()[0]])
        x, y = (colours.seen_at(task, points) * image.shape[0]).astype(int).T
        part, slot = image[y, x]
        assert part.argmax() == slot.argmax()
        for colour in (part, slot):  # nothing else is so strong: the table's is 0.35
            assert np.ptp(colour) / colour.max() > 0.6
    env.close()


def test_it_says_in_how_many_starts_a_cell_tells_the_colour(
    diagnosis: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    import colours

    words = ["--encoder", "encoder.sizes=[224]", "--starts", "12", "--test", "4"]
    monkeypatch.setattr(sys, "argv", ["colours.py", *words])
    colours.main()
    printed = capsys.readouterr().out
    assert "encoder.sizes=[224]: colour of the part right in" in printed
    assert "by a learned comparison in" in printed


def test_a_comparison_is_learned_from_the_right_slot_alone(diagnosis: Any) -> None:
    import colours

    generator = torch.Generator().manual_seed(0)
    code = torch.randn(4, 6, generator=generator)  # of each colour
    right = torch.randint(4, (400,), generator=generator)
    slots = -code.expand(400, 4, 6)  # a slot looks unlike its part
    features = torch.cat([code[right][:, None], slots], dim=1)
    assert colours.compared(features, right, 300) > 0.95
    assert colours.similar(features, right, 300) < 0.25


def test_the_expert_completes_all_phases_in_order(diagnosis: Any) -> None:
    import envs

    env = diagnosis.make("s2robot/StackCube-v0")
    env.reset(seed=3)
    expert, progress, completed = (
        envs.make_expert("s2robot/StackCube-v0", 3),
        diagnosis.Progress(env.unwrapped),
        [0],
    )
    assert progress.failed_in == "reach"
    done = False
    while not done:
        _, _, done, _, info = env.step(expert(env))
        progress.note(info["success"])
        completed.append(progress.completed)
    assert progress.failed_in is None
    assert sorted(set(completed)) == [0, 1, 2, 3, 4, 5]
    assert completed == sorted(completed)
    env.close()


def test_errors_are_of_positions_yaws_and_goals(diagnosis: Any) -> None:
    env = diagnosis.make("s2robot/PegInsertion-v0")
    obs, _ = env.reset(seed=0)
    description = diagnosis.Description.of(env.unwrapped)
    seen = description.seen(obs["object"][None])
    estimated = seen.copy()
    estimated[0, :2] += [0.003, 0.004]
    angle = np.arctan2(seen[0, 4], seen[0, 3]) + 4 * np.radians(5.0)  # a square peg, turned by 5 degrees
    estimated[0, 3:5] = np.cos(angle), np.sin(angle)
    estimated[0, 5] += 0.06  # another slot
    far = np.ones((1, 3))
    assert description.errors(estimated, seen, far) == {
        "part_mm": 5.0,
        "part_degrees": 5.0,
        "goal_mm": 60.0,
        "goal_degrees": 0.0,
        "right_goal_percent": 0.0,
    }
    near = description.errors(estimated, seen, seen[:, :3])
    assert near["near_part_mm"] == 5.0
    assert "near_goal_mm" not in near
    env.close()
