"""A recorded scene of robosuite reads robosuite's own files and no others."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from envs.robosuite.frames import local_assets


@pytest.fixture(autouse=True)
def robosuite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    module = ModuleType("robosuite")
    module.__file__ = str(tmp_path / "here" / "robosuite" / "__init__.py")
    monkeypatch.setitem(sys.modules, "robosuite", module)
    return Path(module.__file__).parent


def test_its_files_are_those_of_this_machine(robosuite: Path) -> None:
    mesh = '<asset><mesh file="/home/a/robosuite/models/b.stl"/></asset>'
    xml = f'<mujoco><compiler meshdir="m/"/>{mesh}</mujoco>'
    assert f'file="{robosuite}/models/b.stl"' in local_assets(xml)
    assert "meshdir" not in local_assets(xml)


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        ('<asset><mesh file="/etc/passwd"/></asset>', "/etc/passwd, outside of robosuite"),
        ('<asset><mesh file="/a/robosuite/../../b.stl"/></asset>', "outside of robosuite"),
        ('<asset><texture fileright="/a/b.png"/></asset>', "outside of robosuite"),
        ('<include file="/a/robosuite/a.xml"/>', "<include>"),
        ('<worldbody><replicate count="1000000000"/></worldbody>', "<replicate>"),
        ("<a>", "no XML"),
    ],
)
def test_other_files_and_bodies_without_end_are_refused(inside: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        local_assets(f"<mujoco>{inside}</mujoco>")
