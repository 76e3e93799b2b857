"""How many actors a second are stopped, one by one from outside? Raw: tasks whose channels are closed."""

from __future__ import annotations

from time import perf_counter

import trio

import actors
from benchmarks.case import RAW, Case, Side
from benchmarks.cases.common import Latch, both
from benchmarks.cases.spawn import MOST, AsyncIdle, Idle, start_waiting


async def ours(kind: type[Idle], count: int) -> float:
    """Stop each, then wait for each."""
    async with actors.open_system("bench") as system:
        ready = Latch(count)
        refs = [system.spawn(kind, ready) for _ in range(count)]
        await ready.wait()
        began = perf_counter()
        for ref in refs:
            ref.stop()
        for ref in refs:
            await ref.wait_stopped()
        return perf_counter() - began


async def raw(count: int) -> float:
    """Close each channel, then wait for all."""
    async with trio.open_nursery() as nursery:
        senders = await start_waiting(nursery, count)
        began = perf_counter()
        for sender in senders:
            sender.close()
    return perf_counter() - began


CASES = [
    Case(
        name="stop",
        title="stop",
        question="How many actors a second end when each is stopped by its ref?",
        unit="actors/s",
        sides={**both(ours, AsyncIdle, Idle, start=512, most=MOST), RAW: Side(raw, 512, MOST)},
    )
]
