"""Every YAML file composes to options that are complete, and every choice in the code has its file."""

from dataclasses import asdict
from pathlib import Path

import pytest
from omegaconf import OmegaConf

import envs
from s2robot.commands.entry import typed
from s2robot.commands.options import EvalConfig, TrainConfig
from s2robot.commands.overrides import CONFIGS, compose
from s2robot.config import plain
from s2robot.encoders import ENCODERS
from s2robot.policies import POLICIES

CHOICES = sorted(CONFIGS.glob("*/*.yaml"))
NEEDED = {"train": ["data.path=d.hdf5", "run_dir=runs/x"], "eval": ["checkpoint=c"]}


@pytest.mark.parametrize("file", CHOICES, ids=lambda file: f"{file.parent.name}={file.stem}")
def test_choice_composes_and_resolves(file: Path) -> None:
    group = file.parent.name
    name = "eval" if group == "env" else "train"

    composed = compose(name, [f"{group}={file.stem}", *NEEDED[name]])

    OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    assert isinstance(typed(composed), TrainConfig if name == "train" else EvalConfig)


def test_demo_needs_nothing_else() -> None:
    config = typed(compose("train", ["experiment=demo"]))
    assert (config.run_dir, config.data.path) == ("runs/demo", "runs/demo/demos.hdf5")


def test_every_policy_can_be_chosen() -> None:
    assert {file.stem for file in CHOICES if file.parent.name == "policy"} >= set(POLICIES)
    for name in POLICIES:
        assert typed(compose("train", [f"policy={name}", *NEEDED["train"]])).policy.name == name


def test_every_encoder_can_be_chosen_at_sizes_that_it_takes() -> None:
    assert {file.stem for file in CHOICES if file.parent.name == "encoder"} == set(ENCODERS)
    for name in ENCODERS:
        encoder = typed(compose("train", [f"encoder={name}", *NEEDED["train"]])).encoder
        spec = ENCODERS[name].untrained().spec
        assert encoder.name == name
        assert encoder.sizes == [spec.tile, 2 * spec.tile]  # the second in native pixels, cut in four
        assert spec.grid(*encoder.sizes) is not None


def test_options_of_the_eyes_and_of_the_store() -> None:
    words = ["encoder.output_grid=[28,28]", "encoder.weights=w.pth", "encoder.layer=-2", "features.tier=disk"]
    config = typed(compose("train", [*words, *NEEDED["train"]]))
    assert config.encoder.output_grid == [28, 28] and config.encoder.layer == -2
    decisive = plain(config, without=["run_dir", "features.tier"])
    assert "run_dir" not in decisive
    assert decisive["features"].keys() == asdict(config.features).keys() - {"tier"}


def test_environment_choices_are_environments() -> None:
    for file in (file for file in CHOICES if file.parent.name == "env"):
        chosen = typed(compose("eval", [f"env={file.stem}", *NEEDED["eval"]])).env.id
        assert chosen in envs.TASKS or (chosen is None and file.stem == "from_checkpoint")


def test_training_options_of_a_policy_give_way_to_the_command_line() -> None:
    chosen = ["policy=bc_rnn_gmm", *NEEDED["train"]]
    config = typed(compose("train", [*chosen, "experiment=demo"]))
    assert (config.policy.name, config.policy.obs_steps, config.optim.batch_size) == ("bc_rnn_gmm", 10, 16)
    assert typed(compose("train", [*chosen, "optim.batch_size=8"])).optim.batch_size == 8
    assert typed(compose("train", ["policy=bc", *NEEDED["train"]])).optim.batch_size == 64
