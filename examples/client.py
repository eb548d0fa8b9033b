"""A client of `s2robot serve RUN`, without s2robot: `python examples/client.py [ws://127.0.0.1:8000]`."""

import os
import sys

import msgpack
import numpy as np
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect


def to_plain(array: np.ndarray) -> dict:
    return {"shape": array.shape, "dtype": array.dtype.name, "data": array.tobytes()}


def from_plain(found: dict) -> object:
    is_array = found.keys() == {"shape", "dtype", "data"}
    return np.frombuffer(found["data"], found["dtype"]).reshape(found["shape"]) if is_array else found


def connected(url: str) -> ClientConnection:
    headers = {"Authorization": f"Bearer {os.environ.get('S2ROBOT_TOKEN', '')}"}
    try:
        return connect(url, additional_headers=headers, compression=None)
    except (OSError, WebSocketException) as error:
        sys.exit(f"{url}: {error}; is `s2robot serve RUN` running there, with the same S2ROBOT_TOKEN?")


def main(url: str = "ws://127.0.0.1:8000", steps: str = "10") -> None:
    with connected(url) as server:
        inputs = msgpack.unpackb(server.recv())["inputs"]  # key -> shape and dtype of what the policy reads
        for _ in range(int(steps)):
            obs = {key: np.zeros(said["shape"], said["dtype"]) for key, said in inputs.items()}  # the robot's
            server.send(msgpack.packb({"do": "act", "obs": obs}, default=to_plain))
            answer = msgpack.unpackb(server.recv(), object_hook=from_plain)
            print(answer["error"] if "error" in answer else np.round(answer["action"], 3))


main(*sys.argv[1:])
