"""What was decided for the user without being said: cameras, orientation, environment, tasks."""

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.environment import is_absolute
from s2robot.datasets.problem import Problem
from s2robot.datasets.source import Recorded

BASE = "base_action"  # key of the velocities of a mobile ALOHA's base
SHOWN = 3  # task texts in a message
HOW = {"flip_rows": "rows are flipped", "rotate_180": "frames are turned by 180 degrees"}


def chosen(dataset: Dataset) -> tuple[list[Problem], list[Problem]]:
    """A warning for each decision that may not be what the user wants; errors where none can be right."""
    file = str(dataset.path)
    warnings: list[Problem] = []
    if dataset.options.cameras is None:
        used = {camera.key for camera in dataset.cameras.values()}
        left = [key for key, one in dataset.keys.arrays.items() if one.image_like and key not in used]
        if left:
            found = {key: dataset.keys.arrays[key] for key in left}
            shown = [f"{key} ({one.describe() if one.dtype else one.note})" for key, one in found.items()]
            warnings.append(Problem(f"no cameras and left alone: {', '.join(shown)}", file))
    stored, who = dataset.stored_orientation()
    transforms = {camera.transform for camera in dataset.cameras.values()} - {""}
    if dataset.options.orientation is None and transforms:
        problem = (
            f"frames are stored {stored} ({who}) and {HOW[min(transforms)]}; "
            f"data.orientation=upright takes them as they are stored"
        )
        warnings.append(Problem(problem, file))
    if dataset.options.actions is None and BASE in dataset.keys.arrays:
        words = f"data.actions=[{','.join([*dataset.action_keys.values(), BASE])}] trains on both"
        warnings.append(Problem(f"{BASE}, a mobile robot's, is left out of the actions; {words}", file))
    if dataset.env_problem:
        warnings.append(Problem(f"{dataset.env_problem}: there will be no rollouts", file))
    if len(dataset.tasks) > 1 and dataset.options.task is None:
        texts = ", ".join(map(repr, dataset.tasks[:SHOWN])) + (", ..." if len(dataset.tasks) > SHOWN else "")
        problem = f"{len(dataset.tasks)} tasks ({texts}), which no policy reads; data.task=TEXT chooses one"
        warnings.append(Problem(problem, file))
    return _mixed_actions(dataset), warnings + _differing(dataset)


def unreadable(dataset: Dataset, key: str, array: Recorded) -> str:
    """Why a camera cannot be read, and how to go on without it where nobody chose cameras."""
    if dataset.options.cameras is not None:
        return array.note
    rest = ",".join(name for name, camera in dataset.cameras.items() if camera.key != key)
    return f"{array.note}; data.cameras=[{rest}] trains without this camera"


def readable(dataset: Dataset) -> tuple[list[Problem], list[Problem]]:
    """An error for each camera that cannot be read where nobody chose cameras: none is left out unasked."""
    if dataset.options.cameras is not None:
        return [], []
    errors = [
        dataset.problem(one, key, unreadable(dataset, key, array))
        for key, array in dataset.keys.arrays.items()
        if array.broken
        for one in [next(one for one in dataset.records if key in one.recorded.arrays)]
    ]
    return errors, []


def _mixed_actions(dataset: Dataset) -> list[Problem]:
    """An error where the actions of one source are absolute poses and those of another are not."""
    if dataset.options.absolute is not None or dataset.options.actions is not None:
        return []
    known = [source for source in dataset.sources if source.env_args is not None]
    words = {True: "absolute poses", False: "changes of the pose"}
    for source in known[1:]:
        first, here = (is_absolute(one.env_args) for one in (known[0], source))
        if first != here:
            problem = (
                f"by its env_args its actions are {words[here]}, those of {known[0].path} {words[first]}; "
                f"these cannot be used together"
            )
            return [Problem(problem, str(source.path))]
    return []


def _differing(dataset: Dataset) -> list[Problem]:
    """Warnings about sources that differ from the first one, whose word is taken."""
    problems = []
    first, told = dataset.source, f"is another than that of {dataset.path}, which is taken"
    for source in dataset.sources[1:]:
        if source.env_args != first.env_args:
            problems.append(Problem(f"its environment {told}", str(source.path)))
        if source.fps != first.fps:
            rates = f" ({source.fps:g} and {first.fps:g} a second)" if source.fps and first.fps else ""
            problems.append(Problem(f"its rate of steps {told}{rates}", str(source.path)))
    return problems
