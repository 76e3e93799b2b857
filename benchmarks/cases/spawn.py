"""How many actors a second are started, until the last is ready? Raw: a task with a channel each."""

from __future__ import annotations

from time import perf_counter

import trio

import actors
from benchmarks.case import ACTORS, PLAIN, RAW, Aim, Case, Side
from benchmarks.cases.common import Latch, both

__all__ = ["AsyncIdle", "Idle", "start_waiting"]

MOST = 100_000


class Idle(actors.Actor):
    """Says that it is there, and waits for messages. It is ready in the step in which it is made."""

    def __init__(self, ready: Latch) -> None:
        ready.down()

    @actors.receive
    def got(self, message: int) -> None:
        """Nothing."""


class AsyncIdle(Idle):
    """The same with an `async` handler."""

    @actors.receive
    async def got(self, message: int) -> None:
        """Nothing."""


async def wait_idle(receiver: trio.MemoryReceiveChannel[int], ready: Latch) -> None:
    """The same as a task."""
    ready.down()
    async for _ in receiver:
        pass


async def start_waiting(nursery: trio.Nursery, count: int) -> list[trio.MemorySendChannel[int]]:
    """So many of them; return when all run, with their channels."""
    ready = Latch(count)
    senders: list[trio.MemorySendChannel[int]] = []
    for _ in range(count):
        sender, receiver = trio.open_memory_channel[int](1)
        senders.append(sender)
        nursery.start_soon(wait_idle, receiver, ready)
    await ready.wait()
    return senders


async def ours(kind: type[Idle], count: int) -> float:
    """Actors without names."""
    async with actors.open_system("bench") as system:
        ready = Latch(count)
        began = perf_counter()
        for _ in range(count):
            system.spawn(kind, ready)
        await ready.wait()
        return perf_counter() - began


async def raw(count: int) -> float:
    """Tasks that wait at a channel."""
    async with trio.open_nursery() as nursery:
        began = perf_counter()
        senders = await start_waiting(nursery, count)
        took = perf_counter() - began
        nursery.cancel_scope.cancel()
    del senders  # kept until here: a channel without one ends its task
    return took


CASES = [
    Case(
        name="spawn",
        title="spawn",
        question="How many actors a second are started, until the last is ready?",
        unit="actors/s",
        sides={**both(ours, AsyncIdle, Idle, start=512, most=MOST), RAW: Side(raw, 512, MOST)},
        aims=(Aim(ACTORS, 1, RAW), Aim(PLAIN, 5, RAW)),
    )
]
