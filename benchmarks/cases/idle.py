"""What do 100,000 idle actors cost? Seconds of CPU in two seconds of idleness, and the time that one takes
to answer.
"""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable
from functools import partial
from time import perf_counter, process_time

import trio
import trio.testing

import actors
from benchmarks.case import RAW, Case, Side
from benchmarks.cases.ask import AsyncEcho, Echo, Letter, Ping, answer_all, exchange
from benchmarks.cases.common import both, check

COUNT = 100_000
SECONDS = 2.0
ASKS = 1_000

Ask = Callable[[int], Awaitable[int]]


async def cpu_while_idle(ask: Ask) -> float:
    """Seconds of CPU."""
    began = process_time()
    await trio.sleep(SECONDS)
    return process_time() - began


async def time_to_answer(ask: Ask) -> float:
    """Milliseconds: the median of 1,000 requests to one of the actors."""
    times: list[float] = []
    for number in range(ASKS):
        began = perf_counter()
        check(await ask(number), number)
        times.append(perf_counter() - began)
    return 1000 * statistics.median(times)


Measure = Callable[[Ask], Awaitable[float]]


async def ours(measure: Measure, kind: type[actors.Actor], count: int) -> float:
    """Actors, all ready."""
    async with actors.open_system("bench") as system:
        refs = [system.spawn(kind) for _ in range(count)]
        for ref in refs:
            await ref.wait_started()
        return await measure(lambda number: refs[count // 2].ask(Ping(number)))


async def raw(measure: Measure, count: int) -> float:
    """Tasks, all waiting at a channel."""
    senders: list[trio.MemorySendChannel[Letter]] = []
    async with trio.open_nursery() as nursery:
        for _ in range(count):
            sender, receiver = trio.open_memory_channel[Letter](0)
            senders.append(sender)
            nursery.start_soon(answer_all, receiver)
        await trio.testing.wait_all_tasks_blocked()
        result = await measure(lambda number: exchange(senders[count // 2], number))
        nursery.cancel_scope.cancel()
    return result


_case = partial(Case, kind="value", better="less", count=COUNT)

CASES = [
    _case(
        name="idle-100000",
        title="CPU of 100,000 idle actors in 2 s",
        question="How many seconds of CPU do 100,000 idle actors use in two seconds?",
        unit="s",
        sides={
            **both(partial(ours, cpu_while_idle), AsyncEcho, Echo),
            RAW: Side(partial(raw, cpu_while_idle)),
        },
    ),
    _case(
        name="idle-100000-ask",
        title="ask among 100,000 idle actors",
        question="How long does one of 100,000 idle actors take to answer, in the median?",
        unit="ms",
        sides={
            **both(partial(ours, time_to_answer), AsyncEcho, Echo),
            RAW: Side(partial(raw, time_to_answer)),
        },
    ),
]
