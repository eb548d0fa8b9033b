"""Several policies at once, over training seeds, and how many episodes are needed."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from s2robot.commands import compare as command
from s2robot.commands import power as power_command
from s2robot.errors import UserError
from s2robot.evaluation.difference import mcnemar_p
from s2robot.evaluation.power import paired_power, plan, unpaired_power
from s2robot.evaluation.several import compare_several, table
from s2robot.evaluation.trainings import difference_interval, over_trainings
from tests.evaluation.test_comparison import evaluation


def policy(folder: Path, name: str, *solved: Sequence[int]) -> list[Path]:
    """Evaluations on the starts 0 to 19, one for each training, from the starts that it solved."""
    return [
        evaluation(folder / f"{name}{i}", {start: start in seeds for start in range(20)})
        for i, seeds in enumerate(solved)
    ]


def test_three_policies_have_three_corrected_pairs(tmp_path: Path) -> None:
    groups = [policy(tmp_path, name, range(n)) for name, n in (("a", 18), ("b", 10), ("c", 3))]
    several = compare_several(groups)
    assert [p.successes for p in several.policies] == [18, 10, 3]
    assert [pair.difference for pair in several.differences] == pytest.approx([-0.4, -0.75, -0.35])
    for pair, alone in zip(several.differences, (8, 15, 7), strict=True):
        assert pair.p_value == mcnemar_p(alone, 0) and pair.p_holm is not None
        assert pair.p_value <= pair.p_holm <= 3 * pair.p_value
        assert pair.ci95[0] < pair.difference < pair.ci95[1] < 0
    assert "corrected" in table(several)[-1] and "trainings" not in table(several)[0]


def test_several_trainings_have_an_interval_of_their_own_and_no_mcnemar(tmp_path: Path) -> None:
    a = policy(tmp_path, "a", range(10), range(12), range(14))
    b = policy(tmp_path, "b", range(18), range(19))
    several = compare_several([a, b])
    first = several.policies[0]
    assert (first.successes, first.episodes) == (36, 60)
    interval = scipy.stats.t.interval(0.95, 2, loc=0.6, scale=scipy.stats.sem([0.5, 0.6, 0.7]))
    assert first.trainings.ci95 == pytest.approx(interval)
    (pair,) = several.differences
    assert pair.p_value is None and pair.difference == pytest.approx(0.325)
    assert 0 < pair.ci95[0] < 0.325 < pair.ci95[1]
    assert "over 3 trainings 60.0%" in table(several)[0] and "p =" not in table(several)[-1]


@pytest.mark.parametrize("again", ["a1", "b0"])
def test_a_training_counts_once(again: str, tmp_path: Path) -> None:
    a, b = policy(tmp_path, "a", range(10), range(12)), policy(tmp_path, "b", range(18))
    same = {"env_id": "Reach-v0", "env_kwargs": {}, "identity": {"step": 3, "weights": "1a2b"}}
    for folder in (a[0], b[0]):  # as two evaluations of a checkpoint have
        (folder / "seeds.json").write_text(json.dumps(same))
    with pytest.raises(
        UserError, match=f"{again} evaluated the same weights: they are one training, not two"
    ):
        compare_several([[*a, tmp_path / again], b])
    assert (
        len(compare_several([[a[0]], b]).policies) == 2
    )  # one checkpoint acting in two ways may be compared


def test_the_interquartile_mean_leaves_out_the_ends() -> None:
    assert over_trainings([0.0, 0.5, 0.6, 1.0]).interquartile_mean == pytest.approx(0.55)
    assert over_trainings([0.3]).ci95 is None


def test_the_bootstrap_knows_trainings_from_starts() -> None:
    rng = np.random.default_rng(0)
    starts = rng.random((1, 400)) < 0.5
    steady = np.repeat(starts, 3, axis=0)
    moody = np.stack([np.ones(400, bool), np.zeros(400, bool), rng.random(400) < 0.5])
    low, high = difference_interval(steady, steady)
    assert low == high == 0  # the same starts are drawn for both
    low, high = difference_interval(steady, moody)
    assert high - low > 0.5
    assert difference_interval(steady, moody) == (low, high)


def test_the_command_says_which_weights_acted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = {"identity": {"weights": "0123456789abcdef", "step": 300}}
    folders = [evaluation(tmp_path / name, {0: True}, **known) for name in "ab"]
    folders.append(evaluation(tmp_path / "c", {0: True}))
    command.cli([*map(str, folders)])
    told = capsys.readouterr().out.splitlines()
    assert told[:2] == [f"{folder}: step 300, weights 01234567" for folder in folders[:2]]
    assert told[2].startswith(str(folders[0]))
    command.cli([*map(str, folders), "--json"])
    assert json.loads(capsys.readouterr().out)["weights"].keys() == {str(folder) for folder in folders[:2]}


def test_the_command_takes_several_and_groups(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = policy(tmp_path, "a", range(9), range(10))
    (c,) = policy(tmp_path, "c", range(15))
    command.cli([f"{a},{b}", str(c), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["policies"][0]["trainings"]["rates"] == [0.45, 0.5]
    command.cli([str(a), str(b), str(c)])
    assert len(capsys.readouterr().out.splitlines()) == 3 + 1 + 3
    with pytest.raises(UserError, match="two evaluations or more"):
        command.cli([str(a)])
    with pytest.raises(UserError, match="given twice"):
        command.cli([str(a), str(c), str(c)])
    (other,) = [evaluation(tmp_path / "other", {100: True})]
    with pytest.raises(UserError, match="not the same seeds"):
        command.cli([str(a), str(c), str(other)])


@pytest.mark.parametrize(("p1", "p2", "correlation"), [(0.6, 0.75, 0.0), (0.6, 0.75, 0.4), (0.2, 0.9, -0.1)])
def test_paired_power_is_the_sum_over_all_outcomes(p1: float, p2: float, correlation: float) -> None:
    n, alpha = 14, 0.05
    spread = correlation * (p1 * (1 - p1) * p2 * (1 - p2)) ** 0.5
    only_1, only_2 = p1 * (1 - p2) - spread, p2 * (1 - p1) - spread
    expected = sum(
        scipy.stats.multinomial.pmf([i, j, n - i - j], n, [only_1, only_2, 1 - only_1 - only_2])
        for i, j in itertools.product(range(n + 1), repeat=2)
        if i + j <= n and mcnemar_p(i, j) <= alpha
    )
    assert paired_power(p1, p2, n, alpha, correlation) == pytest.approx(expected, rel=1e-9)


def test_a_plan_reaches_its_power_and_pairs_save_episodes() -> None:
    found = plan(0.6, 0.75, power=0.8, alpha=0.05, correlation=0.4)
    assert found.unpaired == 152  # Fleiss, without continuity correction
    assert found.paired < found.unpaired
    assert paired_power(0.6, 0.75, found.paired, 0.05, 0.4) >= 0.8
    assert unpaired_power(0.6, 0.75, 151) < 0.8 <= unpaired_power(0.6, 0.75, 152)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--p1", "60", "--p2", "0.75"], "p1 is 60; it must lie between 0 and 1"),
        (["--p1", "0.6", "--p2", "0.6"], "no number of episodes tells equal rates apart"),
        (["--p1", "0.6", "--p2", "0.6001"], "too close"),
        (["--p1", "0.1", "--p2", "0.9", "--correlation", "0.9"], "cannot have a correlation of 0.9"),
        (["--p1", "0.1", "--p2", "0.9", "--episodes", "0"], "expected at least one"),
    ],
)
def test_power_refuses_in_one_line(words: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        power_command.cli(words)


def test_the_power_command_says_both_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    power_command.cli(["--p1", "0.6", "--p2", "0.75", "--episodes", "100"])
    lines = capsys.readouterr().out.splitlines()
    assert "152 episodes" in lines[2] and lines[3].startswith("100 episodes of each")
    power_command.cli(["--p1", "0.6", "--p2", "0.75", "--json"])
    assert json.loads(capsys.readouterr().out)["unpaired"] == 152
