"""How many hops a second does a token make around 100 actors? Raw: 100 tasks with channels."""

from __future__ import annotations

import trio

import actors
from benchmarks.measure import Case, rate

SIZE = 100
HOPS = 50_000


class Node(actors.Actor):
    """Passes the token on until it has no hops left."""

    def __init__(self, done: trio.Event) -> None:
        self.done = done
        self.next: actors.Ref | None = None

    @actors.receive
    def meet(self, message: actors.Ref) -> None:
        """Learn who comes next."""
        self.next = message

    @actors.receive
    def hop(self, message: int) -> None:
        """Pass it on."""
        if message:
            assert self.next is not None
            self.next.tell(message - 1)
        else:
            self.done.set()


async def ours() -> float:
    """Actors."""
    async with actors.open_system("bench") as system:
        done = trio.Event()
        nodes = [await system.start(Node, done) for _ in range(SIZE)]
        for node, following in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
            node.tell(following)

        async def work() -> None:
            nodes[0].tell(HOPS)
            await done.wait()

        return await rate(HOPS, work)


async def raw() -> float:
    """Tasks and channels."""
    done = trio.Event()

    async def node(receiver: trio.MemoryReceiveChannel[int], following: trio.MemorySendChannel[int]) -> None:
        async for hops in receiver:
            if hops:
                await following.send(hops - 1)
            else:
                done.set()

    async with trio.open_nursery() as nursery:
        pairs = [trio.open_memory_channel[int](1) for _ in range(SIZE)]
        for index in range(SIZE):
            nursery.start_soon(node, pairs[index][1], pairs[(index + 1) % SIZE][0])

        async def work() -> None:
            await pairs[0][0].send(HOPS)
            await done.wait()

        result = await rate(HOPS, work)
        nursery.cancel_scope.cancel()
    return result


CASES = [Case("ring of 100", "hops/s", ours, raw)]
