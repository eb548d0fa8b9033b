"""The declared types and shapes of all packages are checked while tests run."""

import importlib
import pkgutil

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

import envs
import s2robot
from s2robot.encoders.arrays import resize
from s2robot.encoders.base import check_images
from s2robot.errors import UserError
from s2robot.policies.normalizer import Normalizer
from s2robot.types import Batch, Observation

PACKAGES = [
    one.name
    for root in (s2robot, envs)
    for one in pkgutil.iter_modules(root.__path__, f"{root.__name__}.")
    if one.ispkg
]


@pytest.mark.parametrize("name", ["s2robot", "envs", *PACKAGES])
def test_every_package_is_checked(name: str) -> None:
    loader = importlib.import_module(name).__loader__
    assert type(loader).__module__.startswith("jaxtyping")


def test_a_wrong_shape_is_an_error() -> None:
    with pytest.raises(TypeCheckError, match="b c h w"):
        resize(torch.zeros(3, 8, 8), 4)
    with pytest.raises(TypeCheckError, match="n d"):
        Normalizer(3).fit(torch.zeros(5))


def test_sizes_of_one_letter_are_the_same() -> None:
    actions, mask = torch.zeros(2, 8, 7), torch.ones(2, 8, dtype=torch.bool)
    past = (actions, mask, actions)
    Batch(Observation({}, {}), actions, mask, torch.arange(2), *past)
    with pytest.raises(TypeCheckError, match="parameter 'mask'"):
        Batch(Observation({}, {}), actions, mask[:, 1:], torch.arange(2), *past)


def test_another_type_is_an_error() -> None:
    with pytest.raises(TypeCheckError):
        Normalizer("3")  # type: ignore[arg-type]


@pytest.mark.usefixtures("unchecked")
def test_without_the_checks_a_function_says_it_itself() -> None:
    with pytest.raises(UserError, match="must be uint8"):
        check_images(np.zeros((1, 8, 8, 3)))
