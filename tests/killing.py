"""A process that is killed at a chosen moment, for tests of what is left on the disk then."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest


class Killed(BaseException):
    """Nothing of the program catches it."""


def killed_at(
    moment: int,
    act: Callable[[], object],
    monkeypatch: pytest.MonkeyPatch,
    changes: Mapping[Any, Sequence[str]],
) -> bool:
    """Run `act`; the process is killed before its call number `moment` of `changes`: modules or classes with
    the names of their functions that change the disk. Returns whether it was."""
    calls = 0

    def dying(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == moment:
                raise Killed
            return function(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for owner, names in changes.items():
            for name in names:
                patch.setattr(owner, name, dying(getattr(owner, name)))
        try:
            act()
        except Killed:
            return True
    return False
