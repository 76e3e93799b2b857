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


CASES = [
    Case(
        name="growth",
        title="growth, 10,000 to 100,000",
        question="How many times as long does starting one of 100,000 actors take as one of 10,000?",
        unit="times",
        sides={
            ACTORS: Side(partial(growth, partial(ours, AsyncIdle))),
            PLAIN: Side(partial(growth, partial(ours, Idle))),
            RAW: Side(partial(growth, raw)),
        },
        aims=(Aim(ACTORS, LIMIT), Aim(PLAIN, LIMIT)),
        kind="value",
        better="less",
        count=MANY,
    )
]
