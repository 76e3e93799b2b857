"""Savina's counting actor: one counts what another sends, then tells the sum. Raw: tasks and channels."""

from __future__ import annotations

from time import perf_counter

import trio

import actors
from benchmarks.case import RAW, Case, Side
from benchmarks.cases.common import Result, both, check, open_bench


@actors.message
class Increment:
    """One more."""


@actors.message
class Retrieve:
    """How many?"""


INCREMENT = Increment()


class Counter(actors.Actor):
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    @actors.receive
    def increment(self, message: Increment) -> None:
        """One more."""
        self.count += 1

    @actors.receive
    def retrieve(self, message: Retrieve) -> None:
        """So many."""
        assert self.ctx.sender is not None
        self.ctx.sender.tell(self.count)


class AsyncCounter(Counter):
    """The same with `async` handlers."""

    @actors.receive
    async def increment(self, message: Increment) -> None:
        """One more."""
        self.count += 1

    @actors.receive
    async def retrieve(self, message: Retrieve) -> None:
        super().retrieve(message)


@actors.message
class Produce:
    """Send so many."""

    count: int


class Producer(actors.Actor):
    """Sends what is to be counted."""

    def __init__(self, counter: actors.Ref, result: Result[int]) -> None:
        self.counter = counter
        self.result = result

    @actors.receive
    def produce(self, message: Produce) -> None:
        """All at once, then ask for the sum."""
        for _ in range(message.count):
            self.counter.tell(INCREMENT)
        self.counter.tell(Retrieve())

    @actors.receive
    def counted(self, message: int) -> None:
        """The sum."""
        self.result.bring(message)


class AsyncProducer(Producer):
    """The same with `async` handlers."""

    @actors.receive
    async def produce(self, message: Produce) -> None:
        super().produce(message)

    @actors.receive
    async def counted(self, message: int) -> None:
        super().counted(message)


async def ours(kinds: tuple[type[Producer], type[Counter]], count: int) -> float:
    """Two actors."""
    async with open_bench() as system:
        result = Result[int]()
        producer = await system.start(kinds[0], await system.start(kinds[1]), result)
        began = perf_counter()
        producer.tell(Produce(count))
        check(await result.wait(), count)
        return perf_counter() - began


Letter = Increment | trio.MemorySendChannel[int]


async def _count(receiver: trio.MemoryReceiveChannel[Letter]) -> None:
    count = 0
    async for message in receiver:
        if isinstance(message, Increment):
            count += 1
        else:
            await message.send(count)


async def raw(count: int) -> float:
    """Two tasks."""
    sender, receiver = trio.open_memory_channel[Letter](0)
    answering, answer = trio.open_memory_channel[int](1)
    async with trio.open_nursery() as nursery, sender:
        nursery.start_soon(_count, receiver)
        began = perf_counter()
        for _ in range(count):
            await sender.send(INCREMENT)
        await sender.send(answering)
        check(await answer.receive(), count)
        return perf_counter() - began


CASES = [
    Case(
        name="savina-counting",
        title="Savina: counting",
        question="How many increments a second does one actor count that another sends?",
        unit="messages/s",
        sides={**both(ours, (AsyncProducer, AsyncCounter), (Producer, Counter)), RAW: Side(raw, 1024)},
    )
]
