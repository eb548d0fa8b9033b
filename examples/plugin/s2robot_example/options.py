"""Options of the example's policy, as `s2robot train policy=linear --help` shows them."""

from dataclasses import dataclass

from s2robot.config import option
from s2robot.errors import UserError
from s2robot.policies import PolicyConfig


@dataclass
class LinearConfig(PolicyConfig):
    """Options of the linear policy."""

    name: str = option("linear", "of the policy")
    dropout: float = option(0.0, "share of the observation that is hidden in training, 0 to 1")

    def check(self) -> None:
        """Raise `UserError` for values that cannot be."""
        super().check()
        if not 0 <= self.dropout < 1:
            raise UserError(f"policy.dropout={self.dropout} must be at least 0 and below 1")
