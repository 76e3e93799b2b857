"""How soon after a crash does an actor answer again? The 0.99 quantile of 1,000 crashes, in milliseconds."""

from __future__ import annotations

from time import perf_counter

import actors
from benchmarks.case import ACTORS, PLAIN, Aim, Case
from benchmarks.cases.ask import Ping
from benchmarks.cases.common import both, check, p99
from benchmarks.cases.restart_storm import AT_ONCE, Crash, generous

CRASHES = 1_000
LIMIT = 5.0


@actors.message
class Fail:
    """Crash."""


class Fragile(actors.Actor):
    """Notes when it crashes, and answers when it does not."""

    def __init__(self, crashes: list[float]) -> None:
        self.crashes = crashes

    @actors.receive
    def fail(self, message: Fail) -> None:
        """Crash."""
        self.crashes.append(perf_counter())
        raise Crash

    @actors.receive
    def ping(self, message: Ping) -> int:
        """The number."""
        return message.number


class AsyncFragile(Fragile):
    """The same with `async` handlers."""

    @actors.receive
    async def fail(self, message: Fail) -> None:
        """Crash."""
        super().fail(message)

    @actors.receive
    async def ping(self, message: Ping) -> int:
        """The number."""
        return message.number


async def ours(kind: type[Fragile], count: int) -> float:
    """Tell it to crash, then ask: the answer comes from the next incarnation."""
    crashes: list[float] = []
    answers: list[float] = []
    async with actors.open_system("bench", strategy=generous(count), policy=AT_ONCE) as system:
        fragile = await system.start(kind, crashes, name="fragile")
        for number in range(count):
            fragile.tell(Fail())
            check(await fragile.ask(Ping(number)), number)
            answers.append(perf_counter())
    return 1000 * p99([answer - crash for crash, answer in zip(crashes, answers, strict=True)])


CASES = [
    Case(
        name="crash-to-answer",
        title="crash to first answer, p99",
        question="How long after its crash does a named actor answer the next request?",
        unit="ms",
        sides=both(ours, AsyncFragile, Fragile),
        aims=(Aim(ACTORS, LIMIT), Aim(PLAIN, LIMIT)),
        kind="value",
        better="less",
        count=CRASHES,
    )
]
