import json
import os
from collections.abc import Generator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from s2robot.errors import UserError
from s2robot.evaluation.episodes_file import read_episodes
from s2robot.evaluation.evaluation import evaluate
from s2robot.evaluation.seeds import evaluation_seeds
from s2robot.evaluation.success_rate import wilson_interval
from s2robot.rollouts.results import EpisodeResult
from tests.rollouts.tiny_actor import TinyActor
from tests.rollouts.tiny_env import LAZY

SEEDS = [11, 5, 8, 3, 7]


@pytest.mark.parametrize(
    ("successes", "episodes", "interval"),
    [
        # Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17
        # (1998), table I, method 3
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson_interval_of_a_published_table(successes: Any, episodes: Any, interval: Any) -> None:
    assert wilson_interval(successes, episodes) == pytest.approx(interval, abs=5e-5)


def test_wilson_interval_solves_the_score_equation() -> None:
    z, n = 1.959963984540054, 50  # the ends are where |rate - p| is z standard errors of p

    for end in wilson_interval(37, n):
        assert (37 / n - end) ** 2 == pytest.approx(z**2 * end * (1 - end) / n)


def test_wilson_interval_at_the_ends_and_beyond() -> None:
    assert wilson_interval(20, 20)[1] == 1.0
    for successes, episodes in ((0, 0), (3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="no success rate"):
            wilson_interval(successes, episodes)


def test_seeds_are_disjoint_from_training() -> None:
    assert evaluation_seeds(3, training={0, 1, 99_999}) == [100_000, 100_001, 100_002]
    with pytest.raises(UserError, match=r"2 evaluation seeds were trained on .*100001.* above 100005"):
        evaluation_seeds(4, training=[100_005, 100_001, 100_003])


def test_an_evaluation_folder(tmp_path: Path) -> None:
    summary = evaluate(TinyActor(), LAZY, {}, SEEDS, tmp_path, videos=2, workers=2)

    lines = [json.loads(line) for line in (tmp_path / "episodes.jsonl").read_text().splitlines()]
    assert {frozenset(line) for line in lines} == {
        frozenset({"seed", "success", "steps", "return", "wall_s", "video"})
    }
    assert sorted(line["seed"] for line in lines) == sorted(SEEDS)
    videos = {line["seed"]: line["video"] for line in lines}
    assert videos == {11: "videos/seed_11.mp4", 5: "videos/seed_5.mp4", 8: None, 3: None, 7: None}
    for line in lines:
        if line["video"]:
            frames, _ = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / line["video"]))
            assert frames == 1 + line["steps"] + 5

    successes = sum(line["success"] for line in lines)
    assert 0 < successes < 5
    written = json.loads((tmp_path / "summary.json").read_text())
    assert written == json.loads(json.dumps(asdict(summary)))
    assert (written["episodes"], written["successes"]) == (5, successes)
    assert written["success_rate"] == successes / 5
    assert written["ci95"] == list(wilson_interval(successes, 5))
    assert json.loads((tmp_path / "seeds.json").read_text())["seeds"] == SEEDS
    assert list(tmp_path.rglob("*.part*")) == []


class Interrupted(TinyActor):
    """Acts until one episode is finished and then some."""

    def act(self, obs: Any, states: Any, generators: Any) -> Any:
        if len(self.seen) == 12:
            raise KeyboardInterrupt
        return super().act(obs, states, generators)


def interrupted(out_dir: Path, kwargs: dict, identity: dict | None) -> dict[int, dict[str, Any]]:
    """Interrupt an evaluation; the lines it left, by seed, marked so that a new run would not write them."""
    with pytest.raises(KeyboardInterrupt):
        evaluate(Interrupted(), LAZY, kwargs, SEEDS, out_dir, workers=1, videos=3, identity=identity)
    path = out_dir / "episodes.jsonl"
    lines = [json.loads(line) | {"wall_s": 1234.5} for line in path.read_text().splitlines()]
    assert 0 < len(lines) < len(SEEDS)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"seed": 7, "succ')
    return {line["seed"]: line for line in lines}


def test_an_interrupted_evaluation_is_carried_on(tmp_path: Path) -> None:
    expected = evaluate(TinyActor(), LAZY, {}, SEEDS, tmp_path / "whole", workers=2)
    kept = interrupted(tmp_path / "halves", {}, {"weights": "abc"})

    summary = evaluate(
        TinyActor(), LAZY, {}, SEEDS, tmp_path / "halves", workers=2, videos=3, identity={"weights": "abc"}
    )

    episodes = read_episodes(tmp_path / "halves" / "episodes.jsonl")
    assert sorted(episode.seed for episode in episodes) == sorted(SEEDS)
    assert {episode.seed for episode in episodes if episode.wall_s == 1234.5} == set(kept)
    assert summary.ci95 == expected.ci95
    assert len(list((tmp_path / "halves" / "videos").glob("seed_*.mp4"))) == 3


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (({}, {"weights": "abc"}), ({}, {"weights": "xyz"}), "identity.weights was 'abc' and is 'xyz'"),
        (
            ({}, {"weights": "abc"}),
            ({"once": "x"}, {"weights": "abc"}),
            "env_kwargs.once was None and is 'x'",
        ),
        (({}, None), ({}, None), "who acts is not known"),
    ],
)
def test_another_evaluation_is_refused_or_overwritten(
    tmp_path: Path, before: Any, after: Any, told: str
) -> None:
    interrupted(tmp_path, *before)
    options: Any = {"workers": 2, "videos": 0, "identity": after[1]}
    there = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}

    with pytest.raises(UserError, match=r"holds another evaluation .*overwrite=true") as error:
        evaluate(TinyActor(), LAZY, after[0], SEEDS, tmp_path, **options)
    assert told in str(error.value)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == there

    evaluate(TinyActor(), LAZY, after[0], SEEDS, tmp_path, overwrite=True, **options)

    episodes = read_episodes(tmp_path / "episodes.jsonl")
    assert sorted(episode.seed for episode in episodes) == sorted(SEEDS)
    assert all(episode.wall_s != 1234.5 for episode in episodes)
    assert list(tmp_path.glob("videos/*")) == []


class Idle(TinyActor):
    """Never gets to act."""

    def act(self, obs: Any, states: Any, generators: Any) -> Any:
        raise AssertionError("no episode was to be run")


def test_of_a_finished_evaluation_the_summary_is_returned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = evaluate(TinyActor(), LAZY, {}, [1, 2], tmp_path, workers=2, videos=1, identity={})
    written = (tmp_path / "summary.json").read_bytes()

    assert evaluate(Idle(), LAZY, {}, [1, 2], tmp_path, workers=2, videos=1, identity={}) == first
    assert "finished before, 1 episodes are filmed" in capsys.readouterr().out
    assert (tmp_path / "summary.json").read_bytes() == written


def test_the_earlier_evaluation_is_back_when_its_replacement_has_no_episode(tmp_path: Path) -> None:
    evaluate(TinyActor(), LAZY, {}, [1, 2], tmp_path, workers=2, videos=1, identity={})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    with pytest.raises(AssertionError, match="no episode was to be run"):
        evaluate(Idle(), LAZY, {}, SEEDS, tmp_path, workers=1, identity={}, overwrite=True)

    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_only_planned_seeds_count_and_each_once(tmp_path: Path) -> None:
    kept = interrupted(tmp_path, {}, {})
    lines = [json.dumps(line) + "\n" for line in kept.values()]
    foreign = json.dumps({**next(iter(kept.values())), "seed": 999}) + "\n"
    (tmp_path / "episodes.jsonl").write_text("".join([foreign, *lines, *lines]))

    summary = evaluate(TinyActor(), LAZY, {}, SEEDS, tmp_path, workers=2, videos=0, identity={})

    seeds = [episode.seed for episode in read_episodes(tmp_path / "episodes.jsonl")]
    assert sorted(seeds) == sorted(SEEDS)
    assert summary.episodes == len(SEEDS)


class Starting(TinyActor):
    """Starts a second evaluation in the same folder while it acts."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def act(self, obs: Any, states: Any, generators: Any) -> Any:
        with pytest.raises(UserError, match=rf"is being written by process {os.getpid()} on "):
            evaluate(TinyActor(), LAZY, {}, SEEDS, self.folder, workers=1, identity={}, overwrite=True)
        return super().act(obs, states, generators)


def test_two_evaluations_in_one_folder(tmp_path: Path) -> None:
    summary = evaluate(Starting(tmp_path), LAZY, {}, SEEDS, tmp_path, workers=1, videos=0, identity={})
    assert summary.episodes == len(SEEDS)


def test_somebodys_own_videos_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "seed_3.mp4").write_text("mine")

    with pytest.raises(UserError, match="videos is not of an evaluation; nothing was changed"):
        evaluate(TinyActor(), LAZY, {}, SEEDS, tmp_path, workers=1, identity={}, overwrite=True)

    assert (tmp_path / "videos" / "seed_3.mp4").read_text() == "mine"


def test_no_seeds(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least one episode"):
        evaluate(TinyActor(), LAZY, {}, [], tmp_path)


def test_progress_shows_the_running_success_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = evaluate(TinyActor(), LAZY, {}, SEEDS, tmp_path, workers=2, videos=0)

    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("evaluate: 5/5")
    assert line.endswith(f"{summary.successes} of 5 succeeded")


class Unreachable:
    """A `Player` whose simulators cannot be reached, such as those of a cluster that is gone."""

    decision_ms: float | None = None

    def play(self, seeds: Sequence[int], record: int) -> Generator[EpisodeResult, None, None]:
        raise UserError("the simulators cannot be reached")


def test_what_plays_is_asked_only_when_there_is_something_to_play(tmp_path: Path) -> None:
    """Before that a taken folder is refused, a finished evaluation told; nothing is written if it fails."""
    with pytest.raises(UserError, match="cannot be reached"):
        evaluate(Unreachable(), LAZY, {}, SEEDS, tmp_path / "new", identity={})
    assert not list((tmp_path / "new").glob("*"))

    there = evaluate(TinyActor(), LAZY, {}, SEEDS, tmp_path / "there", videos=0, identity={})
    assert evaluate(Unreachable(), LAZY, {}, SEEDS, tmp_path / "there", identity={}) == there
    with pytest.raises(UserError, match="overwrite"):
        evaluate(Unreachable(), LAZY, {}, SEEDS[:2], tmp_path / "there", identity={})
