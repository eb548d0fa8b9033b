import base64
import json
import os
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from s2robot.errors import UserError
from s2robot.evaluation.evaluation import evaluate
from s2robot.evaluation.report import write_report
from tests.evaluation.html_page import Page
from tests.rollouts.tiny_actor import TinyActor
from tests.rollouts.tiny_env import LAZY

SEEDS = [11, 5, 8, 3, 7]
VIDEOS = [f"eval/a%20b/videos/{name}.mp4" for name in ("grid", "seed_11", "seed_5")]
CONFIG = """seed: 3
policy: {name: bc, head: attention}
encoder: {name: lite0, sizes: [224, 448]}
optim: {steps: 40, batch_size: 8}
data: {path: <script>alert(1)</script>}
"""


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("runs") / "my run"
    evaluate(TinyActor(), LAZY, {}, SEEDS, run_dir / "eval" / "a b", videos=2, workers=2)
    (run_dir / "config.yaml").write_text(CONFIG)
    lines = [{"step": step, "train/loss": 1 / step, "speed/samples_per_s": 900.0} for step in (1, 2, 4)]
    lines.append({"step": 4, "valid/loss": 0.75})
    (run_dir / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run_dir / "timings.json").write_text(json.dumps({"train": {"seconds": 12.25, "peak_gib": 1.5}}))
    for name, step in (("best", 2), ("last", 4)):
        (run_dir / "checkpoints" / name).mkdir(parents=True)
        (run_dir / "checkpoints" / name / "checkpoint.json").write_text(json.dumps({"step": step}))
    made = {"commit": "abc123", "clean": False, "command": "s2robot train policy=bc 'run_dir=a b'"}
    (run_dir / "run.json").write_text(json.dumps({"starts": [{"commit": "older"}, made]}))
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
    assert ["train", "12.2 s", "1.50 GiB"] in page.rows  # 12.25 rounded to even


def test_report_opens_offline(run_dir: Path) -> None:
    page = Page(write_report(run_dir).read_text())

    assert page.links == ["data:,", "#videos", "#training", "#again", "#configuration", *VIDEOS]
    assert list(run_dir.glob("*.part")) == []


def test_videos_can_be_inside(run_dir: Path) -> None:
    page = Page(write_report(run_dir, embed=True).read_text())

    inside = [link for link in page.links if link.startswith("data:video/mp4;base64,")]
    files = [run_dir / unquote(link) for link in VIDEOS]
    assert [base64.b64decode(link.partition(",")[2]) for link in inside] == [
        one.read_bytes() for one in files
    ]
    assert not any(link.endswith(".mp4") for link in page.links)


def test_report_draws_the_curves_and_marks_the_best_checkpoint(run_dir: Path) -> None:
    html = write_report(run_dir).read_text()

    assert re.findall(r"<h3>(.*?)</h3>", html)[:2] == ["loss", "samples per s"]
    chart = html[html.index("<h3>loss</h3>") : html.index("<h3>samples per s</h3>")]
    assert re.findall('data-name="(.*?)"', chart) == ["train", "valid"]
    assert "train: 1 at step 1, 0.25 at 4, smallest 0.25" in chart  # in words, for those who do not see it
    axes = re.search('data-x="(.*?) (.*?) 0" data-y="(.*?) (.*?) 0"', chart)
    assert axes is not None
    low, high, bottom, top = map(float, axes.groups())
    path = re.search(r'data-name="train" d="M(.*?)"', chart)
    assert path is not None
    drawn = [[float(number) / 1000 for number in point.split()] for point in path[1].split("L")]
    values = [[low + x * (high - low), bottom + (1 - y) * (top - bottom)] for x, y in drawn]
    np.testing.assert_allclose(np.array(values), np.array([[1, 1], [2, 0.5], [4, 0.25]]), atol=2e-3)
    best = re.search(r'class="mark.*?" style="left:(.*?)%"><b>best</b>', chart)
    assert best is not None and low + float(best[1]) / 100 * (high - low) == pytest.approx(2, abs=1e-3)


def test_a_run_that_was_not_evaluated_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "train/loss": 2.0}\n')
    best = tmp_path / "checkpoints" / "best"
    best.mkdir(parents=True)
    (best / "checkpoint.json").write_text('{"step": 1}')

    text = Page(write_report(tmp_path).read_text()).text

    assert "not evaluated yet" in text
    assert f"s2robot eval checkpoint={tmp_path}/checkpoints/best" in text


def test_the_page_says_what_the_run_is_and_how_to_make_it_again(run_dir: Path) -> None:
    text = " ".join(Page(write_report(run_dir).read_text()).text.split())

    for told in (
        "bc (attention head)",
        "lite0 at 224 + 448 pixels",
        "step 4 of 40, batch 8, seed 3, 12.2 s",
        "best: step 2",
        "Commit abc123 with changes that are not committed",
        "train s2robot train policy=bc 'run_dir=a b'",
        f"evaluate: a b s2robot eval 'checkpoint={run_dir}/checkpoints/last' episodes=5 seed=11 'name=a b'",
    ):
        assert told in text


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
    assert "unfinished, planned: 5" in text
    assert path.stat().st_size < 100_000  # no plots, no plotting library


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is no run: it has none of .*validation\.json") as error:
        write_report(tmp_path)

    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


EPISODE = {"seed": 1, "success": True, "steps": 3, "return": 1.0, "wall_s": 0.1, "video": None}
PLAN = {"seeds": [1], "env_id": "x"}


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("eval/a/episodes.jsonl", '{"seed": 1}\n', r"line 1 is no episode: it has no 'success'"),
        ("eval/a/episodes.jsonl", "{\n", r"line 1 is no episode"),
        ("eval/a/episodes.jsonl", "[1]\n", r"line 1 is no episode: it is list, expected a JSON object"),
        ("eval/a/episodes.jsonl", json.dumps({**EPISODE, "success": "yes"}) + "\n", 'success is "yes"'),
        ("eval/a/episodes.jsonl", json.dumps({**EPISODE, "seed": 7}) + "\n", "an episode of seed 7"),
        ("eval/a/episodes.jsonl", json.dumps({**EPISODE, "more": 7}) + "\n", "unknown field 'more'"),
        ("eval/a/episodes.jsonl", json.dumps({**EPISODE, "video": "../b.mp4"}) + "\n", "names the video"),
        ("eval/a/episodes.jsonl", json.dumps({**EPISODE, "video": "/etc/passwd"}) + "\n", "names the video"),
        ("eval/a/episodes.jsonl", json.dumps({**EPISODE, "video": "link.mp4"}) + "\n", "names the video"),
        ("eval/a/seeds.json", "[]", "holds list, expected a JSON object"),
        ("eval/a/seeds.json", '{"seeds": "1", "env_id": "x"}', "`seeds` must be a list of integers"),
        ("eval/a/seeds.json", '{"seeds": [1]}', "`env_id` must be the name of an environment"),
        ("metrics.jsonl", "nonsense\n", "metrics.jsonl, line 1 is not JSON"),
        ("metrics.jsonl", '{"step": 1, "train/loss": "<script>"}\n', "line 1 is no line of metrics"),
        ("metrics.jsonl", '{"train/loss": 1.0}\n', "line 1 is no line of metrics"),
        ("timings.json", '{"train": 7}', "stage 'train' is 7, expected numbers"),
        ("timings.json", '{"train": {"seconds": Infinity, "peak_gib": 1}}', "'seconds': inf"),
        ("timings.json", '{"train": {"seconds": true, "peak_gib": 1}}', "'seconds': True"),
        ("validation.json", '{"step": 1}', "validation.json has no 'demonstrations'"),
        ("config.yaml", "a: [", "cannot be read as YAML"),
        ("config.yaml", "- a", "holds no options"),
        ("run.json", "{", "run.json cannot be read as JSON"),
        ("run.json", '{"starts": [1]}', "`starts` must be a list of JSON objects"),
        ("eval/a/summary.json", "7", "summary.json holds 7, expected a JSON object"),
        ("checkpoints/best/checkpoint.json", '{"step": "1"}', "`step` must be an integer"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(tmp_path: Path, file: str, text: str, told: str) -> None:
    folder = tmp_path / "eval" / "a"
    folder.mkdir(parents=True)
    (tmp_path / "outside.mp4").touch()
    (folder / "link.mp4").symlink_to(tmp_path / "outside.mp4")
    (folder / "seeds.json").write_text(json.dumps(PLAN))
    (folder / "episodes.jsonl").write_text(json.dumps(EPISODE) + "\n")
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)

    with pytest.raises(UserError) as error:
        write_report(tmp_path)

    assert told in str(error.value) and str(tmp_path / file) in str(error.value)
    assert "\n" not in str(error.value)


def test_numbers_that_are_not_finite_are_left_out_of_charts(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(
        '{"step": 1, "a": NaN}\n{"step": 2, "a": Infinity, "b": NaN}\n{"step": 3, "a": 5}\n'
    )

    html = write_report(tmp_path).read_text()

    assert len(re.findall("data-name=", html)) == 1 and "no finite values" in html


def test_a_name_that_is_no_text_and_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "metrics.jsonl").write_text('{"step": 1, "a": 2.0}\n')
    assert "caf?" in write_report(folder).read_text(encoding="utf-8")

    (folder / "report.html").unlink()
    (folder / "report.html").mkdir()
    with pytest.raises(UserError, match="cannot write the page"):
        write_report(folder)
