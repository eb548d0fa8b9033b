"""What can be varied one by one: looks, things beside the task, and where objects start."""

import numpy as np
import pytest

import envs
from envs.starts import AROUND, points_apart
from envs.variation import DISTRACTORS, PARTS
from tests.envs.suite_tools import ALL, blind, finish


def look(env_id: str, seed: int, **kwargs: object) -> np.ndarray:
    env = blind(env_id, **kwargs)
    env.reset(seed=seed)
    frame = env.unwrapped.observe()["agentview_image"].astype(int)
    env.close()
    return frame


@pytest.mark.parametrize("part", [*PARTS, DISTRACTORS])
def test_each_part_changes_the_picture_and_nothing_else(part: str) -> None:
    plain, varied = blind("s2robot/StackCube-v0"), blind("s2robot/StackCube-v0", vary_scene=[part])
    expert = envs.make_expert("s2robot/StackCube-v0")
    plain.reset(seed=3)
    varied.reset(seed=3)
    for _ in range(3):
        obs, *_ = plain.step(expert(plain))
        got, *_ = varied.step(expert(varied))
        np.testing.assert_array_equal(got["object"], obs["object"])
    frames = [env.unwrapped.observe()["agentview_image"].astype(int) for env in (plain, varied)]
    assert np.abs(frames[0] - frames[1]).mean() > 0.5
    plain.close()
    varied.close()


def test_all_four_by_name_are_the_scene_that_true_gives() -> None:
    by_name = look("s2robot/PickCube-v0", 5, vary_scene=list(PARTS))
    np.testing.assert_array_equal(by_name, look("s2robot/PickCube-v0", 5, vary_scene=True))
    np.testing.assert_array_equal(
        look("s2robot/PickCube-v0", 5, vary_scene=[]), look("s2robot/PickCube-v0", 5)
    )


@ALL
def test_objects_that_start_around_the_usual_area_can_be_solved(env_id: str) -> None:
    env = blind(env_id, starts="around")
    solved = 0
    for seed in range(4):
        env.reset(seed=seed)
        solved += finish(env, envs.make_expert(env_id, seed=seed))[1]
    env.close()
    assert solved >= 3


def test_points_around_lie_in_the_band() -> None:
    rng = np.random.default_rng(0)
    area = ((0.5, 0.0), (0.2, 0.3))
    for _ in range(200):
        first, second = points_apart(rng, [area, area], 0.05, around=True) - area[0]
        share = np.abs(first) / (np.array(area[1]) / 2)
        assert 1 < share.max() <= AROUND
        assert np.linalg.norm(first - second) >= 0.05


@pytest.mark.parametrize(
    ("kwargs", "told"),
    [
        ({"vary_scene": ["lights"]}, "vary_scene has 'lights'; it must be True, False, or some of light"),
        ({"starts": "outside"}, "starts is 'outside'; it must be 'inside' or 'around'"),
    ],
)
def test_unknown_variations_are_refused(kwargs: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        blind("s2robot/PickCube-v0", **kwargs)
