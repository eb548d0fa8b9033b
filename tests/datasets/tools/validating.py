"""The command `s2robot validate` as its tests call it."""

import json
from pathlib import Path

import pytest

from tests.commands.command_line import status_here


def validate(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    path: Path,
    *words: str,
    status: int = 0,
) -> tuple[list, list]:
    assert status_here(monkeypatch, "s2robot", "validate", str(path), *words, "--json") == status
    found = json.loads(capsys.readouterr().out)
    for problem in found["errors"] + found["warnings"]:
        assert problem.keys() == {"file", "episode", "key", "problem"}
    return found["errors"], found["warnings"]


def said(problems: list[dict], episode: str, key: str) -> str:
    return "; ".join(one["problem"] for one in problems if (one["episode"], one["key"]) == (episode, key))
