"""Numbers with which an optimiser would not descend are refused before anything is read."""

import math
from typing import Any

import pytest

from s2robot.errors import UserError
from s2robot.training.options import OptimConfig


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"gradient_clip": 0.0}, "optim.gradient_clip=0.0 must be above 0"),
        ({"gradient_clip": math.nan}, "optim.gradient_clip=nan must be above 0"),
        ({"ema_max_decay": -3.0}, "optim.ema_max_decay=-3.0 must be between 0 and 1"),
        ({"learning_rate": math.inf}, "optim.learning_rate=inf must be a finite number"),
        ({"weight_decay": math.inf}, "optim.weight_decay=inf must be a finite number"),
    ],
)
def test_numbers_that_cannot_be_are_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        OptimConfig(**change).check()


def test_a_gradient_may_be_left_as_it_is() -> None:
    OptimConfig(gradient_clip=math.inf).check()
