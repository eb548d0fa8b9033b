import os
import signal
import subprocess
import sys
from collections import Counter
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import gymnasium
import numpy as np
import psutil
import pytest
import torch
from tiny_actor import TinyActor
from tiny_env import LAZY, TINY

from s2robot.encoders.cameras import CameraEncoders
from s2robot.errors import UserError
from s2robot.policies import POLICIES, make_policy
from s2robot.rollouts.agent import Agent
from s2robot.rollouts.episodes import RolloutError, iter_episodes, run_episodes
from s2robot.rollouts.worker import Worker
from s2robot.types import EpisodeResult, Spec, image_key

SEEDS = [3, 1, 4, 15, 9, 2, 6]
PICK, AGENTVIEW = "s2robot/PickCube-v0", image_key("agentview")


def numbers(results: list[EpisodeResult]) -> list[tuple]:
    return [(r.seed, r.success, r.steps, r.return_) for r in results]


def words(log: Path, kind: str) -> list[str]:
    return [line for line in log.read_text().splitlines() if line.startswith(kind)]


@pytest.fixture(autouse=True)
def nothing_left_behind():
    process = psutil.Process()
    children, files = set(process.children(recursive=True)), process.num_fds()
    yield
    assert set(process.children(recursive=True)) <= children  # zombies are children, too
    assert process.num_fds() <= files


@pytest.mark.parametrize("batch", [1, 3])
def test_numbers_do_not_depend_on_workers(batch):
    one = run_episodes(TinyActor(), TINY, SEEDS, workers=1, batch=batch)

    assert [r.seed for r in one] == SEEDS
    assert len({r.return_ for r in one}) == len(SEEDS)
    for workers in (2, 3):
        actor = TinyActor()
        assert numbers(run_episodes(actor, TINY, SEEDS, workers=workers, batch=batch)) == numbers(one)
        assert {len(obs["pos"]) for obs in actor.seen} == {batch}  # filled up, whoever waits


def test_a_real_policy_does_the_same_with_any_number_of_workers():
    kwargs = {"image_size": 32, "cameras": ["agentview"], "reward_type": "dense"}
    encoders = CameraEncoders("lite0", [32], device="cpu", backend="torch")
    features = {AGENTVIEW: encoders.feature_shape("agentview", (32, 32))}
    spec = Spec(PICK, kwargs, 7, {"robot0_eef_pos": 3}, {AGENTVIEW: (32, 32)}, features)
    _, config = POLICIES["diffusion_unet"]
    policy = make_policy(spec, config(obs_steps=2, action_steps=8, channels=[8, 16], inference_steps=2))
    agent = Agent(policy, encoders, torch.device("cpu"))

    one, other = (numbers(run_episodes(agent, PICK, [1, 2], kwargs, workers=n)) for n in (1, 2))

    assert len({return_ for *_, return_ in one}) == 2  # the dense reward tells one motion from another
    assert other == one


def test_no_episode_waits_for_a_slow_one():
    slow = {"trouble": "slow", "trouble_seed": SEEDS[0]}

    order = [result.seed for result in iter_episodes(TinyActor(), TINY, SEEDS, slow, workers=2)]

    assert order[-1] == SEEDS[0] and set(order) == set(SEEDS)


def test_observations_do_not_travel_through_the_pipe(monkeypatch):
    sizes = []

    class Spied(Worker):
        def receive(self):
            answer = super().receive()
            sizes.append(len(ForkingPickler.dumps(answer)))  # as the pipe does
            return answer

    monkeypatch.setattr("s2robot.rollouts.episodes.Worker", Spied)

    run_episodes(TinyActor(), TINY, SEEDS[:2], workers=1)

    one_frame = 8 * 12 * 3
    assert len(sizes) > 5 and max(sizes[1:]) < one_frame  # the first tells the layout


def test_equals_a_plain_loop():
    actor, expected = TinyActor(obs_steps=1, action_steps=1), []
    env = gymnasium.make(TINY)
    for seed in SEEDS[:3]:
        obs, _ = env.reset(seed=seed)
        generator, state, total, steps, done = torch.Generator().manual_seed(seed), None, 0.0, 0, False
        while not done:
            batch = {key: obs[key][None, None] for key in actor.obs_keys}
            chunk, (state,) = actor.act(batch, [state], [generator])
            obs, reward, terminated, truncated, info = env.step(np.clip(chunk[0, 0], -1, 1))
            total, steps, done = total + reward, steps + 1, terminated or truncated
        expected.append((seed, info["success"], steps, total))

    results = run_episodes(TinyActor(obs_steps=1, action_steps=1), TINY, SEEDS[:3], workers=2)

    assert numbers(results) == expected


def test_each_seed_runs_once_and_is_reported_as_it_finishes(tmp_path):
    log, reported = tmp_path / "log", []

    results = run_episodes(TinyActor(), TINY, SEEDS, {"log": str(log)}, on_result=reported.append, workers=3)

    assert Counter(words(log, "reset")) == {f"reset:{seed}": 1 for seed in SEEDS}
    assert sorted(numbers(reported)) == sorted(numbers(results))
    assert len(words(log, "close")) == 3


@pytest.mark.parametrize(("obs_steps", "action_steps"), [(2, 3), (3, 1), (4, 2), (1, 5)])
def test_history_is_the_last_observations_padded_by_the_first(obs_steps, action_steps):
    actor = TinyActor(obs_steps, action_steps)

    (result,) = run_episodes(actor, LAZY, [0], workers=1)

    counts = [obs["agentview_image"][0, :, 5, 5, 0].tolist() for obs in actor.seen]  # red counts steps
    nows = range(0, result.steps, action_steps)
    assert counts == [[max(0, now - back) for back in reversed(range(obs_steps))] for now in nows]
    assert actor.seen[0]["pos"].shape == (1, obs_steps, 2)


def test_state_goes_back_to_the_policy():
    actor = TinyActor()

    run_episodes(actor, TINY, [0], workers=1)

    assert actor.states == [[None], *([call] for call in range(1, len(actor.states)))]


def test_renders_only_what_the_policy_reads(tmp_path):
    log = tmp_path / "log"

    (result,) = run_episodes(TinyActor(2, 5), LAZY, [2], {"log": str(log)}, workers=1)

    read = [0] + [step for step in range(1, result.steps) if step % 5 in (4, 0)]
    assert result.steps > 10
    assert words(log, "render") == [f"render:agentview:{step}" for step in read]


def test_actions_beyond_the_chunk_and_bounds_are_not_executed(tmp_path):
    log = tmp_path / "log"
    actor = TinyActor(1, 3)

    run_episodes(actor, TINY, [2], {"log": str(log)}, workers=1)

    actions = [float(word.removeprefix("step:")) for word in words(log, "step")]
    assert -(-len(actions) // 3) == len(actor.seen)
    assert max(np.abs(actions)) == 1  # the noise reaches beyond


def test_recording_changes_nothing(tmp_path):
    plain = run_episodes(TinyActor(), LAZY, SEEDS, workers=2)

    filmed = run_episodes(TinyActor(), LAZY, SEEDS, workers=2, record=2, video_dir=tmp_path / "videos")

    assert numbers(filmed) == numbers(plain)
    assert [r.video for r in filmed] == ["videos/seed_3.mp4", "videos/seed_1.mp4"] + [None] * 5
    assert sorted(p.name for p in (tmp_path / "videos").iterdir()) == ["seed_1.mp4", "seed_3.mp4"]


@pytest.mark.parametrize(("trouble", "timeout_s"), [("exit", 60), ("hang", 2), ("raise", 60)])
def test_a_seed_that_fails_once_is_run_again(tmp_path, trouble, timeout_s):
    log, expected = tmp_path / "log", run_episodes(TinyActor(), TINY, SEEDS, workers=1)
    trouble = {"trouble": trouble, "trouble_seed": 4, "once": str(tmp_path / "once"), "log": str(log)}

    results = run_episodes(TinyActor(), TINY, SEEDS, trouble, workers=2, step_timeout_s=timeout_s)

    assert numbers(results) == numbers(expected)
    assert Counter(words(log, "reset")) == {f"reset:{seed}": 1 + (seed == 4) for seed in SEEDS}


@pytest.mark.parametrize(
    ("trouble", "timeout_s", "told"),
    [
        ("exit", 60, "seed 4: died with exit code 7"),
        ("hang", 2, "seed 4: gave no answer for 2 s"),
        ("raise", 60, "seed 4: raised RuntimeError: the arm fell off"),
    ],
)
def test_a_seed_that_fails_twice_is_reported_after_the_others(tmp_path, trouble, timeout_s, told):
    log, finished = tmp_path / "log", []
    kwargs = {"trouble": trouble, "trouble_seed": 4, "log": str(log)}

    with pytest.raises(RolloutError, match=told):
        run_episodes(
            TinyActor(),
            LAZY,
            SEEDS,
            kwargs,
            finished.append,
            workers=2,
            step_timeout_s=timeout_s,
            record=3,
            video_dir=tmp_path / "videos",
        )

    assert {r.seed for r in finished} == set(SEEDS) - {4}
    assert words(log, "reset").count("reset:4") == 2
    assert sorted(p.name for p in (tmp_path / "videos").iterdir()) == ["seed_1.mp4", "seed_3.mp4"]


def test_a_killed_worker_is_replaced():
    expected = run_episodes(TinyActor(), TINY, SEEDS, workers=1)
    others = set(psutil.Process().children())
    results = []

    for result in iter_episodes(TinyActor(), TINY, SEEDS, workers=2):
        if not results:
            worker = (set(psutil.Process().children()) - others).pop()
            os.kill(worker.pid, signal.SIGKILL)
        results.append(result)

    assert sorted(numbers(results)) == sorted(numbers(expected))


def test_an_interrupted_run_ends_its_workers_and_drops_unfinished_videos(tmp_path):
    episodes = iter_episodes(TinyActor(), TINY, SEEDS, workers=2, record=7, video_dir=tmp_path)

    first = next(episodes)
    with pytest.raises(KeyboardInterrupt):
        episodes.throw(KeyboardInterrupt)

    assert [p.name for p in tmp_path.iterdir() if "part" in p.name] == []
    assert (tmp_path / f"seed_{first.seed}.mp4").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"seeds": [1, 2, 1]}, "more than once"),
        ({"env_id": "tiny_env:Nothing-v0"}, "Nothing"),
        ({"env_id": "no_such_module:Tiny-v0"}, "no_such_module"),
        ({"env_kwargs": {"colour": "red"}}, "colour"),
        ({"policy": TinyActor(action_dim=3)}, "takes actions of 2 numbers, the policy gives 3"),
        ({"policy": TinyActor(action_steps=6)}, r"\(1, 5, 2\), not \(1, >= 6, 2\)"),
        ({"policy": torch.nn.Identity()}, r"Agent\(policy, encoders, device\), not Identity alone"),
        ({"workers": 0}, "at least 1"),
        ({"record": 1}, "video_dir"),
        ({"env_id": "CartPole-v1"}, "Dict observations"),
        ({"env_kwargs": {"trouble": "silent"}}, r"no info\['success'\]"),
    ],
)
def test_bad_input_is_told_in_one_line(arguments, told):
    good = {"policy": TinyActor(), "env_id": TINY, "seeds": [1], "env_kwargs": {}, "workers": 1}

    with pytest.raises(UserError, match=told) as error:
        run_episodes(**(good | arguments))

    assert "\n" not in str(error.value)


def test_an_unknown_observation_names_the_known_ones():
    actor = TinyActor()
    actor.obs_keys = ("agentview_imag", "pos")

    with pytest.raises(UserError, match="did you mean 'agentview_image'"):
        run_episodes(actor, TINY, [1], workers=1)


def test_an_action_that_is_not_finite_is_not_executed():
    class Broken(TinyActor):
        def act(self, obs, states, generators):
            chunk, states = super().act(obs, states, generators)
            return np.full_like(chunk, np.nan), states

    with pytest.raises(UserError, match="not finite"):
        run_episodes(Broken(), TINY, [1], workers=1)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_the_process_and_what_is_finished_is_kept(by):
    script = f"""
import signal, sys; sys.path.insert(0, {os.path.dirname(__file__)!r})
from tiny_actor import TinyActor
from tiny_env import TINY
from s2robot.rollouts.episodes import run_episodes
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are born ignoring it
def tell(result):
    print(result.seed, flush=True)
run_episodes(TinyActor(), TINY, range(10**5), on_result=tell, workers=2)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    first = process.stdout.readline()
    workers = psutil.Process(process.pid).children()

    process.send_signal(by)
    out, errors = process.communicate(timeout=30)

    assert len(workers) == 2
    assert psutil.wait_procs(workers, timeout=30)[1] == []
    seeds = [int(word) for word in (first + out).split()]
    assert len(set(seeds)) == len(seeds) > 0
    if by == signal.SIGINT:
        assert errors.strip().endswith("KeyboardInterrupt")
        assert errors.count("Traceback") == 1  # this process's; the workers do not see the signal
