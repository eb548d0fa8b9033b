"""Options of ACT."""

from dataclasses import dataclass

from s2robot.config import at_least, option
from s2robot.policies.options.base import PolicyConfig, check_attention, check_share


@dataclass
class ACTConfig(PolicyConfig):
    """Options of `s2robot.policies.act.ACT`."""

    name: str = option("act", "of the policy")
    width: int = option(128, "of all tokens")
    attention_heads: int = option(4, "of each layer; they divide the width")
    style_layers: int = option(2, "of the transformer that reads the expert's chunk, in training alone")
    encoder_layers: int = option(2, "of the transformer that reads the observation")
    decoder_layers: int = option(2, "of the transformer that writes the chunk")
    dropout: float = option(0.1, "in training")
    latent: int = option(32, "length of z, the summary of the expert's chunk")
    kl_weight: float = option(10.0, "weight of the divergence of z from a standard Gaussian in the loss")

    def check(self) -> None:
        super().check()
        layers = ("style_layers", "encoder_layers", "decoder_layers")
        at_least(1, self, "latent", *layers, group="policy.")
        at_least(0, self, "kl_weight", group="policy.")
        check_attention(self.width, self.attention_heads)
        check_share("dropout", self.dropout)
