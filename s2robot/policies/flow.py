"""Flow matching: the network learns the velocity from noise to chunk, and a few Euler steps follow it.

"Flow Matching for Generative Modeling", arXiv 2210.02747; straight lines as in "Flow Straight and Fast",
arXiv 2209.03003.
"""

from dataclasses import dataclass

from s2robot.errors import unknown_name
from s2robot.policies.generative import GenerativePolicy, TransformerOptions, UNetOptions
from s2robot.policies.processes import FLOW_PREDICTIONS, Process, flow


@dataclass
class FlowConfig(UNetOptions, TransformerOptions):
    """Options of both denoisers; those of the one that is not used have no effect."""

    name: str = "flow"
    denoiser: str = "unet"  # unet or transformer
    prediction: str = "sample"  # what the network predicts: sample (the clean chunk) or velocity
    loss: str = "l1"
    temperature: float = 0.5
    inference_steps: int = 4  # Euler steps

    @property
    def denoiser_name(self) -> str:
        return self.denoiser

    def make_process(self) -> Process:
        return flow(self.prediction, self.inference_steps)

    def check(self) -> None:
        super().check()
        if self.prediction not in FLOW_PREDICTIONS:
            raise unknown_name("policy.prediction", self.prediction, FLOW_PREDICTIONS)


class FlowPolicy(GenerativePolicy):
    """Rectified flow on the denoisers of the diffusion policies.

    It predicts the clean chunk unless told otherwise: learning one demonstration by heart, a network that
    predicts the velocity was off by thirty times as much after the same number of steps.
    """

    config: FlowConfig
