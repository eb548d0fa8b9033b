"""Options of the robot policy of the S2 paper."""

from dataclasses import dataclass

from s2robot.config import at_least, option
from s2robot.errors import UserError
from s2robot.policies.options.base import LOSSES, PolicyConfig, check_attention, check_share


@dataclass
class BCPaperConfig(PolicyConfig):
    """Options of `s2robot.policies.bc_paper.BCPaper`."""

    name: str = option("bc_paper", "of the policy")
    obs_steps: int = option(16, "decisions that the transformer looks back on, the last is now")
    horizon: int = option(16, "predicted environment steps, the first is now")
    loss: str = option("l1", "l1 or l2, of normalised actions")
    width: int = option(128, "of the tokens")
    layers: int = option(3, "of the transformer")
    attention_heads: int = option(4, "of each layer; they divide the width")
    dropout: float = option(0.1, "in training")
    history_dropout: float = option(0.75, "share of the past that is hidden in training, on average: 0 to 1")

    @property
    def remembers(self) -> bool:
        return True

    @property
    def reads_executed(self) -> bool:
        return True

    def check(self) -> None:
        super().check()
        self.check_choice("loss", LOSSES)
        at_least(1, self, "layers", group="policy.")
        check_attention(self.width, self.attention_heads)
        check_share("dropout", self.dropout)
        if not 0 <= self.history_dropout <= 1:
            raise UserError(f"policy.history_dropout={self.history_dropout} must be between 0 and 1")
