"""Streams cut at every step, by asker, by actor or whole: each generator is left, each chunk came once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import actors
from actors import Policy, System
from tests.cancellation.harness import At, Lives, cut, sweep
from tests.core.yielders import Count, Give, Named, Slow, Yielder, give

TAKES_NO_ROAD = True
QUICK = Policy(backoff=actors.Backoff.immediate(), breaker=None, shutdown=1.0)


async def both(system: System, log: list[Any]) -> tuple[actors.Ref, actors.Ref, actors.Ref]:
    """A class, a function, and a pool of the class."""
    template = actors.Template(Yielder, {"log": log}, name="w", policy=QUICK)
    pool = await system.start(actors.Pool(template, 1, 1), name="pool")
    made = await system.start(Yielder, log, name="class", policy=QUICK)
    return made, await system.start(give, [], True, name="function", policy=QUICK), pool


async def take(ref: actors.Ref, request: actors.StreamRequest[Any], **options: Any) -> None:
    """All chunks, which must be in order."""
    taken: list[Any] = []
    async with ref.stream(request, **options) as stream:
        async for chunk in stream:
            taken.append(chunk)
            assert isinstance(chunk, str) or taken == [*range(len(taken))]


async def take_all(refs: tuple[actors.Ref, actors.Ref, actors.Ref]) -> None:
    made, function, pool = refs
    async with trio.open_nursery() as nursery:
        nursery.start_soon(take, pool, Count(4, pause=0.5))
        nursery.start_soon(take, function, Give(5))
        await take(made, Count(5))
        nursery.start_soon(take, made, Slow(0.5, 3))
    await made.ask(Count(3))


def check(log: list[Any]) -> None:
    assert log.count("begun") + log.count("too slow") <= log.count("finally"), log


async def alive(refs: tuple[actors.Ref, actors.Ref, actors.Ref]) -> None:
    await wait_all_tasks_blocked()
    began = trio.current_time()
    for ref in refs:
        assert await ref.ask(Named("alive"), timeout=0.25) in ("alive", "other")
    assert trio.current_time() == began
    for ref in refs:
        assert ref.statistics().restarts == 0


async def asker_leaves(lives: Lives, step: int) -> At:
    log: list[Any] = []
    async with actors.open_system("s") as system:
        refs = await both(system, log)
        with cut(step) as (at, _):
            await take_all(refs)
        await alive(refs)
        check(log)
    return at


async def all_is_cancelled(lives: Lives, step: int) -> At:
    log: list[Any] = []
    with cut(step) as (at, _):
        async with actors.open_system("s") as system:
            await take_all(await both(system, log))
    check(log)
    return at


def ordered(order: Callable[[actors.Ref], object]) -> Any:
    """The actor gets this order at the step; whoever streams hears of it, or has it all."""

    async def scenario(lives: Lives, step: int) -> At:
        log: list[Any] = []
        async with actors.open_system("s") as system:
            ref = await system.start(Yielder, log, name="class", policy=QUICK)
            with At(step, lambda: order(ref)) as at:
                try:
                    await take(ref, Count(3), window=2)
                    await take(ref, Count(2, pause=0.5))
                    await take(ref, Slow(0.5, 3), window=1)
                except (actors.ActorStopped, actors.ActorFailed):
                    pass
            await wait_all_tasks_blocked()
            if at.count >= step:
                await ref.wait_stopped()
            check(log)
        return at

    return scenario


async def interrupted(lives: Lives, step: int) -> At:
    log: list[Any] = []
    async with actors.open_system("s") as system, trio.open_nursery() as nursery:
        ref = await system.start(Yielder, log, name="class", policy=QUICK)

        def interrupt() -> None:
            nursery.start_soon(ref.interrupt)

        with At(step, interrupt) as at:
            for request in (Count(3), Count(2, pause=0.5), Slow(0.5, 3)):
                try:
                    await take(ref, request, window=2)
                except actors.Interrupted:
                    assert log[-1] == "finally" or isinstance(request, Slow)
        assert await ref.ask(Named("alive"), timeout=0.25) == "alive"
        assert ref.statistics().restarts == 0
    return at


@pytest.mark.parametrize(
    "scenario",
    [asker_leaves, all_is_cancelled, ordered(actors.Ref.kill), ordered(actors.Ref.stop), interrupted],
    ids=["asker leaves", "all is cancelled", "killed", "stopped", "interrupted"],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_stream_is_cut_at_every_step(scenario: Any, seed: int) -> None:
    assert sweep(scenario, seed) > 10
