"""What is said about clusters: options that do not fit, Ray that is missing, a plan for many machines."""

import importlib.util

import pytest
import ray

from s2robot.cluster.connection import connected
from s2robot.commands import features
from s2robot.commands.cli.entry import options_of
from s2robot.commands.cli.machines import plan_over_machines
from s2robot.errors import UserError
from s2robot.features.plan import CameraPlan, Plan


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--address", "auto"], "add --engine ray"),
        (["--engine", "ray", "--plan"], "leave out --plan"),
        (["--engine", "ray", "--shard", "0/2"], "leave out --shard"),
        (["--machines", "4"], "add --plan"),
        (["--plan", "--machines", "4", "--shard", "0/2"], "leave out --shard"),
        (["--engine", "ray", "--address", ""], "--address is empty"),
        (["--shard", "2/2"], "so 0 to 1 here"),
        (["--into", "other"], "add --merge"),
        (["--delete"], "add --gc"),
        (["--plan", "--machines", "0"], "--machines is 1 or more, not 0"),
        (["--plan", "--gpus", "-1"], "--gpus is 0 or more, not -1"),
        (["--engine", "rey"], "rey"),
    ],
)
def test_options_of_features_that_cannot_be(words: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        features.cli(["demos.hdf5", *words])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--merge", "a", "--into", ""], "it is empty"),
        (["--merge", "a", "--into", "b", "--root", "c"], "leave out --root"),
        (["--merge", "a", "--into", "b", "--shard", "0/2", "--sizes", "32"], "leave out --shard, --sizes"),
        (["--gc", "--into", "b"], "add --merge"),
        (["--shard", "demos.hdf5"], "--shard took 'demos.hdf5'"),
    ],
)
def test_options_of_stores_that_cannot_be(words: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        features.cli(words)


def test_an_address_where_nothing_listens_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)  # whatever another test has left
    with pytest.raises(UserError, match=r"'127\.0\.0\.1:1'.*ray start --head"), connected("127.0.0.1:1"):
        pass


@pytest.mark.parametrize(
    ("word", "told"), [("engine=rai", "did you mean 'ray'"), ("address=auto", "add engine=ray")]
)
def test_options_of_eval_that_cannot_be(word: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        options_of("eval", ["checkpoint=runs/a", word])


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 's2robot\[ray\]'"), connected():
        pass


def test_a_machine_that_is_too_busy_for_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(*_: object, **__: object) -> None:
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(UserError, match="less busy"), connected():
        pass


def test_a_plan_for_many_machines(capsys: pytest.CaptureFixture[str]) -> None:
    camera = CameraPlan("front", 1000, 1, 1000, 1000, 0.5, 512.0, (3, 2, 2), 24, 24_000, [])
    plan = Plan([camera], 24_000, 512.0, "disk")

    found = plan_over_machines(plan, 200, 16, 8, "cpu", shown=True)

    assert found == {"encoders": 128, "frames_each": 8, "seconds": 4.0}
    assert "on 16 machines with 8 GPUs each: 128 encoders with 8 frames each" in capsys.readouterr().out
    assert plan_over_machines(plan, 100, 16, 8, "cpu", shown=True)["frames_each"] == 10
    assert "100 encoders with 10 frames each (28 more have no episode)" in capsys.readouterr().out
