"""Builds and evaluations over two real nodes: as on one machine, also when an actor or a node is lost."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import torch
from ray.cluster_utils import Cluster

from s2robot.cluster.episodes import EpisodeWorker, PlayedOverNodes, Recipe, make_agent
from s2robot.cluster.features import BuildWorker, build_over_nodes
from s2robot.cluster.features import Recipe as BuildRecipe
from s2robot.cluster.pool import Pool
from s2robot.commands.cli.options import EvalConfig
from s2robot.datasets import open_dataset
from s2robot.datasets.options import DataConfig
from s2robot.device import choose_device
from s2robot.encoders.cameras import CameraEncoders
from s2robot.encoders.options import EncoderConfig
from s2robot.errors import UserError
from s2robot.evaluation.playing import PlayedHere
from s2robot.features import CameraStore, build
from s2robot.features.options import FeaturesConfig
from s2robot.runs import checkpoint
from tests.cluster.conftest import NODE

CAMERA = "agentview"


@pytest.fixture(autouse=True)
def connected_cluster(cluster: Cluster) -> None:
    """All tests here run on it."""


@pytest.fixture
def losses(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Kill an actor at the first result that comes, and take a third node away at the second."""
    leaving, run, lost = cluster.add_node(**NODE), Pool.run, list[str]()

    def watched(pool: Pool, *arguments: Any, **options: Any) -> Any:
        for number, result in enumerate(run(pool, *arguments, **options)):
            if number == 0:
                actor = next(one.actor for one in pool._members if one.items)
                os.kill(ray.get(actor.__ray_call__.remote(lambda self: os.getpid())), signal.SIGKILL)
                lost.append("an actor")
            if number == 1:
                cluster.remove_node(leaving, allow_graceful=False)
                lost.append("a node")
            yield result

    monkeypatch.setattr(Pool, "run", watched)
    return lost


def build_recipe(demos: Path, root: Path) -> BuildRecipe:
    encoder = EncoderConfig.of(name="lite0", sizes=[64], backend="torch")
    data = DataConfig(path=str(demos), cameras=[CAMERA], proprio=[])
    return BuildRecipe(data, encoder, FeaturesConfig(root=str(root)), "cpu", ())


def rows(recipe: BuildRecipe) -> np.ndarray:
    source, encoders = open_dataset(recipe.data), CameraEncoders.from_config(recipe.encoder, "cpu")
    table = build(source, CAMERA, encoders, recipe.features, progress=False)
    frames = np.arange(sum(source.lengths))[:, None]
    return table.gather(torch.from_numpy(frames)).map.numpy()


def test_a_build_over_nodes_that_are_lost(demos_path: Path, tmp_path: Path, losses: list[str]) -> None:
    recipe = build_recipe(demos_path, tmp_path / "nodes")
    source, encoders = open_dataset(recipe.data), CameraEncoders.from_config(recipe.encoder, "cpu")
    opened = CameraStore(source, CAMERA, encoders, recipe.features)

    build_over_nodes(ray, [opened], recipe, shown=False)

    assert losses == ["an actor", "a node"]
    assert not opened.missing
    expected = replace(recipe, features=FeaturesConfig(root=str(tmp_path / "here")))
    np.testing.assert_array_equal(rows(recipe), rows(expected))
    assert build_over_nodes(ray, [opened], recipe, shown=False) == 0


def test_a_node_without_the_same_data_is_refused(demos_path: Path, tmp_path: Path) -> None:
    recipe = build_recipe(demos_path, tmp_path)
    elsewhere = replace(recipe, data=replace(recipe.data, path=str(tmp_path / "nowhere.hdf5")))
    with pytest.raises(UserError, match=r"nowhere\.hdf5"):
        BuildWorker(elsewhere, {CAMERA: ""})
    with pytest.raises(UserError, match="is another file there than on this machine"):
        BuildWorker(recipe, {CAMERA: "an earlier file"})


SEEDS = [*range(100_000, 100_008)]


def recipe_of(run: Path, sha256: str = "") -> Recipe:
    path = run / "checkpoints" / "last"
    loaded = checkpoint.load(path)
    spec, options = loaded.policy.spec, EvalConfig(checkpoint=str(path), backend="torch")
    kwargs = {**spec.env_kwargs, "max_episode_steps": 12}
    return Recipe(path, sha256 or loaded.sha256, options, spec.env_id, kwargs, 1, {"workers": 1}, ())


def outcomes(results: Any) -> dict[int, tuple[bool, int, float]]:
    return {one.seed: (one.success, one.steps, one.return_) for one in results}


def test_episodes_over_nodes_that_are_lost_are_those_of_one_machine(
    trained: Path, tmp_path: Path, losses: list[str]
) -> None:
    recipe = recipe_of(trained)
    agent = make_agent(checkpoint.load(recipe.path), recipe.options, choose_device("cpu"), 1)
    here = PlayedHere(agent, recipe.env_id, recipe.env_kwargs, tmp_path / "here", workers=1)
    over = PlayedOverNodes(lambda: ray, recipe, "cpu", tmp_path / "videos")

    played = list(over.play(SEEDS, 1))

    assert losses == ["an actor", "a node"]
    assert len(played) == len(SEEDS)
    assert outcomes(played) == outcomes(here.play(SEEDS, 0))
    assert {path.suffix for path in (tmp_path / "videos").iterdir()} == {".mp4", ".json"}
    assert over.decision_ms is not None


def test_a_node_with_other_weights_is_refused(trained: Path) -> None:
    with pytest.raises(UserError, match="holds other weights there"):
        EpisodeWorker(recipe_of(trained, "0" * 64), frozenset(), "cpu")
