"""Which episodes are trained on and which are validated on."""

from collections.abc import Mapping, Sequence

from s2robot.datasets.source import Source
from s2robot.errors import UserError, unknown_name

USUAL_TRAIN, USUAL_VALID = "train", "valid"  # filter keys; a dataset need not have them
VALID_EVERY = 10  # of the demonstrations, where the dataset says nothing; the last one of fewer


def split(
    source: Source, numbers: Mapping[str, int], train: str | None, valid: str | None
) -> tuple[list[int], list[int]]:
    """Numbers of a source's episodes under two filter keys; None is all to train, none to validate on.

    `numbers` are those of the episodes that are used, by their names in the source. A source without any
    masks has every tenth episode for validation (of two to nine the last one); so has one with a mask to
    train and without the usual one to validate. Raises `UserError` for an unknown filter key.
    """
    if not source.masks:
        for option, key, usual in (("train", train, USUAL_TRAIN), ("valid", valid, USUAL_VALID)):
            if key not in (None, usual):
                raise UserError(
                    f"{source.path} has no filter key {key!r}; it has none at all: data.{option}={usual} "
                    f"divides it, data.{option}=null does not"
                )
        every = list(numbers.values())
        return _held_out(every) if valid else (every, [])
    training = _masked(source, numbers, train) if train else list(numbers.values())
    if valid == USUAL_VALID and valid not in source.masks:
        return _held_out(training)
    return training, _masked(source, numbers, valid) if valid else []


def _held_out(every: Sequence[int]) -> tuple[list[int], list[int]]:
    held_out = every[VALID_EVERY - 1 :: VALID_EVERY] or every[1:][-1:]
    return [i for i in every if i not in held_out], list(held_out)


def _masked(source: Source, numbers: Mapping[str, int], filter_key: str) -> list[int]:
    if filter_key not in source.masks:
        raise unknown_name("filter key", filter_key, source.masks, source.path)
    names = set(source.masks[filter_key])
    return [i for name, i in numbers.items() if name in names]
