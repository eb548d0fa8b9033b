"""The jobs of a sweep (`-m`): each is named before it runs, and one that fails does not end the others."""

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from tempfile import TemporaryDirectory

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.types import RunMode

from s2robot.commands.cli.console import BAD_INPUT, one_line_errors

DEFECT = 1  # exit status
OF_HYDRA = ("hydra.sweep.dir=", "hydra.sweep.subdir=", "hydra.job.chdir=", "${hydra:sweep", "${hydra:runtime")


def in_sweep() -> bool:
    """Whether Hydra is running one of several jobs."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


class Sweep:
    """What is known of the jobs of a command line, and how they ended."""

    def __init__(self, parsed: Sequence[Override]) -> None:
        varied = [one for one in parsed if one.is_sweep_override()]
        self._keys = {one.get_key_element() for one in varied}
        self._count = prod(len(list(one.sweep_string_iterator())) for one in varied)
        self._failed: list[str] = []
        self._status = BAD_INPUT

    @contextmanager
    def job(self) -> Iterator[None]:
        """Run a job inside; a mistake or defect is told and remembered, a signal ends the whole sweep."""
        number, typed = HydraConfig.get().job.num + 1, HydraConfig.get().overrides.task
        varied = " ".join(text for text in typed if text.partition("=")[0] in self._keys)
        of = f" of {self._count}" if number <= self._count else ""  # more where a YAML file varies options
        title = f"job {number}{of}: {varied or ' '.join(typed)}"
        print(f"\n{title}", flush=True)
        try:
            with one_line_errors():
                yield
        except SystemExit as exit_:
            if exit_.code != BAD_INPUT:
                raise
            self._failed.append(title)
        except Exception:
            traceback.print_exc()
            self._status = DEFECT
            self._failed.append(title)

    def conclude(self) -> None:
        """Exit with the jobs that failed, if there are any."""
        if self._failed:
            print(f"error: {len(self._failed)} jobs failed: {'; '.join(self._failed)}", file=sys.stderr)
            sys.exit(self._status)


@contextmanager
def folder_of_hydra(text: str) -> Iterator[list[str]]:
    """The overrides that say where Hydra keeps what it writes of a sweep itself.

    That is a folder which is deleted, because what is to be kept is in the run folders. Only where `text`
    (all that was typed or chosen) names Hydra's folders they are where Hydra has them: in `multirun/`.
    """
    if any(name in text for name in OF_HYDRA):
        yield []
        return
    with TemporaryDirectory(prefix="s2robot-sweep-") as scratch:
        yield [f"hydra.sweep.dir={scratch}"]


def where_typed(run_dir: str) -> str:
    """Go back to the folder where the command was typed; `run_dir` as seen from there.

    With `hydra.job.chdir=true` Hydra has changed into the job's folder: what a job writes belongs there, and
    what it reads is where the user said.
    """
    typed = HydraConfig.get().runtime.cwd
    if os.path.samefile(typed, os.getcwd()):
        return run_dir
    written = os.path.abspath(run_dir)
    os.chdir(typed)
    return written
