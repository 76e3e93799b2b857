"""How many requests a second are answered, one after the other? Raw: two channels, one made for the reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

import actors
from benchmarks.measure import Case, rate

COUNT = 30_000
LIMIT = 5.0


@actors.message
class Ping(actors.Request[int]):
    """Answered with its number."""

    number: int


class Echo(actors.Actor):
    """Answers."""

    @actors.receive
    def ping(self, message: Ping) -> int:
        """The number."""
        return message.number


async def _ours(timeout: float | None) -> float:
    async with actors.open_system("bench") as system:
        echo = await system.start(Echo, name="echo")

        async def work() -> None:
            for number in range(COUNT):
                await echo.ask(Ping(number), timeout=timeout)

        return await rate(COUNT, work)


async def ask() -> float:
    """Without a limit."""
    return await _ours(None)


async def ask_in_time() -> float:
    """Each with a limit."""
    return await _ours(LIMIT)


Letter = tuple[Ping, trio.MemorySendChannel[int]]
Exchange = Callable[[trio.MemorySendChannel[Letter], int], Awaitable[None]]


async def _channels(exchange: Exchange) -> float:
    sender, receiver = trio.open_memory_channel[Letter](0)

    async def echo() -> None:
        async for message, reply in receiver:
            await reply.send(message.number)

    async def work() -> None:
        async with trio.open_nursery() as nursery, sender:
            nursery.start_soon(echo)
            for number in range(COUNT):
                await exchange(sender, number)

    return await rate(COUNT, work)


async def _exchange(sender: trio.MemorySendChannel[Letter], number: int) -> None:
    reply, answer = trio.open_memory_channel[int](0)
    await sender.send((Ping(number), reply))
    await answer.receive()


async def _exchange_in_time(sender: trio.MemorySendChannel[Letter], number: int) -> None:
    with trio.fail_after(LIMIT):
        await _exchange(sender, number)


async def channels() -> float:
    """Without a limit."""
    return await _channels(_exchange)


async def channels_in_time() -> float:
    """Each inside `trio.fail_after`."""
    return await _channels(_exchange_in_time)


CASES = [
    Case("ask", "requests/s", ask, channels, 2),
    Case("ask with a timeout", "requests/s", ask_in_time, channels_in_time, 2),
]
