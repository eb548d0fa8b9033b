"""The command that repeats an evaluation says all that the evaluation was given."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from s2robot.commands.cli.entry import options_of
from s2robot.evaluation.pages.again import commands
from s2robot.evaluation.pages.runs import read_run
from tests.evaluation.written_runs import write_run

KWARGS = {"vary_scene": ["light"], "note": "it's 5: {a}", "size": 0.03, "deep": {"x": None, "on": True}}


def evaluated(folder: Path, plan: dict[str, Any], step: int = 2) -> list[str]:
    """The words that repeat an evaluation of this step; the run has the checkpoints of steps 2 and 4."""
    policy = {"name": "flow", "action_steps": 4, "inference_steps": 4}
    run = write_run(folder, {7: True, 8: False}, policy=policy, plugins=["mine"])
    cameras = {"top": {"key": "top_image", "flips": [0]}, "front": {"key": "front_image", "flips": []}}
    spec = {
        "env_id": "Push-v0",
        "env_kwargs": {"size": 0.05, "cameras": ["front"]},
        "cameras": plan.pop("cameras", cameras),
    }
    for name, at in (("best", 2), ("last", 4)):
        (run / "checkpoints" / name).mkdir(parents=True)
        content = json.dumps({"step": at, "spec": spec})
        (run / "checkpoints" / name / "checkpoint.json").write_text(content)
    file = run / "eval" / "default" / "seeds.json"
    identity = {"step": step, "device": "cpu", **plan.pop("identity", {})}
    file.write_text(json.dumps(json.loads(file.read_text()) | plan | {"identity": identity}))
    return shlex.split(commands(read_run(run))[-1][1])


def test_all_that_was_chosen_is_said_as_it_is_typed(tmp_path: Path) -> None:
    acting = {
        "action_steps": 1,
        "inference_steps": 4,
        "keys": {"front_image": "agentview"},
        "flips": {"agentview": [0, 1]},
    }
    plan = {"env_id": "toy:Push-v0", "env_kwargs": KWARGS, "batch": 8, "identity": acting}
    words = evaluated(tmp_path, plan)
    assert words[:2] == ["s2robot", "eval"] and "plugins=[mine]" in words
    options = options_of("eval", [word for word in words[2:] if not word.startswith("plugins=")])
    assert options.checkpoint == f"{tmp_path}/checkpoints/best"
    assert (options.episodes, options.seed, options.batch) == (2, 7, 8)
    assert options.env.id == "toy:Push-v0"
    assert options.env.kwargs == KWARGS and options.env.keys == acting["keys"]
    assert options.env.orientation == {"top": "upright", "front": "rotated_180"}
    assert options.policy == {"action_steps": 1}


def test_what_dataset_and_training_chose_is_not_repeated(tmp_path: Path) -> None:
    words = evaluated(
        tmp_path,
        {
            "env_kwargs": {"size": 0.05},
            "batch": 1,
            "identity": {"action_steps": 4, "flips": {"top_image": [0]}},
        },
    )
    assert words[2:] == [f"checkpoint={tmp_path}/checkpoints/best", "episodes=2", "seed=7", "plugins=[mine]"]


@pytest.mark.parametrize(("step", "found"), [(4, True), (3, False)])
def test_another_checkpoint_never_takes_the_place_of_one_that_is_gone(
    step: int, found: bool, tmp_path: Path
) -> None:
    words = evaluated(tmp_path, {}, step)
    assert (f"checkpoint={tmp_path}/checkpoints/last" in words) == found
    assert ("the checkpoint of step 3 is not there" in " ".join(words)) == (not found)
