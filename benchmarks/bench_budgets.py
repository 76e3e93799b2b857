"""What spending costs, and what a budget costs those who are told and asked.

Run it with `python -m benchmarks.bench_budgets`. Each figure is the median of rounds that take turns.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import trio

import actors
from actors import Budget, Policy

COUNT = 20_000
ROUNDS = 7


@actors.message
class Add:
    number: int


@actors.message
class Sum(actors.Request[int]):
    pass


@actors.message
class Measure(actors.Request[tuple[float, ...]]):
    """Nanoseconds a call: of nothing, of `spend`, in two blocks more, with money."""


class Counter(actors.Actor):
    """Counts, and never waits."""

    def __init__(self) -> None:
        self.count = 0

    @actors.receive
    def add(self, message: Add) -> None:
        self.count += message.number

    @actors.receive
    def sum(self, message: Sum) -> int:
        return self.count


class Spender(actors.Actor):
    """Spends, and tells how long one call took."""

    def _timed(self, call: Callable[[], None]) -> float:
        began = time.perf_counter()
        for _ in range(COUNT):
            call()
        return (time.perf_counter() - began) / COUNT * 1e9

    @actors.receive
    def measure(self, message: Measure) -> tuple[float, ...]:
        with actors.budget(tokens=10**15), actors.budget(tokens=10**15):
            nested = self._timed(lambda: actors.spend(tokens=1))
        return (
            self._timed(lambda: None),
            self._timed(lambda: actors.spend(tokens=1)),
            nested,
            self._timed(lambda: actors.spend(tokens=1, money=0.00015)),
        )


class Team(actors.Supervisor):
    """A budget above."""

    async def on_start(self) -> None:
        self.spawn(Spender, name="spender", policy=Policy(budget=Budget(tokens=10**15, money=1e9)))


async def tells(ref: actors.Ref) -> float:
    """Nanoseconds a told message."""
    began = time.perf_counter()
    for _ in range(COUNT // 500):
        for _ in range(500):
            ref.tell(Add(1))
        await ref.ask(Sum())
    return (time.perf_counter() - began) / COUNT * 1e9


async def asks(ref: actors.Ref) -> float:
    """Nanoseconds an ask."""
    began = time.perf_counter()
    for _ in range(COUNT // 4):
        await ref.ask(Sum())
    return (time.perf_counter() - began) / (COUNT // 4) * 1e9


async def main() -> None:
    """Measure, and print a line each."""
    found: dict[str, list[float]] = {}
    async with actors.open_system("bench") as system:
        free = await system.start(Counter, name="free")
        bound = await system.start(Counter, name="bound", policy=Policy(budget=Budget(tokens=10**15)))
        await system.start(Team, name="team", policy=Policy(budget=Budget(tokens=10**15)))
        spender = system.find("/team/spender")
        assert spender is not None
        for _ in range(ROUNDS):
            for name, ref in (("no budget", free), ("a budget", bound)):
                found.setdefault(f"tell, {name}", []).append(await tells(ref))
                found.setdefault(f"ask, {name}", []).append(await asks(ref))
            empty, one, nested, money = await spender.ask(Measure())
            found.setdefault("spend, three budgets around", []).append(one - empty)
            found.setdefault("spend, two blocks more", []).append(nested - empty)
            found.setdefault("spend, with money", []).append(money - empty)
    for name, values in found.items():
        print(f"{name:30} {statistics.median(values):8.0f} ns   ({min(values):.0f} to {max(values):.0f})")


if __name__ == "__main__":
    trio.run(main)
