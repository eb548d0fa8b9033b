"""Round trip of two 448-pixel frames to a server on this machine, beside a bare echo of the same bytes.

    python benchmarks/serve.py [--calls 200]

Both servers are of the same library (websockets) with the same options. Ours unpacks, checks and copies the
observation, hands it to the thread of the policy and answers with a chunk; the policy is left out, its chunk
is made of zeros. The calls take turns, so that a slow moment of the machine is one for both.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from inputs import two_cameras
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from s2robot.deploy.loaded import LoadedPolicy
from s2robot.deploy.server import Limits, Server
from s2robot.deploy.wire import packed, unpacked

SPEC = two_cameras((1, 1, 1))


class Nothing:
    """An actor that computes nothing."""

    obs_keys, obs_steps, action_steps = tuple(SPEC.observed), 1, 4

    def act(
        self, obs: Mapping[str, np.ndarray], states: Sequence[Any], generators: Sequence[torch.Generator]
    ) -> tuple[np.ndarray, list[Any]]:
        return np.zeros((len(states), 8, SPEC.action_dim), np.float32), list(states)


async def echo(connection: ServerConnection) -> None:
    async for data in connection:
        await connection.send(data)


async def round_trip_ms(connection: ClientConnection, data: bytes) -> float:
    began = time.perf_counter()
    await connection.send(data)
    await connection.recv()
    return 1000 * (time.perf_counter() - began)


async def measure(calls: int) -> None:
    """Print the medians of both and their ratio."""
    policy, generator = LoadedPolicy(Nothing(), SPEC), np.random.default_rng(0)
    obs = {key: generator.integers(0, 2, s["shape"]).astype(s["dtype"]) for key, s in policy.inputs.items()}
    data = packed({"do": "chunk", "obs": obs})
    server, address = Server(policy, limits=Limits(rate_hz=1e6)), asyncio.Future[str]()
    running = asyncio.create_task(
        server.run("127.0.0.1", 0, lambda host, port: address.set_result(f"ws://{host}:{port}"))
    )
    options: dict[str, Any] = {"compression": None, "max_size": server.max_bytes}
    async with serve(echo, "127.0.0.1", 0, **options) as bare:
        port = next(iter(bare.sockets)).getsockname()[1]
        async with (
            connect(await address, **options) as ours,
            connect(f"ws://127.0.0.1:{port}", **options) as echoed,
        ):
            unpacked(await ours.recv())
            ours_ms, echo_ms = [], []
            for _ in range(calls + 5):
                ours_ms.append(await round_trip_ms(ours, data))
                echo_ms.append(await round_trip_ms(echoed, data))
    server.stop()
    await running
    a, b = statistics.median(ours_ms[5:]), statistics.median(echo_ms[5:])
    print(f"{len(data):,} bytes, {calls} calls: s2robot serve {a:.2f} ms, echo {b:.2f} ms, ratio {a / b:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=200)
    asyncio.run(measure(parser.parse_args().calls))


if __name__ == "__main__":
    main()
