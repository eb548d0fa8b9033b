"""Attributes of HDF5 files: text and JSON, whatever type they were written as."""

import json
from typing import Any

LONGEST_JSON = 2**24  # characters that are parsed


def text(value: object) -> str:
    """An attribute or a row of an array as text."""
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
