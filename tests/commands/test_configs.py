"""Every choice composes to options that are complete, whether it is a YAML file or registered."""

from dataclasses import asdict

import pytest
from omegaconf import OmegaConf

import envs
from s2robot.commands.cli.composition import Configurations
from s2robot.commands.cli.entry import options_of
from s2robot.commands.cli.options import EvalConfig, TrainConfig
from s2robot.config import plain
from s2robot.encoders import ENCODERS
from s2robot.errors import UserError
from s2robot.policies import POLICIES

COMMANDS = {"train": TrainConfig, "eval": EvalConfig}
NEEDED = {"train": ["data.path=d.hdf5", "run_dir=runs/x"], "eval": ["checkpoint=c"]}
GROUPS = {command: Configurations(command).groups for command in COMMANDS}
CHOICES = [
    (command, f"{group}={name}")
    for command, groups in GROUPS.items()
    for group, names in groups.items()
    for name in names
]


@pytest.mark.parametrize(("command", "choice"), CHOICES)
def test_choice_composes_and_resolves(command: str, choice: str) -> None:
    words = [choice, *NEEDED[command]]
    composed = Configurations(command).compose(words)
    OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    assert isinstance(options_of(command, words), COMMANDS[command])


def test_groups_of_a_command_are_its_own_and_show_no_bases() -> None:
    assert GROUPS["train"].keys() == {"data", "encoder", "experiment", "policy"}
    assert GROUPS["eval"].keys() == {"env"}
    assert not [choice for _, choice in CHOICES if "_schema" in choice or "=_" in choice]


def test_demo_needs_nothing_else() -> None:
    config = options_of("train", ["experiment=demo"])
    assert (config.run_dir, config.data.path) == ("runs/demo", "runs/demo/demos.hdf5")


def test_every_policy_can_be_chosen() -> None:
    assert set(GROUPS["train"]["policy"]) >= set(POLICIES)
    for name in POLICIES:
        assert options_of("train", [f"policy={name}", *NEEDED["train"]]).policy.name == name


def test_every_encoder_can_be_chosen_at_sizes_that_it_takes() -> None:
    assert set(GROUPS["train"]["encoder"]) == set(ENCODERS)
    for name in ENCODERS:
        encoder = options_of("train", [f"encoder={name}", *NEEDED["train"]]).encoder
        spec = ENCODERS[name].untrained().spec
        assert encoder.name == name
        sizes = encoder.resolved(spec.tile, spec.stride).sizes
        assert sizes == [spec.tile, 2 * spec.tile]  # the second in native pixels, cut in four
        assert spec.grid(*sizes) is not None


def test_options_of_the_eyes_and_of_the_store() -> None:
    words = ["encoder.output_grid=[28,28]", "encoder.weights=w.pth", "encoder.layer=-2", "features.tier=disk"]
    config = options_of("train", [*words, *NEEDED["train"]])
    assert config.encoder.output_grid == [28, 28] and config.encoder.layer == -2
    decisive = plain(config, without=["run_dir", "features.tier"])
    assert "run_dir" not in decisive
    assert decisive["features"].keys() == asdict(config.features).keys() - {"tier"}


def test_environment_choices_are_environments() -> None:
    for name in GROUPS["eval"]["env"]:
        chosen = options_of("eval", [f"env={name}", *NEEDED["eval"]]).env.id
        assert chosen in envs.TASKS or (chosen is None and name == "from_checkpoint")


def test_training_options_of_a_policy_give_way_to_the_command_line() -> None:
    chosen = ["policy=bc_rnn_gmm", *NEEDED["train"]]
    config = options_of("train", [*chosen, "experiment=demo"])
    assert (config.policy.name, config.policy.obs_steps, config.optim.batch_size) == ("bc_rnn_gmm", 10, 16)
    assert options_of("train", [*chosen, "optim.batch_size=8"]).optim.batch_size == 8
    assert options_of("train", ["policy=bc", *NEEDED["train"]]).optim.batch_size == 64


def test_free_dictionaries_are_set_as_a_whole_or_key_by_key() -> None:
    for word in ("encoder.camera_sizes={wrist:[64]}", "encoder.camera_sizes.wrist=[64]"):
        assert options_of("train", [word, *NEEDED["train"]]).encoder.camera_sizes == {"wrist": [64]}
    kwargs = options_of("eval", ["env.kwargs={image_size: 64, vary_scene: true}", *NEEDED["eval"]]).env.kwargs
    assert kwargs == {"image_size": 64, "vary_scene": True}


def test_names_of_a_mapping_are_set_one_by_one() -> None:
    """As Hydra has it, though these options are no dictionaries unless they are given as one."""
    words = ["data.cameras.front=images/cam_high", "data.cameras.side=agentview", "data.proprio.hand=qpos"]
    words += [
        "data.actions.arm=action",
        "data.orientation.front=flipped_rows",
        "env.orientation.side=upright",
    ]
    config = options_of("train", [*words, *NEEDED["train"]])
    assert config.data.cameras == {"front": "images/cam_high", "side": "agentview"}
    assert (config.data.proprio, config.data.actions) == ({"hand": "qpos"}, {"arm": "action"})
    assert config.data.orientation == {"front": "flipped_rows"}
    assert config.env.orientation == {"side": "upright"}
    with pytest.raises(UserError, match=r"unknown option 'data.weights.front'"):
        options_of("train", ["data.weights.front=1", *NEEDED["train"]])
    with pytest.raises(UserError, match=r"unknown option 'data.cameras.front.left'"):
        options_of("train", ["data.cameras.front.left=a", *NEEDED["train"]])
