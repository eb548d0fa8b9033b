"""Checks of what actions mean: their shape, absolute poses that nobody declared, the environment's box."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from s2robot.datasets.dataset import Dataset
from s2robot.datasets.episodes import Episode
from s2robot.datasets.problem import Problem, counted
from s2robot.datasets.source import Recorded

ARM = 7  # numbers of one arm's action in robosuite: position 3, rotation 3, gripper 1
JUST_ABOVE = 1e-3  # of rounding, beyond [-1, 1]
COPIED = 0.99  # share of the rows
OF_ONE_ARM = ("rel_pos", "abs_pos")  # of robomimic's action_dict, 3 numbers for an arm


def declared(dataset: Dataset) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings about types and shapes of actions."""
    errors, warnings = [], _of_another_type(dataset)
    first = dataset.records[0]
    usual = dataset.keys.arrays.get(dataset.source.actions or "")
    for key in dataset.action_keys.values():
        found, width = dataset.keys.arrays[key], dataset.width(key)
        if _is_integer(found):
            problem = f"actions are integers ({found.dtype}); they are trained on as numbers, not as classes"
            warnings.append(dataset.problem(first, key, problem))
        if len(found.shape) != 1:
            problem = f"actions are of shape {found.shape} a step, used as {width} numbers"
            warnings.append(dataset.problem(first, key, problem))
        if usual and usual.shape == (2 * ARM,) and key.endswith(OF_ONE_ARM) and width == 3:
            problem = (
                f"found {width} numbers for one arm, and {dataset.source.actions} has {2 * ARM} for two: "
                f"robomimic's extract_action_dict.py leaves the second out; use data.actions=[actions_abs]"
            )
            errors.append(dataset.problem(first, key, problem))
    return errors, warnings


def _is_integer(array: Recorded) -> bool:
    return array.dtype.startswith(("int", "uint", "bool"))


def _of_another_type(dataset: Dataset) -> list[Problem]:
    """A warning where actions are integers in some episodes and not in others; the fewer are named."""
    warnings = []
    for key in dataset.action_keys.values():
        groups: dict[bool, list[Episode]] = {False: [], True: []}
        for one in dataset.records:
            groups[_is_integer(one.recorded.arrays[key])].append(one)
        odd, usual = sorted(groups.values(), key=len)
        if odd:
            expected = usual[0].recorded.arrays[key].dtype
            problem = f"actions are {odd[0].recorded.arrays[key].dtype}, expected {expected} as in most"
            warnings.append(counted([dataset.problem(one, key, problem) for one in odd]))
    return warnings


def meaning(dataset: Dataset) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings about deltas of a family whose box is known, and about absolute poses."""
    if not dataset.has_known_box:
        return [], _jumping_turns(dataset)
    width = dataset.actions().shape[1]
    beyond = outside(dataset, -np.ones(width), np.ones(width))
    return list(_unclear(dataset)), [beyond] if beyond else []


def copied(dataset: Dataset) -> tuple[list[Problem], list[Problem]]:
    """No errors; a warning where each action is the proprioception of its own row, to be copied."""
    actions = dataset.actions()
    warnings = []
    for key in dataset.proprio_keys.values():
        rows = dataset.numbers(key)
        moves = rows.shape == actions.shape and bool((rows != rows[0]).any())
        if moves and np.mean(np.isclose(actions, rows).all(1)) > COPIED:
            problem = (
                f"the actions are the values of {key} in the same row: a policy learns to copy what "
                f"it reads, and the robot stands still; was the next row meant, or a commanded position?"
            )
            of = ", ".join(dataset.action_keys.values())
            warnings.append(dataset.problem(dataset.records[0], of, problem))
    return [], warnings


def outside(dataset: Dataset, low: Float[np.ndarray, "da"], high: Float[np.ndarray, "da"]) -> Problem | None:
    """A warning when actions leave the box of the environment that will execute them."""
    actions = dataset.actions()
    excess = np.maximum(actions - high, low - actions)
    beyond = (excess > JUST_ABOVE * np.maximum(1, high - low)).any(1)
    if not beyond.any():
        return None
    row, dimension = np.unravel_index(excess.argmax(), excess.shape)
    one, row_inside = dataset.locate(int(row))
    problem = (
        f"{beyond.sum()} of {len(actions)} actions are outside of the environment's box, the worst "
        f"{actions[row, dimension]:.4g} in dimension {dimension} of row {row_inside}, where "
        f"[{low[dimension]:g}, {high[dimension]:g}] is possible; training takes them as they are, "
        f"rollouts clip to the box"
    )
    return dataset.problem(one, ", ".join(dataset.action_keys.values()), problem)


def _jumping_turns(dataset: Dataset) -> list[Problem]:
    """A warning where the rotation vectors of absolute poses jump between steps.

    A rotation by nearly half a turn has two of them, of opposite directions: an arm that points down.
    """
    actions = dataset.actions()
    width = actions.shape[1]
    if not dataset.absolute or width not in (ARM, 2 * ARM):
        return []
    turns = actions.reshape(-1, width // ARM, ARM)[..., 3:6].astype(np.float64)
    steps = np.linalg.norm(np.diff(turns, axis=0), axis=-1).max(1, initial=0)
    steps[dataset.offsets[1:-1] - 1] = 0  # from one episode to the next
    jumps = steps > np.pi
    if not jumps.any():
        return []
    one, row = dataset.locate(int(steps.argmax()) + 1)
    problem = (
        f"rotation vectors jump in {jumps.sum()} of {len(steps)} steps, by {steps.max():.3g} rad in row "
        f"{row}; one of nearly half a turn is nearly equal to its opposite, and a policy may predict their "
        f"mean, which is neither; action_dict/abs_rot_6d does not jump"
    )
    return [dataset.problem(one, ", ".join(dataset.action_keys.values()), problem)]


def _unclear(dataset: Dataset) -> Iterator[Problem]:
    """An error for each source that declares delta actions whose numbers look like absolute poses.

    So are files whose `actions` diffusion_policy's conversion overwrote: positions in metres and rotation
    vectors up to pi, without a word in the file.
    """
    width = dataset.actions().shape[1]
    if width not in (ARM, 2 * ARM) or dataset.options.absolute is not None:
        return
    parts = np.repeat([one.part for one in dataset.records], dataset.lengths)
    for part in np.unique(parts):
        arms = np.abs(dataset.actions()[parts == part].reshape(-1, width // ARM, ARM))
        position, rotation = arms[..., :3].max(), arms[..., 3:6].max()
        if position > 1 + JUST_ABOVE or rotation <= 1 + JUST_ABOVE:
            continue
        first = next(one for one in dataset.records if one.part == part)
        problem = (
            f"rotations up to {rotation:.3g} with positions up to {position:.3g}: env_args declares deltas "
            f"in [-1, 1] and these look like absolute poses; say data.absolute=true or data.absolute=false"
        )
        yield dataset.problem(first, dataset.source.actions or "", problem)
