"""The requests of one client, answered by a policy in an episode of the client's own.

    request                                   answer
    {"do": "chunk", "obs": {key: array}}      {"actions": "ta da"}   execute the first `action_steps`
    {"do": "act", "obs": {key: array}}        {"action": "da"}
    {"do": "observe", "obs": {key: array}}    {}                     an observation between two chunks
    {"do": "executed", "actions": "k da"}     {}                     what was done instead of the last ones
    {"do": "reset", "seed": 3}                {}                     a new episode; the seed may be left out

A request that does not fit is answered by {"error": text}, and the episode is as before.
"""

from collections.abc import Mapping
from typing import Any

from s2robot import __version__
from s2robot.deploy.loaded import LoadedPolicy
from s2robot.errors import UserError, unknown_name

TAKES = {"chunk": {"obs"}, "act": {"obs"}, "observe": {"obs"}, "executed": {"actions"}, "reset": {"seed"}}
MAY_MISS = {"seed"}


def hello(policy: LoadedPolicy) -> dict[str, Any]:
    """What a client is told first."""
    return {
        "s2robot": __version__,
        "inputs": policy.inputs,
        "action_dim": policy.spec.action_dim,
        "action_steps": policy.action_steps,
    }


def answer(policy: LoadedPolicy, request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request. Raises `UserError` for one that does not fit."""
    do = request.get("do")
    if not isinstance(do, str) or do not in TAKES:
        raise unknown_name("request", str(do)[:40], TAKES)
    found = request.keys() - {"do"}
    if found - TAKES[do] or TAKES[do] - MAY_MISS - found:
        takes = ", ".join(sorted(TAKES[do]))
        raise UserError(
            f"request {do!r} takes {takes}, not {', '.join(sorted(map(str, found))) or 'nothing'}"
        )
    if do == "chunk":
        return {"actions": policy.chunk(request["obs"])}
    if do == "act":
        return {"action": policy.act(request["obs"])}
    if do == "observe":
        policy.observe(request["obs"])
    elif do == "executed":
        policy.executed(request["actions"])
    else:
        policy.reset(request.get("seed"))
    return {}
