"""Agents that are processes, and the supervisor of a network of them.

Node processes import this, too: it is kept small.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

import actors
from actors.process import Command


@actors.message(tag="bench.Grow")
class Grow(actors.Request[tuple[actors.Ref, ...]]):
    """The request for a network: answered at once, with agents that are on their way."""


class Network(actors.Supervisor):
    """The 1 of 1 + n. It hears when its agents are ready, and does not look."""

    def __init__(self, agents: list[object], heard: Callable[[float, actors.NetworkReady], None]) -> None:
        self._agents = agents
        self._heard = heard

    @actors.receive
    def grow(self, message: Grow) -> tuple[actors.Ref, ...]:
        refs = tuple(self.spawn(agent, name=f"agent-{k}") for k, agent in enumerate(self._agents, 1))
        self.ctx.system.when_ready(refs, self.ctx.ref)
        return refs

    @actors.receive
    def ready(self, message: actors.NetworkReady) -> None:
        self._heard(trio.current_time(), message)


def process_agent(argv: list[str], lines: list[float]) -> Command:
    """A process that says "ready" on a line of its own, and when, on the clock of the machine."""

    def hear(stream: str, line: bytes) -> None:
        if line.startswith(b"ready "):
            lines.append(float(line.split()[1]))

    return Command(argv, ready=r"^ready .*\n", on_output=hear)


class Resident(actors.Actor):
    """An actor on a node of its own."""

    @actors.receive
    def unused(self, message: Grow) -> None: ...


class NodeAgent(actors.Supervisor):
    """A node process with an actor on it: ready when that actor is."""

    def __init__(self, node: str) -> None:
        self._node = node

    async def on_start(self) -> None:
        await self.ctx.system.start_node(self._node, spawnable=[Resident])
        await self.start(Resident, name="resident", on=self._node)
