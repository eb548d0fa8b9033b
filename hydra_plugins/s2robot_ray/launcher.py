"""The launcher, and its options: `hydra.launcher.address=auto`, `hydra.launcher.num_gpus=0.5`."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from omegaconf import open_dict


@dataclass
class RayLauncherConf:
    """What a job takes; as many run at once as the cluster has room for."""

    _target_: str = "hydra_plugins.s2robot_ray.launcher.RayLauncher"
    address: str | None = None  # of the cluster: auto, ray://HOST:PORT; null: one on this machine alone
    num_cpus: float = 1
    num_gpus: float | None = None  # null: one where the cluster has any


class RayLauncher(Launcher):
    """Every job is a task that is run once: one that fails says so itself."""

    def __init__(self, address: str | None, num_cpus: float, num_gpus: float | None) -> None:
        self.address, self.num_cpus, self.num_gpus = address, num_cpus, num_gpus

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        self.job = (hydra_context, task_function, config)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from s2robot.cluster.connection import connected

        with connected(self.address) as ray:
            gpus = (
                float(ray.cluster_resources().get("GPU", 0) >= 1) if self.num_gpus is None else self.num_gpus
            )
            _check_room(ray, self.num_cpus, gpus, self.address or os.environ.get("RAY_ADDRESS"))
            task = ray.remote(num_cpus=self.num_cpus, num_gpus=gpus, max_retries=0)(_run)
            state, jobs = Singleton.get_state(), enumerate(job_overrides, initial_job_idx)
            return [_result(ray, one) for one in [task.remote(*job, self.job, state) for job in jobs]]


def _check_room(ray: Any, cpus: float, gpus: float, address: str | None) -> None:
    """Raise `UserError` where no node of this machine's cluster can hold a job; another one may grow."""
    from s2robot.errors import UserError

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        return
    told = (
        f"no node of the cluster has the {cpus:g} CPUs and {gpus:g} GPUs that a job takes: "
        "lower hydra.launcher.num_cpus or hydra.launcher.num_gpus"
    )
    if address is None:
        raise UserError(told)
    print(f"warning: {told}, or wait for such a node", file=sys.stderr, flush=True)


def _result(ray: Any, reference: Any) -> JobReturn:
    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:  # its process died: the sweep knows which job has not ended
        print(f"warning: a job was lost: {str(error).strip().splitlines()[0]}")
        return JobReturn()


def _run(number: int, overrides: Sequence[str], job: tuple[Any, Any, Any], state: Any) -> JobReturn:
    hydra_context, task_function, config = job
    os.chdir(config.hydra.runtime.cwd)
    setup_globals()
    Singleton.set_state(state)
    sweep_config = hydra_context.config_loader.load_sweep_config(config, list(overrides))
    with open_dict(sweep_config):
        sweep_config.hydra.job.id, sweep_config.hydra.job.num = f"{config.hydra.job.name}_{number}", number
    HydraConfig.instance().set_config(sweep_config)
    return run_job(task_function, sweep_config, "hydra.sweep.dir", "hydra.sweep.subdir", hydra_context)


ConfigStore.instance().store(group="hydra/launcher", name="ray", node=RayLauncherConf, provider="s2robot")
