"""The page about several runs: order, intervals, comparisons, links."""

import re
from pathlib import Path
from typing import Any

import pytest

from s2robot.commands import cli
from s2robot.errors import UserError
from s2robot.evaluation.difference import mcnemar_p, paired_interval
from s2robot.evaluation.overview import MOST_LINES, write_overview
from s2robot.evaluation.pages import charts
from tests.evaluation.html_page import Page
from tests.evaluation.written_runs import write_evaluation, write_run


def outcomes(successes: int, of: int = 10) -> dict[int, bool]:
    return {seed: seed < successes for seed in range(of)}


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    bc: dict[str, Any] = {"policy": {"name": "bc", "head": "mean"}, "optim": {"steps": 30}}
    write_run(tmp_path / "bc_0", outcomes(6), **bc, seed=0)
    write_run(tmp_path / "bc_1", outcomes(8), minutes=2, **bc, seed=1)
    flow: dict[str, Any] = {"policy": {"name": "flow", "head": "mean"}, "optim": {"steps": 30}}
    write_run(tmp_path / "deeper" / "flow", outcomes(9), minutes=3, **flow, seed=0)
    write_run(tmp_path / "untested", None, **flow, seed=1)
    write_evaluation(tmp_path / "bc_0" / "eval" / "dark", outcomes(2))
    return tmp_path


def test_the_leaderboard_has_the_best_first_and_links_to_each_run(sweep: Path) -> None:
    path = write_overview([sweep])

    assert path == sweep / "report.html"
    page = Page(path.read_text())
    names = ["deeper/flow", "bc_1", "bc_0", "untested"]
    board = page.rows[1:5]
    assert [row[0] for row in board] == names
    assert [row[1] for row in board] == ["90.0%", "80.0%", "60.0%", "not evaluated"]
    assert board[1][3:6] == ["8 of 10", "bc", "1"]  # episodes, then the options in which the runs differ
    links = [link for link in page.links if link.endswith("/report.html")]
    assert links[1:5] == [f"{name}/report.html" for name in names]
    assert all((sweep / link).is_file() for link in links)


def test_trainings_that_differ_in_their_seed_are_one_setting(sweep: Path) -> None:
    page = Page(write_overview([sweep]).read_text())

    row = next(row for row in page.rows if row[0] == "bc_1, bc_0")
    assert row[1:] == ["2", "80.0%, 60.0%", "70.0%", "0.0% to 100.0%", "70.0%"]


def test_each_run_is_compared_with_the_best_start_by_start(sweep: Path) -> None:
    write_run(sweep / "fewer", outcomes(1, of=3))
    text = write_overview([sweep]).read_text()

    paired = Page(text[text.index('id="paired"') : text.index('id="cost"')])
    rows = {row[0]: row[1:] for row in paired.rows[1:]}
    low, high = paired_interval(both=6, only_a=0, only_b=3, neither=1)
    interval, p = f"{100 * low:.1f} to {100 * high:.1f}", mcnemar_p(3, 0)
    assert rows["bc_0"] == ["30.0", interval, "3", "0", f"{p:.3g}", f"{2 * p:.3g}"]  # two were comparable
    assert rows["fewer"][0].startswith("not comparable: not the same seeds")


def test_runs_of_several_environments_are_told_apart(sweep: Path) -> None:
    write_run(sweep / "reach_a", outcomes(1), env_id="Reach-v0")
    write_run(sweep / "reach_b", outcomes(10), env_id="Reach-v0")
    text = write_overview([sweep]).read_text()

    board = {row[0]: row[1:] for row in Page(text).rows[1:7]}
    assert board["reach_b"][:2] == ["Reach-v0", "100.0%"] and board["untested"][0] == ""
    assert board["bc_1"][0] == "Push-v0"
    assert text.count("<p>Best:") == 2
    paired = Page(text[text.index('id="paired"') : text.index('id="cost"')])
    rows = {row[0]: row[1:3] for row in paired.rows[1:]}
    assert rows["reach_a"] == ["reach_b", "90.0"]  # and not with the best of all
    assert rows["bc_1"][0] == "deeper/flow"


def test_success_by_variation_cost_and_curves(sweep: Path) -> None:
    text = write_overview([sweep]).read_text()

    variation = Page(text[text.index('id="variation"') : text.index('id="curves"')])
    assert variation.rows[0] == ["run", "default", "dark"]
    assert ["bc_0", "60.0% of 10", "20.0% of 10"] in variation.rows
    assert ["bc", "2", "70.0%"] in variation.rows  # the mean over the runs of a policy
    cost = text[text.index('id="cost"') : text.index('id="variation"')]
    assert "success against training: deeper/flow 90% at 3; bc_1 80% at 2; bc_0 60% at 1" in cost
    assert "success against time of a decision" in cost
    assert "untested" not in cost  # it has no point
    curves = text[text.index('id="curves"') :]
    assert curves.count('data-name="bc_1"') == 2  # loss in training and in validation
    assert "untested" in curves


def test_a_damaged_run_is_left_out_and_named(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sweep / "bc_1" / "metrics.jsonl").write_text("<b>nonsense</b>\n")

    text = write_overview([sweep]).read_text()

    told = f"left out: {sweep}/bc_1/metrics.jsonl, line 1 is not JSON"
    assert told in capsys.readouterr().out
    assert "bc_1/metrics.jsonl" in text and "bc_1/report.html" not in text and "<b>nonsense" not in text


def test_names_and_options_are_escaped(tmp_path: Path) -> None:
    for i in range(2):
        evil = f"<img src=x onerror=alert({i})>"
        write_run(tmp_path / evil, outcomes(i + 1), policy={"name": f"{evil}'\""}, seed=0)

    text = write_overview([tmp_path]).read_text()

    assert "<img" not in text and "&lt;img src=x onerror=alert(0)&gt;" in text


def test_the_command_takes_runs_and_folders(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [str(sweep / "bc_0"), str(sweep / "bc_1"), str(sweep / "bc_0")]
    monkeypatch.setattr("sys.argv", ["s2robot", "report", *runs, "--out", str(tmp_path / "two.html")])
    cli.main()
    assert f"wrote {tmp_path}/two.html" in capsys.readouterr().out
    assert [row[0] for row in Page((tmp_path / "two.html").read_text()).rows[1:3]] == ["bc_1", "bc_0"]

    monkeypatch.chdir(sweep)
    monkeypatch.setattr("sys.argv", ["s2robot", "report", "bc_0", "deeper/flow"])
    cli.main()
    assert "wrote report.html" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "nowhere is no folder"),
        (["empty"], "empty is no run and holds none"),
        (["run", "nowhere"], "nowhere is no folder"),
        (["run", "--out", "page.txt"], "expected the name of a file that ends in .html"),
        (["run", "--out", "nowhere/page.html"], "there is no folder nowhere"),
    ],
)
def test_wrong_paths_are_one_line(
    words: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    write_run(tmp_path / "run", outcomes(1))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["s2robot", "report", *words])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    error = capsys.readouterr().err
    assert ended.value.code == 2 and told in error and error.count("\n") == 1
    assert not list(tmp_path.glob("*.html"))


def test_runs_that_cannot_be_read_at_all(tmp_path: Path) -> None:
    (write_run(tmp_path / "a") / "timings.json").write_text("[]")
    with pytest.raises(UserError, match=r"timings\.json holds list"):
        write_overview([tmp_path])


def test_no_two_lines_of_a_chart_look_alike() -> None:
    names = [f"run {i}" for i in range(MOST_LINES)]
    assert len(set(re.findall(r'<i class="([^"]+)"', charts.legend(names)))) == MOST_LINES
    drawn = charts.curves({name: [(0, 1), (1, 2)] for name in names})
    assert len(set(re.findall(r'<path class="(c[^"]+)"', drawn))) == MOST_LINES
