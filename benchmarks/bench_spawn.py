"""How many actors a second are started and stopped? Raw: a task with a channel each."""

from __future__ import annotations

import trio
import trio.testing

import actors
from benchmarks.measure import Case, rate

COUNT = 10_000


class Idle(actors.Actor):
    """Does nothing."""

    @actors.receive
    def got(self, message: int) -> None:
        """Nothing."""


async def spawn() -> float:
    """Until all are ready."""
    async with actors.open_system("bench") as system:

        async def work() -> None:
            for _ in range(COUNT):
                system.spawn(Idle)
            await trio.testing.wait_all_tasks_blocked()

        return await rate(COUNT, work)


async def stop() -> float:
    """Until all are gone."""
    async with actors.open_system("bench") as system:
        refs = [system.spawn(Idle) for _ in range(COUNT)]
        await trio.testing.wait_all_tasks_blocked()

        async def work() -> None:
            for ref in refs:
                ref.stop()
            for ref in refs:
                await ref.wait_stopped()

        return await rate(COUNT, work)


async def _reader(receiver: trio.MemoryReceiveChannel[int]) -> None:
    async for _ in receiver:
        pass


async def start_tasks() -> float:
    """Until all wait for a message."""
    async with trio.open_nursery() as nursery:

        async def work() -> None:
            for _ in range(COUNT):
                nursery.start_soon(_reader, trio.open_memory_channel[int](1)[1])
            await trio.testing.wait_all_tasks_blocked()

        result = await rate(COUNT, work)
        nursery.cancel_scope.cancel()
    return result


async def end_tasks() -> float:
    """Close each channel, and wait for all."""
    senders: list[trio.MemorySendChannel[int]] = []

    async def work() -> None:
        for sender in senders:
            sender.close()
        await trio.testing.wait_all_tasks_blocked()

    async with trio.open_nursery() as nursery:
        for _ in range(COUNT):
            sender, receiver = trio.open_memory_channel[int](1)
            senders.append(sender)
            nursery.start_soon(_reader, receiver)
        await trio.testing.wait_all_tasks_blocked()
        return await rate(COUNT, work)


CASES = [
    Case("spawn", "actors/s", spawn, start_tasks, 0.5),
    Case("stop", "actors/s", stop, end_tasks),
]
