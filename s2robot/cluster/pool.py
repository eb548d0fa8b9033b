"""A pool of actors, one for each GPU (or share of a node's cores), that work off a list of items.

Pieces become smaller towards the end, so nobody waits long for the last one, and an actor is given the next
one when it has ended the one before. Items of an actor that is lost (it was killed, its node went away) are
given to another one, and it is replaced. A node that joins later is given work, too.
"""

import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from s2robot.cluster.node import Facts, Host, Worker, sources_sha256
from s2robot.errors import UserError, number_of

CORES = 8  # of an actor without a GPU, at most
MOST_LOSSES = 3  # of actors with the same item, or of one node before its worker is made
LOOK_S = 2.0  # between looks at the cluster's nodes
WITHOUT_NODES_S = 120.0  # to wait for a node where none is left
CLOCK_S = 30.0  # of difference between two machines' clocks that is told


@dataclass
class _Member:
    """An actor, the answer it owes, and the items it has not done."""

    actor: Any
    node: str
    where: str  # address, for messages
    owes: Any
    items: list[Hashable] = field(default_factory=list)
    started: bool = False


class Pool:
    """The actors on all nodes of the cluster that `ray` is connected to."""

    def __init__(self, ray: Any, make: Callable[[], Worker], on_gpu: bool) -> None:
        """`make` makes the worker of an actor, and travels to it; `on_gpu`: each needs a GPU."""
        self._ray, self._make, self._on_gpu = ray, make, on_gpu
        self._members: list[_Member] = []
        self._todo: deque[Hashable] = deque()
        self._losses: Counter[Hashable] = Counter()
        self._refused: dict[str, str] = {}  # node -> why nothing is given to it
        self._sources = sources_sha256()
        self._looked = self._worked = float("-inf")

    def run(self, items: Sequence[Hashable], least: int = 1) -> Iterator[Any]:
        """The results of all items as they come, in pieces of `least` items or more while there are so many.

        Raises `UserError` where no node can do the work, and what a worker raises; results before that count.
        """
        self._todo, self._worked = deque(items), time.monotonic()
        try:
            while self._todo or any(member.items for member in self._members):
                self._look_at_nodes()
                for member in self._members:
                    if member.started and not member.items and self._todo:
                        self._give(member, least)
                owing = {member.owes: member for member in self._members if member.owes is not None}
                if not owing:
                    time.sleep(0.1)
                    continue
                ready, _ = self._ray.wait(list(owing), num_returns=1, timeout=LOOK_S)
                for one in ready:
                    yield from self._receive(owing[one])
            self._close()
        finally:
            if self._ray.is_initialized():  # a call of Ray would start a cluster, where this one was left
                for member in self._members:
                    self._ray.kill(member.actor)
            self._members = []

    def _look_at_nodes(self) -> None:
        """Make the actors that are missing. Raises `UserError` where no node is left for them."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        for node in self._ray.nodes():
            if node["Alive"] and node["NodeID"] not in self._refused:
                wanted, share = _actors(node["Resources"], self._on_gpu)
                there = sum(member.node == node["NodeID"] for member in self._members)
                for _ in range(wanted - there):
                    self._add(node, share)
        if self._members:
            self._worked = now
        elif self._refused:
            raise UserError(next(reversed(self._refused.values())))
        elif now - self._worked > WITHOUT_NODES_S:
            left = number_of(len(self._todo), "item")
            raise UserError(f"no node of the cluster is left, {left} not done; run it again to go on")

    def _add(self, node: dict[str, Any], share: dict[str, float]) -> None:
        strategies = self._ray.util.scheduling_strategies
        placed = strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        actor = self._ray.remote(Host).options(scheduling_strategy=placed, **share).remote()
        owes = actor.start.remote(self._make, self._sources)
        self._members.append(_Member(actor, node["NodeID"], node["NodeManagerAddress"], owes))

    def _give(self, member: _Member, least: int) -> None:
        actors = sum(one.started for one in self._members)
        share = -(-len(self._todo) // actors)
        size = max(min(least, share), -(-share // 2))
        member.items = [self._todo.popleft() for _ in range(min(size, len(self._todo)))]
        member.actor.give.remote(member.items)
        member.owes = member.actor.take.remote()

    def _receive(self, member: _Member) -> Iterator[Any]:
        try:
            answer = self._ray.get(member.owes)
        except self._ray.exceptions.RayTaskError as error:
            self._refuse(member, error.cause if isinstance(error.cause, UserError) else error)
            return
        except self._ray.exceptions.RayError as error:
            self._lost(member, error)
            return
        member.owes = None
        if isinstance(answer, Facts):
            member.started = True
            if abs(answer.clock_s - time.time()) > CLOCK_S:
                _warn(f"the clock of node {member.where} differs by more than {CLOCK_S:g} s")
            return
        for kind, told in answer:
            if kind == "failed":
                raise told
            if kind == "end":
                member.items = []
                return
            done, result = set(told[0]), told[1]
            member.items = [item for item in member.items if item not in done]
            yield result
        member.owes = member.actor.take.remote()

    def _lost(self, member: _Member, error: Exception) -> None:
        """Give the items of an actor that is no more to others."""
        why = str(error).strip().splitlines()[0]
        self._members.remove(member)
        self._losses.update(member.items if member.started else [member.node])
        if not member.started and self._losses[member.node] >= MOST_LOSSES:
            self._refuse(member, error)
        worst = max((self._losses[item] for item in member.items), default=0)
        if worst >= MOST_LOSSES:
            raise UserError(f"{worst} actors ended at the same work, the last on {member.where}: {why}")
        self._todo.extendleft(reversed(member.items))
        if member.started:
            _warn(f"an actor on node {member.where} was lost; {len(member.items)} items are given to others")
        self._looked = float("-inf")

    def _refuse(self, member: _Member, error: Exception) -> None:
        """Nothing can be done on this node."""
        why = " ".join(str(error).split())[-600:]
        self._refused[member.node] = f"node {member.where} cannot take part: {why}"
        _warn(self._refused[member.node])
        self._members = [one for one in self._members if one.node != member.node]
        self._looked = float("-inf")

    def _close(self) -> None:
        """Let all workers end what they hold; one that is lost now has done its work."""
        ending = [member.actor.close.remote() for member in self._members if member.started]
        for one in ending:
            try:
                self._ray.get(one)
            except self._ray.exceptions.RayActorError as error:
                _warn(f"an actor was lost at the end: {str(error).strip().splitlines()[0]}")


def _actors(resources: dict[str, float], on_gpu: bool) -> tuple[int, dict[str, float]]:
    """How many actors a node takes, and the share of it that each has."""
    cores, gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
    if on_gpu:
        return gpus, {"num_gpus": 1, "num_cpus": cores // max(gpus, 1)}
    count = -(-cores // CORES)
    return count, {"num_cpus": cores // max(count, 1), "num_gpus": 0}


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr, flush=True)
