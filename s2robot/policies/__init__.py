"""Policies by name. Listing them and reading their options imports no PyTorch.

A new policy is its options (a file in `options/`), its network (a file here) and a line below. Another
package registers one in the same way:

    POLICIES["mine"] = PolicyEntry(MyConfig, Lazy("my_package.my_policy:MyPolicy"))
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s2robot.policies.heads import HEADS
from s2robot.policies.options.act import ACTConfig
from s2robot.policies.options.base import PolicyConfig
from s2robot.policies.options.bc import BCConfig, BCGMMConfig, BCRNNGMMConfig, BCTransformerGMMConfig
from s2robot.policies.options.bc_paper import BCPaperConfig
from s2robot.policies.options.diffusion import DiffusionTransformerConfig, DiffusionUNetConfig
from s2robot.policies.options.flow import FlowConfig
from s2robot.registry import Lazy, Registry, lazy_attributes

if TYPE_CHECKING:
    from s2robot.policies.base import Policy
    from s2robot.policies.making import make_policy

__all__ = ["HEADS", "POLICIES", "Policy", "PolicyConfig", "PolicyEntry", "make_policy"]


@dataclass(frozen=True)
class PolicyEntry:
    """A registered policy: its options, and its class, which is imported when it is unpacked.

    `policy_class, config_class = POLICIES[name]`; `POLICIES[name].options` alone imports no PyTorch.
    """

    options: type[PolicyConfig]
    policy: "Lazy | type[Policy]"

    def __iter__(self) -> Iterator[Any]:
        yield self.policy.load() if isinstance(self.policy, Lazy) else self.policy
        yield self.options


POLICIES: Registry[PolicyEntry] = Registry("policy")
POLICIES["act"] = PolicyEntry(ACTConfig, Lazy("s2robot.policies.act:ACT"))
POLICIES["bc"] = PolicyEntry(BCConfig, Lazy("s2robot.policies.bc:BC"))
POLICIES["bc_gmm"] = PolicyEntry(BCGMMConfig, Lazy("s2robot.policies.bc_gmm:BCGMM"))
POLICIES["bc_paper"] = PolicyEntry(BCPaperConfig, Lazy("s2robot.policies.bc_paper:BCPaper"))
POLICIES["bc_rnn_gmm"] = PolicyEntry(BCRNNGMMConfig, Lazy("s2robot.policies.bc_rnn_gmm:BCRNNGMM"))
POLICIES["bc_transformer_gmm"] = PolicyEntry(
    BCTransformerGMMConfig, Lazy("s2robot.policies.bc_transformer_gmm:BCTransformerGMM")
)
POLICIES["diffusion_transformer"] = PolicyEntry(
    DiffusionTransformerConfig, Lazy("s2robot.policies.diffusion:DiffusionTransformer")
)
POLICIES["diffusion_unet"] = PolicyEntry(
    DiffusionUNetConfig, Lazy("s2robot.policies.diffusion:DiffusionUNet")
)
POLICIES["flow"] = PolicyEntry(FlowConfig, Lazy("s2robot.policies.flow:FlowPolicy"))

__getattr__ = lazy_attributes(  # these import PyTorch
    __name__, Policy="s2robot.policies.base:Policy", make_policy="s2robot.policies.making:make_policy"
)
