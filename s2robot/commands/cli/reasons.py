"""What Hydra and OmegaConf found wrong, in one line and in this project's words."""

from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from omegaconf.errors import ConfigTypeError, ValidationError

WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    NoneType: "null",
    list: "a list, such as [a,b]",
    dict: "names with values, such as {a: 1}",
}


def reason(error: BaseException) -> str:
    """One line of an error of Hydra or OmegaConf, with the option that it is about."""
    key = getattr(error, "full_key", None)
    line = str(error).strip().splitlines()[0]
    if key and isinstance(error, ConfigTypeError) and (expected := _in_words(error.ref_type)):
        return f"{key} must be {expected}"
    if key and isinstance(error, ValidationError) and (expected := _expected(error)):
        return f"{key}={'null' if error.value is None else error.value} must be {expected}"
    return f"{key}: {line}" if key else line


def _expected(error: ValidationError) -> str:
    """What the option is declared as, in words; empty where they say nothing."""
    if is_dataclass(error.object_type):
        declared = get_type_hints(error.object_type).get(str(error.key))
    else:  # an element of a list
        lists = [kind for kind in (error.ref_type, *get_args(error.ref_type)) if get_origin(kind) is list]
        declared = get_args(lists[0])[0] if lists else None
    return _in_words(declared, str(error.full_key))


def _in_words(kind: Any, key: str = "") -> str:
    """`int | None` -> `a whole number or null`; `key` is the option's, for the example of a group."""
    if is_dataclass(kind):
        return f"set by its options, such as {key}.{fields(kind)[0].name}=..."
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(filter(None, map(_in_words, get_args(kind))))
    return WORDS.get(get_origin(kind) or kind, "")
