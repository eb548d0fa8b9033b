"""What server and client send each other: MessagePack of plain data, and arrays as {shape, dtype, data}.

Nothing in a message is executed: MessagePack's extension types are refused (libraries put pickles there), and
an array's dtype is one of a list of numbers.
"""

import math
from collections.abc import Mapping
from typing import Any

import msgpack
import numpy as np

from s2robot.errors import UserError

DTYPES = ("uint8", "int32", "int64", "float32", "float64")
MOST_AXES = 4
MOST_ENTRIES = 1000  # of a map or a list
MOST_CHARACTERS = 1000  # of a text


def packed(message: Mapping[str, Any]) -> bytes:
    """A message as bytes."""
    return msgpack.packb(message, default=_plain)


def unpacked(data: bytes | str) -> dict[str, Any]:
    """The message in these bytes, with arrays (which are not to be written to); `UserError` if it is none."""
    if isinstance(data, str):
        raise UserError("a message is binary (MessagePack), not text")
    try:
        message = msgpack.unpackb(
            data,
            object_hook=_array,
            ext_hook=_no_extension,
            max_ext_len=0,
            max_array_len=MOST_ENTRIES,
            max_map_len=MOST_ENTRIES,
            max_str_len=MOST_CHARACTERS,
            max_bin_len=len(data),
        )
    except UserError:
        raise
    except (ValueError, msgpack.UnpackException) as error:  # of all that a damaged message may be
        reason = str(error) or type(error).__name__
        raise UserError(f"a message is no MessagePack as expected: {reason}") from error
    if not isinstance(message, dict):
        raise UserError(f"a message is a map, not {type(message).__name__}")
    return message


def _plain(value: object) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.name in DTYPES:
        return {"shape": value.shape, "dtype": value.dtype.name, "data": np.ascontiguousarray(value).data}
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _array(found: dict[str, Any]) -> Any:
    """An array where a map is that of one."""
    if found.keys() != {"shape", "dtype", "data"}:
        return found
    shape, dtype, data = found["shape"], found["dtype"], found["data"]
    if dtype not in DTYPES:
        raise UserError(f"an array's dtype is one of {', '.join(DTYPES)}, not {str(dtype)[:40]!r}")
    if not isinstance(shape, list) or len(shape) > MOST_AXES or not all(_is_size(side) for side in shape):
        raise UserError(f"an array's shape is a list of up to {MOST_AXES} sizes, not {str(shape)[:40]}")
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    if not isinstance(data, bytes) or len(data) != expected:
        size = f"{len(data)} bytes" if isinstance(data, bytes) else type(data).__name__
        raise UserError(f"an array {dtype} of shape {shape} has {expected} bytes, not {size}")
    return np.frombuffer(data, dtype).reshape(shape)


def _is_size(side: object) -> bool:
    return type(side) is int and 0 <= side < 2**31


def _no_extension(code: int, data: bytes) -> Any:
    raise UserError(f"a message has MessagePack's extension type {code}, which is not read")
