"""Options of behaviour cloning with robomimic's networks."""

from collections.abc import Sequence
from dataclasses import dataclass

from s2robot.config import at_least, option
from s2robot.errors import UserError
from s2robot.policies.options.base import (
    AT_END,
    LOSSES,
    PolicyConfig,
    check_attention,
    check_share,
    check_widths,
)


@dataclass
class RobomimicOptions(PolicyConfig):
    """robomimic's networks end in a tanh."""

    def check(self) -> None:
        super().check()
        if self.action_norm != "limits":
            raise UserError(f"policy={self.name} acts within [-1, 1]: policy.action_norm must be limits")


@dataclass
class BCConfig(RobomimicOptions):
    """Options of `s2robot.policies.bc.BC`."""

    name: str = option("bc", "of the policy")
    loss: str = option("l1", "l1 or l2, of normalised actions")
    hidden: list[int] = option([512, 512], "widths of the hidden layers")
    foresee: list[int] = option(
        [], "steps ahead at which proprioception is foreseen, -1 is the end of the episode"
    )
    foresee_weight: float = option(1.0, "of its error, beside that of the actions")

    @property
    def foreseen(self) -> Sequence[int]:
        return self.foresee

    def check(self) -> None:
        super().check()
        self.check_choice("loss", LOSSES)
        check_widths("hidden", self.hidden)
        for steps in self.foresee:
            if steps < 1 and steps != AT_END:
                raise UserError(
                    f"policy.foresee={self.foresee}: {steps} is neither a number of steps from 1 on nor "
                    f"{AT_END}, the end of the episode"
                )
        at_least(0, self, "foresee_weight", group="policy.")


@dataclass
class MixtureOptions(RobomimicOptions):
    """Options of policies that predict a mixture of Gaussians; they learn by likelihood."""

    modes: int = option(5, "Gaussians of the mixture")
    min_std: float = option(0.01, "smallest deviation of a mode, in normalised actions")

    def check(self) -> None:
        super().check()
        at_least(1, self, "modes", group="policy.")
        if not 0 < self.min_std < float("inf"):
            raise UserError(f"policy.min_std={self.min_std} must be above 0")


@dataclass
class BCGMMConfig(MixtureOptions):
    """Options of `s2robot.policies.bc_gmm.BCGMM`."""

    name: str = option("bc_gmm", "of the policy")
    hidden: list[int] = option([512, 512], "widths of the hidden layers")

    def check(self) -> None:
        super().check()
        check_widths("hidden", self.hidden)


@dataclass
class BCRNNGMMConfig(MixtureOptions):
    """Options of `s2robot.policies.bc_rnn_gmm.BCRNNGMM`."""

    name: str = option("bc_rnn_gmm", "of the policy")
    obs_steps: int = option(10, "decisions that the network remembers, the last is now")
    hidden: list[int] = option([512, 512], "widths of the layers behind the recurrent ones")
    rnn_dim: int = option(256, "width of the LSTM")
    rnn_layers: int = option(2, "layers of the LSTM")

    @property
    def remembers(self) -> bool:
        return True

    def check(self) -> None:
        super().check()
        if self.hidden:  # without, the recurrent layers are read directly
            check_widths("hidden", self.hidden)
        at_least(1, self, "rnn_dim", "rnn_layers", group="policy.")


@dataclass
class BCTransformerGMMConfig(MixtureOptions):
    """Options of `s2robot.policies.bc_transformer_gmm.BCTransformerGMM`."""

    name: str = option("bc_transformer_gmm", "of the policy")
    obs_steps: int = option(10, "decisions that the transformer looks back on, the last is now")
    width: int = option(128, "of the tokens")
    layers: int = option(2, "of the transformer")
    attention_heads: int = option(4, "of each layer; they divide the width")
    dropout: float = option(0.1, "of embeddings, attention and layers, in training")

    @property
    def remembers(self) -> bool:
        return True

    def check(self) -> None:
        super().check()
        at_least(1, self, "layers", group="policy.")
        check_attention(self.width, self.attention_heads)
        check_share("dropout", self.dropout)
