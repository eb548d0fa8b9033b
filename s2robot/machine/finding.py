"""What a check says: well, slower than it could be, or broken, and the command that mends it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`what` was looked at, `details` are what was found; `mend` is empty where nothing is to be done.

    `ok` is false where something that every user needs does not work. A finding that is ok and has a `mend`
    is a remark: all works, but something is slow, or only a part of the users needs it.
    """

    what: str
    details: str
    mend: str = ""
    ok: bool = True

    def __str__(self) -> str:
        mark = "MISSING" if not self.ok else "note   " if self.mend else "ok     "
        return f"{mark} {self.what:<10} {self.details}" + (f"; {self.mend}" if self.mend else "")
