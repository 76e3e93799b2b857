"""What xoscar's actors do, all in one pool and one process. Their methods are plain where nothing waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import xoscar

from benchmarks.peers.common import ASKERS, RECEIVERS, SENDERS, Latch, check, shares

__all__ = ["ask", "ask_at_once", "ring", "spawn", "tell_from_many", "tell_many", "tell_one"]

Ref = Any


class Sink(xoscar.Actor):
    """Handles `left` messages."""

    def __init__(self, left: int, latch: Latch) -> None:
        self.left = left
        self.latch = latch

    def got(self, message: int) -> None:
        """One less."""
        self.left -= 1
        if not self.left:
            self.latch.down()


class Sender(xoscar.Actor):
    """Sends as many messages as it is told to."""

    def __init__(self, sink: Ref) -> None:
        self.sink = sink

    async def send(self, message: int) -> None:
        """One after the other: `tell` gives way."""
        for number in range(message):
            await self.sink.got.tell(number)


class Echo(xoscar.Actor):
    """Answers."""

    def answer(self, message: int) -> int:
        """The number."""
        return message


class Node(xoscar.Actor):
    """Passes the token on until it has no hops left."""

    def __init__(self, latch: Latch) -> None:
        self.latch = latch
        self.following: Ref = None

    def meet(self, following: Ref) -> None:
        """Learn who comes next."""
        self.following = following

    async def hop(self, message: int) -> None:
        """Pass it on."""
        if message:
            await self.following.hop.tell(message - 1)
        else:
            self.latch.down()


class Idle(xoscar.Actor):
    """Says that it is there, and waits for messages."""

    def __init__(self, latch: Latch) -> None:
        self.latch = latch

    async def __post_create__(self) -> None:
        """Here it is."""
        self.latch.down()


async def _start(address: str, kind: type[xoscar.Actor], *arguments: object) -> Ref:
    """A ref that is looked up is ten times as fast as the one of `create_actor`, which goes by the router."""
    made = await xoscar.create_actor(kind, *arguments, address=address)
    return await xoscar.actor_ref(address=address, uid=made.uid)


def _running(work: Callable[..., Awaitable[float]]) -> Callable[..., float]:
    async def run(*arguments: object) -> float:
        pool = await xoscar.create_actor_pool("127.0.0.1", n_process=0)

        async with pool:
            return await work(pool.external_address, *arguments)

    return lambda *arguments: asyncio.run(run(*arguments))


@_running
async def tell_one(address: str, count: int) -> float:
    """A task tells one actor."""
    done = asyncio.Event()
    sink = await _start(address, Sink, count, Latch(1, done))
    began = perf_counter()
    for number in range(count):
        await sink.got.tell(number)
    await done.wait()
    return perf_counter() - began


@_running
async def tell_from_many(address: str, count: int) -> float:
    """100 actors tell one."""
    done = asyncio.Event()
    sink = await _start(address, Sink, count, Latch(1, done))
    senders = [await _start(address, Sender, sink) for _ in range(SENDERS)]
    began = perf_counter()
    for sender, share in zip(senders, shares(count, SENDERS), strict=False):
        await sender.send.tell(share)
    await done.wait()
    return perf_counter() - began


@_running
async def tell_many(address: str, count: int) -> float:
    """A task tells 100 actors in turn."""
    done = asyncio.Event()
    parts = shares(count, RECEIVERS)
    latch = Latch(len(parts), done)
    sinks = [await _start(address, Sink, share, latch) for share in parts]
    began = perf_counter()
    for number in range(count):
        await sinks[number % RECEIVERS].got.tell(number)
    await done.wait()
    return perf_counter() - began


@_running
async def ask(address: str, timeout: float | None, count: int) -> float:
    """A task asks one actor."""
    echo = await _start(address, Echo)
    answer: int | None = None
    began = perf_counter()
    if timeout is None:
        for number in range(count):
            answer = await echo.answer(number)
    else:
        for number in range(count):
            answer = await xoscar.wait_for(echo.answer(number), timeout)
    took = perf_counter() - began
    check(answer, count - 1)
    return took


@_running
async def ask_at_once(address: str, count: int) -> float:
    """1,000 tasks ask one actor."""
    echo = await _start(address, Echo)

    async def asker(share: int) -> None:
        for number in range(share):
            check(await echo.answer(number), number)

    began = perf_counter()
    await asyncio.gather(*(asker(share) for share in shares(count, ASKERS)))
    return perf_counter() - began


@_running
async def ring(address: str, size: int, count: int) -> float:
    """`size` actors in a ring. Handing the first one the token is a hop, too."""
    done = asyncio.Event()
    latch = Latch(1, done)
    nodes = [await _start(address, Node, latch) for _ in range(size)]
    for node, following in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
        await node.meet(following)
    began = perf_counter()
    await nodes[0].hop.tell(count - 1)
    await done.wait()
    return perf_counter() - began


@_running
async def spawn(address: str, count: int) -> float:
    """Without names."""
    done = asyncio.Event()
    latch = Latch(count, done)
    began = perf_counter()
    for _ in range(count):
        await xoscar.create_actor(Idle, latch, address=address)
    await done.wait()
    return perf_counter() - began
