"""How many bytes does an idle actor cost, as allocated? Raw: a task that waits at a channel."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from functools import partial

import trio
import trio.testing

import actors
from benchmarks.case import ACTORS, PLAIN, RAW, Aim, Case, Side
from benchmarks.cases.common import both

COUNT = 5_000
WARM = 100
LIMITS = (Aim(ACTORS, 3400), Aim(PLAIN, 1200))


class Idle(actors.Actor):
    """Does nothing."""

    @actors.receive
    def got(self, message: int) -> None:
        """Nothing."""


class AsyncIdle(actors.Actor):
    """The same with an `async` handler."""

    @actors.receive
    async def got(self, message: int) -> None:
        """Nothing."""


async def bytes_each(make: Callable[[int], object], count: int) -> float:
    """What `count` of them take, divided by `count`; what is made once is not counted."""
    for number in range(WARM):
        make(count + number)
    await trio.testing.wait_all_tasks_blocked()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(count):
            make(number)
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        return (tracemalloc.get_traced_memory()[0] - before) / count
    finally:
        tracemalloc.stop()


async def named(kind: type[actors.Actor], count: int) -> float:
    """With a name."""
    async with actors.open_system("bench") as system:
        return await bytes_each(lambda number: system.spawn(kind, name=f"idle-{number}"), count)


async def adhoc(kind: type[actors.Actor], count: int) -> float:
    """Without."""
    async with actors.open_system("bench") as system:
        return await bytes_each(lambda number: system.spawn(kind), count)


async def _wait(receiver: trio.MemoryReceiveChannel[int]) -> None:
    async for _ in receiver:
        pass


async def raw(count: int) -> float:
    """A task and its channel."""
    senders: list[trio.MemorySendChannel[int]] = []
    async with trio.open_nursery() as nursery:

        def make(_: int) -> None:
            sender, receiver = trio.open_memory_channel[int](1)
            senders.append(sender)
            nursery.start_soon(_wait, receiver)

        result = await bytes_each(make, count)
        nursery.cancel_scope.cancel()
    return result


_case = partial(Case, unit="bytes", aims=LIMITS, kind="value", better="less", count=COUNT)

CASES = [
    _case(
        name="idle-memory",
        title="memory of an idle actor, named",
        question="How many bytes does an idle actor with a name cost?",
        sides={**both(named, AsyncIdle, Idle), RAW: Side(raw)},
    ),
    _case(
        name="idle-memory-adhoc",
        title="memory of an idle actor, adhoc",
        question="How many bytes does an idle actor without a name cost?",
        sides={**both(adhoc, AsyncIdle, Idle), RAW: Side(raw)},
    ),
]
