"""How many bytes does an idle actor cost, as allocated? Raw: a task that waits at a channel."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

import trio
import trio.testing

import actors
from benchmarks.bench_spawn import Idle
from benchmarks.measure import Case

COUNT = 5_000


async def _bytes_each(make: Callable[[int], object]) -> float:
    for number in range(100):  # what is made once is not counted
        make(COUNT + number)
    await trio.testing.wait_all_tasks_blocked()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(COUNT):
        make(number)
    await trio.testing.wait_all_tasks_blocked()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / COUNT


async def named() -> float:
    """With a name."""
    async with actors.open_system("bench") as system:
        return await _bytes_each(lambda number: system.spawn(Idle, name=f"idle{number}"))


async def adhoc() -> float:
    """Without."""
    async with actors.open_system("bench") as system:
        return await _bytes_each(lambda number: system.spawn(Idle))


async def task() -> float:
    """A task and its channel."""
    senders: list[trio.MemorySendChannel[int]] = []

    async def reader(receiver: trio.MemoryReceiveChannel[int]) -> None:
        async for _ in receiver:
            pass

    async with trio.open_nursery() as nursery:

        def make(_: int) -> None:
            sender, receiver = trio.open_memory_channel[int](1)
            senders.append(sender)
            nursery.start_soon(reader, receiver)

        result = await _bytes_each(make)
        nursery.cancel_scope.cancel()
    return result


CASES = [
    Case("idle named actor", "bytes", named, task, less_is_better=True),
    Case("idle adhoc actor", "bytes", adhoc, task, less_is_better=True),
]
