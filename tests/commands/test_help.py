"""`--help`: every command has one, and that of train and eval comes from the fields of the dataclasses."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import pytest

from s2robot.commands.cli.dispatch import names
from s2robot.commands.cli.entry import options_of
from s2robot.policies import POLICIES
from tests.commands.command_line import assert_one_line, status_here

NEEDED = {"train": ["data.path=d.hdf5", "run_dir=runs/x"], "eval": ["checkpoint=c"]}


def page(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *words: str) -> str:
    assert status_here(monkeypatch, "s2robot", *words) == 0
    said = capfd.readouterr()
    assert said.err == ""
    return said.out


def meanings(options: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted name and meaning of every option."""
    for field in fields(options):  # type: ignore[arg-type]
        value = getattr(options, field.name)
        if is_dataclass(value):
            yield from meanings(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, field.metadata.get("meaning", "")


@pytest.mark.parametrize("name", names())
def test_every_command_has_help(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        assert f"  {name} " in page(patch, capfd, "--help")
    assert f"usage: s2robot {name}" in page(monkeypatch, capfd, name, "--help")


def test_help_names_defaults_once(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    text = " ".join(page(monkeypatch, capfd, "serve", "--help").split())
    assert "any that is free (default: 8000)" in text and "most clients at once (default: 16)" in text
    assert "default: None" not in text and "default: []" not in text
    text = " ".join(page(monkeypatch, capfd, "collect", "--help").split())
    assert text.count("(default: 120)") == 1 and "(default: one a core)" in text


@pytest.mark.parametrize("policy", POLICIES)
def test_train_shows_every_option_with_its_meaning(
    policy: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    said = " ".join(page(monkeypatch, capfd, "train", f"policy={policy}", "--help").split())
    for name, meaning in meanings(options_of("train", [f"policy={policy}", *NEEDED["train"]])):
        assert meaning, f"{name} says nothing"
        assert f" {name}=" in said
        assert " ".join(meaning.split()) in said


def test_eval_shows_every_option_with_its_meaning(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    said = " ".join(page(monkeypatch, capfd, "eval", "--help").split())
    for name, meaning in meanings(options_of("eval", NEEDED["eval"])):
        assert f" {name}=" in said
        assert meaning and " ".join(meaning.split()) in said


def test_help_shows_the_values_that_were_typed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    said = page(monkeypatch, capfd, "train", "--help", "encoder.sizes=[224]", "optim.steps=7", "resume=true")
    for shown in ("encoder.sizes=[224] ", "optim.steps=7 ", "resume=true ", "data.path=... ", "wandb=false "):
        assert shown in said
    assert "_schema" not in said and "env=" not in said


def test_help_of_a_mistyped_option_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert status_here(monkeypatch, "s2robot", "train", "--help", "optim.step=7") == 2
    assert_one_line(capfd.readouterr().err, "did you mean 'optim.steps'?")


def test_the_composed_configuration_is_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    said = page(monkeypatch, capfd, "train", "--cfg", "job", "policy=flow", *NEEDED["train"])
    assert "run_dir: runs/x\n" in said and "  name: flow\n" in said
