"""Flow matching: the network learns the velocity from noise to chunk, and a few Euler steps follow it.

"Flow Matching for Generative Modeling", arXiv 2210.02747; straight lines as in "Flow Straight and Fast",
arXiv 2209.03003.
"""

from s2robot.policies.generative import GenerativePolicy
from s2robot.policies.options.flow import FlowConfig
from s2robot.policies.processes import Process, flow


class FlowPolicy(GenerativePolicy):
    """Rectified flow on the denoisers of the diffusion policies.

    It predicts the clean chunk by default: learning one demonstration by heart, a network that
    predicts the velocity was off by thirty times as much after the same number of steps.
    """

    config: FlowConfig

    def process(self) -> Process:
        return flow(self.config.prediction, self.config.inference_steps)
