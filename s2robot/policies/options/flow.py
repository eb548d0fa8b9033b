"""Options of flow matching."""

from dataclasses import dataclass

from s2robot.config import option
from s2robot.policies.denoisers import DENOISERS
from s2robot.policies.options.generative import TransformerOptions, UNetOptions

FLOW_PREDICTIONS = ("sample", "velocity")


@dataclass
class FlowConfig(UNetOptions, TransformerOptions):
    """Options of `s2robot.policies.flow.FlowPolicy`; those of the other denoiser have no effect."""

    name: str = option("flow", "of the policy")
    denoiser: str = option("unet", "unet or transformer")
    prediction: str = option("sample", "what the network predicts: sample (the clean chunk) or velocity")
    inference_steps: int = option(4, "Euler steps of each chunk")

    @property
    def denoiser_name(self) -> str:
        return self.denoiser

    def check(self) -> None:
        super().check()
        self.check_choice("denoiser", DENOISERS)
        self.check_choice("prediction", FLOW_PREDICTIONS)
