"""Serve a trained policy over WebSocket: observations in, action chunks out, several clients at once.

s2robot serve runs/demo
s2robot serve runs/demo/checkpoints/best --port 8001 --set action_steps=2
S2ROBOT_TOKEN=... s2robot serve runs/demo --host 0.0.0.0

examples/client.py is a client. http://HOST:PORT/health answers with latency and clients as JSON.
"""

import asyncio
import ipaddress
import os
from collections.abc import Sequence

from s2robot.commands.cli.parser import Parser
from s2robot.commands.cli.policies import add_acting, add_path, add_running, loaded_policy
from s2robot.errors import UserError

TOKEN = "S2ROBOT_TOKEN"  # environment variable: a command's words are seen by all users of a machine


def cli(words: Sequence[str]) -> None:
    """`s2robot serve`."""
    parser = Parser(__name__, __doc__)
    add_path(parser)
    add_acting(parser)
    add_running(parser)
    add = parser.add_argument
    add(
        "--host",
        default="127.0.0.1",
        help="address to listen on; another than this machine's own needs a token",
    )
    add("--port", type=int, default=8000, help="port to listen on; 0: any that is free")
    add("--token", help=f"that clients must send; better in the environment variable {TOKEN}")
    add("--clients", type=int, default=16, help="most clients at once")
    add("--rate", type=float, default=200.0, metavar="HZ", help="most requests a second of a client")
    arguments = parser.parse_with_plugins(words)
    token = _token(arguments.token or os.environ.get(TOKEN), arguments.host)
    if not 0 <= arguments.port < 2**16:
        raise UserError(f"--port {arguments.port} must be between 0 and 65535")
    if arguments.clients < 1 or not arguments.rate > 0:
        raise UserError("--clients must be at least 1 and --rate above 0")

    try:
        from s2robot.deploy.server import Limits, Server
    except ModuleNotFoundError as error:
        if error.name not in ("websockets", "msgpack"):
            raise
        raise UserError(f"serving needs {error.name}: pip install 's2robot[serve]'") from error

    server = Server(loaded_policy(arguments), token, Limits(arguments.clients, arguments.rate))

    def say(host: str, port: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        print(
            f"serving {arguments.path} on ws://{shown}:{port}, figures on /health; Ctrl-C ends it", flush=True
        )

    asyncio.run(server.run(arguments.host, arguments.port, say))


def _token(token: str | None, host: str) -> str | None:
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise UserError("a token is made of ASCII letters, digits and signs, without spaces")
    if not token and not _is_loopback(host):
        raise UserError(
            f"--host {host} can be reached from other machines: give clients a token, e.g. "
            f"{TOKEN}=$(openssl rand -hex 16)"
        )
    return token or None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
