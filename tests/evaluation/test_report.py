import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from s2robot.errors import UserError
from s2robot.evaluation.evaluation import evaluate
from s2robot.evaluation.report import write_report
from tests.rollouts.tiny_actor import TinyActor
from tests.rollouts.tiny_env import LAZY

SEEDS = [11, 5, 8, 3, 7]


class Page(HTMLParser):
    """The links, the text, and the rows of the tables of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: Any, attrs: Any) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        if tag == "tr":
            self.rows.append([])

    def handle_data(self, data: Any) -> None:
        if self.tags and self.tags[-1] in ("style", "script"):
            return
        self.text += data
        if self.tags and self.tags[-1] in ("td", "th") and data.strip():
            self.rows[-1].append(data.strip())


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("runs") / "my run"
    evaluate(TinyActor(), LAZY, {}, SEEDS, run_dir / "eval" / "a b", videos=2, workers=2)
    (run_dir / "config.yaml").write_text("policy: <script>alert(1)</script>\n")
    lines = [{"step": step, "train/loss": 1 / step, "speed/samples_per_s": 900.0} for step in (1, 2, 4)]
    lines.append({"step": 4, "valid/loss": 0.75})
    (run_dir / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run_dir / "timings.json").write_text(json.dumps({"train": {"seconds": 12.25, "peak_gib": 1.5}}))
    return run_dir


def test_report_says_what_the_files_say(run_dir: Path) -> None:
    path = write_report(run_dir)

    page = Page(path.read_text())
    summary = json.loads((run_dir / "eval" / "a b" / "summary.json").read_text())
    low, high = summary["ci95"]
    text = " ".join(page.text.split())
    assert f"{summary['successes']} of 5 episodes succeeded" in text
    assert f"interval {100 * low:.1f}% to {100 * high:.1f}%" in text
    assert "unfinished" not in text
    episodes = {}
    for line in (run_dir / "eval" / "a b" / "episodes.jsonl").read_text().splitlines():
        episodes[json.loads(line)["seed"]] = json.loads(line)
    expected = [
        [str(seed), "success" if episodes[seed]["success"] else "failure", str(episodes[seed]["steps"])]
        for seed in SEEDS
    ]
    assert [row[:3] for row in page.rows if row[0].isdigit()] == expected
    assert ["train", "12.2 s", "1.50 GiB"] in page.rows


def test_report_opens_offline(run_dir: Path) -> None:
    page = Page(write_report(run_dir).read_text())

    assert page.links == ["eval/a%20b/videos/seed_11.mp4", "eval/a%20b/videos/seed_5.mp4"]
    assert list(run_dir.glob("*.part")) == []


def test_report_draws_the_curves(run_dir: Path) -> None:
    html = write_report(run_dir).read_text()

    titles = re.findall(r"<h3>(.*?)</h3>", html)
    assert titles == ["loss", "samples per s"]
    plot = html[html.index("<h3>loss</h3>") : html.index("<h3>samples per s</h3>")]
    for values in ('"y":[1.0,0.5,0.25]', '"y":[0.75]', '"name":"train"', '"name":"valid"'):
        assert values in plot


def test_report_escapes_what_it_quotes(run_dir: Path) -> None:
    html = write_report(run_dir).read_text()

    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html


def test_report_of_an_unfinished_evaluation_without_training(run_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "eval" / "last"
    folder.mkdir(parents=True)
    whole = run_dir / "eval" / "a b"
    (folder / "seeds.json").write_text((whole / "seeds.json").read_text())
    lines = (whole / "episodes.jsonl").read_text().splitlines(keepends=True)
    (folder / "episodes.jsonl").write_text("".join(lines[:3]) + lines[3][:20])

    path = write_report(tmp_path)

    text = " ".join(Page(path.read_text()).text.split())
    assert "of 3 episodes succeeded" in text
    assert "unfinished: 5 episodes were planned" in text
    assert path.stat().st_size < 100_000  # no plots, no plotting library


def test_a_run_without_evaluations(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no evaluated episodes.*no validation\.json") as error:
        write_report(tmp_path)

    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_is_no_episode_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "eval" / "last"
    folder.mkdir(parents=True)
    (folder / "seeds.json").write_text('{"seeds": [1], "env_id": "x"}')
    (folder / "episodes.jsonl").write_text('{"seed": 1}\n')

    with pytest.raises(UserError, match=r"episodes\.jsonl, line 1 is no episode"):
        write_report(tmp_path)
