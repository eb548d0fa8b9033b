"""Options of policies: no PyTorch, and a meaning for each."""

import subprocess
import sys
from dataclasses import fields

import pytest

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
