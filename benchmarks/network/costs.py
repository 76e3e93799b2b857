"""What limits and lineage cost a spawn, and what the way through a pool costs a request."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial

import attrs
import trio

import actors
from benchmarks.network.starts import spread

__all__ = ["Cost", "measure", "table"]

WORKERS = 4
ASKERS = 100


@attrs.frozen
class Ask(actors.Request[int]):
    """A question."""

    number: int


class Plain(actors.Actor):
    """Answers without a task of its own."""

    def __init__(self, number: int = 0) -> None: ...

    @actors.receive
    def answer(self, message: Ask) -> int:
        return message.number


class Waits(actors.Actor):
    """Answers in a task of its own."""

    @actors.receive
    async def answer(self, message: Ask) -> int:
        return message.number


@attrs.frozen
class Cost:
    """Ours beside what it is built on, a value a round, in units a second."""

    name: str
    than: str
    unit: str
    ours: tuple[float, ...]
    base: tuple[float, ...]

    def ratios(self) -> list[float]:
        """Within each round."""
        return [one / other for one, other in zip(self.ours, self.base, strict=True)]


Way = Callable[[int], Awaitable[float]]


async def measure(count: int, rounds: int) -> list[Cost]:
    """All pairs; their sides take turns."""
    pairs: list[tuple[str, str, str, Way, Way]] = [
        ("spawner.spawn, despawn", "system.spawn, stop", "spawns/s", spawner, supervisor),
        (
            "ask, pool of 4, plain",
            "the worker itself",
            "asks/s",
            partial(pool, Plain),
            partial(worker, Plain),
        ),
        ("ask, pool of 4, task", "the worker itself", "asks/s", partial(pool, Waits), partial(worker, Waits)),
        (
            "100 askers, pool of 4, task",
            "the worker itself",
            "asks/s",
            partial(pool, Waits, askers=ASKERS),
            partial(worker, Waits, askers=ASKERS),
        ),
    ]
    found: list[Cost] = []
    for name, than, unit, ours, base in pairs:
        taken: dict[Way, list[float]] = {ours: [], base: []}
        for number in range(rounds):
            for way in (ours, base) if number % 2 else (base, ours):
                taken[way].append(count / await way(count))
        found.append(Cost(name, than, unit, tuple(taken[ours]), tuple(taken[base])))
    return found


async def spawner(count: int) -> float:
    """Seconds. Each template has a cooldown of its own, so that none is waited for."""
    async with actors.open_system("bench") as system:
        spawner = actors.Spawner(system, actors.SpawnLimits.minimal())
        templates = [actors.Template(Plain, {"number": number}, f"plain-{number}") for number in range(count)]
        began = time.perf_counter()
        for template in templates:
            await spawner.despawn(spawner.spawn(template))
        return time.perf_counter() - began


async def supervisor(count: int) -> float:
    """Seconds."""
    async with actors.open_system("bench") as system:
        began = time.perf_counter()
        for number in range(count):
            ref = system.spawn(Plain, number, name=f"plain-{number}")
            ref.stop()
            await ref.wait_stopped()
        return time.perf_counter() - began


async def pool(what: type[actors.Actor], count: int, *, askers: int = 1) -> float:
    """Seconds."""
    async with actors.open_system("bench") as system:
        return await _asked(await system.start(actors.Pool(what, WORKERS, WORKERS)), count, askers)


async def worker(what: type[actors.Actor], count: int, *, askers: int = 1) -> float:
    """Seconds."""
    async with actors.open_system("bench") as system:
        return await _asked(await system.start(what), count, askers)


async def _asked(ref: actors.Ref, count: int, askers: int) -> float:
    async def some() -> None:
        for number in range(count // askers):
            if await ref.ask(Ask(number)) != number:
                raise RuntimeError("a wrong answer")

    await ref.ask(Ask(0))
    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(askers):
            nursery.start_soon(some)
    return time.perf_counter() - began


def table(costs: list[Cost]) -> list[str]:
    """The lines to print."""
    return [
        f"{cost.name:<30}{spread(cost.ours, ',.0f'):>20} {cost.unit:<9}"
        f"{spread(cost.ratios(), '.2f'):>14} x {cost.than}, {spread(cost.base, ',.0f')}"
        for cost in costs
    ]
