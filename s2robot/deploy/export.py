"""A policy as one file that runs with PyTorch alone, and its description beside it.

policy.pt2     `torch.export.load("policy.pt2").module()(*inputs)`, see `s2robot.deploy.program`
policy.json    inputs and outputs in their order, how often to call it, what it was made from
"""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2robot import __version__
from s2robot.deploy.program import NOISE, Program
from s2robot.errors import UserError
from s2robot.files import replacing, write_text
from s2robot.policies.acting import acting_options
from s2robot.rollouts.agent import Agent
from s2robot.rollouts.trained import set_acting, verified_encoders
from s2robot.runs import checkpoint
from s2robot.runs.checkpoint import Checkpoint

FORMAT = 1  # of the description
SUFFIXES = (".pt2", ".onnx")
TOLERANCE = 1e-4  # of the largest action, or of 1
CPU = torch.device("cpu")
ONNX = ("onnx", "onnxscript", "onnxruntime")  # packages that make and run such files


def export(
    path: str | Path, out: Path, acting: Mapping[str, Any] | None = None, weights: str | None = None
) -> dict[str, Any]:
    """Write the policy of a run or checkpoint to `out` and its description beside it; returns that.

    `acting` and `weights` are those of `load_policy`. Files that are there are kept. Raises `UserError` for
    an `out` that cannot be written, and for policies that are no function of their inputs alone.
    """
    described = check_out(out)
    loaded = checkpoint.load(path)
    set_acting(loaded.policy, acting or {})
    encoders = verified_encoders(loaded, CPU, "torch", weights)
    program = Program(loaded.policy, encoders).eval()
    inputs = example(program)
    with torch.no_grad():
        exported = torch.export.export(program, tuple(inputs.values()))
        expected = _acted(Agent(loaded.policy, encoders, CPU), inputs)
        check_same(exported.module()(*inputs.values()), expected)
    description = describe(program, loaded)
    try:
        with replacing(out) as scratch:
            if out.suffix == ".onnx":
                _write_onnx(exported, inputs, scratch)
                check_same(run_onnx(scratch, inputs), expected)
            else:
                with scratch.open("wb") as file:  # by its name it would want another suffix
                    torch.export.save(exported, file)
        write_text(described, json.dumps(description, indent=2) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}") from error
    return description


def check_out(out: Path) -> Path:
    """The description's file of an export to `out`. Raises `UserError` unless both can be written."""
    if out.suffix not in SUFFIXES:
        raise UserError(f"--out {out}: the name of an exported policy ends in {' or '.join(SUFFIXES)}")
    if out.suffix == ".onnx" and (missing := [name for name in ONNX if find_spec(name) is None]):
        raise UserError(f"--out {out} needs {', '.join(missing)}: pip install 's2robot[onnx]'")
    described = out.with_suffix(".json")
    for file in (out, described):
        if file.exists():
            raise UserError(f"{file} is there already: remove it, or choose another name for --out")
    if not out.absolute().parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {out.parent}")
    return described


def example(program: Program, seed: int = 0) -> dict[str, Tensor]:
    """Random inputs of a program, by name."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randint(0, 256, shape, generator=generator, dtype=dtype)
        if dtype == torch.uint8
        else torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        for name, (shape, dtype) in program.inputs.items()
    }


def check_same(found: Tensor, expected: Tensor) -> None:
    """Raise `UserError` if a program's actions are not those of the policy."""
    difference = float((found - expected).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(expected.abs().max())):  # also for NaN
        raise UserError(
            f"the exported program gives other actions than the policy: they differ by {difference:.2g}; "
            "nothing was written"
        )


def describe(program: Program, loaded: Checkpoint) -> dict[str, Any]:
    """What is to be known about a program, as plain data."""
    config, spec = loaded.policy.config, program.spec
    cameras = {camera.key for camera in spec.cameras.values()}

    def one(name: str) -> dict[str, Any]:
        shape, dtype = program.inputs[name]
        axes, meaning = "to d", "proprioception in the dataset's units"
        if name in cameras:
            axes, meaning = "to h w 3", "RGB frames in 0..255, in the orientation that the dataset stored"
        elif name == NOISE:
            axes, meaning = (
                "ta d",
                "standard normal numbers, new ones for each call; they decide what is drawn",
            )
        return {
            "name": name,
            "shape": list(shape),
            "dtype": str(dtype).removeprefix("torch."),
            "axes": axes,
            "meaning": meaning,
        }

    return {
        "format": FORMAT,
        "inputs": [one(name) for name in program.inputs],
        "outputs": [
            {
                "name": "actions",
                "shape": [config.horizon, spec.action_dim],
                "dtype": "float32",
                "axes": "ta da",
                "meaning": "actions from now on, in the dataset's units, as env.step takes them",
            }
        ],
        "obs_steps": config.read_steps,
        "history": "axis to: the last observations, one an environment step, the oldest first; the first "
        "observation of an episode is repeated to fill it",
        "action_steps": config.action_steps,
        "execution": "execute the first action_steps actions, then call it again",
        "device": "cpu",
        "policy": config.name,
        "acting": acting_options(loaded.policy),
        "encoder": loaded.encoders,
        "checkpoint": {"step": loaded.step, "sha256": loaded.sha256},
        "versions": {"s2robot": __version__, "torch": torch.__version__},
    }


def _write_onnx(exported: torch.export.ExportedProgram, inputs: Mapping[str, Tensor], file: Path) -> None:
    """Raises `UserError` where ONNX lacks an operator."""
    options: dict[str, Any] = {"dynamo": True, "verbose": False, "output_names": ["actions"]}
    try:
        program = torch.onnx.export(exported, (), input_names=list(inputs), **options)
    except torch.onnx.OnnxExporterError as error:
        raise UserError(f"this policy cannot be an ONNX file, export a .pt2: {error}") from error
    assert program is not None
    program.save(file)


def run_onnx(file: Path, inputs: Mapping[str, Tensor]) -> Tensor:
    """The actions that ONNX Runtime computes."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (actions,) = session.run(None, {name: values.numpy() for name, values in inputs.items()})
    return torch.from_numpy(actions)


def _acted(agent: Agent, inputs: Mapping[str, Tensor]) -> Tensor:
    """The policy's own actions for these inputs, as a rollout has them."""
    flips = {camera.key: camera.flips for camera in agent.policy.spec.cameras.values()}
    obs = {}
    for key in agent.obs_keys:
        axes = tuple(axis + 1 for axis in flips.get(key, ()))
        obs[key] = np.flip(inputs[key].numpy(), axes)[None].copy()
    chunks, _ = agent.act(obs, [None], [torch.Generator().manual_seed(0)])
    return torch.from_numpy(chunks[0])
