"""How many restarts a second does a supervisor carry out? 100 named actors crash again and again.

Raw: 100 tasks that each open a nursery for a worker, and another one when it crashes.
"""

from __future__ import annotations

import math
from time import perf_counter

import trio
import trio.testing

import actors
from benchmarks.case import RAW, Case, Side
from benchmarks.cases.common import Latch, both, check, shares

__all__ = ["AT_ONCE", "Crash", "generous"]

CRASHES = 10_000
ACTORS_THAT_CRASH = 100

AT_ONCE = actors.Policy(
    backoff=actors.Backoff(initial=0, maximum=0, jitter=0),
    breaker=None,
    mailbox=actors.Mailbox(capacity=math.inf),
)
"""Restarted at once, however often."""


def generous(crashes: int) -> actors.OneForOne:
    """A budget that so many crashes do not use up."""
    return actors.OneForOne(max_restarts=crashes + 1, within=3600)


class Crash(Exception):
    """On purpose."""


class Fragile(actors.Actor):
    """Crashes with each message."""

    def __init__(self, starts: Latch) -> None:
        self.starts = starts

    def on_start(self) -> None:
        """It is there, again."""
        self.starts.down()

    @actors.receive
    def crash(self, message: int) -> None:
        """Do it."""
        raise Crash


class AsyncFragile(Fragile):
    """The same with `async` handlers and hooks."""

    async def on_start(self) -> None:
        """It is there, again."""
        self.starts.down()

    @actors.receive
    async def crash(self, message: int) -> None:
        """Do it."""
        raise Crash


async def ours(kind: type[Fragile], count: int) -> float:
    """The time from the first crash to the last restart."""
    parts = shares(count, ACTORS_THAT_CRASH)
    async with actors.open_system("bench", strategy=generous(count), policy=AT_ONCE) as system:
        starts = Latch(len(parts) + count)
        refs = [await system.start(kind, starts, name=f"fragile-{number}") for number in range(len(parts))]
        began = perf_counter()
        for ref, share in zip(refs, parts, strict=True):
            for number in range(share):
                ref.tell(number)
        await starts.wait()
        took = perf_counter() - began
        check(sum(ref.statistics().restarts for ref in refs), count)
        return took


async def _worker(receiver: trio.MemoryReceiveChannel[int], starts: Latch) -> None:
    starts.down()
    await receiver.receive()
    raise Crash


async def _supervise(receiver: trio.MemoryReceiveChannel[int], share: int, starts: Latch) -> None:
    for _ in range(share + 1):
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_worker, receiver, starts)
        except* Crash:
            pass


async def raw(count: int) -> float:
    """The same without names, budgets, events and dead letters."""
    parts = shares(count, ACTORS_THAT_CRASH)
    starts = Latch(len(parts) + count)
    async with trio.open_nursery() as nursery:
        senders: list[trio.MemorySendChannel[int]] = []
        for share in parts:
            sender, receiver = trio.open_memory_channel[int](math.inf)
            senders.append(sender)
            nursery.start_soon(_supervise, receiver, share, starts)
        await trio.testing.wait_all_tasks_blocked()
        began = perf_counter()
        for sender, share in zip(senders, parts, strict=True):
            for number in range(share):
                await sender.send(number)
        await starts.wait()
        took = perf_counter() - began
        nursery.cancel_scope.cancel()
    return took


CASES = [
    Case(
        name="restart-storm",
        title="restart storm, 10,000 crashes",
        question="How many restarts a second does the root carry out when 100 actors crash 10,000 times?",
        unit="restarts/s",
        sides={**both(ours, AsyncFragile, Fragile), RAW: Side(raw)},
        count=CRASHES,
    )
]
