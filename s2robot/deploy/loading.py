"""`s2robot.load_policy`: from a run folder or a checkpoint to a policy that acts."""

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from s2robot import plugins as plugin_modules
from s2robot.deploy.loaded import LoadedPolicy
from s2robot.device import choose_device
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.options import EncoderConfig
from s2robot.errors import UserError
from s2robot.rollouts.trained import make_actor, proprio_ranges, set_acting, verified_encoders
from s2robot.runs import checkpoint


def load_policy(
    path: str | Path,
    device: str | torch.device | None = None,
    *,
    temporal_ensemble: float | None = None,
    backend: str = EncoderConfig.backend,
    weights: str | None = None,
    max_tiles: int | None = None,
    seed: int = 0,
    plugins: Sequence[str] = (),
    acting: Mapping[str, Any] | None = None,
) -> LoadedPolicy:
    """The policy of a checkpoint, or of a run's last one, with its encoders: observations in, actions out.

        policy = s2robot.load_policy("runs/demo")
        action = policy.act({"agentview_image": frame, "robot0_eef_pos": position, ...})

    `device` is the GPU where there is one unless given. `acting` are the options that an evaluation may set,
    such as `{"action_steps": 2}`; `temporal_ensemble` is ACT's m. `backend`, `weights` and `max_tiles` are
    those of `s2robot eval`. `seed` is that of the first episode's noise. `plugins` are modules that register
    what the policy is made of. Needs no simulator.

    Raises `UserError` in one line for a path without a checkpoint, a damaged one, encoders that give other
    features here than in training, and options that do not fit.
    """
    _check(path, plugins, acting)
    plugin_modules.load(plugins)
    keep_freed_memory()
    chosen = choose_device("auto" if device is None else str(device))
    loaded = checkpoint.load(path)
    set_acting(loaded.policy, acting or {}, temporal_ensemble)
    encoders = verified_encoders(loaded, chosen, backend, weights, max_tiles)
    ranges = proprio_ranges(loaded.policy)
    actor = make_actor(loaded.policy, encoders, chosen, temporal_ensemble)
    return LoadedPolicy(actor, loaded.policy.spec, seed, ranges)


def _check(path: object, plugins: object, acting: object) -> None:
    """Raise `UserError` in one line for arguments of another type."""
    if not isinstance(path, str | PathLike):
        raise UserError(f"path={_short(path)} must be the path of a run or of a checkpoint")
    names = plugins if isinstance(plugins, Sequence) and not isinstance(plugins, str) else [None]
    if not all(isinstance(name, str) for name in names):
        raise UserError(f"plugins={_short(plugins)} must be a list of modules, such as ['my_module']")
    if acting is not None and not isinstance(acting, Mapping):
        raise UserError(f"acting={_short(acting)} must be names with values, such as {{'action_steps': 2}}")


def _short(value: object) -> str:
    return " ".join(repr(value)[:60].split())
