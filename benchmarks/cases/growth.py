"""Does an actor cost more when there are many? The time for one of 100,000, by that for one of 10,000."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Awaitable, Callable
from functools import partial

from benchmarks.case import ACTORS, PLAIN, RAW, Aim, Case, Side
from benchmarks.cases.spawn import AsyncIdle, Idle, ours, raw

MANY = 100_000
FEW_OF_THEM = 10
ROUNDS = 5
LIMIT = 1.15


async def growth(spawn: Callable[[int], Awaitable[float]], count: int) -> float:
    """Time for each of `count`, divided by that for each of a tenth; the small one is the median of five."""
    few = max(count // FEW_OF_THEM, 1)
    small: list[float] = []
    for _ in range(ROUNDS):
        gc.collect()
        small.append(await spawn(few))
    gc.collect()
    return (await spawn(count) / count) / (statistics.median(small) / few)


async def uncollected(spawn: Callable[[int], Awaitable[float]], count: int) -> float:
    """The same, while Python's collector of cycles is off."""
    gc.disable()
    try:
        return await growth(spawn, count)
    finally:
        gc.enable()


Way = Callable[[Callable[[int], Awaitable[float]], int], Awaitable[float]]


def _case(way: Way, name: str, title: str, question: str) -> Case:
    return Case(
        name=name,
        title=title,
        question=question,
        unit="times",
        sides={
            ACTORS: Side(partial(way, partial(ours, AsyncIdle))),
            PLAIN: Side(partial(way, partial(ours, Idle))),
            RAW: Side(partial(way, raw)),
        },
        aims=(Aim(ACTORS, LIMIT), Aim(PLAIN, LIMIT)),
        kind="value",
        better="less",
        count=MANY,
    )


CASES = [
    _case(
        growth,
        "growth",
        "growth, 10,000 to 100,000",
        "How many times as long does starting one of 100,000 actors take as one of 10,000?",
    ),
    _case(
        uncollected,
        "growth-uncollected",
        "growth, no garbage collection",
        "How many times as long is it while the collector of cycles is off?",
    ),
]
