"""The commands as they are typed, over two real nodes."""

import json
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from s2robot.commands import eval as eval_command
from s2robot.commands import features
from s2robot.commands.cli.entry import options_of


def test_features_and_eval_over_nodes(
    trained: Path, demos_path: Path, tmp_path: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--sizes", "64", "--backend", "torch", "--root", str(tmp_path)]
    built = [str(demos_path), "--engine", "ray", *words, "--json"]
    features.cli(built)
    said = json.loads(capsys.readouterr().out)
    assert said["frames_encoded"] > 0
    features.cli(built)
    assert json.loads(capsys.readouterr().out)["frames_encoded"] == 0

    acting = ["env.kwargs.max_episode_steps=12", "workers=1", "backend=torch", "device=cpu"]
    for name, engine in (("here", "local"), ("over", "ray")):
        chosen = [f"checkpoint={trained}", "episodes=2", f"name={name}", f"engine={engine}"]
        eval_command.main(options_of("eval", [*chosen, *acting]))
    here, over = (
        sorted(
            (line["seed"], line["success"], line["steps"], line["return"])
            for line in map(json.loads, (trained / "eval" / name / "episodes.jsonl").read_text().splitlines())
        )
        for name in ("here", "over")
    )
    assert here == over
    assert len(over) == 2
