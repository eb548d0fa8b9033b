"""A training does not go on from a description that was changed or is damaged: one line says which field."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from s2robot.errors import UserError
from tests.training.tiny_training import STEPS, run_training

GONE: Any = object()
CHANGES = [
    ("best", GONE, "has no 'best'"),
    ("best", "x", 'best is "x", expected float'),
    ("best", float("nan"), "best is NaN, expected a finite number or null"),
    ("metrics", GONE, "has no 'metrics'"),
    ("metrics", [1], "metrics is list"),
    ("step", GONE, "has no 'step'"),
    ("step", str(STEPS), f'step is "{STEPS}", expected int'),
    ("step", -3, "step is -3, expected 0 to"),
    ("step", 1.5, "step is 1.5, expected int"),
    ("step", STEPS - 1, f"step is {STEPS - 1}, expected {STEPS} as in the folder's name"),
    ("config", GONE, "has no 'config'"),
    ("config", [1], "config is list"),
    ("training_seeds", GONE, "has no 'training_seeds'"),
    ("data_sha256", GONE, "has no 'data_sha256'"),
]


@pytest.mark.parametrize(("field", "value", "told"), CHANGES)
def test_a_changed_description_is_refused(
    field: str, value: Any, told: str, demos_path: Path, trained: Path, tmp_path: Path
) -> None:
    run_dir = Path(shutil.copytree(trained, tmp_path / "run", symlinks=True))
    file = run_dir / "checkpoints" / f"step_{STEPS:08d}" / "checkpoint.json"
    plain = json.loads(file.read_text())
    plain = {key: one for key, one in plain.items() if key != field} | (
        {} if value is GONE else {field: value}
    )
    file.write_text(json.dumps(plain))
    with pytest.raises(UserError) as error:
        run_training(demos_path, run_dir, "bc", "resume=true", f"optim.steps={STEPS + 2}")
    for words in (str(file), told, "cannot be resumed", "overwrite=true"):
        assert words in str(error.value)
