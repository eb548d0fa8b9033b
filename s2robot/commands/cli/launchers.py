"""What runs the jobs of a sweep: `hydra/launcher=joblib`, `ray`, `submitit_slurm`, `submitit_local`."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.override_parser.types import Override

from s2robot.errors import UserError, unknown_name

GROUP = "hydra/launcher"


@dataclass(frozen=True)
class Launcher:
    """Where jobs run, and what is needed for it."""

    extra: str = ""  # of this project, that installs it
    modules: tuple[str, ...] = ()
    batch_system: bool = False  # keeps files of its own: the jobs' output
    elsewhere: bool = False  # jobs may run on another machine, which shares the folder of the command


SLURM = ("slurm", ("submitit", "hydra_plugins.hydra_submitit_launcher"), True)
LAUNCHERS = {
    "basic": Launcher(),
    "joblib": Launcher("joblib", ("joblib", "hydra_plugins.hydra_joblib_launcher")),
    "ray": Launcher("ray", ("ray",), elsewhere=True),
    "submitit_local": Launcher(*SLURM),
    "submitit_slurm": Launcher(*SLURM, elsewhere=True),
}


def chosen_launcher(parsed: Sequence[Override], sweep: bool) -> str:
    """The name of the launcher that a command line names, `basic` (one job after the other) if none.

    Raises `UserError` for one that is unknown or not installed, and where there is no sweep.
    """
    named = [str(one.value()) for one in parsed if one.key_or_group == GROUP]
    if not named:
        return "basic"
    name = named[-1]
    if name not in LAUNCHERS:
        raise unknown_name("launcher", name, LAUNCHERS)
    if not sweep:
        raise UserError(f"{GROUP}={name} runs the jobs of a sweep: add -m")
    launcher = LAUNCHERS[name]
    if missing := [module for module in launcher.modules if not _is_there(module)]:
        told = f"{GROUP}={name} needs {missing[0].rpartition('.')[2]}, which is not installed"
        raise UserError(f"{told}: pip install 's2robot[{launcher.extra}]'")
    return name


def _is_there(module: str) -> bool:
    package = module.rpartition(".")[0]
    return (not package or _is_there(package)) and importlib.util.find_spec(module) is not None
