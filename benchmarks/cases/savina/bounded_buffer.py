"""Savina's bounded buffer: 40 producers, 40 consumers, and a manager with room for 50 items.

Raw: a memory channel of 50, which is this very thing in trio.
"""

from __future__ import annotations

import math
from collections import deque
from time import perf_counter

import trio

import actors
from benchmarks.case import RAW, Case, Side
from benchmarks.cases.common import Latch, both, check, open_bench, shares

ROOM = 50
PRODUCERS = 40
CONSUMERS = 40
COST = 25


def cost(item: int) -> int:
    """What making or using an item takes: 25 rounds of a little sum. Returns the item."""
    value = float(item)
    for step in range(COST):
        value += math.log(abs(math.sin(value + step)) + 0.01)
    return item


@actors.message
class Produce:
    """To a producer: there is room."""


@actors.message
class Ready:
    """To the manager: this consumer has nothing to do."""


PRODUCE, READY = Produce(), Ready()


class Manager(actors.Actor):
    """Lets producers work only while there is room for what all of them have under way."""

    def __init__(self) -> None:
        self.items: deque[int] = deque()
        self.producers: deque[actors.Ref] = deque()
        self.consumers: deque[actors.Ref] = deque()

    @actors.receive
    def put(self, message: int) -> None:
        """Of a producer."""
        assert self.ctx.sender is not None
        if self.consumers:
            self.consumers.popleft().tell(message)
        else:
            self.items.append(message)
        if len(self.items) >= ROOM - PRODUCERS:
            self.producers.append(self.ctx.sender)
        else:
            self.ctx.sender.tell(PRODUCE)

    @actors.receive
    def ready(self, message: Ready) -> None:
        """Of a consumer."""
        assert self.ctx.sender is not None
        if not self.items:
            self.consumers.append(self.ctx.sender)
            return
        self.ctx.sender.tell(self.items.popleft())
        if self.producers:
            self.producers.popleft().tell(PRODUCE)


class AsyncManager(Manager):
    """The same with `async` handlers."""

    @actors.receive
    async def put(self, message: int) -> None:
        super().put(message)

    @actors.receive
    async def ready(self, message: Ready) -> None:
        super().ready(message)


class Producer(actors.Actor):
    """Makes the numbers from `left` down to 1."""

    def __init__(self, manager: actors.Ref, left: int) -> None:
        self.manager = manager
        self.left = left

    @actors.receive
    def produce(self, message: Produce) -> None:
        """The next."""
        if self.left:
            self.manager.tell(cost(self.left))
            self.left -= 1


class AsyncProducer(Producer):
    """The same with an `async` handler."""

    @actors.receive
    async def produce(self, message: Produce) -> None:
        super().produce(message)


class Consumer(actors.Actor):
    """Uses items."""

    def __init__(self, manager: actors.Ref, used: list[int], done: Latch) -> None:
        self.manager = manager
        self.used = used
        self.done = done

    @actors.receive
    def begin(self, message: Ready) -> None:
        """Ask for the first."""
        self.manager.tell(READY)

    @actors.receive
    def use(self, message: int) -> None:
        """One, and ask for the next."""
        self.used[0] += cost(message)
        self.done.down()
        self.manager.tell(READY)


class AsyncConsumer(Consumer):
    """The same with `async` handlers."""

    @actors.receive
    async def begin(self, message: Ready) -> None:
        super().begin(message)

    @actors.receive
    async def use(self, message: int) -> None:
        super().use(message)


Kinds = tuple[type[Manager], type[Producer], type[Consumer]]


def _sum(count: int) -> int:
    return sum(share * (share + 1) // 2 for share in shares(count, PRODUCERS))


async def ours(kinds: Kinds, count: int) -> float:
    """81 actors."""
    async with open_bench() as system:
        used, done = [0], Latch(count)
        manager = await system.start(kinds[0])
        producers = [await system.start(kinds[1], manager, share) for share in shares(count, PRODUCERS)]
        consumers = [await system.start(kinds[2], manager, used, done) for _ in range(CONSUMERS)]
        began = perf_counter()
        for consumer in consumers:
            consumer.tell(READY)
        for producer in producers:
            producer.tell(PRODUCE)
        await done.wait()
        took = perf_counter() - began
        check(used[0], _sum(count))
        return took


async def _produce(sender: trio.MemorySendChannel[int], left: int) -> None:
    async with sender:
        for number in range(left, 0, -1):
            await sender.send(cost(number))


async def _consume(receiver: trio.MemoryReceiveChannel[int], used: list[int]) -> None:
    async for item in receiver:
        used[0] += cost(item)


async def raw(count: int) -> float:
    """80 tasks, one channel."""
    used = [0]
    sender, receiver = trio.open_memory_channel[int](ROOM)
    began = perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(CONSUMERS):
            nursery.start_soon(_consume, receiver, used)
        async with sender:
            for share in shares(count, PRODUCERS):
                nursery.start_soon(_produce, sender.clone(), share)
    check(used[0], _sum(count))
    return perf_counter() - began


CASES = [
    Case(
        name="savina-buffer",
        title="Savina: bounded buffer",
        question="How many items a second pass from 40 producers to 40 consumers through room for 50?",
        unit="items/s",
        sides={
            **both(ours, (AsyncManager, AsyncProducer, AsyncConsumer), (Manager, Producer, Consumer)),
            RAW: Side(raw, 1024),
        },
    )
]
