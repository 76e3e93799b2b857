"""How many requests a second are answered, one after the other? Raw: two channels, one made for the reply."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from time import perf_counter

import trio

import actors
from benchmarks.case import PLAIN, RAW, Aim, Case, Side
from benchmarks.cases.common import both, check

__all__ = ["AsyncEcho", "Echo", "Letter", "Ping", "answer_all", "exchange"]

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


class AsyncEcho(actors.Actor):
    """The same with an `async` handler."""

    @actors.receive
    async def ping(self, message: Ping) -> int:
        """The number."""
        return message.number


async def ours(timeout: float | None, kind: type[actors.Actor], count: int) -> float:
    """`ask`, with a limit or without."""
    async with actors.open_system("bench") as system:
        echo = await system.start(kind, name="echo")
        answer: int | None = None
        began = perf_counter()
        for number in range(count):
            answer = await echo.ask(Ping(number), timeout=timeout)
        took = perf_counter() - began
        check(answer, count - 1)
        return took


Letter = tuple[Ping, trio.MemorySendChannel[int]]
Exchange = Callable[[trio.MemorySendChannel[Letter], int], Awaitable[int]]


async def answer_all(receiver: trio.MemoryReceiveChannel[Letter]) -> None:
    """Answers, as a task."""
    async for message, reply in receiver:
        await reply.send(message.number)


async def exchange(sender: trio.MemorySendChannel[Letter], number: int) -> int:
    """One request and its answer, over channels."""
    reply, answer = trio.open_memory_channel[int](0)
    await sender.send((Ping(number), reply))
    return await answer.receive()


async def _exchange_in_time(sender: trio.MemorySendChannel[Letter], number: int) -> int:
    with trio.fail_after(LIMIT):
        return await exchange(sender, number)


async def raw(each: Exchange, count: int) -> float:
    """A task that answers."""
    sender, receiver = trio.open_memory_channel[Letter](0)
    async with trio.open_nursery() as nursery, sender:
        nursery.start_soon(answer_all, receiver)
        answer: int | None = None
        began = perf_counter()
        for number in range(count):
            answer = await each(sender, number)
        took = perf_counter() - began
    check(answer, count - 1)
    return took


CASES = [
    Case(
        name="ask",
        title="ask",
        question="How many requests a second does one actor answer, one after the other?",
        unit="requests/s",
        sides={**both(partial(ours, None), AsyncEcho, Echo), RAW: Side(partial(raw, exchange), 1024)},
    ),
    Case(
        name="ask-timeout",
        title="ask with a limit of 5 s",
        question="How many requests a second does one actor answer, each with a limit?",
        unit="requests/s",
        sides={
            **both(partial(ours, LIMIT), AsyncEcho, Echo),
            RAW: Side(partial(raw, _exchange_in_time), 1024),
        },
        aims=(Aim(PLAIN, 2.5, RAW), Aim(PLAIN, 1.5, "fastest peer")),
    ),
]
