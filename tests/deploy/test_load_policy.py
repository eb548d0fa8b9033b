"""A loaded policy acts as a rollout does, from the same observations."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

import s2robot
from s2robot.deploy.loaded import LoadedPolicy
from s2robot.errors import UserError
from s2robot.rollouts import run_episodes
from s2robot.rollouts.executed import after_executing
from s2robot.rollouts.trained import make_actor, proprio_ranges, set_acting, verified_encoders
from s2robot.runs import checkpoint
from s2robot.types import Actor
from tests.training.tiny_training import run_training

CPU = torch.device("cpu")
STEPS, SEED = 24, 3  # of an episode that is compared
POLICIES = {
    "bc": [],
    "bc_paper": ["policy.width=16", "policy.layers=1"],  # it reads what was executed
    "bc_rnn_gmm": ["policy.hidden=[16]", "policy.rnn_dim=8"],
    "diffusion_unet": ["policy.inference_steps=2"],
}


@pytest.fixture(scope="module")
def runs(demos_path: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of each policy."""
    found = {"bc": trained}
    for name, options in POLICIES.items():
        if name not in found:
            found[name] = tmp_path_factory.mktemp("runs") / name
            run_training(demos_path, found[name], name, "optim.steps=3", "optim.valid_every=9", *options)
    return found


class Noting:
    """An actor that keeps the chunks of another one."""

    def __init__(self, actor: Actor) -> None:
        self.actor, self.chunks = actor, list[np.ndarray]()
        self.obs_keys, self.obs_steps = actor.obs_keys, actor.obs_steps
        self.action_steps = actor.action_steps

    def act(
        self, obs: Mapping[str, np.ndarray], states: Sequence[Any], generators: Sequence[torch.Generator]
    ) -> tuple[np.ndarray, list[Any]]:
        chunks, after = self.actor.act(obs, states, generators)
        self.chunks.append(chunks[0])
        return chunks, after

    def executed(self, state: Any, actions: np.ndarray) -> Any:
        return after_executing(self.actor, state, actions)


def in_a_rollout(run: Path, temporal_ensemble: float | None) -> Noting:
    loaded = checkpoint.load(run / "checkpoints" / "last")
    set_acting(loaded.policy, {}, temporal_ensemble)
    encoders = verified_encoders(loaded, CPU, "torch")
    actor = Noting(make_actor(loaded.policy, encoders, CPU, temporal_ensemble))
    spec = loaded.policy.spec
    run_episodes(actor, spec.env_id, [SEED], {**spec.env_kwargs, "max_episode_steps": STEPS}, workers=1)
    return actor


@pytest.mark.parametrize(
    ("name", "temporal_ensemble"), [*((name, None) for name in POLICIES), ("bc", 0.01)], ids=str
)
def test_its_actions_are_those_of_a_rollout(
    name: str, temporal_ensemble: float | None, runs: dict[str, Path]
) -> None:
    noted = in_a_rollout(runs[name], temporal_ensemble)
    policy = s2robot.load_policy(
        runs[name], "cpu", backend="torch", temporal_ensemble=temporal_ensemble, seed=SEED
    )
    env = gymnasium.make(policy.spec.env_id, **policy.spec.env_kwargs)
    box: Any = env.action_space
    obs, _ = env.reset(seed=SEED)
    actions = []
    for _ in range(STEPS):
        actions.append(policy.act({key: obs[key] for key in policy.inputs}))
        executed: np.ndarray = np.clip(actions[-1], box.low, box.high)
        policy.executed(executed)
        obs, *_ = env.step(executed)
    env.close()
    expected = np.concatenate([chunk[: policy.action_steps] for chunk in noted.chunks])[:STEPS]
    np.testing.assert_array_equal(np.stack(actions), expected)


def observation(policy: LoadedPolicy, seed: int = 0) -> dict[str, np.ndarray]:
    """A random observation."""
    generator, obs = np.random.default_rng(seed), dict[str, np.ndarray]()
    for key, said in policy.inputs.items():
        most, shape = (255 if said["dtype"] == "uint8" else 1), said["shape"]
        obs[key] = np.asarray(most * generator.random(shape), said["dtype"])
    return obs


@pytest.fixture
def policy(trained: Path) -> LoadedPolicy:
    return s2robot.load_policy(trained, "cpu", backend="torch")


def test_it_says_what_it_reads(policy: LoadedPolicy) -> None:
    assert policy.inputs["agentview_image"] == {"shape": (64, 64, 3), "dtype": "uint8"}
    assert policy.inputs["robot0_eef_pos"] == {"shape": (3,), "dtype": "float32"}
    assert policy.act(observation(policy)).shape == (7,)


def test_chunks_are_what_act_hands_out(policy: LoadedPolicy) -> None:
    seen = [observation(policy, i) for i in range(2 * policy.action_steps)]
    acted = [policy.act(obs) for obs in seen]
    other, chunks = policy.another(), []
    for i, obs in enumerate(seen):
        if i % policy.action_steps:
            other.observe(obs)
        else:
            chunks.append(other.chunk(obs))
    assert chunks[0].shape == (8, 7)  # the whole horizon
    executed = np.concatenate([chunk[: policy.action_steps] for chunk in chunks])
    np.testing.assert_array_equal(executed, np.stack(acted))


def test_an_episode_forgets_the_one_before(runs: dict[str, Path]) -> None:
    policy = s2robot.load_policy(runs["diffusion_unet"], "cpu", backend="torch")
    first = policy.act(observation(policy))
    policy.act(observation(policy, 1))
    policy.reset()  # the next seed
    second = policy.act(observation(policy))
    policy.reset(seed=0)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(policy.act(observation(policy)), first)


def test_a_camera_has_two_names_and_arrays_may_change_afterwards(policy: LoadedPolicy) -> None:
    seen = [observation(policy, i) for i in range(5)]
    expected = [policy.act(obs) for obs in seen]
    policy.reset()
    for obs, action in zip(seen, expected, strict=True):
        obs["agentview"] = obs.pop("agentview_image")
        np.testing.assert_array_equal(policy.act(obs), action)
        for values in obs.values():
            values[:] = 0  # as a camera driver does with its buffer


def test_frames_are_given_as_the_dataset_stored_them(policy: LoadedPolicy) -> None:
    obs = observation(policy)
    expected = policy.act(obs)
    upside_down = policy.another()
    upside_down._inputs.flips = {"agentview_image": (0,)}
    flipped = obs | {"agentview_image": obs["agentview_image"][::-1]}
    np.testing.assert_array_equal(upside_down.act(flipped), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    {
        "another size": (
            {"agentview_image": np.zeros((32, 32, 3), np.uint8)},
            r"agentview_image has the shape \(32, 32, 3\), expected \(64, 64, 3\)",
        ),
        "alpha": (
            {"agentview_image": np.zeros((64, 64, 4), np.uint8)},
            "three colours, without an alpha channel",
        ),
        "channels first": ({"agentview_image": np.zeros((3, 64, 64), np.uint8)}, "channels come last"),
        "a batch": ({"agentview_image": np.zeros((1, 64, 64, 3), np.uint8)}, "without a batch axis"),
        "float images": (
            {"agentview_image": np.zeros((64, 64, 3), np.float32)},
            "agentview_image must be uint8 in 0..255, not float32",
        ),
        "missing key": ({"robot0_eef_pos": None}, "lacks robot0_eef_pos; the policy reads agentview_image"),
        "unknown key": ({"robot0_eef_po": [1, 2, 3]}, "unknown observation 'robot0_eef_po'; did you mean"),
        "two names": ({"agentview": np.zeros((64, 64, 3), np.uint8)}, "agentview_image is given twice"),
        "NaN": ({"robot0_eef_pos": [0, np.nan, 0]}, r"robot0_eef_pos\[1\] is nan"),
        "beyond float32": ({"robot0_eef_pos": [0, 0, 1e300]}, r"robot0_eef_pos\[2\] is 1e\+300"),
        "wrong width": ({"robot0_eef_pos": [0, 0]}, r"robot0_eef_pos has the shape \(2,\), expected \(3,\)"),
        "text": ({"robot0_eef_pos": ["a", "b", "c"]}, "robot0_eef_pos must be numbers"),
        "ragged": ({"robot0_eef_pos": [[0], [0, 1]]}, "robot0_eef_pos is no array of numbers"),
    }.values(),
)
@pytest.mark.usefixtures("unchecked")
def test_an_observation_that_does_not_fit_is_one_line(
    change: dict[str, Any], message: str, policy: LoadedPolicy
) -> None:
    obs: dict[str, Any] = {**observation(policy), **change}
    obs = {key: value for key, value in obs.items() if value is not None}
    with pytest.raises(UserError, match=message) as raised:
        policy.act(obs)
    assert len(str(raised.value).splitlines()) == 1
    expected = policy.another().act(observation(policy))
    np.testing.assert_array_equal(policy.act(observation(policy)), expected)  # the episode is as before


@pytest.mark.parametrize("name", ["bc_paper", "bc_rnn_gmm", "diffusion_unet"])
def test_a_decision_that_fails_leaves_the_episode_as_before(name: str, runs: dict[str, Path]) -> None:
    policy = s2robot.load_policy(runs[name], "cpu", backend="torch", seed=SEED)
    other, seen = policy.another(), [observation(policy, i) for i in range(2 * policy.action_steps)]
    other.reset(SEED)
    act, broken = policy._actor.act, observation(policy, 99)

    def failing(obs: Any, states: Any, generators: Any) -> Any:
        chunks, after = act(obs, states, generators)
        return np.full_like(chunks, np.nan), after

    for i, obs in enumerate(seen):
        if i % policy.action_steps == 0:
            policy._actor.act = failing  # type: ignore[method-assign]
            for decide in (policy.act, policy.chunk):
                with pytest.raises(UserError, match="not finite; nothing of it is executed"):
                    decide(broken)
            policy._actor.act = act  # type: ignore[method-assign]
        np.testing.assert_array_equal(policy.act(obs), other.act(obs))


@pytest.mark.usefixtures("unchecked")
def test_other_mistakes_are_one_line(policy: LoadedPolicy, trained: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="an observation is a dictionary"):
        policy.act([1, 2])  # type: ignore[arg-type]
    policy.act(observation(policy))
    with pytest.raises(UserError, match="3 actions of act's chunk left"):
        policy.chunk(observation(policy))
    with pytest.raises(
        UserError, match=r"executed actions are float32 of shape \(2, 7\); expected at most 1"
    ):
        policy.executed(np.zeros((2, 7), np.float32))
    with pytest.raises(UserError, match="an executed action is not finite"):
        policy.executed(np.full(7, np.nan, np.float32))
    for seed in (-1, "a", 1.5, True, 2**63):
        with pytest.raises(UserError, match=r"seed='.*' must be a whole number from 0 to"):
            policy.reset(seed=seed)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no checkpoint at"):
        s2robot.load_policy(tmp_path)
    with pytest.raises(UserError, match="action_steps=9 must be between"):
        s2robot.load_policy(trained, "cpu", acting={"action_steps": 9})
    with pytest.raises(UserError, match="did you mean 'action_steps'"):
        s2robot.load_policy(trained, "cpu", acting={"action_step": 2})
    with pytest.raises(UserError, match="unknown device 'gpu'"):
        s2robot.load_policy(trained, "gpu")
    wrong: list[tuple[Any, dict[str, Any], str]] = [
        (None, {}, "path=None must be the path of a run"),
        (3, {}, "path=3 must be the path of a run"),
        (trained, {"plugins": "abc"}, r"plugins='abc' must be a list of modules, such as \['my_module'\]"),
        (trained, {"plugins": [3]}, r"plugins=\[3\] must be a list of modules"),
        (trained, {"acting": [1]}, r"acting=\[1\] must be names with values"),
        (trained, {"temporal_ensemble": "x"}, "temporal_ensemble='x' must be a finite number from -1 to 100"),
        (trained, {"temporal_ensemble": -1000}, "temporal_ensemble=-1000 must be a finite number from -1"),
    ]
    for path, options, told in wrong:
        with pytest.raises(UserError, match=told):
            s2robot.load_policy(path, "cpu", **options)
    with pytest.raises(UserError, match="needs action_steps=1, not 2"):
        s2robot.load_policy(trained, "cpu", temporal_ensemble=0.1, acting={"action_steps": 2})


def test_it_needs_no_simulator(trained: Path) -> None:
    program = """
import sys
import s2robot
assert "torch" not in sys.modules
s2robot.load_policy(sys.argv[1], "cpu", backend="torch")
print(*{"envs", "gymnasium", "h5py", "mujoco", "hydra"} & sys.modules.keys())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, trained], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_other_units_than_those_of_the_training_are_told_once(
    trained: Path, caplog: pytest.LogCaptureFixture
) -> None:
    low, high = proprio_ranges(checkpoint.load(trained).policy)["robot0_eef_pos"]
    policy = s2robot.load_policy(trained, "cpu", backend="torch")
    metres = {**observation(policy), "robot0_eef_pos": (low + high) / 2}
    policy.act(metres)
    assert "robot0_eef_pos" not in caplog.text
    for _ in range(2):
        policy.act({**metres, "robot0_eef_pos": 1000 * metres["robot0_eef_pos"] + 1000})
    assert caplog.text.count("robot0_eef_pos[0] is 1") == 1  # and is no error
