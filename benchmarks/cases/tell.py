"""How many one-way messages a second reach a handler? Raw: a task reading a memory channel."""

from __future__ import annotations

from functools import partial
from time import perf_counter

import trio

import actors
from benchmarks.case import PLAIN, RAW, Aim, Case, Side
from benchmarks.cases.common import Latch, both, open_bench

__all__ = ["AsyncSink", "Sink", "drain"]

MOST = 2_000_000


class Sink(actors.Actor):
    """Handles `left` messages."""

    def __init__(self, left: int, latch: Latch) -> None:
        self.left = left
        self.latch = latch

    @actors.receive
    def got(self, message: int) -> None:
        """One less."""
        self.left -= 1
        if not self.left:
            self.latch.down()


class AsyncSink(Sink):
    """The same with an `async` handler."""

    @actors.receive
    async def got(self, message: int) -> None:
        """One less."""
        self.left -= 1
        if not self.left:
            self.latch.down()


async def drain(receiver: trio.MemoryReceiveChannel[int], left: int, latch: Latch) -> None:
    """The same as a task."""
    async for _ in receiver:
        left -= 1
        if not left:
            latch.down()


async def ours(kind: type[Sink], count: int) -> float:
    """`tell` never waits: the mailbox has no bound."""
    async with open_bench() as system:
        latch = Latch(1)
        sink = await system.start(kind, count, latch, name="sink")
        began = perf_counter()
        for number in range(count):
            sink.tell(number)
        await latch.wait()
        return perf_counter() - began


async def raw(size: int, count: int) -> float:
    """A channel that holds `size` messages; 0 is trio's own first choice."""
    latch = Latch(1)
    sender, receiver = trio.open_memory_channel[int](size)
    async with trio.open_nursery() as nursery, sender:
        nursery.start_soon(drain, receiver, count, latch)
        began = perf_counter()
        for number in range(count):
            await sender.send(number)
        await latch.wait()
        return perf_counter() - began


CASES = [
    Case(
        name="tell-1-1",
        title="tell, 1 to 1",
        question="How many messages a second does one sender get handled by one receiver?",
        unit="messages/s",
        sides={
            **both(ours, AsyncSink, Sink, most=MOST),
            RAW: Side(partial(raw, 0), 1024, MOST),
            "raw trio, buffered": Side(partial(raw, 1000), 1024, MOST),
        },
        aims=(Aim(PLAIN, 12, RAW), Aim(PLAIN, 3, "fastest peer")),
    )
]
