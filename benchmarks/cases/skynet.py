"""How long does a tree of actors with 100,000 leaves take to grow, and to add up the leaves' numbers?

Each node has ten children. Each leaf sends its number up, each node the sum of its children.
"""

from __future__ import annotations

from time import perf_counter

import trio

import actors
from benchmarks.case import PLAIN, RAW, Aim, Case, Side
from benchmarks.cases.common import Result, both, check
from benchmarks.cases.spawn import raw as start_tasks

LEAVES = 100_000
CHILDREN = 10
TASKS = "raw trio, 25,000 tasks"
LEAVES_A_TASK = 4


class Root(actors.Actor):
    """Gets the total."""

    def __init__(self, total: Result[int]) -> None:
        self.total = total

    @actors.receive
    def add(self, message: int) -> None:
        """Here it is."""
        self.total.bring(message)


class Node(actors.Actor):
    """Has ten children of a tenth of its size, or is a leaf."""

    def __init__(self, parent: actors.Ref, number: int, size: int) -> None:
        self.parent = parent
        self.number = number
        self.size = size
        self.left = CHILDREN
        self.total = 0

    def on_start(self) -> None:
        """Grow."""
        if self.size == 1:
            self.parent.tell(self.number)
            self.ctx.stop()
            return
        ref, spawn, size = self.ctx.ref, self.ctx.system.spawn, self.size // CHILDREN
        for child in range(CHILDREN):
            spawn(type(self), ref, self.number + child * size, size)

    @actors.receive
    def add(self, message: int) -> None:
        """A child's sum."""
        self.total += message
        self.left -= 1
        if not self.left:
            self.parent.tell(self.total)
            self.ctx.stop()


class AsyncNode(Node):
    """The same with `async` handlers and hooks."""

    async def on_start(self) -> None:
        super().on_start()

    @actors.receive
    async def add(self, message: int) -> None:
        super().add(message)


async def ours(kind: type[Node], count: int) -> float:
    """`count` leaves, a power of ten."""
    async with actors.open_system("bench") as system:
        total = Result[int]()
        root = await system.start(Root, total)
        began = perf_counter()
        system.spawn(kind, root, 0, count)
        check(await total.wait(), count * (count - 1) // 2)
        return perf_counter() - began


async def _node(parent: trio.MemorySendChannel[int], number: int, size: int) -> None:
    if size == 1:
        await parent.send(number)
        return
    sender, receiver = trio.open_memory_channel[int](CHILDREN)
    size //= CHILDREN
    async with trio.open_nursery() as nursery:
        for child in range(CHILDREN):
            nursery.start_soon(_node, sender, number + child * size, size)
        total = 0
        for _ in range(CHILDREN):
            total += await receiver.receive()
    await parent.send(total)


async def raw(count: int) -> float:
    """A task and a nursery for each node, a task for each leaf."""
    sender, receiver = trio.open_memory_channel[int](1)
    began = perf_counter()
    await _node(sender, 0, count)
    check(await receiver.receive(), count * (count - 1) // 2)
    return perf_counter() - began


async def tasks_alone(count: int) -> float:
    """Only start a task with a channel for every fourth leaf, and no more: 25,000 for 100,000."""
    return await start_tasks(max(count // LEAVES_A_TASK, 1))


CASES = [
    Case(
        name="skynet",
        title="skynet, 100,000 leaves",
        question="How long does a tree of actors with 100,000 leaves take to grow and to add up?",
        unit="s",
        sides={**both(ours, AsyncNode, Node), RAW: Side(raw), TASKS: Side(tasks_alone)},
        aims=(Aim(PLAIN, 1, TASKS),),
        kind="value",
        better="less",
        count=LEAVES,
    )
]
