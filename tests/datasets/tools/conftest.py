"""Commands as they are typed, in this process."""

import json
from collections.abc import Callable

import pytest

from tests.commands.command_line import assert_one_line, status_here

Run = Callable[..., dict]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run_(*words: object) -> dict:
        assert status_here(monkeypatch, "s2robot", *map(str, words), "--json") == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return run_


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def refused_(*words: object, told: str) -> None:
        assert status_here(monkeypatch, "s2robot", *map(str, words)) == 2
        assert_one_line(capsys.readouterr().err, told)

    return refused_
