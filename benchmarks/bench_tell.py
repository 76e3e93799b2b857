"""How many one-way messages a second reach a handler? Raw: a task reading a memory channel."""

from __future__ import annotations

import math

import trio

import actors
from benchmarks.measure import Case, rate

COUNT = 200_000
UNBOUNDED = actors.Policy(mailbox=actors.Mailbox(capacity=math.inf))


class Sink(actors.Actor):
    """Counts down."""

    def __init__(self, left: int, done: trio.Event) -> None:
        self.left = left
        self.done = done

    @actors.receive
    def got(self, message: int) -> None:
        """One less."""
        self.left -= 1
        if not self.left:
            self.done.set()


class AsyncSink(Sink):
    """The same with an `async` handler."""

    @actors.receive
    async def got(self, message: int) -> None:
        """One less."""
        self.left -= 1
        if not self.left:
            self.done.set()


async def _ours(kind: type[Sink]) -> float:
    async with actors.open_system("bench") as system:
        done = trio.Event()
        sink = await system.start(kind, COUNT, done, name="sink", policy=UNBOUNDED)

        async def work() -> None:
            for number in range(COUNT):
                sink.tell(number)
            await done.wait()

        return await rate(COUNT, work)


async def plain() -> float:
    """A plain handler."""
    return await _ours(Sink)


async def coroutine() -> float:
    """An `async` handler."""
    return await _ours(AsyncSink)


async def _channel(size: int) -> float:
    sender, receiver = trio.open_memory_channel[int](size)

    async def sink() -> None:
        async for _ in receiver:
            pass

    async def work() -> None:
        async with trio.open_nursery() as nursery, sender:
            nursery.start_soon(sink)
            for number in range(COUNT):
                await sender.send(number)

    return await rate(COUNT, work)


async def rendezvous() -> float:
    """`open_memory_channel(0)`, trio's own first choice."""
    return await _channel(0)


async def buffered() -> float:
    """`open_memory_channel(1000)`, our default capacity."""
    return await _channel(1000)


CASES = [
    Case("tell, channel(0)", "messages/s", plain, rendezvous, 8),
    Case("tell, channel(1000)", "messages/s", plain, buffered),
    Case("tell async, channel(0)", "messages/s", coroutine, rendezvous),
]
