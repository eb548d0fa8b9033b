"""What is wrong or unusual in a dataset, said in one line and as data."""

from collections.abc import Sequence
from dataclasses import dataclass

from s2robot.errors import UserError, number_of


@dataclass(frozen=True)
class Problem:
    """One fault: what was found and expected, and where."""

    problem: str
    file: str
    episode: str = ""
    key: str = ""

    def __str__(self) -> str:
        where = ", ".join(word for word in (self.episode, self.key) if word)
        return f"{self.file}: {where + ': ' if where else ''}{self.problem}"


def told_by(error: UserError, file: object, episode: str, key: str) -> Problem:
    """The fault that an error of reading tells, whose text may begin with the place."""
    text = str(error)
    for place in (f"{file}: ", f"{file} ", f"{episode}, {key}: ", f"{key}, "):
        text = text.removeprefix(place)
    return Problem(text, str(file), episode, key)


def counted(same: Sequence[Problem]) -> Problem:
    """Of the same fault of several episodes the first, with the number of the others."""
    first = same[0]
    more = f" (and {number_of(len(same) - 1, 'more episode')})" if len(same) > 1 else ""
    return Problem(first.problem + more, first.file, first.episode, first.key)


def refuse(errors: Sequence[Problem]) -> None:
    """Raise `UserError` with the first of the errors and the number of the others, if there are any."""
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise UserError(f"{errors[0]}{more}")
