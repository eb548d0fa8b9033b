"""Messages: arrays come through as they are, and nothing but plain data is read."""

import pickle

import msgpack
import numpy as np
import pytest

from s2robot.deploy.wire import packed, unpacked
from s2robot.errors import UserError


def test_arrays_come_through() -> None:
    sent = {
        "frame": np.arange(24, dtype=np.uint8).reshape(2, 4, 3)[:, ::-1],
        "numbers": {"a": np.array([1.5, -2]), "b": np.zeros(0, np.float32)},
        "text": "é",
        "list": [1, None, True],
    }
    found = unpacked(packed(sent))
    np.testing.assert_array_equal(found["frame"], sent["frame"])
    np.testing.assert_array_equal(found["numbers"]["a"], [1.5, -2])
    assert found["frame"].dtype == np.uint8 and found["numbers"]["b"].shape == (0,)
    assert found["text"] == "é" and found["list"] == [1, None, True]


def array(**change: object) -> bytes:
    return msgpack.packb({"x": {"shape": [2], "dtype": "uint8", "data": b"ab", **change}})


HOSTILE = {
    "text": ("hello", "binary"),
    "empty": (b"", "no MessagePack"),
    "noise": (b"\xc1\xff\x00", "no MessagePack"),
    "cut off": (packed({"x": np.zeros(9)})[:-3], "no MessagePack"),
    "trailing bytes": (packed({}) + b"\x00", "no MessagePack"),
    "a list": (msgpack.packb([1, 2]), "a map, not list"),
    "extension": (msgpack.packb({"x": msgpack.ExtType(5, pickle.dumps(print))}), "MessagePack"),
    "timestamp": (msgpack.packb({"x": msgpack.Timestamp(1)}), "MessagePack"),
    "deep": (b"\x91" * 5000 + b"\x00", r"no MessagePack as expected: \S"),
    "deep maps": (b"\x81\xa1a" * 5000 + b"\x00", "no MessagePack"),
    "long list": (msgpack.packb({"x": [0] * 2000}), "no MessagePack"),
    "promises much": (b"\xdd\xff\xff\xff\xff", r"no MessagePack as expected: \S"),
    "integer keys": (msgpack.packb({1: 2}), "no MessagePack"),
    "not UTF-8": (b"\x81\xa1\xff\x00", "no MessagePack"),
    "dtype of objects": (array(dtype="O"), "dtype is one of"),
    "dtype of records": (array(dtype=[["a", "u1"]]), "dtype is one of"),
    "negative size": (array(shape=[-2]), "list of up to 4 sizes"),
    "size of another type": (array(shape=[True]), "list of up to 4 sizes"),
    "huge": (array(shape=[2**30, 2**30, 2**30]), "bytes, not 2 bytes"),
    "many axes": (array(shape=[1] * 9), "list of up to 4 sizes"),
    "other length": (array(shape=[3]), "3 bytes, not 2 bytes"),
    "no bytes": (array(data=[1, 2]), "2 bytes, not list"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_message_is_one_line(case: str) -> None:
    data, told = HOSTILE[case]
    with pytest.raises(UserError, match=told) as raised:
        unpacked(data)
    assert len(str(raised.value)) < 300
