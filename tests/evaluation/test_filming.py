"""Failures are filmed after they are known, all filmed episodes are one video, decisions are timed."""

import json
from pathlib import Path

import pytest

from s2robot.errors import UserError
from s2robot.evaluation.episodes_file import read_episodes
from s2robot.evaluation.evaluation import evaluate
from s2robot.evaluation.options import Filming
from s2robot.evaluation.report import write_report
from s2robot.rollouts.video import frame_shape
from tests.evaluation.html_page import Page
from tests.rollouts.test_video import decode
from tests.rollouts.tiny_actor import TinyActor
from tests.rollouts.tiny_env import LAZY, SIZES

SEEDS = [11, 5, 8, 3, 7, 2]


def test_only_failures_are_filmed_and_outcomes_stay_what_they_were(tmp_path: Path) -> None:
    evaluate(TinyActor(), LAZY, {}, SEEDS, tmp_path / "plain", videos=0, workers=1)
    plain = {one.seed: one for one in read_episodes(tmp_path / "plain" / "episodes.jsonl")}
    lost = [seed for seed in plain if not plain[seed].success]
    assert 2 <= len(lost) < len(SEEDS)  # or the test says nothing

    run = tmp_path / "run"
    evaluate(TinyActor(), LAZY, {}, SEEDS, run / "eval" / "default", videos=0, failures=2, workers=1)

    found = read_episodes(run / "eval" / "default" / "episodes.jsonl")
    assert [(one.seed, one.success, one.steps) for one in found] == [
        (one.seed, one.success, one.steps) for one in plain.values()
    ]
    assert [one.seed for one in found if one.video] == lost[:2]
    page = Page(write_report(run).read_text())
    videos = [link.rpartition("/")[2] for link in page.links if link.endswith(".mp4")]
    assert videos == ["grid.mp4", *(f"seed_{seed}.mp4" for seed in lost[:2])]


def test_the_grid_has_every_filmed_episode_as_long_as_the_longest(tmp_path: Path) -> None:
    evaluate(TinyActor(), LAZY, {}, SEEDS, tmp_path, videos=3, workers=1)

    frames, meta = decode(tmp_path / "videos" / "grid.mp4")

    single = [decode(tmp_path / "videos" / f"seed_{seed}.mp4")[0] for seed in SEEDS[:3]]
    height, width, _ = frame_shape([(*size, 3) for size in SIZES.values()])
    tile = round(480 * height / width / 2) * 2
    assert meta["codec"] == "h264"
    assert frames.shape[1:] == (2 * tile, 2 * 480, 3)  # two columns, two rows
    assert len(frames) == max(map(len, single))
    assert frames[0, tile:, 480:].max() < 20  # the fourth place is empty


def test_one_video_needs_no_grid_and_a_new_evaluation_drops_the_old_one(tmp_path: Path) -> None:
    for videos in (2, 1):
        evaluate(TinyActor(), LAZY, {}, SEEDS[:2], tmp_path, videos=videos, workers=1, overwrite=True)
        assert (tmp_path / "videos" / "grid.mp4").exists() == (videos > 1)
    assert sorted(path.name for path in (tmp_path / "videos").iterdir()) == ["seed_11.json", "seed_11.mp4"]


def test_the_time_of_a_decision_is_in_the_summary(tmp_path: Path) -> None:
    summary = evaluate(TinyActor(), LAZY, {}, SEEDS[:2], tmp_path, videos=0, workers=1)

    assert summary.decision_ms is not None and summary.decision_ms > 0
    assert json.loads((tmp_path / "summary.json").read_text())["decision_ms"] == summary.decision_ms


@pytest.mark.parametrize(
    ("given", "filming"),
    [(0, Filming()), (9, Filming(first=9)), ("9", Filming(first=9)), ("failures:4", Filming(failures=4))],
)
def test_what_to_film_is_read(given: object, filming: Filming) -> None:
    assert Filming.read(given) == filming


@pytest.mark.parametrize(
    "given", [-1, 1.5, True, "all", "failures", "failures:", "failures:-1", "wins:3", None, [3]]
)
def test_anything_else_is_one_line(given: object) -> None:
    with pytest.raises(UserError, match="expected a number of episodes, or failures:NUMBER"):
        Filming.read(given)
