"""How many messages a second do 100 senders get handled by one receiver? Raw: 100 tasks, one channel."""

from __future__ import annotations

from time import perf_counter

import trio

import actors
from benchmarks.case import RAW, Case, Side
from benchmarks.cases.common import Latch, both, open_bench, shares
from benchmarks.cases.tell import MOST, AsyncSink, Sink, drain

SENDERS = 100


class Sender(actors.Actor):
    """Sends as many messages as it is told to."""

    def __init__(self, sink: actors.Ref) -> None:
        self.sink = sink

    @actors.receive
    def send(self, message: int) -> None:
        """All at once."""
        for number in range(message):
            self.sink.tell(number)


class AsyncSender(Sender):
    """The same with an `async` handler."""

    @actors.receive
    async def send(self, message: int) -> None:
        """All at once."""
        for number in range(message):
            self.sink.tell(number)


async def ours(kinds: tuple[type[Sender], type[Sink]], count: int) -> float:
    """100 actors tell one."""
    async with open_bench() as system:
        latch = Latch(1)
        sink = await system.start(kinds[1], count, latch)
        senders = [await system.start(kinds[0], sink) for _ in range(SENDERS)]
        began = perf_counter()
        for sender, share in zip(senders, shares(count, SENDERS), strict=False):
            sender.tell(share)
        await latch.wait()
        return perf_counter() - began


async def _send(sender: trio.MemorySendChannel[int], share: int) -> None:
    async with sender:
        for number in range(share):
            await sender.send(number)


async def raw(count: int) -> float:
    """100 tasks, each with a clone of the sending end."""
    latch = Latch(1)
    sender, receiver = trio.open_memory_channel[int](0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drain, receiver, count, latch)
        began = perf_counter()
        async with sender:
            for share in shares(count, SENDERS):
                nursery.start_soon(_send, sender.clone(), share)
        await latch.wait()
        return perf_counter() - began


CASES = [
    Case(
        name="tell-100-1",
        title="tell, 100 to 1",
        question="How many messages a second do 100 senders get handled by one receiver?",
        unit="messages/s",
        sides={
            **both(ours, (AsyncSender, AsyncSink), (Sender, Sink), most=MOST),
            RAW: Side(raw, 1024, MOST),
        },
    )
]
