"""What a conversion into any format does not keep, a line each."""

from collections.abc import Collection, Mapping, Sequence

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.environment import is_absolute
from s2robot.datasets.problem import Problem


def losses(
    dataset: Dataset,
    kept: Collection[str],
    vectors: Collection[str],
    unfit: Mapping[str, Sequence[Problem]],
) -> list[str]:
    """`kept`: keys of the arrays of numbers that are written; `vectors`: those of which each row becomes a
    vector beside an action. Cameras are written so, too. `unfit` as `stepwise.unfit` gives it."""
    arrays = dataset.keys.arrays
    cameras = {camera.key for camera in dataset.cameras.values()}
    lost = [
        f"frames of {name} are stored upright (transform {camera.transform})"
        for name, camera in dataset.cameras.items()
        if camera.transform
    ]
    if shaped := [f"{key} {arrays[key].shape}" for key in sorted(vectors) if len(arrays[key].shape) > 1]:
        lost.append(f"rows become vectors: {', '.join(shaped)}")
    if longer := sorted(key for key in {*vectors, *cameras} if _is_longer(dataset, key)):
        lost.append(f"the row after the last action is left out: {', '.join(longer)}")
    lost += [f"left out: {first}" for key, (first, *_) in unfit.items() if key not in kept]
    others = {key for key, one in arrays.items() if not one.part_of} - {*kept, *cameras, *unfit}
    if others:
        lost.append(f"left out, no numbers and no cameras in use: {', '.join(sorted(others))}")
    if dataset.absolute and not is_absolute(dataset.env_args):
        lost.append("no word of actions being absolute poses: use the new dataset with data.absolute=true")
    if dataset.env_problem:
        lost.append(f"env_args is left out: {dataset.env_problem}")
    if any(len(one.recorded.tasks) > 1 for one in dataset.records):
        lost.append("of several task texts of an episode the first is kept")
    return lost


def _is_longer(dataset: Dataset, key: str) -> bool:
    rows = (one.recorded.arrays[key].rows if key in one.recorded.arrays else 0 for one in dataset.records)
    return any(found > length for found, length in zip(rows, dataset.lengths, strict=True))
