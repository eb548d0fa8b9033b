"""Checks and workers find the same environment for an id, and no module is imported for a dataset."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from s2robot import plugins
from s2robot.errors import UserError
from s2robot.rollouts import run_episodes
from s2robot.rollouts.environment import check_environment, environment_of, is_installed, problem
from s2robot.rollouts.resolving import load_module, make_env, resolve
from s2robot.types import CameraSpec, Spec
from tests.rollouts.rollout_cases import nothing_left_behind, numbers  # noqa: F401 (fixture)
from tests.rollouts.tiny_actor import TinyActor

SPEC = Spec("", {}, 2, {"pos": 2}, {"agentview": CameraSpec("agentview_image", (8, 12), (4, 2, 2))})
TOY = """
import gymnasium
from tests.rollouts.tiny_env import TinyEnv
gymnasium.register("{name}-v0", TinyEnv)
"""


def test_own_environments_are_known_by_their_name() -> None:
    assert resolve("s2robot/PickCube-v0") == "s2robot/PickCube-v0"
    assert resolve("envs:s2robot/PickCube-v0") == "s2robot/PickCube-v0"
    with pytest.raises(UserError, match="did you mean 's2robot/PickCube-v0'"):
        resolve("s2robot/PickCub-v0")


def test_a_module_is_imported_when_the_user_names_it_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_named.py").write_text(TOY.format(name="ToyNamed"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(plugins, "_loaded", {})
    env_id = "toy_named:ToyNamed-v0"

    assert "give plugins=[toy_named], or env.id=toy_named:ToyNamed-v0" in problem(env_id)
    with pytest.raises(UserError, match="'toy_named' is not imported"):
        check_environment(SPEC, env_id, {})
    assert "toy_named" not in sys.modules

    load_module(env_id)

    check_environment(SPEC, env_id, {})
    assert resolve(env_id) == "ToyNamed-v0"
    assert is_installed("ToyNamed-v0")


def test_what_a_plugin_registers_is_there_in_the_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_plugin.py").write_text(TOY.format(name="ToyPlugin"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(plugins, "_loaded", {})
    assert not is_installed("ToyPlugin-v0")
    plugins.load(["toy_plugin"])

    for env_id in ("ToyPlugin-v0", "toy_plugin:ToyPlugin-v0"):
        check_environment(SPEC, env_id, {})
        assert numbers(run_episodes(TinyActor(), env_id, [3], workers=1)) == numbers(
            run_episodes(TinyActor(), "tests.rollouts.tiny_env:Tiny-v0", [3], workers=1)
        )


def test_proprioception_of_any_shape_is_a_vector_of_its_numbers() -> None:
    load_module("tests.rollouts.tiny_env:Tiny-v0")

    check_environment(replace(SPEC, proprio={"goal": 4}), "tests.rollouts.tiny_env:Tiny-v0", {})
    with pytest.raises(UserError, match=r"observes goal of shape \(1, 4\), the policy needs \(3,\)"):
        check_environment(replace(SPEC, proprio={"goal": 3}), "tests.rollouts.tiny_env:Tiny-v0", {})


@pytest.mark.parametrize(
    ("env_id", "kwargs", "told"),
    [
        ("s2robot/PickCube-v0", {"image_size": 0}, "image_size is 0"),
        ("s2robot/PickCube-v0", {"colour": "red"}, "colour"),
        ("GymV26Environment-v0", {"env_id": "toy_evil:Toy-v0"}, "shimmy"),
    ],
)
def test_what_cannot_be_made_is_told_in_one_line(env_id: str, kwargs: dict[str, object], told: str) -> None:
    with pytest.raises(UserError, match=told) as error:
        make_env(env_id, kwargs)

    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "env_args", [None, {}, {"env_kwargs": {}}, {"env_name": 3}, {"env_name": "A", "env_kwargs": 1}], ids=repr
)
def test_a_dataset_may_name_no_environment(env_args: dict[str, object] | None) -> None:
    assert environment_of(env_args) == ("", {})
    assert problem("") == (
        "the dataset names no environment; env.id=NAME, or env.id=module:NAME, gives one to eval"
    )


def test_another_package_called_envs_is_told_in_one_line_and_not_executed(tmp_path: Path) -> None:
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "__init__.py").write_text("raise SystemExit('executed')")
    script = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from s2robot.errors import UserError
try:
    import s2robot.collecting.collect
except UserError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert told.count("\n") == 1
    assert f"finds {tmp_path}/envs/__init__.py and not s2robot's" in told
