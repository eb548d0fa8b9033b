import json
import random
from pathlib import Path
from typing import Any

import pytest
import scipy.stats

from s2robot.commands import cli
from s2robot.errors import UserError
from s2robot.evaluation.comparison import compare, compare_folders, table
from s2robot.evaluation.difference import holm, mcnemar_p, paired_interval
from s2robot.rollouts.results import EpisodeResult


def episodes(successes: dict[int, bool]) -> list[EpisodeResult]:
    return [EpisodeResult(seed, success, 10, float(success), 0.1) for seed, success in successes.items()]


def evaluation(folder: Path, successes: dict[int, bool], **plan: object) -> Path:
    folder.mkdir(parents=True)
    lines = [
        {"seed": seed, "success": s, "steps": 3, "return": 0.0, "wall_s": 1.0}
        for seed, s in successes.items()
    ]
    (folder / "episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "seeds.json").write_text(json.dumps({"env_id": "Reach-v0", "env_kwargs": {}, **plan}))
    return folder


@pytest.mark.parametrize("pair", [(0, 0), (1, 0), (0, 6), (5, 5), (4, 5), (3, 17), (200, 150), (900, 1100)])
def test_p_value_is_scipys_binomial_test(pair: Any) -> None:
    expected = scipy.stats.binomtest(pair[0], sum(pair), 0.5).pvalue if sum(pair) else 1.0
    assert mcnemar_p(*pair) == pytest.approx(expected, rel=1e-9)
    assert mcnemar_p(*pair) == mcnemar_p(*reversed(pair))


def test_p_value_when_one_is_never_worse_is_a_run_of_equal_tosses() -> None:
    assert [mcnemar_p(0, n) for n in (1, 2, 6, 10)] == [1.0, 0.5, 2**-5, 2**-9]


def test_pairs_are_found_by_seed_whatever_the_order() -> None:
    rng = random.Random(0)
    a = {seed: rng.random() < 0.7 for seed in range(50)}
    b = {seed: rng.random() < 0.5 for seed in range(50)}
    shuffled = episodes(b)
    rng.shuffle(shuffled)

    comparison = compare(episodes(a), shuffled)

    assert comparison.successes == (sum(a.values()), sum(b.values()))
    assert comparison.only_a == [seed for seed in range(50) if a[seed] > b[seed]]
    assert comparison.only_b == [seed for seed in range(50) if b[seed] > a[seed]]
    assert comparison.p_value == mcnemar_p(len(comparison.only_a), len(comparison.only_b))


def test_folders_of_runs_and_of_evaluations(tmp_path: Path) -> None:
    solved = {seed: True for seed in range(8)}
    evaluation(tmp_path / "a" / "eval" / "default", solved)
    b = evaluation(tmp_path / "b" / "eval" / "other", {seed: seed > 5 for seed in solved})

    comparison = compare_folders(tmp_path / "a", b)

    assert (comparison.only_a, comparison.only_b) == ([0, 1, 2, 3, 4, 5], [])
    lines = table(comparison, "a", "b")
    assert lines[0].startswith("a  8 of 8 = 100.0% [") and lines[2] == "only a  6 seeds: 0 1 2 3 4 5"
    assert lines[4].startswith("difference of b: -75.0 points [")
    assert lines[3] == "only b  0 seeds" and lines[5].endswith("p = 0.0312")


def test_the_command_says_it_as_a_table_and_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a = evaluation(tmp_path / "a", {0: True, 1: True})
    b = evaluation(tmp_path / "b", {0: True, 1: False})

    monkeypatch.setattr("sys.argv", ["s2robot", "compare", str(a), str(b)])
    cli.main()
    assert capsys.readouterr().out.splitlines() == table(compare_folders(a, b), str(a), str(b))

    monkeypatch.setattr("sys.argv", ["s2robot", "compare", str(a), str(b), "--json"])
    cli.main()
    told = json.loads(capsys.readouterr().out)
    assert (told["a"], told["only_a"], told["only_b"], told["p_value"]) == (str(a), [1], [], 1.0)


@pytest.mark.parametrize(
    ("plan", "successes", "told"),
    [
        ({"env_id": "Push-v0"}, {0: True}, "not the same environment: Reach-v0 in .*a, Push-v0 in .*b"),
        ({"env_kwargs": {"cube_size": 0.01}}, {0: True}, "not the same environment arguments: {} in"),
        ({}, {0: True, 7: False}, "not the same seeds: 1 episode and 2; only one of them has 7"),
        ({}, {}, "not the same seeds: 1 episode and 0; only one of them has 0"),
    ],
)
def test_what_differs_is_named_in_one_line(tmp_path: Path, plan: Any, successes: Any, told: str) -> None:
    a = evaluation(tmp_path / "a", {0: True})
    b = evaluation(tmp_path / "b", successes, **plan)

    with pytest.raises(UserError, match=told) as error:
        compare_folders(a, b)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("mine:Push-v0", "Push-v0", True),
        ("mine.tasks:Push-v0", "mine.tasks:Push-v0", True),
        ("mine:Push-v0", "other:Push-v0", False),
        ("mine:Push-v0", "Push-v1", False),
        ("s2robot/Push-v0", "Push-v0", False),
    ],
)
def test_a_module_before_the_name_makes_no_other_environment(
    tmp_path: Path, a: str, b: str, same: bool
) -> None:
    folders = [evaluation(tmp_path / name, {0: True}, env_id=one) for name, one in (("a", a), ("b", b))]
    if same:
        assert compare_folders(*folders).episodes == 1
    else:
        with pytest.raises(UserError, match="not the same environment"):
            compare_folders(*folders)


def test_which_evaluation_is_meant_must_be_clear(tmp_path: Path) -> None:
    for name in ("x", "y"):
        evaluation(tmp_path / "run" / "eval" / name, {0: True})
    with pytest.raises(UserError, match=r"has several evaluations \(x, y\); name one"):
        compare_folders(tmp_path / "run", tmp_path / "run")
    with pytest.raises(UserError, match="no evaluated episodes in"):
        compare_folders(tmp_path / "nothing", tmp_path / "run")
    (tmp_path / "run" / "eval" / "x" / "seeds.json").write_text("[]")
    with pytest.raises(UserError, match="does not name the environment"):
        compare_folders(tmp_path / "run" / "eval" / "x", tmp_path / "run" / "eval" / "y")


def test_the_paired_interval_holds_the_difference_and_mirrors() -> None:
    low, high = paired_interval(36, 2, 12, 0)
    assert low < 0.2 < high
    assert paired_interval(36, 12, 2, 0) == pytest.approx((-high, -low))
    assert paired_interval(10, 5, 5, 10) == pytest.approx([-v for v in paired_interval(10, 5, 5, 10)[::-1]])
    alone = paired_interval(0, 40, 40, 0)  # each solves what the other does not: wider than unpaired
    assert alone[1] - alone[0] > paired_interval(20, 20, 20, 20)[1] * 2 > paired_interval(40, 0, 0, 40)[1] * 2


@pytest.mark.parametrize("rates", [(0.5, 0.5), (0.9, 0.75), (0.97, 0.99)])
def test_the_paired_interval_covers(rates: tuple[float, float]) -> None:
    rng = random.Random(0)
    n, repeats, held = 100, 400, 0
    for _ in range(repeats):
        pairs = []
        for _ in range(n):
            start = rng.random()  # how hard the start is for both
            pairs.append(tuple(0.7 * start + 0.3 * rng.random() < rate for rate in rates))
        counts = [pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))]
        low, high = paired_interval(*counts)
        held += low <= _true_difference(rates) <= high
    assert held / repeats >= 0.92


def _true_difference(rates: tuple[float, float]) -> float:
    """P(0.7 u + 0.3 v < rate) for each rate, from a fine grid of u and v."""
    grid = [(i + 0.5) / 400 for i in range(400)]
    solved = [sum(min(1.0, max(0.0, (rate - 0.7 * u) / 0.3)) for u in grid) / 400 for rate in rates]
    return solved[1] - solved[0]


def test_holm_corrects_the_smallest_most() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0] and holm([]) == []
