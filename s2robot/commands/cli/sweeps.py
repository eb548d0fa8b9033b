"""The jobs of a sweep (`-m`): each is named before it runs, and one that fails does not end the others."""

import json
import os
import socket
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.types import RunMode

from s2robot.commands.cli.console import BAD_INPUT, one_line_errors
from s2robot.commands.cli.launchers import LAUNCHERS
from s2robot.errors import UserError, number_of
from s2robot.files import write_text

DEFECT, LOST = 1, -1  # exit status
OF_HYDRA = ("hydra.sweep.dir=", "hydra.sweep.subdir=", "hydra.job.chdir=", "${hydra:sweep", "${hydra:runtime")


def in_sweep() -> bool:
    """Whether Hydra is running one of several jobs."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def words_of_job(run_dir: str) -> list[str]:
    """The words that train into `run_dir` once more: those typed, of a sweep those of the one job."""
    if not in_sweep():
        return sys.argv[1:]
    of_hydra = HydraConfig.get()
    sources = [one for one in of_hydra.runtime.config_sources if one.provider == "command-line"]
    flags = [word for one in sources for word in ("--config-dir", one.path)]
    options = [word for word in of_hydra.overrides.task if word.partition("=")[0] != "run_dir"]
    return [*flags, *options, f"run_dir={run_dir}"]


class Sweep:
    """What is known of the jobs of a command line, and how they ended.

    Jobs may run in other processes and on other machines: each writes how it ended into a
    file of the folder `outcomes`.
    """

    def __init__(self, parsed: Sequence[Override], launcher: str, outcomes: Path) -> None:
        varied = [one for one in parsed if one.is_sweep_override()]
        self._keys = {one.get_key_element() for one in varied}
        self._count = prod(len(list(one.sweep_string_iterator())) for one in varied)
        self._launcher, self._outcomes, self._here = launcher, outcomes, _process()

    @contextmanager
    def job(self) -> Iterator[None]:
        """Run a job inside; a mistake or defect is told and remembered.

        A signal ends the whole sweep where its jobs are run by this process, else the one job.
        """
        number, typed = HydraConfig.get().job.num, HydraConfig.get().overrides.task
        varied = " ".join(text for text in typed if text.partition("=")[0] in self._keys)
        of = f" of {self._count}" if number < self._count else ""  # more where a YAML file varies options
        title = f"job {number + 1}{of}: {varied or ' '.join(typed)}"
        print(f"\n{title}", flush=True)
        here, outcome = _process() == self._here, Outcome(title)
        self._write(number, outcome)
        outcome.said = ""
        try:
            with one_line_errors():
                try:
                    yield
                except UserError as error:
                    outcome.said = "" if here else f" ({error})"
                    raise
            outcome.status = 0
        except SystemExit as exit_:
            outcome.status = exit_.code if isinstance(exit_.code, int) else DEFECT
            if here and exit_.code != BAD_INPUT:
                raise
        except Exception:
            traceback.print_exc()
            outcome.status = DEFECT
        finally:
            self._write(number, outcome)

    def conclude(self) -> None:
        """Exit with the jobs that failed, if there are any; say that all ended where they ran elsewhere."""
        found = [Outcome(**json.loads(file.read_text())) for file in sorted(self._outcomes.glob("*.json"))]
        failed = [one for one in found if one.status]
        titles = [one.title + one.said for one in failed]
        if self._launcher != "basic" and (never := self._count - len(found)) > 0:
            titles.append(f"{never} never started")
        if titles:
            print(f"error: {number_of(len(titles), 'job')} failed: {'; '.join(titles)}", file=sys.stderr)
            sys.exit(BAD_INPUT if {one.status for one in failed} == {BAD_INPUT} else DEFECT)
        if self._launcher != "basic":
            print(f"{number_of(len(found), 'job')} finished")

    def _write(self, number: int, outcome: "Outcome") -> None:
        write_text(self._outcomes / f"{number:09}.json", json.dumps(asdict(outcome)))


@dataclass
class Outcome:
    """How a job ended."""

    title: str
    status: int = LOST  # its exit status; LOST until it has ended
    said: str = " (its process was killed)"


def _process() -> tuple[str, int]:
    return socket.gethostname(), os.getpid()


@contextmanager
def folders(text: str, launcher: str) -> Iterator[tuple[Path, list[str]]]:
    """A folder for what jobs leave, and the overrides that say where Hydra keeps what it writes of a sweep.

    Both are deleted, because what is to be kept is in the run folders. Only where `text` (all that was typed
    or chosen) names Hydra's folders, and for a batch system, Hydra's is `multirun/`, as it has it.
    """
    where = LAUNCHERS[launcher]
    with TemporaryDirectory(prefix=".s2robot-sweep-", dir=Path.cwd() if where.elsewhere else None) as scratch:
        if where.batch_system or any(name in text for name in OF_HYDRA):
            yield Path(scratch), []
        else:
            yield Path(scratch), [f"hydra.sweep.dir={scratch}"]


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
