"""What goes wrong while the encoders of a checkpoint are made shows as what it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from s2robot.encoders import packaged
from s2robot.encoders.cameras import CameraEncoders
from s2robot.errors import UserError
from s2robot.runs import checkpoint


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    return CameraEncoders("lite0", [32], device="cpu").spec_dict()


@pytest.mark.parametrize(
    "failure",
    [
        MemoryError("no room"),
        torch.cuda.OutOfMemoryError("CUDA out of memory"),
        OSError(5, "Input/output error"),
        RuntimeError("the backend failed"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_failures_of_the_machine_are_not_the_checkpoints(
    failure: Exception, plain: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise failure

    monkeypatch.setattr(packaged, "sha256_of", fails)
    with pytest.raises(type(failure)) as raised, checkpoint.naming(Path("runs/a/checkpoints/last")):
        CameraEncoders.from_dict(plain, "cpu")
    assert raised.value is failure


def without(key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda plain: {name: value for name, value in plain.items() if name != key}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without("base"), "description of its encoders is damaged"),
        (without("sizes"), "description of its encoders is damaged"),
        (lambda plain: plain | {"base": None}, "description of its encoders is damaged"),
        (lambda plain: [1], "description of its encoders is damaged"),
        (lambda plain: plain | {"sizes": "224"}, "encoder.sizes='224'"),
        (lambda plain: plain | {"sizes": [50]}, "near it: 48, 64"),
        (lambda plain: plain | {"name": "lite9"}, "unknown encoder 'lite9'"),
        (lambda plain: plain | {"weights": "/etc/passwd"}, "unknown recorded encoder option 'weights'"),
        (lambda plain: plain | {"base": plain["base"] | {"tile": "x"}}, "encoder.tile='x'"),
        (
            lambda plain: plain | {"base": plain["base"] | {"mean": 3}},
            "the one recorded in mean",
        ),
        (lambda plain: plain | {"base": plain["base"] | {"new": 3}}, "the one recorded in new"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_a_damaged_description_is_one_line_with_the_checkpoint(
    change: Callable[[dict[str, Any]], Any], told: str, plain: dict[str, Any]
) -> None:
    path = Path("runs/a/checkpoints/last")
    with pytest.raises(UserError) as raised, checkpoint.naming(path):
        CameraEncoders.from_dict(change(plain), "cpu")
    assert told in str(raised.value) and str(path) in str(raised.value) and "\n" not in str(raised.value)
