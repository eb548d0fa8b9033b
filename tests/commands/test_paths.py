"""Paths with unusual characters are taken as they were typed, or the error says how to quote them."""

from pathlib import Path

import pytest

from s2robot.commands.cli.entry import options_of
from s2robot.errors import UserError

NAMES = [
    *(
        "lr=0.001",
        "my run",
        "Läufe",
        "run (2)",
        "50%",
        "run#1",
        "it's",
        'say "go"',
        "a@b",
        "[x]",
        "ünï/Daten",
    ),
    *("a{b}", "a!b", "a;b", "a:b", "a\\b", "1e3", "007", "true", "$x", "x=[1", "日本語", 'a b\'s "c"'),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_path_is_what_was_typed(name: str) -> None:
    typed = options_of("train", [f"run_dir={name}/r", f"data.path={name}.hdf5", f"init_from={name}/c"])
    assert (typed.run_dir, typed.data.path, typed.init_from) == (f"{name}/r", f"{name}.hdf5", f"{name}/c")
    assert options_of("eval", [f"checkpoint={name}/checkpoints/last"]).checkpoint.startswith(f"{name}/")


def test_what_is_in_hydras_quotes_and_references_stay_as_they_were() -> None:
    typed = options_of(
        "train", ["run_dir='lr=0.001/${policy.name}'", "data.path=['a=1.hdf5',b.hdf5]", "policy=flow"]
    )
    assert (typed.run_dir, typed.data.path) == ("lr=0.001/flow", ["a=1.hdf5", "b.hdf5"])
    assert options_of("train", ["run_dir=ü/${policy.name}", "data.path=d"]).run_dir == "ü/bc"


def test_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    typed = options_of("train", ["run_dir=~/r", "data.path=['~/a.hdf5',b.hdf5]", "features.root=~/f"])
    assert typed.run_dir == "/home/me/r"
    assert typed.data.path == ["/home/me/a.hdf5", "b.hdf5"]
    assert typed.features.root == str(Path("/home/me/f"))


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("data.path=[ä.hdf5,b.hdf5]", """special characters are quoted twice: 'data.path=['"'"'ä.hdf5"""),
        ("run_dir=ü1,ü2", """special characters are quoted twice: 'run_dir='"'"'ü1'"'"','"'"'ü2'"'"''"""),
        ("run_dir=a,b", """quote a name with a comma twice, as in 'run_dir='"'"'a,b'"'"''"""),
        ("data.task=pick!", """special characters are quoted twice: 'data.task='"'"'pick!'"'"''"""),
    ],
)
def test_an_error_says_how_to_quote(word: str, told: str) -> None:
    with pytest.raises(UserError) as error:
        options_of("train", ["data.path=d", "run_dir=r", word])
    assert told in str(error.value)
