"""A dataset or a checkpoint chooses known environments with declared arguments, and no paths."""

from typing import Any

import pytest

from s2robot.errors import UserError
from s2robot.rollouts.chosen_by_file import check_chosen, recorded_arguments
from s2robot.rollouts.resolving import load_module

PICK = "s2robot/PickCube-v0"
TINY = "tests.rollouts.tiny_env:Tiny-v0"
OTHER, OPEN = "tests.rollouts.other_env:Other-v0", "tests.rollouts.other_env:Open-v0"


def test_known_environments_with_declared_arguments_are_chosen() -> None:
    load_module(TINY)
    check_chosen("a.hdf5", PICK, {"image_size": [64, 64], "cube_size": 0.03, "max_episode_steps": 50})
    check_chosen("a.hdf5", PICK, {"cameras": ["agentview"], "vary_scene": "light", "control_freq": 10})
    check_chosen("a.hdf5", TINY, {})


@pytest.mark.parametrize(
    ("env_id", "kwargs", "told"),
    [
        ("Ant-v5", {}, "no file may choose it; env.id=Ant-v5"),
        (PICK, {"xml_file": "a.xml"}, "has no argument 'xml_file'"),
        (PICK, {"scene": "a.xml"}, "has no argument 'scene'"),
        (PICK, {"cameras": ["/etc/passwd"]}, "could be a path"),
        (PICK, {"cameras": {"a": [["../x"]]}}, "could be a path"),
        (PICK, {"starts": "${oc.env:HOME}"}, "could be a path"),
        (PICK, {"max_episode_steps": 10**9}, "expected 1 to 10000"),
        (PICK, {"max_episode_steps": True}, "expected 1 to 10000"),
        ("s2robot/Nothing-v0", {}, "unknown environment"),
        ("nowhere:Env-v0", {}, "not imported"),
    ],
)
def test_anything_else_only_the_user_chooses(env_id: str, kwargs: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told) as error:
        check_chosen("a.hdf5", env_id, kwargs)
    assert "\n" not in str(error.value)


def test_an_environment_that_the_user_names_takes_no_path_from_a_file() -> None:
    check_chosen("a.hdf5", "Ant-v5", {"frame_skip": 5}, named=True)
    with pytest.raises(UserError, match=r"env\.kwargs\.xml_file=.* says that you want it"):
        check_chosen("a.hdf5", "Ant-v5", {"xml_file": "/etc/passwd"}, named=True)


def test_arguments_belong_to_the_environment_that_they_were_recorded_of() -> None:
    recorded = {"image_size": [64, 64], "cube_size": 0.03}
    for same in (PICK, f"envs:{PICK}"):
        assert recorded_arguments(PICK, recorded, same) == (recorded, [])
    load_module(OTHER)
    assert recorded_arguments(PICK, recorded, OTHER) == ({}, ["image_size", "cube_size"])
    own = recorded_arguments(PICK, recorded | {"elsewhere": 1}, "s2robot/PickSmall-v0")
    assert own[0]["image_size"] == [64, 64] and own[1] == ["elsewhere"]


def test_a_constructor_may_take_any_argument_that_belongs_to_it() -> None:
    load_module(OTHER)
    check_chosen("a.hdf5", OPEN, {"colour": "red"})
    check_chosen("a.hdf5", OPEN, {"colour": "red"}, named=True, belong=True)
    for kwargs, named in (({"colour": "red"}, True), ({"colour": "/etc/passwd"}, False)):
        with pytest.raises(UserError, match="colour"):
            check_chosen("a.hdf5", OPEN, kwargs, named=named)
    with pytest.raises(UserError, match="has no argument 'colour'"):
        check_chosen("a.hdf5", OTHER, {"colour": "red"})
