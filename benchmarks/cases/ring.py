"""How many hops a second does a token make around 100 actors? Raw: 100 tasks with channels."""

from __future__ import annotations

from functools import partial
from time import perf_counter

import trio

import actors
from benchmarks.case import PLAIN, RAW, Aim, Case, Side
from benchmarks.cases.common import Latch, both

__all__ = ["AsyncNode", "Node", "ours", "raw"]

SIZE = 100


class Node(actors.Actor):
    """Passes the token on until it has no hops left."""

    def __init__(self, done: Latch) -> None:
        self.done = done
        self.following: actors.Ref | None = None

    @actors.receive
    def meet(self, message: actors.Ref) -> None:
        """Learn who comes next."""
        self.following = message

    @actors.receive
    def hop(self, message: int) -> None:
        """Pass it on."""
        if message:
            assert self.following is not None
            self.following.tell(message - 1)
        else:
            self.done.down()


class AsyncNode(Node):
    """The same with `async` handlers."""

    @actors.receive
    async def meet(self, message: actors.Ref) -> None:
        """Learn who comes next."""
        self.following = message

    @actors.receive
    async def hop(self, message: int) -> None:
        """Pass it on."""
        if message:
            assert self.following is not None
            self.following.tell(message - 1)
        else:
            self.done.down()


async def ours(size: int, kind: type[Node], count: int) -> float:
    """`size` actors in a ring. Handing the first one the token is a hop, too."""
    async with actors.open_system("bench") as system:
        done = Latch(1)
        nodes = [await system.start(kind, done) for _ in range(size)]
        for node, following in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
            node.tell(following)
        began = perf_counter()
        nodes[0].tell(count - 1)
        await done.wait()
        return perf_counter() - began


async def _node(
    receiver: trio.MemoryReceiveChannel[int], following: trio.MemorySendChannel[int], done: Latch
) -> None:
    async for hops in receiver:
        if hops:
            await following.send(hops - 1)
        else:
            done.down()


async def raw(size: int, count: int) -> float:
    """`size` tasks in a ring."""
    done = Latch(1)
    async with trio.open_nursery() as nursery:
        pairs = [trio.open_memory_channel[int](1) for _ in range(size)]
        for index in range(size):
            nursery.start_soon(_node, pairs[index][1], pairs[(index + 1) % size][0], done)
        began = perf_counter()
        await pairs[0][0].send(count - 1)
        await done.wait()
        took = perf_counter() - began
        nursery.cancel_scope.cancel()
    return took


CASES = [
    Case(
        name="ring",
        title="ring of 100",
        question="How many hops a second does a token make around 100 actors?",
        unit="hops/s",
        sides={**both(partial(ours, SIZE), AsyncNode, Node), RAW: Side(partial(raw, SIZE), 1024)},
        aims=(Aim(PLAIN, 8, RAW), Aim(PLAIN, 1 / 3, "Erlang")),
    )
]
