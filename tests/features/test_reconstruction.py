"""How much of a larger encoder's features a smaller one's hold: closed cases, then real frames."""

import json
from pathlib import Path

import pytest
import torch

from s2robot.commands.cli import main
from s2robot.features.reconstruction import Cells, recover

NUMBERS = torch.randn(600, 4, generator=torch.Generator().manual_seed(0))


def parts(large: torch.Tensor) -> tuple[Cells, Cells]:
    """Cells to fit on, and to judge by."""
    return Cells(NUMBERS[:400], large[:400]), Cells(NUMBERS[400:], large[400:])


def test_a_linear_function_is_recovered_whole_whatever_its_scale() -> None:
    mixed = 1e3 * NUMBERS @ torch.tensor([[1.0, 2], [0, 1], [3, 0], [1, 1]]) + 5
    found = recover(*parts(torch.cat([mixed, torch.ones(600, 1)], 1)), steps=5)  # and a dead channel
    assert found["linear"].loss < 1e-5 and found["linear"].ratio > 0.9999
    assert found["mlp"].ratio > 0.999


def test_what_no_linear_map_holds_the_non_linear_one_finds_and_noise_neither() -> None:
    bent = recover(*parts(NUMBERS.abs()), steps=300)
    assert bent["linear"].ratio < 0.1 < 0.8 < bent["mlp"].ratio
    noise = torch.randn(600, 2, generator=torch.Generator().manual_seed(1))
    assert max(one.ratio for one in recover(*parts(noise), steps=5).values()) < 0.05


def test_the_command_prints_each_set_of_scales(
    demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("S2ROBOT_CACHE", str(tmp_path))
    words = ["--small", "lite0", "--large", "lite0", "--large-size", "64", "--scales", "32", "64"]
    words += ["--steps", "3", "--backend", "torch"]
    main(["analyze", "reconstruct", str(demos_path), *words, "--json"])

    found = json.loads(capsys.readouterr().out)

    assert list(found) == ["32", "64"]
    for one in found.values():
        assert one["linear"].keys() == one["mlp"].keys() == {"loss", "ratio"}
        assert one["linear"]["loss"] > 0
    assert found["64"]["linear"]["ratio"] > 0.99  # the same encoder at the same size
    assert found["32"]["linear"]["ratio"] < 0.9


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--camera", "agentvew"], "did you mean 'agentview'"),
        (["--episodes", "1"], "--episodes 1: expected 2 or more"),
        (["--large", "lite1"], "unknown encoder 'lite1'"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], told: str, demos_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["analyze", "reconstruct", str(demos_path), "--scales", "32", *words])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1
