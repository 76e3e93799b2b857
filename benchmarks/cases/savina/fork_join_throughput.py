"""Savina's fork-join throughput: 60 actors compute a little for each message, in turn. Raw: 60 tasks."""

from __future__ import annotations

from time import perf_counter

import trio

import actors
from benchmarks.case import RAW, Case, Side
from benchmarks.cases.common import Latch, both, open_bench, shares
from benchmarks.cases.savina.fork_join_create import compute

WORKERS = 60


class Worker(actors.Actor):
    """Works for `left` messages."""

    def __init__(self, left: int, done: Latch) -> None:
        self.left = left
        self.done = done

    @actors.receive
    def work(self, message: int) -> None:
        """Compute, and end after the last."""
        compute()
        self.left -= 1
        if not self.left:
            self.done.down()
            self.ctx.stop()


class AsyncWorker(Worker):
    """The same with an `async` handler."""

    @actors.receive
    async def work(self, message: int) -> None:
        """Compute, and end after the last."""
        compute()
        self.left -= 1
        if not self.left:
            self.done.down()
            self.ctx.stop()


async def ours(kind: type[Worker], count: int) -> float:
    """60 actors."""
    async with open_bench() as system:
        parts = shares(count, WORKERS)
        done = Latch(len(parts))
        workers = [await system.start(kind, share, done) for share in parts]
        began = perf_counter()
        for number in range(count):
            workers[number % WORKERS].tell(number)
        await done.wait()
        return perf_counter() - began


async def _work(receiver: trio.MemoryReceiveChannel[int]) -> None:
    async for _ in receiver:
        compute()


async def raw(count: int) -> float:
    """60 tasks; they end when the channels are closed."""
    senders: list[trio.MemorySendChannel[int]] = []
    async with trio.open_nursery() as nursery:
        for _ in range(WORKERS):
            sender, receiver = trio.open_memory_channel[int](0)
            senders.append(sender)
            nursery.start_soon(_work, receiver)
        began = perf_counter()
        for number in range(count):
            await senders[number % WORKERS].send(number)
        for sender in senders:
            sender.close()
    return perf_counter() - began


CASES = [
    Case(
        name="savina-fjthroughput",
        title="Savina: fork-join throughput",
        question="For how many messages a second do 60 actors compute a little?",
        unit="messages/s",
        sides={**both(ours, AsyncWorker, Worker, most=2_000_000), RAW: Side(raw, 1024)},
    )
]
