"""Stopped together: all are ordered at once, and all are gone when it returns."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ExitKind
from tests.core.cast import settled
from tests.spawning.voters import Book, Give, Plain, Voter


@pytest.mark.row(79)
@pytest.mark.parametrize(("kill", "kind"), [(False, ExitKind.SHUTDOWN), (True, ExitKind.KILLED)])
async def test_ten_whose_end_takes_a_second_are_gone_after_one_second(
    autojump_clock: MockClock, kill: bool, kind: ExitKind
) -> None:
    book = Book()
    async with actors.open_system("s") as system:
        refs = [await system.start(Voter, book, 0, 0.0, 1.0) for _ in range(10)]
        exits = await actors.stop_all(refs, kill=kill)
        assert trio.current_time() == 1.0
        assert list(exits) == refs
        assert {exit.kind for exit in exits.values()} == {kind}
        assert [line[:2] for line in book.lines] == [(1.0, "gone")] * 10
        assert system.tree().children == ()


@pytest.mark.row(79)
async def test_together_they_take_as_long_as_the_slowest(autojump_clock: MockClock) -> None:
    """Who is gone already has the exit of then; the message in hand is finished; each has its own bound."""
    book = Book()
    async with actors.open_system("s") as system:
        gone = await system.start(Voter, book, 0)
        gone.kill()
        await gone.wait_stopped()
        short = await system.start(Voter, book, 0, 2.0, 1.0)
        stubborn = await system.start(Voter, book, 0, 1e6, policy=actors.Policy(shutdown=4.0))
        asked = [ref.request(Give()) for ref in (short, stubborn)]
        await settled()
        exits = await actors.stop_all([gone, short, stubborn])
        assert trio.current_time() == 4.0
        assert [exits[ref].kind for ref in (gone, short, stubborn)] == [
            ExitKind.KILLED,
            ExitKind.SHUTDOWN,
            ExitKind.KILLED,
        ]
        assert await asked[0].wait() == 0
        assert [line[0] for line in book.lines if line[1] == "gone"] == [0.0, 3.0, 4.0]


async def test_a_supervisor_and_its_children_can_be_stopped_together(autojump_clock: MockClock) -> None:
    class Boss(actors.Supervisor):
        async def on_start(self) -> None:
            for name in ("x", "y"):
                await self.start(Voter, Book(), 0, 0.0, 1.0, name=name)

    async with actors.open_system("s") as system:
        boss = await system.start(Boss)
        exits = await actors.stop_all([boss, *system.children(boss)])
        assert (len(exits), trio.current_time()) == (3, 1.0)


async def test_cancelled_it_waits_no_longer_and_the_orders_stand(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        refs = [await system.start(Voter, Book(), 0, 0.0, 3.0) for _ in range(3)]
        with trio.move_on_after(1) as scope:
            await actors.stop_all(refs)
        assert scope.cancelled_caught
        for ref in refs:
            assert (await ref.wait_stopped()).kind is ExitKind.SHUTDOWN
        assert trio.current_time() == 3.0


async def test_cancelled_before_it_has_begun_nobody_is_stopped(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(Plain, Book(), 1)
        with trio.CancelScope() as scope:
            scope.cancel()
            await actors.stop_all([ref])
        assert scope.cancelled_caught
        assert await ref.ask(Give()) == 1
