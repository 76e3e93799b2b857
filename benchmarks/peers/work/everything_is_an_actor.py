"""What everything-is-an-actor's actors do, in either of its two packages. No mailbox has a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

from benchmarks.peers.common import ASKERS, RECEIVERS, SENDERS, Latch, check, shares

try:
    from everything_is_an_actor import Actor, ActorSystem, FastMailbox

    SYSTEM = {"mailbox_cls": FastMailbox}
    MESSENGER = ActorSystem
except ImportError:
    from actor_for_agents import Actor, ActorRef, ActorSystem

    SYSTEM = {"executor_workers": None}
    MESSENGER = ActorRef

__all__ = ["ask", "ask_at_once", "ring", "spawn", "tell_from_many", "tell_many", "tell_one"]

Ref = Any
UNBOUNDED = 0


class System:
    """One system: `tell(ref, message)` and `ask(ref, message, timeout=…)` are its own, or the refs'."""

    def __init__(self) -> None:
        self.system = ActorSystem("bench", **SYSTEM)
        owner = self.system if MESSENGER is ActorSystem else MESSENGER
        self.tell: Callable[[Ref, object], Awaitable[None]] = owner.tell
        self.ask: Callable[..., Awaitable[Any]] = owner.ask
        self._spawned = 0

    def spawn(self, kind: type[Actor]) -> Awaitable[Ref]:
        """Names are needed."""
        self._spawned += 1
        return self.system.spawn(kind, f"a{self._spawned}", mailbox_size=UNBOUNDED)


def _running(work: Callable[..., Awaitable[float]]) -> Callable[..., float]:
    async def run(*arguments: object) -> float:
        system = System()
        try:
            return await work(system, *arguments)
        finally:
            await system.system.shutdown()

    return lambda *arguments: asyncio.run(run(*arguments))


def _sink(share: int, latch: Latch) -> type[Actor]:
    """Actors are made without arguments, so each kind has its own."""

    class Sink(Actor):
        left = share

        async def on_receive(self, message: int) -> None:
            self.left -= 1
            if not self.left:
                latch.down()

    return Sink


class Echo(Actor):
    """Answers."""

    async def on_receive(self, message: int) -> int:
        """The number."""
        return message


@_running
async def tell_one(system: System, count: int) -> float:
    """A task tells one actor."""
    done = asyncio.Event()
    sink = await system.spawn(_sink(count, Latch(1, done)))
    tell = system.tell
    began = perf_counter()
    for number in range(count):
        await tell(sink, number)
    await done.wait()
    return perf_counter() - began


@_running
async def tell_from_many(system: System, count: int) -> float:
    """100 actors tell one."""
    done = asyncio.Event()
    sink = await system.spawn(_sink(count, Latch(1, done)))
    tell = system.tell

    class Sender(Actor):
        async def on_receive(self, message: int) -> None:
            for number in range(message):
                await tell(sink, number)

    senders = [await system.spawn(Sender) for _ in range(SENDERS)]
    began = perf_counter()
    for sender, share in zip(senders, shares(count, SENDERS), strict=False):
        await tell(sender, share)
    await done.wait()
    return perf_counter() - began


@_running
async def tell_many(system: System, count: int) -> float:
    """A task tells 100 actors in turn."""
    done = asyncio.Event()
    parts = shares(count, RECEIVERS)
    latch = Latch(len(parts), done)
    sinks = [await system.spawn(_sink(share, latch)) for share in parts]
    tell = system.tell
    began = perf_counter()
    for number in range(count):
        await tell(sinks[number % RECEIVERS], number)
    await done.wait()
    return perf_counter() - began


@_running
async def ask(system: System, timeout: float | None, count: int) -> float:
    """A task asks one actor."""
    echo = await system.spawn(Echo)
    answer: int | None = None
    began = perf_counter()
    for number in range(count):
        answer = await system.ask(echo, number, timeout=timeout)
    took = perf_counter() - began
    check(answer, count - 1)
    return took


@_running
async def ask_at_once(system: System, count: int) -> float:
    """1,000 tasks ask one actor."""
    echo = await system.spawn(Echo)

    async def asker(share: int) -> None:
        for number in range(share):
            check(await system.ask(echo, number, timeout=None), number)

    began = perf_counter()
    await asyncio.gather(*(asker(share) for share in shares(count, ASKERS)))
    return perf_counter() - began


@_running
async def ring(system: System, size: int, count: int) -> float:
    """`size` actors in a ring. Handing the first one the token is a hop, too."""
    done = asyncio.Event()
    tell = system.tell
    nodes: list[Ref] = []

    def node(index: int) -> type[Actor]:
        class Node(Actor):
            async def on_started(self) -> None:
                self.following: Ref = None

            async def on_receive(self, message: int) -> None:
                if message:
                    if self.following is None:
                        self.following = nodes[(index + 1) % size]
                    await tell(self.following, message - 1)
                else:
                    done.set()

        return Node

    nodes += [await system.spawn(node(index)) for index in range(size)]
    began = perf_counter()
    await tell(nodes[0], count - 1)
    await done.wait()
    return perf_counter() - began


@_running
async def spawn(system: System, count: int) -> float:
    """Each says that it is there."""
    done = asyncio.Event()
    latch = Latch(count, done)

    class Idle(Actor):
        async def on_started(self) -> None:
            latch.down()

    began = perf_counter()
    for _ in range(count):
        await system.spawn(Idle)
    await done.wait()
    return perf_counter() - began
