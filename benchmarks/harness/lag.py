"""By how much does an event loop wake a sleeper too late, while a side of a benchmark works on it?"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence

import trio

__all__ = ["lag_of", "watched"]

NAP = 0.005
SHARE = 0.99


async def watched(work: Callable[[int], Awaitable[float]], count: int) -> tuple[float, dict[str, float]]:
    """What the work returns, and the lag of its loop in ms."""
    late: list[float] = []
    async with trio.open_nursery() as nursery:
        await nursery.start(_watch, late)
        value = await work(count)
        nursery.cancel_scope.cancel()
    return value, lag_of(late)


async def _watch(late: list[float], task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    task_status.started()
    while True:
        due = trio.current_time() + NAP
        try:
            await trio.sleep_until(due)
        finally:  # cancelled while it waits, too: a loop that never woke it was late all the same
            late.append(max(0.0, trio.current_time() - due))


def lag_of(late: Sequence[float]) -> dict[str, float]:
    """The 99th percentile and the maximum, in ms."""
    ordered = sorted(late)
    p99 = ordered[math.ceil(SHARE * len(ordered)) - 1]
    return {"p99": 1000 * p99, "max": 1000 * ordered[-1]}
