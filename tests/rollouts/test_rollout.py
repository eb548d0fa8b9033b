"""Episodes in parallel are the same as one after another, and only what is read is rendered."""

from collections import Counter
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from s2robot.encoders.cameras import CameraEncoders
from s2robot.policies import POLICIES, make_policy
from s2robot.rollouts.agent import Agent
from s2robot.rollouts.decisions import read_decisions
from s2robot.rollouts.episodes import iter_episodes, run_episodes
from s2robot.rollouts.worker import Worker
from s2robot.types import CameraSpec, Spec, image_key
from tests.rollouts.rollout_cases import SEEDS, nothing_left_behind, numbers, words  # noqa: F401 (fixture)
from tests.rollouts.tiny_actor import TinyActor
from tests.rollouts.tiny_env import LAZY, TINY

PICK, AGENTVIEW = "s2robot/PickCube-v0", image_key("agentview")


@pytest.mark.parametrize("batch", [1, 3])
def test_numbers_do_not_depend_on_workers(batch: Any) -> None:
    one = run_episodes(TinyActor(), TINY, SEEDS, workers=1, batch=batch)

    assert [r.seed for r in one] == SEEDS
    assert len({r.return_ for r in one}) == len(SEEDS)
    for workers in (2, 3):
        actor = TinyActor()
        assert numbers(run_episodes(actor, TINY, SEEDS, workers=workers, batch=batch)) == numbers(one)
        assert {len(obs["pos"]) for obs in actor.seen} == {batch}  # filled up, whoever waits


def test_a_real_policy_does_the_same_with_any_number_of_workers() -> None:
    kwargs = {"image_size": 32, "cameras": ["agentview"], "reward_type": "dense"}
    encoders = CameraEncoders("lite0", [32], device="cpu", backend="torch")
    camera = CameraSpec(AGENTVIEW, (32, 32), encoders.feature_shape("agentview", (32, 32)))
    spec = Spec(PICK, kwargs, 7, {"robot0_eef_pos": 3}, {"agentview": camera})
    _, config = POLICIES["diffusion_unet"]
    policy = make_policy(spec, config(obs_steps=2, action_steps=8, channels=[8, 16], inference_steps=2))
    agent = Agent(policy, encoders, torch.device("cpu"))

    one, other = (numbers(run_episodes(agent, PICK, [1, 2], kwargs, workers=n)) for n in (1, 2))

    assert len({return_ for *_, return_ in one}) == 2  # the dense reward tells one motion from another
    assert other == one


def test_no_episode_waits_for_a_slow_one() -> None:
    slow = {"trouble": "slow", "trouble_seed": SEEDS[0]}

    order = [result.seed for result in iter_episodes(TinyActor(), TINY, SEEDS, slow, workers=2)]

    assert order[-1] == SEEDS[0] and set(order) == set(SEEDS)


def test_observations_do_not_travel_through_the_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    class Spied(Worker):
        def receive(self) -> Any:
            answer = super().receive()
            sizes.append(len(ForkingPickler.dumps(answer)))  # as the pipe does
            return answer

    monkeypatch.setattr("s2robot.rollouts.scheduling.Worker", Spied)

    run_episodes(TinyActor(), TINY, SEEDS[:2], workers=1)

    one_frame = 8 * 12 * 3
    assert len(sizes) > 5 and max(sizes[1:]) < one_frame  # the first tells the layout


def test_equals_a_plain_loop() -> None:
    actor, expected = TinyActor(obs_steps=1, action_steps=1), []
    env = gymnasium.make(TINY)
    for seed in SEEDS[:3]:
        obs, _ = env.reset(seed=seed)
        generator, state, total, steps, done = torch.Generator().manual_seed(seed), None, 0.0, 0, False
        while not done:
            batch = {key: obs[key][None, None] for key in actor.obs_keys}
            chunk, (state,) = actor.act(batch, [state], [generator])
            obs, reward, terminated, truncated, info = env.step(np.clip(chunk[0, 0], -1, 1))
            total, steps, done = total + float(reward), steps + 1, terminated or truncated
        expected.append((seed, info["success"], steps, total))

    results = run_episodes(TinyActor(obs_steps=1, action_steps=1), TINY, SEEDS[:3], workers=2)

    assert numbers(results) == expected


def test_each_seed_runs_once_and_is_reported_as_it_finishes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    reported: list[Any] = []

    results = run_episodes(TinyActor(), TINY, SEEDS, {"log": str(log)}, on_result=reported.append, workers=3)

    assert Counter(words(log, "reset")) == {f"reset:{seed}": 1 for seed in SEEDS}
    assert sorted(numbers(reported)) == sorted(numbers(results))
    assert len(words(log, "close")) == 3


@pytest.mark.parametrize(("obs_steps", "action_steps"), [(2, 3), (3, 1), (4, 2), (1, 5)])
def test_history_is_the_last_observations_padded_by_the_first(obs_steps: int, action_steps: int) -> None:
    actor = TinyActor(obs_steps, action_steps)

    (result,) = run_episodes(actor, LAZY, [0], workers=1)

    counts = [obs["agentview_image"][0, :, 5, 5, 0].tolist() for obs in actor.seen]  # red counts steps
    nows = range(0, result.steps, action_steps)
    assert counts == [[max(0, now - back) for back in reversed(range(obs_steps))] for now in nows]
    assert actor.seen[0]["pos"].shape == (1, obs_steps, 2)


def test_state_goes_back_to_the_policy() -> None:
    actor = TinyActor()

    run_episodes(actor, TINY, [0], workers=1)

    assert actor.states == [[None], *([call] for call in range(1, len(actor.states)))]


def test_renders_only_what_the_policy_reads(tmp_path: Path) -> None:
    log = tmp_path / "log"

    (result,) = run_episodes(TinyActor(2, 5), LAZY, [2], {"log": str(log)}, workers=1)

    read = [0] + [step for step in range(1, result.steps) if step % 5 in (4, 0)]
    assert result.steps > 10
    assert words(log, "render") == [f"render:agentview:{step}" for step in read]


def test_actions_beyond_the_chunk_and_bounds_are_not_executed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    actor = TinyActor(1, 3)

    run_episodes(actor, TINY, [2], {"log": str(log)}, workers=1)

    actions = [float(word.removeprefix("step:")) for word in words(log, "step")]
    assert -(-len(actions) // 3) == len(actor.seen)
    assert max(np.abs(actions)) == 1  # the noise reaches beyond


def test_recording_changes_nothing(tmp_path: Path) -> None:
    plain = run_episodes(TinyActor(), LAZY, SEEDS, workers=2)

    filmed = run_episodes(TinyActor(), LAZY, SEEDS, workers=2, record=2, video_dir=tmp_path / "videos")

    assert numbers(filmed) == numbers(plain)
    assert [r.video for r in filmed] == ["videos/seed_3.mp4", "videos/seed_1.mp4"] + [None] * 5
    files = sorted(p.name for p in (tmp_path / "videos").iterdir())
    assert files == ["seed_1.json", "seed_1.mp4", "seed_3.json", "seed_3.mp4"]


def test_a_filmed_episode_has_its_decisions_beside_what_was_executed(tmp_path: Path) -> None:
    log, videos = tmp_path / "log", tmp_path / "videos"
    kwargs = {"log": str(log)}
    (result,) = run_episodes(TinyActor(), TINY, SEEDS[:1], kwargs, workers=1, record=1, video_dir=videos)

    found = read_decisions(videos / f"seed_{SEEDS[0]}.mp4")

    assert found is not None and found.action_steps == 3
    steps = [float(word.partition(":")[2]) for word in words(log, "step")]
    executed = np.array(found.executed)
    assert executed.shape == (result.steps, 2)
    np.testing.assert_allclose(executed[:, 0], steps, atol=1e-4)
    assert [one.step for one in found.decisions] == list(range(0, result.steps, 3))
    chunks = np.array([one.chunk for one in found.decisions])  # n ta da, beyond the bounds of the actions
    assert chunks.shape[1:] == (5, 2) and np.abs(chunks).max() > 1
    begun = np.clip(chunks[:, :3].reshape(-1, 2), -1, 1)[: result.steps]
    np.testing.assert_allclose(executed, begun, atol=1e-3)
