"""How many messages a second does one sender get handled by 100 receivers? Raw: 100 tasks, 100 channels."""

from __future__ import annotations

from time import perf_counter

import trio

from benchmarks.case import RAW, Case, Side
from benchmarks.cases.common import Latch, both, open_bench, shares
from benchmarks.cases.tell import MOST, AsyncSink, Sink, drain

RECEIVERS = 100


async def ours(kind: type[Sink], count: int) -> float:
    """One tells 100 in turn."""
    async with open_bench() as system:
        parts = shares(count, RECEIVERS)
        latch = Latch(len(parts))
        sinks = [await system.start(kind, share, latch) for share in parts]
        began = perf_counter()
        for number in range(count):
            sinks[number % RECEIVERS].tell(number)
        await latch.wait()
        return perf_counter() - began


async def raw(count: int) -> float:
    """One sends to 100 in turn."""
    parts = shares(count, RECEIVERS)
    latch = Latch(len(parts))
    async with trio.open_nursery() as nursery:
        senders: list[trio.MemorySendChannel[int]] = []
        for share in parts:
            sender, receiver = trio.open_memory_channel[int](0)
            senders.append(sender)
            nursery.start_soon(drain, receiver, share, latch)
        began = perf_counter()
        for number in range(count):
            await senders[number % RECEIVERS].send(number)
        await latch.wait()
        took = perf_counter() - began
        nursery.cancel_scope.cancel()
    return took


CASES = [
    Case(
        name="tell-1-100",
        title="tell, 1 to 100",
        question="How many messages a second does one sender get handled by 100 receivers, in turn?",
        unit="messages/s",
        sides={**both(ours, AsyncSink, Sink, most=MOST), RAW: Side(raw, 1024, MOST)},
    )
]
