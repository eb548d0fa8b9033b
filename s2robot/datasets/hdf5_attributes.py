"""Attributes of HDF5 files: text and JSON, whatever type they were written as."""

import json
import math
from typing import Any

import numpy as np

LONGEST_JSON = 2**24  # characters that are parsed
LONGEST_SHOWN = 60  # characters in a message


def single(value: object) -> object:
    """What is in an array of one element, as MATLAB and lists in h5py write attributes; else the value."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    return value.tobytes().rstrip(b"\0") if isinstance(value, np.void) and not value.dtype.names else value


def text(value: object) -> str:
    """An attribute or a row of an array as text."""
    value = single(value)
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def json_object(value: object) -> dict[str, Any] | None:
    """The JSON object of an attribute; None where it is missing, too long or anything else."""
    words = text(value)
    if len(words) > LONGEST_JSON:
        return None
    try:
        found = json.loads(words)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def whole_number(value: object) -> int | None:
    """The whole number that an attribute is, also as text or as a float without a fraction; else None."""
    value = single(value)
    if isinstance(value, bool | np.bool_):
        return None
    try:
        if isinstance(value, str | bytes):
            return int(value)
        if isinstance(value, float | np.floating):
            return int(value) if value == math.floor(value) else None
    except (ValueError, OverflowError):  # no number, or one that is not finite
        return None
    return int(value) if isinstance(value, int | np.integer) else None


def frequency(value: object) -> float | None:
    """A finite number above 0; else None."""
    value = single(value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    try:
        found = float(value)
    except OverflowError:  # an integer of hundreds of digits
        return None
    return found if math.isfinite(found) and found > 0 else None


def shown(value: object) -> str:
    """A value in a message: on one line, cut where it is long."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int) and abs(value) >= 10**LONGEST_SHOWN:
        return "an integer of very many digits"
    words = " ".join(repr(text(value) if isinstance(value, str | bytes) else value).split())
    return words if len(words) <= LONGEST_SHOWN else f"{words[:LONGEST_SHOWN]}..."
