"""Options of the feature store."""

from dataclasses import dataclass

from s2robot.config import option
from s2robot.errors import unknown_name

TIERS = ("device", "ram", "disk")  # from the fastest to the largest


@dataclass
class FeaturesConfig:
    """How features are stored, and where they are kept in training."""

    dtype: str = option("float16", "of the stored numbers: float16, float32")
    views: int = option(1, "stored views of each frame, one drawn for each sample; 1: only the frame itself")
    view_shift: float = option(0.05, "largest shift of the other views, as a share of height and width")
    view_colour: float = option(
        0.2, "the other views' brightness, contrast and saturation are scaled by 1 - this to 1 + this"
    )
    tier: str = option("auto", "memory in training: device, ram, disk; auto: the fastest with enough free")
    readers: int | None = option(
        None, "processes that read frames while others are encoded, 0: a thread; null: as it pays"
    )
    root: str | None = option(None, "folder of the feature stores; null: features in the cache folder")

    def check(self) -> None:
        """Raise `UserError` for options that cannot be."""
        check_tier(self.tier)


def check_tier(tier: str) -> None:
    """Raise `UserError` for a name that is neither "auto" nor one of `TIERS`."""
    if tier not in ("auto", *TIERS):
        raise unknown_name("tier of features", tier, ("auto", *TIERS))
