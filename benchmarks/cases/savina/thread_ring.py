"""Savina's thread ring: a token goes around 100 actors, then the word to end does. Raw: 100 tasks."""

from __future__ import annotations

from time import perf_counter

import trio

import actors
from benchmarks.case import RAW, Case, Side
from benchmarks.cases.common import Latch, both

SIZE = 100


@actors.message
class Leave:
    """End, and pass it on to `left` more."""

    left: int


class Node(actors.Actor):
    """Passes the token on, and ends when it is told to."""

    def __init__(self, gone: Latch) -> None:
        self.gone = gone
        self.following: actors.Ref

    @actors.receive
    def meet(self, message: actors.Ref) -> None:
        """Learn who comes next."""
        self.following = message

    @actors.receive
    def hop(self, message: int) -> None:
        """Pass it on; the last hop makes all leave."""
        self.following.tell(message - 1 if message else Leave(SIZE - 1))

    @actors.receive
    def leave(self, message: Leave) -> None:
        """Pass it on, and end."""
        if message.left:
            self.following.tell(Leave(message.left - 1))
        self.gone.down()
        self.ctx.stop()


class AsyncNode(Node):
    """The same with `async` handlers."""

    @actors.receive
    async def meet(self, message: actors.Ref) -> None:
        """Learn who comes next."""
        self.following = message

    @actors.receive
    async def hop(self, message: int) -> None:
        """Pass it on; the last hop makes all leave."""
        self.following.tell(message - 1 if message else Leave(SIZE - 1))

    @actors.receive
    async def leave(self, message: Leave) -> None:
        super().leave(message)


async def ours(kind: type[Node], count: int) -> float:
    """100 actors."""
    async with actors.open_system("bench") as system:
        gone = Latch(SIZE)
        nodes = [await system.start(kind, gone) for _ in range(SIZE)]
        for node, following in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
            node.tell(following)
        began = perf_counter()
        nodes[0].tell(count - 1)
        await gone.wait()
        return perf_counter() - began


async def _node(
    receiver: trio.MemoryReceiveChannel[int | Leave], following: trio.MemorySendChannel[int | Leave]
) -> None:
    async for message in receiver:
        if isinstance(message, Leave):
            if message.left:
                await following.send(Leave(message.left - 1))
            return
        await following.send(message - 1 if message else Leave(SIZE - 1))


async def raw(count: int) -> float:
    """100 tasks."""
    pairs = [trio.open_memory_channel[int | Leave](1) for _ in range(SIZE)]
    async with trio.open_nursery() as nursery:
        for index in range(SIZE):
            nursery.start_soon(_node, pairs[index][1], pairs[(index + 1) % SIZE][0])
        began = perf_counter()
        await pairs[0][0].send(count - 1)
    return perf_counter() - began


CASES = [
    Case(
        name="savina-threadring",
        title="Savina: thread ring",
        question="How many hops a second does a token make around 100 actors that all end after it?",
        unit="hops/s",
        sides={**both(ours, AsyncNode, Node), RAW: Side(raw, 1024)},
    )
]
