"""A fixed share of a dataset's episodes, for one of several processes or machines that build together."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from s2robot.errors import UserError

ARRAY = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT")
# Number and count of a process, as what starts it says them: the first pair that is there counts.
VARIABLES = (
    ARRAY,
    ("RANK", "WORLD_SIZE"),  # torchrun
    ("SLURM_PROCID", "SLURM_NTASKS"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
)


@dataclass(frozen=True)
class Shard:
    """Number `number` of `count` shares, counted from 0."""

    number: int
    count: int

    @classmethod
    def of(cls, text: str, variables: Mapping[str, str] = os.environ) -> "Shard":
        """`I/N`, or what SLURM, torchrun or MPI say for "". Raises `UserError`."""
        if not text:
            text = _said(variables)
        if not re.fullmatch("[0-9]{1,9}/[0-9]{1,9}", text):
            raise UserError(f"--shard is I/N, e.g. 0/4 for the first of four, not {text!r}")
        number, count = map(int, text.split("/"))
        if number >= count:
            raise UserError(f"--shard {text}: I is 0 to N - 1, so 0 to {max(count - 1, 0)} here")
        return cls(number, count)

    @property
    def name(self) -> str:
        """A name for files."""
        return f"shard-{self.number}-of-{self.count}"

    def share(self, episodes: Sequence[int]) -> list[int]:
        """This shard's episodes: every one is in exactly one shard, whoever asks."""
        return list(episodes[self.number :: self.count])


def _said(variables: Mapping[str, str]) -> str:
    """I/N as SLURM, torchrun or MPI say it. Raises `UserError` where they do not, or not for 0 to N - 1."""
    found = [pair for pair in VARIABLES if all(name in variables for name in pair)]
    if not found:
        half = [name for pair in VARIABLES for name in pair if name in variables]
        raise UserError(
            "--shard without I/N takes the variables of SLURM, torchrun or MPI, and "
            f"{'only ' + half[0] if half else 'none'} is set: give the share, e.g. --shard 0/4"
        )
    number, count = (variables[name] for name in found[0])
    first, last = variables.get("SLURM_ARRAY_TASK_MIN", "0"), variables.get("SLURM_ARRAY_TASK_MAX")
    if found[0] == ARRAY and (first != "0" or last not in (None, _before(count))):
        raise UserError(
            f"--shard without I/N needs an array of tasks 0 to N - 1, and this one of {count} is another: "
            f"give the share of the whole array, e.g. --shard {number}/16 for --array=0-15"
        )
    return f"{number}/{count}"


def _before(count: str) -> str:
    """The number before this one, as text."""
    return str(int(count) - 1) if count.isdecimal() else ""
