"""Options of policies: no PyTorch, and a meaning for each."""

import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest

from s2robot.errors import UserError
from s2robot.policies import POLICIES, Policy

LISTING = """
import sys
from s2robot.policies import HEADS as heads, POLICIES, PolicyConfig
from s2robot.policies.heads import HEADS
assert heads is HEADS
for name in POLICIES:
    options = POLICIES[name].options()
    options.check()
    assert options.name == name, options
    assert options.head in HEADS
print(",".join(sorted({"torch", "diffusers", "robomimic"} & sys.modules.keys())) or "nothing heavy")
"""


def test_names_and_options_import_no_torch() -> None:
    listed = subprocess.run([sys.executable, "-c", LISTING], capture_output=True, text=True)
    assert (listed.stdout.strip(), listed.stderr) == ("nothing heavy", "")


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_entry_is_a_policy_and_its_options_which_say_what_they_mean(name: str) -> None:
    policy_class, config_class = POLICIES[name]
    assert issubclass(policy_class, Policy)
    assert config_class is POLICIES[name].options
    assert [field.name for field in fields(config_class) if not field.metadata.get("meaning")] == []


@pytest.mark.parametrize(
    ("name", "option", "value", "told"),
    [
        ("bc", "hidden", [], "one width or more"),
        ("bc", "hidden", [0], "each at least 1"),
        ("bc_gmm", "hidden", [16, -3], "each at least 1"),
        ("bc_rnn_gmm", "hidden", [0], "each at least 1"),
        ("bc_rnn_gmm", "rnn_dim", 0, "at least 1"),
        ("bc_gmm", "min_std", float("nan"), "above 0"),
        ("bc_transformer_gmm", "layers", -1, "at least 1"),
        ("bc_paper", "dropout", 1.0, "below 1"),
        ("act", "width", 0, "at least 1"),
        ("act", "latent", 0, "at least 1"),
        ("diffusion_unet", "channels", [], "one width or more"),
        ("diffusion_unet", "channels", [12], "multiples of 8"),
        ("flow", "kernel", 4, "odd, such as 5"),
        ("diffusion_unet", "train_timesteps", 0, "at least 1"),
        ("diffusion_transformer", "attention_heads", 0, "at least 1"),
    ],
)
def test_a_network_that_cannot_be_is_refused(name: str, option: str, value: Any, told: str) -> None:
    options: Any = POLICIES[name].options
    config = options(**{option: value})
    with pytest.raises(UserError, match=f"policy.{option}=.*{told}"):
        config.check()


def test_a_recurrent_network_needs_no_more_layers() -> None:
    options: Any = POLICIES["bc_rnn_gmm"].options
    options(hidden=[]).check()
