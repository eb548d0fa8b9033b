"""What is written beside an exported policy: its inputs and outputs, and how to call it."""

from typing import Any

import torch

from s2robot import __version__
from s2robot.deploy.program import ACTIONS, NEXT, NOISE, STATE, Program
from s2robot.policies.acting import acting_options
from s2robot.policies.remembering import RememberingPolicy
from s2robot.runs.checkpoint import Checkpoint

FORMAT = 1


def describe(program: Program, loaded: Checkpoint) -> dict[str, Any]:
    """What is to be known about a program, as plain data."""
    config, spec = loaded.policy.config, program.spec
    actions = {
        "name": ACTIONS,
        "shape": [config.horizon, spec.action_dim],
        "dtype": "float32",
        "axes": "ta da",
        "meaning": "actions from now on, in the dataset's units, as env.step takes them",
    }
    state = {name: NEXT + name for name in program.start}
    description = {
        "format": FORMAT,
        "inputs": [_tensor(program, name) for name in program.inputs],
        "outputs": [actions, *(_tensor(program, name) | {"name": output} for name, output in state.items())],
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
    if state:
        description["state"] = state
        description["episode"] = (
            "it begins with zeros in each input of state; later calls are given what the call before put out "
            "under the name beside the input"
        )
    return description


def _tensor(program: Program, name: str) -> dict[str, Any]:
    """An input."""
    shape, dtype = program.inputs[name]
    axes, meaning = _meaning(program, name)
    kind = str(dtype).removeprefix("torch.")
    return {"name": name, "shape": list(shape), "dtype": kind, "axes": axes, "meaning": meaning}


def _meaning(program: Program, name: str) -> tuple[str, str]:
    """An input's axes and what it is."""
    if name in {camera.key for camera in program.spec.cameras.values()}:
        return "to h w 3", "RGB frames in 0..255, in the orientation that the dataset stored"
    if name in program.start and isinstance(program.policy, RememberingPolicy):
        carried = program.policy.carries()[name.removeprefix(STATE)]
        return carried.axes, carried.meaning
    if name == NOISE:
        return "ta d", "standard normal numbers, new ones for each call; they decide what is drawn"
    return "to d", "proprioception in the dataset's units"
