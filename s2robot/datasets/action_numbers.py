"""What each number of an action is: its name, its unit, and whether it moves a gripper."""

from dataclasses import dataclass

from s2robot.datasets.dataset import Dataset

GRIPPER = "gripper"  # in the name of a number that moves one
METRIC = {"x": "m", "y": "m", "z": "m", "rx": "rad", "ry": "rad", "rz": "rad"}  # of absolute poses


@dataclass(frozen=True)
class ActionNumber:
    """One dimension of an action."""

    name: str
    unit: str = ""  # "" where nobody says it: the dataset's own

    @property
    def is_gripper(self) -> bool:
        """Whether it moves a gripper, as far as its name says."""
        return GRIPPER in self.name.lower()


def action_numbers(dataset: Dataset) -> list[ActionNumber]:
    """The dimensions of `dataset.actions()`, in their order.

    Names are those of the format where it has any (LeRobot), else those of the family of datasets, else the
    name of the key with a number behind it.
    """
    return [
        ActionNumber(name, _unit(dataset, name))
        for part, key in dataset.action_keys.items()
        for name in _names(dataset, part, key)
    ]


def _names(dataset: Dataset, part: str, key: str) -> tuple[str, ...]:
    width = dataset.width(key)
    if names := dataset.keys.arrays[key].names:
        return names
    preset = dataset.preset
    usual = preset is not None and key in (dataset.source.actions, "actions_abs", *preset.actions)
    if preset is not None and usual and width in preset.action_names:
        return preset.action_names[width]
    return (part,) if width == 1 else tuple(f"{part}[{i}]" for i in range(width))


def _unit(dataset: Dataset, name: str) -> str:
    """Of one number; "[-1, 1]" for a share of the controller's range."""
    if dataset.has_known_box:
        return "[-1, 1]"
    return METRIC.get(name.rpartition(" ")[2], "") if dataset.absolute else ""
