"""Options of a dataset."""

from dataclasses import dataclass

from s2robot.config import MISSING, option


@dataclass
class DataConfig:
    """The demonstrations, and what of them the policy may see. Privileged state never is."""

    path: str = option(MISSING, "demonstrations: robomimic HDF5 file")
    cameras: list[str] | None = option(None, "cameras that are used; null: every camera of the file")
    proprio: list[str] = option(
        ["robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos"], "keys of the proprioception"
    )
    train: str | None = option("train", "filter key (mask/<key>) of the training demonstrations")
    valid: str | None = option("valid", "filter key (mask/<key>) of the validation demonstrations")
