"""An exported policy gives the policy's actions, with PyTorch alone."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import s2robot
from s2robot.deploy.export import check_same, example, export, run_onnx
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
REMEMBERING = ("bc_paper", "bc_rnn_gmm", "bc_transformer_gmm")
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
    inputs = example(program)
    with torch.no_grad():
        exported = torch.export.export(program, tuple(inputs.values())).module()
    for seed in (0, 1):
        inputs = example(program, seed)
        upright = inputs["wrist_image"].flip(1).numpy()[None]
        obs = {"wrist_image": upright, "pos": inputs["pos"].numpy()[None]}
        chunks, _ = Agent(policy, encoders, CPU).act(obs, [None], [torch.Generator().manual_seed(seed)])
        np.testing.assert_allclose(exported(*inputs.values()).numpy(), chunks[0], atol=1e-5)
    assert (NOISE in inputs) == (name in ("flow", "diffusion_unet", "diffusion_transformer"))


@pytest.mark.parametrize("name", REMEMBERING)
def test_a_policy_that_remembers_is_refused(name: str, encoders: CameraEncoders) -> None:
    with pytest.raises(UserError, match=f"{name} cannot be exported: it carries a state"):
        Program(make(encoders, name), encoders)


def test_noise_in_every_step_is_refused(encoders: CameraEncoders) -> None:
    with pytest.raises(UserError, match="sampler=ddim"):
        Program(make(encoders, "diffusion_unet", sampler="ddpm"), encoders)


def test_other_actions_are_noticed() -> None:
    check_same(torch.ones(2), torch.ones(2) + 5e-5)
    for other in (torch.tensor([1.0, 1.001]), torch.tensor([1.0, torch.nan])):
        with pytest.raises(UserError, match="other actions than the policy"):
            check_same(other, torch.ones(2))


WITHOUT_S2ROBOT = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("s2robot", "envs", "timm", "robomimic", "diffusers", "openvino"):
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Blocked())
import json, torch

file, description, given = sys.argv[1:]
inputs = torch.load(given)
names = [one["name"] for one in json.load(open(description))["inputs"]]
actions = torch.export.load(file).module()(*[inputs[name] for name in names])
print(json.dumps(actions.tolist()))
"""


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
    torch.save(inputs, tmp_path / "inputs.pt")
    words = [str(tmp_path / name) for name in ("policy.pt2", "policy.json", "inputs.pt")]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_S2ROBOT, *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(json.loads(done.stdout), expected, atol=1e-5)


def test_onnx_runtime_computes_the_same(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "policy.onnx"
    export(trained, out)  # it compares one input itself
    loaded = checkpoint.load(trained)
    encoders = CameraEncoders.from_dict(loaded.encoders, CPU, "torch")
    program = Program(loaded.policy, encoders).eval()
    inputs = example(program, seed=1)
    found = run_onnx(out, inputs)
    with torch.no_grad():
        np.testing.assert_allclose(found, program(*inputs.values()), atol=1e-4)
    assert {path.name for path in tmp_path.iterdir()} == {"policy.onnx", "policy.json"}


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
