"""What an environment does wrong is said in one line and not passed on to the policy."""

import pytest

from s2robot.errors import UserError
from s2robot.rollouts.episodes import run_episodes
from s2robot.rollouts.gym_api import endless
from tests.rollouts.rollout_cases import nothing_left_behind, numbers  # noqa: F401 (fixture)
from tests.rollouts.tiny_actor import TinyActor
from tests.rollouts.tiny_env import TINY
from tests.rollouts.wrong_env import LIMITED, WRONG


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("float frame", r"agentview_image is float64 \(8, 12, 3\), its space says uint8 \(8, 12, 3\)"),
        ("grey frame", r"agentview_image is uint8 \(8, 12, 1\), its space says uint8 \(8, 12, 3\)"),
        ("batch", r"agentview_image is uint8 \(1, 8, 12, 3\), its space says uint8 \(8, 12, 3\)"),
        ("one number", r"pos is float64 \(\), its space says float32 \(2,\)"),
        ("text", r"pos is <U3 \(\), its space says float32 \(2,\)"),
        ("missing", "its observation lacks agentview_image, which its space has; it has pos"),
        ("nan", "pos has nan after 3 steps of seed 1; what a policy reads must be finite"),
        ("constructor", "cannot make environment .*RuntimeError: no init second line"),
        ("fps", "its metadata has render_fps='twenty', expected a number above 0"),
        ("integers", "takes actions of int32, a policy's real numbers would be cut to whole ones"),
        ("exit", "seed 1: raised SystemExit: 3"),
        ("no seed", "unexpected keyword argument 'seed'; reset.* must return .*observation, info"),
        ("old reset", r"reset returned dict; .*; an environment of the older Gym interface needs a wrapper"),
        ("old step", r"step returned \(dict, float, bool, dict\); .*reward, terminated, truncated, info"),
        ("no info", r"step returned \(dict, float, bool, bool, NoneType\)"),
        ("two rewards", r"the reward is array\(\[0., 0.\]\); it must be a number"),
        ("no reward", "the reward is None; it must be a number"),
    ],
)
def test_it_is_told_in_one_line(wrong: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as error:
        run_episodes(TinyActor(), WRONG, [1], {"wrong": wrong}, workers=1)

    assert "\n" not in str(error.value)


def test_a_close_that_fails_is_a_warning_and_the_results_stay(capfd: pytest.CaptureFixture) -> None:
    expected = run_episodes(TinyActor(), TINY, [1], workers=1)

    results = run_episodes(TinyActor(), WRONG, [1], {"wrong": "close"}, workers=1)

    assert numbers(results) == numbers(expected)
    said = capfd.readouterr().err
    assert f"closing {WRONG} raised RuntimeError: close fails" in said and "Traceback" not in said


def test_a_step_of_the_older_interface_is_told_through_the_limit_of_steps() -> None:
    with pytest.raises(
        UserError, match=r"not enough values to unpack \(expected 5, got 4\); step\(action\) must"
    ):
        run_episodes(TinyActor(), LIMITED, [1], {"wrong": "old step"}, workers=1)


@pytest.mark.parametrize("harmless", ["harmless", "reward in an array"])
def test_lists_and_arrays_of_the_right_numbers_are_accepted(harmless: str) -> None:
    expected = numbers(run_episodes(TinyActor(), TINY, [1], workers=1))

    assert numbers(run_episodes(TinyActor(), WRONG, [1], {"wrong": harmless}, workers=1)) == expected


def test_an_environment_that_may_never_end_is_told() -> None:
    assert "Wrong-v0 is registered without max_episode_steps" in endless(WRONG, {})
    assert endless(WRONG, {"max_episode_steps": 20}) == endless(LIMITED, {}) == ""


def test_the_trace_of_an_error_is_shown_once(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UserError, match="seed 1: raised SystemExit: 3"):
        run_episodes(TinyActor(), WRONG, [1], {"wrong": "exit"}, workers=1)

    assert caplog.text.count("the episode of seed 1 failed") == 2  # it is tried again
    assert caplog.text.count("Traceback") == 1
