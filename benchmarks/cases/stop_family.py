"""How long does a supervisor of 10,000 named children take to stop? They end one by one, the last first."""

from __future__ import annotations

from time import perf_counter

import trio

import actors
from benchmarks.case import ACTORS, PLAIN, RAW, Aim, Case, Side
from benchmarks.cases.common import Latch, both
from benchmarks.cases.spawn import AsyncIdle, Idle, start_waiting

CHILDREN = 10_000
SECONDS = 2.0


class Parent(actors.Supervisor):
    """Has many children."""

    def __init__(self, kind: type[Idle], count: int, ready: Latch) -> None:
        self.kind = kind
        self.count = count
        self.ready = ready

    async def on_start(self) -> None:
        """Have them."""
        for number in range(self.count):
            self.spawn(self.kind, self.ready, name=f"child-{number}")


async def ours(kind: type[Idle], count: int) -> float:
    """The supervisor is stopped by its ref."""
    async with actors.open_system("bench") as system:
        ready = Latch(count)
        parent = await system.start(Parent, kind, count, ready, name="parent")
        await ready.wait()
        began = perf_counter()
        parent.stop()
        await parent.wait_stopped()
        return perf_counter() - began


async def raw(count: int) -> float:
    """A nursery of tasks is cancelled, all at once."""
    async with trio.open_nursery() as nursery:
        senders = await start_waiting(nursery, count)
        began = perf_counter()
        nursery.cancel_scope.cancel()
    del senders  # kept until here: a channel without one ends its task
    return perf_counter() - began


CASES = [
    Case(
        name="stop-10000",
        title="stop 10,000 children",
        question="How long does a supervisor of 10,000 named children take to stop?",
        unit="s",
        sides={**both(ours, AsyncIdle, Idle), RAW: Side(raw)},
        aims=(Aim(ACTORS, SECONDS), Aim(PLAIN, SECONDS)),
        kind="value",
        better="less",
        count=CHILDREN,
    )
]
