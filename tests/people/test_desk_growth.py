"""Ten thousand requests through each exit: nothing of them is left."""

from __future__ import annotations

import gc
import sys
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import RAISE
from actors.people.book import Matter, Wait
from actors.people.register import Seat
from tests.people.scene import Asked, nothing_left, sizes

MANY = 10_000
BATCH = 500

Exit = Callable[[actors.System, trio.Nursery], Awaitable[object]]


async def answered(system: actors.System, nursery: trio.Nursery) -> object:
    for request in system.desk.pending():
        system.desk.answer(request.id, True, "ada")
    return True


async def timed_out(system: actors.System, nursery: trio.Nursery) -> object:
    await trio.sleep(301.0)
    return actors.NoAnswer


async def cancelled(system: actors.System, nursery: trio.Nursery) -> object:
    nursery.cancel_scope.cancel()
    return "cancelled"


async def withdrawn(system: actors.System, nursery: trio.Nursery) -> object:
    for request in system.desk.pending():
        system.desk.withdraw(request.id)
    return actors.NoAnswer


def sizes_of_all(system: actors.System) -> tuple[dict[str, int], int]:
    """The tables, and how many parts of requests there are in the whole process."""
    gc.collect()
    parts = sum(isinstance(one, Matter | Wait | Seat) for one in gc.get_objects())
    return sizes(system), parts


async def batch(system: actors.System, leave: Exit, n: int) -> None:
    """So many ask, and wait no longer."""
    async with trio.open_nursery() as nursery:
        asked = [Asked() for _ in range(n)]
        for one in asked:
            nursery.start_soon(lambda one=one: one.run(system.desk.approval, "?", default=RAISE))
        await wait_all_tasks_blocked()
        assert len(system.desk.pending()) == n
        outcome = await leave(system, nursery)
    assert {one.outcome for one in asked} == {outcome}


@pytest.mark.row(109)
@pytest.mark.parametrize(
    "leave", [answered, timed_out, cancelled, withdrawn], ids=lambda leave: leave.__name__
)
async def test_nothing_remains_of_ten_thousand_requests(leave: Exit, autojump_clock: MockClock) -> None:
    """No table has grown, no part of a request is alive, memory is what it was."""
    async with actors.open_system("alpha", asking=actors.Asking(remember=10)) as system:
        await batch(system, leave, BATCH)
        before, blocks = sizes_of_all(system), sys.getallocatedblocks()
        for _ in range(MANY // BATCH):
            await batch(system, leave, BATCH)
        assert sizes_of_all(system) == before
        assert nothing_left(system)
        assert before[1] == 0
        assert sys.getallocatedblocks() < blocks + 2_000
        assert system.desk.statistics().asked == MANY + BATCH
        assert system.desk.statistics().remembered == 10


@pytest.mark.row(109)
async def test_nothing_remains_of_ten_thousand_that_were_refused(autojump_clock: MockClock) -> None:
    """Errors at the door, a full desk, and keys that stand for something else."""
    async with actors.open_system("alpha", asking=actors.Asking(capacity=1)) as system:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: system.desk.approval("?", key="k"))
            await wait_all_tasks_blocked()
            before, blocks = sizes_of_all(system), sys.getallocatedblocks()
            for n in range(MANY):
                error: type[Exception] = [ValueError, actors.DeskFull, actors.KeyReused, TypeError][n % 4]
                options = [{"timeout": -1.0}, {}, {"key": "k"}, {"default": 3}][n % 4]
                with pytest.raises(error):
                    await system.desk.approval("another?", **options)  # type: ignore[arg-type]
            assert sizes_of_all(system) == before
            assert sys.getallocatedblocks() < blocks + 2_000
            nursery.cancel_scope.cancel()
        assert nothing_left(system)


@pytest.mark.row(109)
async def test_ten_thousand_that_wait_while_the_system_ends_hear_it(autojump_clock: MockClock) -> None:
    """Those who asked from outside of it; afterwards nothing is left."""
    asked = [Asked() for _ in range(MANY)]
    async with trio.open_nursery() as outside, actors.open_system("alpha") as system:
        for n, who in enumerate(asked):
            key = f"k{n // 2}" if n % 3 else None
            outside.start_soon(lambda who=who, key=key: who.run(system.desk.approval, "?", key=key))
        await wait_all_tasks_blocked()
    assert {one.outcome for one in asked} == {actors.SystemClosed}
    asked.clear()  # their errors hold frames, and these what was waited for
    del who
    assert sizes_of_all(system)[1] == 0
    assert nothing_left(system)
    assert system.desk.pending() == ()
