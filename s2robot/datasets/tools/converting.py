"""From one format into another; the ending of the target says which."""

from pathlib import Path

from s2robot.datasets import robomimic_conversion
from s2robot.datasets.lerobot import conversion as lerobot_conversion
from s2robot.datasets.options import DataConfig
from s2robot.datasets.problem import refuse
from s2robot.datasets.tools.leniently import open_leniently, structural_errors, unclear_cameras
from s2robot.datasets.tools.target import LEROBOT, format_of, writing
from s2robot.datasets.tools.view import View
from s2robot.datasets.tools.writing import Done, copy_lerobot


def convert(config: DataConfig, out: Path, lossless: bool = False, fps: float | None = None) -> Done:
    """Write a dataset in the format of `out`; `lost` of the result says what is not in it.

    `lossless` keeps the pixels of a LeRobot folder exactly (a robomimic file always does); `fps` where the
    dataset does not say it. Raises `UserError` for faulty datasets and targets that cannot be.
    """
    wanted = format_of(out)
    dataset, unusual = open_leniently(config)
    refuse(unclear_cameras(dataset, config) + structural_errors(dataset))
    with writing(out, [source.path for source in dataset.sources]) as scratch:
        if wanted == dataset.format == LEROBOT and not lossless and _takes_all(config):
            views = [
                View(one, {i: own.name for i, own in enumerate(one.episodes)}) for one in dataset.sources
            ]
            lost = copy_lerobot(dataset, views, scratch, lossless)
        elif wanted == LEROBOT:
            lost = lerobot_conversion.convert(dataset, scratch, lossless, fps)
        else:
            lost = robomimic_conversion.convert(dataset, scratch)
    masks: dict[str, int] = {}
    for one in dataset.records:
        for key, names in one.source.masks.items():
            masks[key] = masks.get(key, 0) + (one.recorded.name in names)
    return Done(len(dataset.episodes), masks, lost, [str(one) for one in unusual + dataset.warnings])


def _takes_all(config: DataConfig) -> bool:
    """Whether the options choose nothing and turn nothing, so that a folder can be copied as it is."""
    chosen = (config.cameras, config.proprio, config.actions, config.orientation, config.task)
    return all(one is None for one in chosen)
