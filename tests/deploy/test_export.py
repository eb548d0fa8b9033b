"""An exported policy gives the policy's actions, with PyTorch alone."""

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import s2robot
from s2robot.deploy.export import check_same, example, export, run_onnx, traced
from s2robot.deploy.program import NOISE, Program
from s2robot.encoders.cameras import CameraEncoders
from s2robot.errors import UserError
from s2robot.policies import HEADS, POLICIES, Policy, make_policy
from s2robot.rollouts.agent import Agent
from s2robot.runs import checkpoint
from s2robot.types import CameraSpec, Spec
from tests.commands.command_line import assert_one_line, status_here
from tests.tiny_vit import NAME, random_vit

CPU = torch.device("cpu")
SIZE = (32, 48)
SMALL: dict[str, dict[str, Any]] = {
    "act": {"width": 16, "encoder_layers": 1, "decoder_layers": 1, "attention_heads": 2},
    "diffusion_transformer": {"width": 16, "layers": 1, "inference_steps": 2},
    "diffusion_unet": {"channels": [8, 16], "inference_steps": 2},
    "flow": {"channels": [8, 16], "inference_steps": 2},
}
REMEMBERING = [name for name, entry in POLICIES.items() if entry.options().remembers]
CASES = {name: (name, "mean") for name in POLICIES if name not in REMEMBERING}
CASES |= {
    f"head {head}": ("act" if HEADS[head].gives_tokens else "bc", head) for head in HEADS if head != "mean"
}


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CameraEncoders]:
    """A vision transformer with prefix tokens at two scales, random weights."""
    file = random_vit(tmp_path_factory.mktemp("weights") / "vit.safetensors")
    yield CameraEncoders(NAME, [16, 32], weights=file, tile=16, device="cpu", backend="torch")


def make(encoders: CameraEncoders, name: str, **options: Any) -> Policy:
    camera = CameraSpec(
        "wrist_image",
        SIZE,
        encoders.feature_shape("wrist", SIZE),
        encoders.scales("wrist"),
        encoders.prefix_shape("wrist"),
        flips=(0,),
    )
    spec = Spec("", {}, 7, {"pos": 3}, {"wrist": camera})
    config = POLICIES[name].options(**{"obs_steps": 2, **SMALL.get(name, {}), **options})
    return make_policy(spec, config).eval().requires_grad_(False)


@pytest.mark.parametrize("case", CASES)
def test_the_program_gives_the_actions_of_a_rollout(case: str, encoders: CameraEncoders) -> None:
    name, head = CASES[case]
    policy = make(encoders, name, head=head)
    program = Program(policy, encoders).eval()
    exported = traced(program).module()
    for seed in (0, 1):
        inputs = example(program, seed)
        upright = inputs["wrist_image"].flip(1).numpy()[None]
        obs = {"wrist_image": upright, "pos": inputs["pos"].numpy()[None]}
        chunks, _ = Agent(policy, encoders, CPU).act(obs, [None], [torch.Generator().manual_seed(seed)])
        np.testing.assert_allclose(exported(*inputs.values()).numpy(), chunks[0], atol=1e-5)
    assert (NOISE in inputs) == (name in ("flow", "diffusion_unet", "diffusion_transformer"))


@pytest.mark.parametrize("name", REMEMBERING)
def test_the_state_of_an_episode_goes_in_and_out(name: str, encoders: CameraEncoders) -> None:
    """Until an RNN has started anew, in two episodes; the robot does not execute what was predicted."""
    policy = make(encoders, name, head="mean", horizon=4, action_steps=2)
    program, agent = Program(policy, encoders).eval(), Agent(policy, encoders, CPU)
    with warnings.catch_warnings(action="error"):
        exported = traced(program).module()
    assert all(not values.any() for values in program.start.values())
    for _ in range(2):
        carried, state = program.start, None
        for seed in range(policy.config.obs_steps + 2):
            inputs = example(program, seed) | carried
            actions, *after = exported(*inputs.values())
            obs = {
                "wrist_image": inputs["wrist_image"].flip(1).numpy()[None],
                "pos": inputs["pos"].numpy()[None],
            }
            (chunk,), (state,) = agent.act(obs, [state], [torch.Generator()])
            np.testing.assert_allclose(actions.numpy(), chunk, atol=1e-5)
            did = chunk[:2].clip(-0.1, 0.1)
            state, carried = agent.executed(state, did), dict(zip(carried, after, strict=True))
            if name == "bc_paper":
                carried["state_executed"] = torch.from_numpy(did)


def test_a_state_without_fixed_shapes_is_refused(
    encoders: CameraEncoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = make(encoders, "bc")
    monkeypatch.setattr(type(policy.config), "remembers", True)
    with pytest.raises(UserError, match="bc cannot be exported: it remembers and is no RememberingPolicy"):
        Program(policy, encoders)


def test_noise_in_every_step_is_refused(encoders: CameraEncoders) -> None:
    with pytest.raises(UserError, match="sampler=ddim"):
        Program(make(encoders, "diffusion_unet", sampler="ddpm"), encoders)


def test_other_actions_are_noticed(encoders: CameraEncoders) -> None:
    """Also those that only a state makes others."""
    policy = make(encoders, "bc_paper")
    program, agent = Program(policy, encoders).eval(), Agent(policy, encoders, CPU)

    def run(add: float, keep: bool, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
        with torch.no_grad():
            actions, *state = program(*(inputs if keep else inputs | program.start).values())
        return actions + add, *state

    check_same(program, agent, partial(run, 5e-5, True))
    for add, keep in ((1e-2, True), (torch.nan, True), (0.0, False)):
        with pytest.raises(UserError, match="other actions than the policy"):
            check_same(program, agent, partial(run, add, keep))


WITHOUT_S2ROBOT = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("s2robot", "envs", "timm", "robomimic", "diffusers", "openvino"):
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Blocked())
import json, torch

file, description, given = sys.argv[1:]
described, decisions = json.load(open(description)), torch.load(given)
program, chunks = torch.export.load(file).module(), []
inputs = {one["name"]: one for one in described["inputs"]}
state = {name: inputs[name] for name in described.get("state", {})}
state = {name: torch.zeros(one["shape"], dtype=getattr(torch, one["dtype"])) for name, one in state.items()}
for observed in decisions:
    outputs = program(*[(observed | state)[name] for name in inputs])
    if state:
        named = dict(zip([one["name"] for one in described["outputs"]], outputs, strict=True))
        state = {name: named[described["state"][name]] for name in state}
        outputs = named["actions"]
    chunks.append(outputs.tolist())
print(json.dumps(chunks))
"""


def run_without_s2robot(out: Path, decisions: list[dict[str, torch.Tensor]]) -> list[Any]:
    """The chunks of actions of an exported program and what is written beside it, in another process."""
    given = out.with_name("inputs.pt")
    torch.save(decisions, given)
    words = [sys.executable, "-c", WITHOUT_S2ROBOT, str(out), str(out.with_suffix(".json")), str(given)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=out.parent)
    assert done.returncode == 0, done.stderr
    chunks: list[Any] = json.loads(done.stdout)
    return chunks


def test_the_command_writes_a_file_that_runs_with_pytorch_alone(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "policy.pt2"
    assert status_here(monkeypatch, "s2robot", "export", str(trained), "--out", str(out)) == 0
    assert f"wrote {out}: agentview_image uint8 [2, 64, 64, 3]" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"policy.pt2", "policy.json"}
    description = json.loads((tmp_path / "policy.json").read_text())
    assert (description["policy"], description["obs_steps"], description["action_steps"]) == ("bc", 2, 4)

    policy = s2robot.load_policy(trained, "cpu", backend="torch")
    generator = np.random.default_rng(0)
    obs = [
        {
            one["name"]: generator.integers(0, 2, one["shape"][1:]).astype(one["dtype"])
            for one in description["inputs"]
        }
        for _ in range(description["obs_steps"])
    ]
    for one in obs[:-1]:
        policy.observe(one)
    expected = policy.chunk(obs[-1])
    inputs = {key: torch.from_numpy(np.stack([one[key] for one in obs])) for key in obs[0]}
    (found,) = run_without_s2robot(out, [inputs])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_policy_that_remembers_runs_with_pytorch_alone(
    trained: Path, encoders: CameraEncoders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The description says how to begin an episode and what to give back."""
    policy = make(encoders, "bc_paper", head="mean", horizon=4, action_steps=2)
    loaded = replace(checkpoint.load(trained), policy=policy, encoders=encoders.spec_dict())
    monkeypatch.setattr(checkpoint, "load", lambda path: loaded)
    monkeypatch.setattr("s2robot.deploy.export.verified_encoders", lambda *_: encoders)
    out = tmp_path / "policy.pt2"
    description = export(trained, out)
    assert description["state"].keys() == {"state_decisions", "state_steps", "state_executed"}
    observed = [example(Program(policy, encoders), seed) for seed in range(4)]
    observed = [{key: one[key] for key in ("wrist_image", "pos")} for one in observed]

    agent, state, expected = Agent(policy, encoders, CPU), None, []
    for one in observed:
        obs = {"wrist_image": one["wrist_image"].flip(1).numpy()[None], "pos": one["pos"].numpy()[None]}
        (chunk,), (state,) = agent.act(obs, [state], [torch.Generator()])
        state = agent.executed(state, chunk[:2])
        expected.append(chunk)
    np.testing.assert_allclose(run_without_s2robot(out, observed), expected, atol=1e-5)


def test_onnx_runtime_computes_the_same(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "policy.onnx"
    export(trained, out)  # it compares one input itself
    loaded = checkpoint.load(trained)
    encoders = CameraEncoders.from_dict(loaded.encoders, CPU, "torch")
    program = Program(loaded.policy, encoders).eval()
    inputs = example(program, seed=1)
    (found,) = run_onnx(out, inputs)
    with torch.no_grad():
        np.testing.assert_allclose(found, program(*inputs.values()), atol=1e-4)
    assert {path.name for path in tmp_path.iterdir()} == {"policy.onnx", "policy.onnx.json"}


@pytest.mark.parametrize(
    ("words", "told"),
    {
        "no run": (["nowhere", "--out", "p.pt2"], "no checkpoint at nowhere"),
        "no out": (["r"], "--out"),
        "another suffix": (["r", "--out", "p.pth"], "ends in .pt2 or .onnx"),
        "no folder": (["r", "--out", "no/p.pt2"], "there is no folder no"),
        "there already": (["r", "--out", "old.pt2"], "old.pt2 is there already"),
        "option": (["r", "--set", "inference_steps", "--out", "p.pt2"], "is not NAME=VALUE"),
    }.values(),
)
def test_mistakes_on_the_command_line(
    words: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.pt2").touch()
    assert status_here(monkeypatch, "s2robot", "export", *words) == 2
    assert_one_line(capsys.readouterr().err, told)
    assert [path.name for path in tmp_path.iterdir()] == ["old.pt2"]


def test_nothing_is_left_of_an_export_that_fails(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch.export, "save", full)
    with pytest.raises(UserError, match=r"cannot write .*No space left"):
        export(trained, tmp_path / "policy.pt2")
    assert list(tmp_path.iterdir()) == []
