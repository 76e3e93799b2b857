"""Death watch: exactly one notice, when the watched actor is finally gone (contract §4)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ExitKind, Terminated
from tests.core.cast import AT_ONCE, Die, Echo, Note, Sleep, Watch, Watcher, Worker, ended, settled


@pytest.mark.parametrize(("order", "kind"), [("stop", "SHUTDOWN"), ("drain", "SHUTDOWN"), ("kill", "KILLED")])
async def test_one_notice_comes_when_it_is_gone(autojump_clock: MockClock, order: str, kind: str) -> None:
    """Not before, and no second one, however long one waits and however often one watched."""
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        watched = await system.start(Worker)
        watcher = await system.start(Watcher, book)
        watcher.tell(Watch(watched, times=3))
        await trio.sleep(10)
        assert book == []
        await ended(watched, order)
        await trio.sleep(1000)
        assert book == [(watched, kind)]


async def test_the_notice_carries_the_exit(autojump_clock: MockClock) -> None:
    got: list[Terminated] = []

    async def job(ctx: actors.Context) -> int:
        return 42

    class Parent(Watcher):
        @actors.receive
        def terminated(self, message: Terminated) -> None:
            got.append(message)

    async with actors.open_system("alpha") as system:
        parent = await system.start(Parent, [])
        watched = system.spawn(job)
        parent.tell(Watch(watched))
        await settled()
    assert got == [Terminated(watched, actors.Exit(ExitKind.NORMAL, value=42))]


async def test_the_dead_are_noticed_too(autojump_clock: MockClock) -> None:
    """Watching one that is gone already gives the one notice at once."""
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        watched = await system.start(Worker)
        await ended(watched)
        watcher = await system.start(Watcher, book)
        watcher.tell(Watch(watched, times=2))
        await trio.sleep(10)
        assert book == [(watched, "SHUTDOWN")]


async def test_a_restart_is_no_death(autojump_clock: MockClock) -> None:
    """The watch goes on over it, and sees the end of a later incarnation."""
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        watched = await system.start(Worker, name="watched", policy=AT_ONCE)
        watcher = await system.start(Watcher, book)
        watcher.tell(Watch(watched))
        watched.tell(Die())
        assert await watched.ask(Echo("again")) == "again"
        await trio.sleep(10)
        assert (watched.statistics().restarts, book) == (1, [])
        await ended(watched)
        await settled()
        assert book == [(watched, "SHUTDOWN")]


async def test_the_watch_outlives_a_restart_of_the_watcher(autojump_clock: MockClock) -> None:
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        watched = await system.start(Worker)
        watcher = await system.start(Watcher, book, name="watcher", policy=AT_ONCE)
        watcher.tell(Watch(watched))
        watcher.tell(Die())
        await settled()
        await ended(watched)
        await trio.sleep(1)
        assert (watcher.statistics().restarts, book) == (1, [(watched, "SHUTDOWN")])


async def test_the_notice_comes_behind_everything_its_sender_had_sent(autojump_clock: MockClock) -> None:
    """It travels in the normal lane."""
    book: list[Any] = []

    async def talker(ctx: actors.Context, to: actors.Ref) -> None:
        for n in range(3):
            to.tell(Note(f"word {n}"))

    async with actors.open_system("alpha") as system:
        watcher = await system.start(Watcher, book)
        watcher.suspend()
        watched = system.spawn(talker, watcher)
        watcher.resume()
        watcher.tell(Watch(watched))
        await settled()
        assert book == ["word 0", "word 1", "word 2", (watched, "NORMAL")]


async def test_the_notice_does_not_overtake_what_waits(autojump_clock: MockClock) -> None:
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        watched = await system.start(Worker)
        watcher = await system.start(Watcher, book)
        watcher.tell(Watch(watched))
        await settled()
        watcher.suspend()
        watcher.tell(Note("before"))
        await ended(watched)
        watcher.tell(Note("after"))
        watcher.tell(Note("urgent"), urgent=True)
        watcher.resume()
        await settled()
        assert book == ["urgent", "before", (watched, "SHUTDOWN"), "after"]


async def test_the_notice_needs_no_room_and_takes_none(autojump_clock: MockClock) -> None:
    """It comes into a full mailbox, is never dropped, and leaves the capacity alone."""
    book: list[Any] = []
    policy = actors.Policy(mailbox=actors.Mailbox(capacity=1, overflow="drop_oldest"))
    async with actors.open_system("alpha") as system:
        watched = await system.start(Worker)
        watcher = await system.start(Watcher, book, policy=policy)
        watcher.tell(Watch(watched))
        await settled()
        watcher.suspend()
        watcher.tell(Note("dropped"))
        await ended(watched)
        watcher.tell(Note("kept"))
        assert watcher.statistics().depth == {"system": 1, "urgent": 0, "normal": 1}
        watcher.resume()
        await settled()
        assert book == [(watched, "SHUTDOWN"), "kept"]


async def test_without_a_handler_it_is_ignored(autojump_clock: MockClock) -> None:
    """No dead letter, no `on_unhandled`."""
    unhandled: list[object] = []

    class Deaf(actors.Actor):
        @actors.receive
        def watch(self, message: Watch) -> None:
            self.ctx.watch(message.ref)

        async def on_unhandled(self, message: object) -> object:
            unhandled.append(message)
            return None

    async with actors.open_system("alpha") as system:
        watched = await system.start(Worker)
        deaf = await system.start(Deaf)
        deaf.tell(Watch(watched))
        await settled()
        await ended(watched)
        await settled()
        assert (unhandled, system.dead_letters) == ([], ())
        assert deaf.state is actors.ActorState.IDLE


async def test_watching_oneself_raises_value_error(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        watcher = await system.start(Watcher, [])
        watcher.tell(Watch(watcher))
        exit = await watcher.wait_stopped()
        assert isinstance(exit.error, ValueError)
        assert "cannot watch itself" in exit.reason


async def test_every_watcher_gets_its_notice(autojump_clock: MockClock) -> None:
    books: list[list[Any]] = [[] for _ in range(5)]
    async with actors.open_system("alpha") as system:
        watched = await system.start(Worker)
        for book in books:
            (await system.start(Watcher, book)).tell(Watch(watched))
        await settled()
        await ended(watched)
        await settled()
        assert books == [[(watched, "SHUTDOWN")]] * 5


async def test_two_that_watch_each_other_end_without_a_leftover(autojump_clock: MockClock) -> None:
    books: list[list[Any]] = [[], []]
    async with actors.open_system("alpha") as system:
        one, two = await system.start(Watcher, books[0]), await system.start(Watcher, books[1])
        one.tell(Watch(two))
        two.tell(Watch(one))
        await settled()
        await ended(one)
        await settled()
        assert books == [[], [(one, "SHUTDOWN")]]


async def test_the_notice_comes_after_on_stop(autojump_clock: MockClock) -> None:
    """Finally gone means that nothing of it runs any more."""

    class Slow(Worker):
        async def on_stop(self, exit: actors.Exit) -> None:
            await trio.sleep(2)

    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        slow = await system.start(Slow)
        watcher = await system.start(Watcher, book)
        watcher.tell(Watch(slow))
        await settled()
        slow.stop()
        await trio.sleep(1.9)
        assert book == []
        await trio.sleep(0.2)
        assert book == [(slow, "SHUTDOWN")]


async def test_a_function_gets_its_notices_in_its_inbox(autojump_clock: MockClock) -> None:
    async def watcher(ctx: actors.Context, watched: actors.Ref) -> Any:
        ctx.watch(watched)
        async for message in ctx.inbox:
            return message

    async with actors.open_system("alpha") as system:
        watched = await system.start(Worker)
        ref = await system.start(watcher, watched)
        watched.tell(Sleep(3))
        await settled()
        exit = await ended(watched)
        assert (await ref.wait_stopped()).value == Terminated(watched, exit)
        assert trio.current_time() == pytest.approx(3.0)
