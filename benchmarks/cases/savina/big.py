"""Savina's big: 120 actors ping each other at random, each one after the other. Raw: 120 tasks."""

from __future__ import annotations

from random import Random
from time import perf_counter

import trio

import actors
from benchmarks.case import RAW, Case, Side
from benchmarks.cases.common import Latch, both, open_bench, shares

SIZE = 120


@actors.message
class Ping:
    """Answer this."""


@actors.message
class Pong:
    """The answer."""


@actors.message
class Meet:
    """These are all."""

    all: list[actors.Ref]


PING, PONG = Ping(), Pong()


class Peer(actors.Actor):
    """Pings somebody, waits for the pong, and pings the next, `left` times."""

    def __init__(self, seed: int, left: int, done: Latch) -> None:
        self.choose = Random(seed).choice
        self.left = left
        self.done = done
        self.all: list[actors.Ref] = []

    @actors.receive
    def meet(self, message: Meet) -> None:
        """Begin."""
        self.all = message.all
        self.choose(self.all).tell(PING)

    @actors.receive
    def ping(self, message: Ping) -> None:
        """Answer."""
        assert self.ctx.sender is not None
        self.ctx.sender.tell(PONG)

    @actors.receive
    def pong(self, message: Pong) -> None:
        """The next."""
        self.left -= 1
        if self.left:
            self.choose(self.all).tell(PING)
        else:
            self.done.down()


class AsyncPeer(Peer):
    """The same with `async` handlers."""

    @actors.receive
    async def meet(self, message: Meet) -> None:
        super().meet(message)

    @actors.receive
    async def ping(self, message: Ping) -> None:
        """Answer."""
        assert self.ctx.sender is not None
        self.ctx.sender.tell(PONG)

    @actors.receive
    async def pong(self, message: Pong) -> None:
        super().pong(message)


async def ours(kind: type[Peer], count: int) -> float:
    """120 actors."""
    async with open_bench() as system:
        parts = shares(count, SIZE)
        done = Latch(len(parts))
        peers = [await system.start(kind, seed, share, done) for seed, share in enumerate(parts)]
        began = perf_counter()
        for peer in peers:
            peer.tell(Meet(peers))
        await done.wait()
        return perf_counter() - began


Letter = int | Pong
"""A ping is the number of who waits for the pong."""
Pair = tuple[trio.MemorySendChannel[Letter], trio.MemoryReceiveChannel[Letter]]


async def _peer(number: int, left: int, done: Latch, pairs: list[Pair]) -> None:
    choose = Random(number).choice
    await choose(pairs)[0].send(number)
    async for message in pairs[number][1]:
        if not isinstance(message, Pong):
            await pairs[message][0].send(PONG)
            continue
        left -= 1
        if left:
            await choose(pairs)[0].send(number)
        else:
            done.down()


async def raw(count: int) -> float:
    """120 tasks; each channel has room for a message of everybody, so that nobody waits for a full one."""
    parts = shares(count, SIZE)
    done = Latch(len(parts))
    pairs: list[Pair] = [trio.open_memory_channel[Letter](SIZE + 1) for _ in parts]
    async with trio.open_nursery() as nursery:
        began = perf_counter()
        for number, share in enumerate(parts):
            nursery.start_soon(_peer, number, share, done, pairs)
        await done.wait()
        took = perf_counter() - began
        nursery.cancel_scope.cancel()
    return took


CASES = [
    Case(
        name="savina-big",
        title="Savina: big",
        question="How many pings a second do 120 actors get answered by each other?",
        unit="pings/s",
        sides={**both(ours, AsyncPeer, Peer), RAW: Side(raw, 1024)},
    )
]
