"""The files of a checkpoint that comes from anyone: what never ends and what lies elsewhere is not opened."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from s2robot.errors import UserError
from s2robot.rollouts.trained import verified_encoders
from s2robot.runs import checkpoint
from tests.training.test_checkpoint import assert_refused, copy_of


@pytest.mark.parametrize("name", ["checkpoint.json", "model.safetensors", "samples.safetensors"])
@pytest.mark.parametrize("instead", ["/dev/zero", "fifo"])
def test_what_never_ends_is_not_read(name: str, instead: str, trained: Path, tmp_path: Path) -> None:
    folder = copy_of(trained, tmp_path)
    (folder / name).unlink()
    if instead == "fifo":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to(instead)
    assert_refused(folder)


@pytest.mark.parametrize("given", [{"weights": "/dev/zero"}, [1]])
def test_a_file_that_only_a_checkpoint_names_is_not_opened(given: Any, trained: Path, tmp_path: Path) -> None:
    folder = copy_of(trained, tmp_path)
    plain = json.loads((folder / "checkpoint.json").read_text())
    plain["config"]["encoder"] = given
    (folder / "checkpoint.json").write_text(json.dumps(plain))
    loaded = checkpoint.load(folder)
    with pytest.raises(UserError) as error:
        verified_encoders(loaded, torch.device("cpu"), "torch")
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)
