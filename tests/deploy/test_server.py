"""A served policy: what clients do right, and what they do wrong."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

import s2robot
from s2robot.deploy.loaded import LoadedPolicy
from s2robot.deploy.server import Limits, Server
from s2robot.deploy.wire import packed, unpacked
from tests.commands.command_line import assert_one_line, status_here
from tests.deploy.test_load_policy import observation
from tests.training.tiny_training import ROOT

TOKEN = "a-token"
OPENING = (
    b"GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture(scope="module")
def policy(trained: Path) -> LoadedPolicy:
    return s2robot.load_policy(trained, "cpu", backend="torch")


@asynccontextmanager
async def serving(policy: LoadedPolicy, **options: Any) -> AsyncIterator[tuple[Server, str]]:
    """A running server and its address, without the scheme."""
    server, address = Server(policy, **options), asyncio.Future[str]()
    run = asyncio.create_task(
        server.run("127.0.0.1", 0, lambda host, port: address.set_result(f"{host}:{port}"))
    )
    try:
        yield server, await address
    finally:
        server.stop()
        await run


@asynccontextmanager
async def client(address: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """A connection that was greeted."""
    async with connect(f"ws://{address}", compression=None, **options) as connection:
        assert unpacked(await connection.recv())["action_dim"] == 7
        yield connection


async def ask(connection: ClientConnection, **request: Any) -> dict[str, Any]:
    await connection.send(packed(request))
    return unpacked(await connection.recv())


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(test(), 120)

    asyncio.run(limited())


def test_each_client_has_an_episode_of_its_own(policy: LoadedPolicy) -> None:
    async def test() -> None:
        steps = range(6)
        expected = {}
        for who in (0, 1):
            alone = policy.another()
            expected[who] = [alone.act(observation(policy, 100 * who + i)) for i in steps]
        async with serving(policy) as (_, address), client(address) as a, client(address) as b:
            for i in steps:  # in turns
                for who, connection in ((0, a), (1, b)):
                    got = await ask(connection, do="act", obs=observation(policy, 100 * who + i))
                    np.testing.assert_array_equal(got["action"], expected[who][i])
            assert await ask(a, do="reset", seed=0) == {}
            chunk = await ask(a, do="chunk", obs=observation(policy, 0))
            np.testing.assert_array_equal(chunk["actions"][0], expected[0][0])
            assert await ask(a, do="executed", actions=chunk["actions"][:2]) == {}
            assert await ask(a, do="observe", obs=observation(policy, 1)) == {}

    run(test)


@pytest.mark.usefixtures("unchecked")
def test_a_request_that_does_not_fit_leaves_the_episode_as_it_is(policy: LoadedPolicy) -> None:
    async def test() -> None:
        expected = policy.another().act(observation(policy))
        wrong: dict[str, dict[str, Any]] = {
            "lacks agentview_image": {"do": "act", "obs": {}},
            "an observation is a dictionary": {"do": "act", "obs": 3},
            "unknown request 'fly'": {"do": "fly"},
            "unknown request 'None'": {},
            "takes obs, not nothing": {"do": "act"},
            "takes seed, not obs": {"do": "reset", "obs": {}},
            "seed='-1' must be": {"do": "reset", "seed": -1},
            f"seed='{2**64 - 1}' must be": {"do": "reset", "seed": 2**64 - 1},
            "at most 0 actions": {"do": "executed", "actions": np.zeros((1, 7))},
            "executed actions are object": {"do": "executed", "actions": {"a": 1}},
            "executed is no array": {"do": "executed", "actions": [1, [2]]},
        }
        async with serving(policy) as (server, address), client(address) as connection:
            for told, request in wrong.items():
                assert told in (await ask(connection, **request))["error"]
            got = await ask(connection, do="act", obs=observation(policy))
            np.testing.assert_array_equal(got["action"], expected)
            assert server.figures.plain()["errors"] == len(wrong)

    run(test)


async def refused(connection: ClientConnection, message: bytes | str, code: int) -> None:
    """Send something and be sent away with this close code, after at most one answer."""
    await connection.send(message)
    with pytest.raises(ConnectionClosed):
        while True:
            assert "error" in unpacked(await connection.recv())
    assert connection.close_code == code


def test_who_misbehaves_is_sent_away_and_the_others_are_served(policy: LoadedPolicy) -> None:
    async def test() -> None:
        async with serving(policy) as (server, address), client(address) as good:
            async with client(address) as bad:
                await refused(bad, b"\xc1 no message", 1007)
            async with client(address) as bad:
                await refused(bad, "text", 1007)
            async with client(address) as bad:
                await refused(bad, bytes(server.max_bytes + 1), 1009)
            async with client(address) as gone:
                await gone.send(packed({"do": "act", "obs": observation(policy)}))
                gone.transport.abort()  # it vanishes before it is answered
            reader, writer = await asyncio.open_connection(*address.split(":"))
            writer.write(b"\x16\x03\x01 no HTTP\r\n\r\n")
            await reader.read()
            writer.close()
            for _ in range(2):
                assert "action" in await ask(good, do="act", obs=observation(policy))
            for _ in range(1000):
                if server.figures.clients == 1:
                    break
                await asyncio.sleep(0.01)
            assert server.figures.clients == 1

    run(test)


def test_who_says_nothing_does_not_hold_up_the_end(
    policy: LoadedPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2robot.deploy.server.HANDSHAKE_S", 0.05)

    async def test() -> None:
        async with asyncio.timeout(None) as end, serving(policy) as (_, address):
            await asyncio.open_connection(*address.split(":"))  # it sends no request
            deaf, writer = await asyncio.open_connection(*address.split(":"))  # it answers no closing frame
            writer.write(OPENING)
            await deaf.readuntil(b"\r\n\r\n")
            end.reschedule(asyncio.get_running_loop().time() + 8)  # of 10 s that websockets would wait

    run(test)


def test_clients_and_their_requests_are_limited(policy: LoadedPolicy) -> None:
    async def test() -> None:
        limits = Limits(clients=1, rate_hz=1.0)
        async with serving(policy, limits=limits) as (_, address), client(address) as connection:
            with pytest.raises(InvalidStatus, match="503"):
                await connect(f"ws://{address}")
            assert await ask(connection, do="reset") == {}
            await refused(connection, packed({"do": "reset"}), 1008)

    run(test)


def test_a_token_is_asked_for_and_web_pages_are_refused(policy: LoadedPolicy) -> None:
    async def test() -> None:
        async with serving(policy, token=TOKEN) as (_, address):
            for wrong in ({}, {"Authorization": "Bearer a-toke"}, {"Authorization": "Bearer \xe9"}):
                with pytest.raises(InvalidStatus, match="401"):
                    await connect(f"ws://{address}", additional_headers=wrong)
            right = {"Authorization": f"Bearer {TOKEN}"}
            with pytest.raises(InvalidStatus, match="403"):
                await connect(
                    f"ws://{address}", additional_headers=right, origin=Origin("http://example.org")
                )
            async with client(address, additional_headers=right) as connection:
                assert await ask(connection, do="reset") == {}

    run(test)


def test_health_tells_latency_and_clients(policy: LoadedPolicy) -> None:
    def health(address: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{address}/health") as answer:
            assert answer.headers["Content-Type"] == "application/json"
            return json.load(answer)

    async def test() -> None:
        async with serving(policy) as (_, address), client(address) as connection:
            before = await asyncio.to_thread(health, address)
            assert before["latency_ms"] == {"p50": None, "p95": None}
            for i in range(3):
                await ask(connection, do="chunk", obs=observation(policy, i))
            after = await asyncio.to_thread(health, address)
        assert (after["status"], after["clients"], after["requests"], after["errors"]) == ("ok", 1, 3, 0)
        assert 0 < after["latency_ms"]["p50"] <= after["latency_ms"]["p95"]
        assert after["uptime_s"] >= before["uptime_s"]

    run(test)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_the_example_client_and_ends_cleanly(stop: signal.Signals, trained: Path) -> None:
    words = ["serve", str(trained), "--port", "0", "--device", "cpu", "--backend", "torch"]
    environment = {**os.environ, "S2ROBOT_TOKEN": TOKEN}
    with subprocess.Popen(
        [sys.executable, "-m", "s2robot", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        assert " on ws://127.0.0.1:" in line, process.stderr.read()
        url = line.split(" on ")[1].split(",")[0]
        example = [sys.executable, str(ROOT / "examples" / "client.py"), url, "2"]
        done = subprocess.run(example, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and done.stdout.count("[") == 2, done.stderr
        process.send_signal(stop)
        assert process.wait(60) == 0
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("words", "told"),
    {
        "no run": (["nowhere"], "no checkpoint at nowhere"),
        "seen from elsewhere": (["r", "--host", "0.0.0.0"], "give clients a token"),
        "a name": (["r", "--host", "myhost"], "give clients a token"),
        "token with a space": (["r", "--token", "a b"], "without spaces"),
        "port": (["r", "--port", "70000"], "--port 70000 must be between 0 and 65535"),
        "port of another type": (["r", "--port", "http"], "invalid int value: 'http'"),
        "clients": (["r", "--clients", "0"], "--clients must be at least 1"),
        "rate": (["r", "--rate", "nan"], "--rate above 0"),
        "unknown option": (["r", "--prot", "1"], "unrecognized arguments: --prot"),
    }.values(),
)
def test_mistakes_on_the_command_line(
    words: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert status_here(monkeypatch, "s2robot", "serve", *words) == 2
    assert_one_line(capsys.readouterr().err, told)


def test_a_port_that_is_taken_is_one_line(
    policy: LoadedPolicy, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = ("serve", str(trained), "--device", "cpu", "--backend", "torch", "--port", port)
        assert status_here(monkeypatch, "s2robot", *words) == 2
    assert_one_line(capsys.readouterr().err, f"cannot listen on 127.0.0.1:{port}")
