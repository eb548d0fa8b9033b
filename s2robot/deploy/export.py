"""A policy as one file that runs with PyTorch alone, and its description beside it.

policy.pt2     `torch.export.load("policy.pt2").module()(*inputs)`, see `s2robot.deploy.program`
policy.json    inputs and outputs in their order, how often to call it, what it was made from; of policy.onnx
               it is policy.onnx.json
"""

import json
import logging
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2robot.deploy.description import describe
from s2robot.deploy.program import Program
from s2robot.errors import UserError
from s2robot.files import replacing, write_text
from s2robot.rollouts.agent import Agent
from s2robot.rollouts.trained import set_acting, verified_encoders
from s2robot.runs import checkpoint

SUFFIXES = (".pt2", ".onnx")
TOLERANCE = 1e-4  # of the largest action, or of 1
CHECKED = 3  # decisions of one episode
CPU = torch.device("cpu")
Tensors = dict[str, Tensor]
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
    agent = Agent(loaded.policy, encoders, CPU)
    exported = traced(program)
    with torch.no_grad():
        check_same(program, agent, lambda given: _tuple(exported.module()(*given.values())))
    description = describe(program, loaded)
    try:
        with replacing(out) as scratch:
            if out.suffix == ".onnx":
                _write_onnx(exported, program, scratch)
                check_same(program, agent, partial(run_onnx, scratch))
            else:
                with scratch.open("wb") as file:  # by its name it would want another suffix
                    torch.export.save(exported, file)
        write_text(described, json.dumps(description, indent=2) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror or error}") from error
    return description


def traced(program: Program) -> torch.export.ExportedProgram:
    """The program of `torch.export`, for inputs as `example` makes them."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The tensor attributes .*_flat_weights", UserWarning)  # of RNNs
        return torch.export.export(program, tuple(example(program).values()))


def description_of(out: Path) -> Path:
    """`policy.json` of `policy.pt2`, `policy.onnx.json` of `policy.onnx`: both fit into one folder."""
    return out.with_suffix(".json" if out.suffix == ".pt2" else f"{out.suffix}.json")


def check_out(out: Path) -> Path:
    """The description's file of an export to `out`. Raises `UserError` unless both can be written."""
    if out.suffix not in SUFFIXES:
        raise UserError(f"--out {out}: the name of an exported policy ends in {' or '.join(SUFFIXES)}")
    if out.suffix == ".onnx" and (missing := [name for name in ONNX if find_spec(name) is None]):
        raise UserError(f"--out {out} needs {', '.join(missing)}: pip install 's2robot[onnx]'")
    described = description_of(out)
    for file in (out, described):
        if file.exists():
            raise UserError(f"{file} is there already: remove it, or choose another name for --out")
    if not out.absolute().parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {out.parent}")
    return described


def example(program: Program, seed: int = 0) -> Tensors:
    """Random inputs of a program, by name; those of the state begin an episode."""
    generator = torch.Generator().manual_seed(seed)
    inputs = {
        name: torch.randint(0, 256, shape, generator=generator, dtype=dtype)
        if dtype == torch.uint8
        else torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        for name, (shape, dtype) in program.inputs.items()
    }
    return inputs | program.start


def check_same(program: Program, agent: Agent, run: Callable[[Tensors], tuple[Tensor, ...]]) -> None:
    """Raise `UserError` if `run` gives other outputs than a rollout's agent in the first decisions."""
    state, carried = None, program.start
    for seed in range(CHECKED if carried else 1):
        inputs = example(program, seed) | carried
        found, *after = run(inputs)
        expected, state = _acted(agent, inputs, state, seed)
        difference = float((found - expected).abs().max())
        if not difference <= TOLERANCE * max(1.0, float(expected.abs().max())):  # also for NaN
            raise UserError(
                f"the exported program gives other actions than the policy: they differ by {difference:.2g}; "
                "nothing was written"
            )
        carried = dict(zip(carried, after, strict=True))


def _write_onnx(exported: torch.export.ExportedProgram, program: Program, file: Path) -> None:
    """Raises `UserError` where ONNX lacks an operator."""
    logging.getLogger("onnxscript").setLevel(logging.ERROR)  # it names every operator that it leaves as it is
    names: dict[str, Any] = {"input_names": list(program.inputs), "output_names": list(program.outputs)}
    try:
        written = torch.onnx.export(exported, (), dynamo=True, verbose=False, **names)
    except torch.onnx.OnnxExporterError as error:
        raise UserError(f"this policy cannot be an ONNX file, export a .pt2: {error}") from error
    assert written is not None
    written.save(file)


def run_onnx(file: Path, inputs: Tensors) -> tuple[Tensor, ...]:
    """The outputs that ONNX Runtime computes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; below are operators that were not simplified
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    outputs = session.run(None, {name: values.numpy() for name, values in inputs.items()})
    return tuple(torch.from_numpy(values) for values in outputs)


def _acted(agent: Agent, inputs: Tensors, state: Any, seed: int) -> tuple[Tensor, Any]:
    """A rollout's actions for these inputs, and its state when they are executed."""
    flips = {camera.key: camera.flips for camera in agent.policy.spec.cameras.values()}
    obs = {}
    for key in agent.obs_keys:
        axes = tuple(axis + 1 for axis in flips.get(key, ()))
        obs[key] = np.flip(inputs[key].numpy(), axes)[None].copy()
    (chunk,), (after,) = agent.act(obs, [state], [torch.Generator().manual_seed(seed)])
    return torch.from_numpy(chunk), agent.executed(after, chunk[: agent.action_steps])


def _tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)
