"""`s2robot generalise`: an evaluation for each shift, on the same seeds, beside the training's scene."""

import json
from pathlib import Path

import pytest

from s2robot.evaluation.shifts import NONE, SHIFTS, shifted, table
from s2robot.rollouts.results import EpisodeResult
from tests.commands.command_line import assert_one_line, status_here


def test_shifts_are_evaluated_on_the_same_seeds(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["generalise", f"{trained}/checkpoints/last", "--episodes", "1", "--shifts", "light"]
    assert status_here(monkeypatch, "s2robot", *words, "workers=1", "video=0", "--json") == 0
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [(row["shift"], row["episodes"]) for row in rows] == [(NONE, 1), ("light", 1)]
    plans = [
        json.loads((trained / "eval" / f"shift_{shift}" / "seeds.json").read_text())
        for shift in (NONE, "light")
    ]
    assert plans[0]["seeds"] == plans[1]["seeds"]
    assert plans[1]["env_kwargs"] == {**plans[0]["env_kwargs"], "vary_scene": ["light"]}


def test_the_table_compares_each_shift_with_the_scene_of_training() -> None:
    def episodes(solved: int) -> list[EpisodeResult]:
        return [EpisodeResult(seed, seed < solved, 9, 0.0, 0.1) for seed in range(20)]

    rows = shifted({NONE: episodes(18), "camera": episodes(5)})
    assert rows[0].comparison is None and rows[1].comparison is not None
    assert rows[1].comparison.difference == pytest.approx(-0.65)
    lines = table(rows)
    assert (
        lines[0].startswith("none ") and "-65.0 points" in lines[1] and lines[1].endswith(SHIFTS["camera"][0])
    )


def test_an_unknown_shift_is_one_line(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["generalise", f"{trained}/checkpoints/last", "--shifts", "lite"]
    assert status_here(monkeypatch, "s2robot", *words) == 2
    assert_one_line(capfd.readouterr().err, "unknown shift 'lite'; did you mean 'light'?")
