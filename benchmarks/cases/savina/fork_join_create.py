"""Savina's fork-join create: actors are made, compute a little for one message, and end. Raw: a task each."""

from __future__ import annotations

import math
from time import perf_counter

import trio

import actors
from benchmarks.case import RAW, Case, Side
from benchmarks.cases.common import Latch, both

__all__ = ["compute"]

MOST = 100_000
ANGLE = 37.2


def compute() -> None:
    """The suite's little sum."""
    sine = math.sin(ANGLE)
    if sine * sine <= 0:
        raise RuntimeError("the square of a sine is not above 0")


class Worker(actors.Actor):
    """Works once."""

    def __init__(self, done: Latch) -> None:
        self.done = done

    @actors.receive
    def work(self, message: int) -> None:
        """Compute, and end."""
        compute()
        self.done.down()
        self.ctx.stop()


class AsyncWorker(Worker):
    """The same with an `async` handler."""

    @actors.receive
    async def work(self, message: int) -> None:
        """Compute, and end."""
        compute()
        self.done.down()
        self.ctx.stop()


async def ours(kind: type[Worker], count: int) -> float:
    """An actor a message."""
    async with actors.open_system("bench") as system:
        done = Latch(count)
        began = perf_counter()
        for number in range(count):
            system.spawn(kind, done).tell(number)
        await done.wait()
        return perf_counter() - began


async def _work(receiver: trio.MemoryReceiveChannel[int], done: Latch) -> None:
    await receiver.receive()
    compute()
    done.down()


async def raw(count: int) -> float:
    """A task and a channel a message."""
    done = Latch(count)
    async with trio.open_nursery() as nursery:
        began = perf_counter()
        for number in range(count):
            sender, receiver = trio.open_memory_channel[int](1)
            nursery.start_soon(_work, receiver, done)
            sender.send_nowait(number)
        await done.wait()
        return perf_counter() - began


CASES = [
    Case(
        name="savina-fjcreate",
        title="Savina: fork-join create",
        question="How many actors a second are made, work once, and end?",
        unit="actors/s",
        sides={**both(ours, AsyncWorker, Worker, start=512, most=MOST), RAW: Side(raw, 512, MOST)},
    )
]
