"""How long do requests to one actor take while another handles 1,000,000 queued messages?"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from time import perf_counter

import trio

import actors
from benchmarks.case import ACTORS, PLAIN, RAW, Aim, Case, Side
from benchmarks.cases.ask import AsyncEcho, Echo, Letter, Ping, answer_all, exchange
from benchmarks.cases.common import Latch, both, check, open_bench, p99
from benchmarks.cases.tell import AsyncSink, Sink, drain

QUEUED = 1_000_000
LIMIT = 20.0


async def answers(ask: Callable[[int], Awaitable[int]], drained: Latch) -> float:
    """Milliseconds: ask one thing after the other until the queue is empty."""
    times: list[float] = []
    while not (times and drained.is_open):
        number = len(times)
        began = perf_counter()
        check(await ask(number), number)
        times.append(perf_counter() - began)
    return 1000 * p99(times)


async def ours(kinds: tuple[type[Sink], type[actors.Actor]], count: int) -> float:
    """One drains, the other answers."""
    async with open_bench() as system:
        drained = Latch(1)
        sink = await system.start(kinds[0], count, drained)
        echo = await system.start(kinds[1])
        for number in range(count):
            sink.tell(number)
        return await answers(lambda number: echo.ask(Ping(number)), drained)


async def raw(count: int) -> float:
    """The same as tasks."""
    drained = Latch(1)
    sender, receiver = trio.open_memory_channel[int](math.inf)
    asking, asked = trio.open_memory_channel[Letter](0)
    async with trio.open_nursery() as nursery, sender, asking:
        for number in range(count):
            sender.send_nowait(number)
        nursery.start_soon(drain, receiver, count, drained)
        nursery.start_soon(answer_all, asked)
        return await answers(lambda number: exchange(asking, number), drained)


CASES = [
    Case(
        name="bystander",
        title="ask beside 1,000,000 queued messages, p99",
        question="How long do requests to one actor take while another handles 1,000,000 queued messages?",
        unit="ms",
        sides={**both(ours, (AsyncSink, AsyncEcho), (Sink, Echo)), RAW: Side(raw)},
        aims=(Aim(ACTORS, LIMIT), Aim(PLAIN, LIMIT)),
        kind="value",
        better="less",
        count=QUEUED,
    )
]
