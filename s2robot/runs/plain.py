"""JSON files of a run folder, read with every value checked: damaged or foreign ones are one clear error.

Nothing here imports PyTorch.
"""

import json
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, Union

from s2robot.errors import UserError
from s2robot.files import read_text

T = TypeVar("T")


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises `UserError` naming the file where there is none."""
    try:
        plain = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(plain, dict):
        raise UserError(f"{path} holds {describe(plain)}, expected a JSON object")
    return plain


def build(kind: type[T], plain: Any, where: str) -> T:
    """The dataclass `kind` from plain data, its fields by name and of the declared types.

    Declared may be int, float, bool, str, None, unions of them, sequences, mappings with text keys and other
    dataclasses. Raises `UserError` that begins with `where` for anything else.
    """
    if not isinstance(plain, dict):
        raise UserError(f"{where} is {describe(plain)}, expected a JSON object")
    hints = typing.get_type_hints(kind)
    declared = {field.name: field for field in fields(typing.cast(Any, kind))}
    if unknown := sorted(map(str, plain.keys() - declared.keys())):
        raise UserError(f"{where} has the unknown field {unknown[0]!r}; known: {', '.join(declared)}")
    values = {}
    for name, field in declared.items():
        if name in plain:
            values[name] = _value(hints[name], plain[name], f"{where}: {name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise UserError(f"{where} has no {name!r}")
    return kind(**values)


def _value(hint: Any, plain: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or (origin is None and hint is not float and type(plain) is hint):
        return plain
    if hint is float and type(plain) in (int, float):
        return float(plain)
    if origin in (Union, types.UnionType):
        if plain is None and type(None) in arguments:
            return None
        return _value(next(one for one in arguments if one is not type(None)), plain, where)
    if is_dataclass(hint):
        return build(typing.cast(type, hint), plain, where)
    if origin in (Sequence, list) and isinstance(plain, list):
        return [_value(arguments[0], one, f"{where}[{i}]") for i, one in enumerate(plain)]
    if origin is tuple and arguments[1:] == (...,) and isinstance(plain, list):
        return tuple(_value(arguments[0], one, where) for one in plain)
    if origin is tuple and isinstance(plain, list) and len(plain) == len(arguments):
        return tuple(_value(one, value, where) for one, value in zip(arguments, plain, strict=True))
    if origin in (Mapping, dict) and isinstance(plain, dict):
        return {key: _value(arguments[1], value, f"{where}.{key}") for key, value in plain.items()}
    expected = getattr(hint, "__name__", str(hint)) if origin is None else str(hint).replace("typing.", "")
    raise UserError(f"{where} is {describe(plain)}, expected {expected}")


def describe(value: Any) -> str:
    """A value in an error message, short."""
    text = json.dumps(value) if isinstance(value, str | int | float | bool | None) else type(value).__name__
    return text if len(text) <= 40 else text[:40] + "..."
