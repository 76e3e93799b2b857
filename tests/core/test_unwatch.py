"""Taking a watch back, and watching again: never two notices for one watch (contract §4)."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from tests.core.cast import AT_ONCE, Die, Echo, Unwatch, Watch, Watcher, Worker, ended, settled


async def test_unwatch_takes_the_watch_back(autojump_clock: MockClock) -> None:
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        watched = await system.start(Worker)
        watcher = await system.start(Watcher, book)
        watcher.tell(Watch(watched, times=2))
        watcher.tell(Unwatch(watched))
        watcher.tell(Unwatch(watched))
        await settled()
        await ended(watched)
        await trio.sleep(10)
        assert book == []


async def test_unwatch_removes_a_queued_notice_of_that_actor_alone(autojump_clock: MockClock) -> None:
    book: list[Any] = []

    class Late(Watcher):
        @actors.receive
        async def take_back(self, message: str) -> None:
            await trio.sleep(1)
            assert self.ctx.cell.depth == 2
            self.ctx.unwatch(first)

    async with actors.open_system("alpha") as system:
        first, second = await system.start(Worker), await system.start(Worker)
        late = await system.start(Late, book)
        late.tell(Watch(first))
        late.tell(Watch(second))
        late.tell("take it back")
        await settled()
        await ended(first)
        await ended(second)
        await trio.sleep(10)
        assert book == [(second, "SHUTDOWN")]


async def test_watching_again_after_unwatch_gives_a_notice_again(autojump_clock: MockClock) -> None:
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        watched = await system.start(Worker)
        watcher = await system.start(Watcher, book)
        for message in (Watch(watched), Unwatch(watched), Watch(watched)):
            watcher.tell(message)
        await settled()
        await ended(watched)
        await settled()
        assert book == [(watched, "SHUTDOWN")]


async def test_unwatching_one_that_was_never_watched_does_nothing(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        watched, watcher = await system.start(Worker), await system.start(Watcher, [])
        watcher.tell(Unwatch(watched))
        assert await watcher.ask(Echo("alive")) == "alive"


async def test_watching_again_after_the_notice_was_taken_is_watching_once(autojump_clock: MockClock) -> None:
    """The one notice has come; no number of further watches gives another."""
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        watched = await system.start(Worker)
        watcher = await system.start(Watcher, book)
        watcher.tell(Watch(watched))
        await settled()
        await ended(watched)
        await settled()
        for _ in range(3):
            watcher.tell(Watch(watched, times=2))
            await settled()
        assert book == [(watched, "SHUTDOWN")]


@pytest.mark.parametrize("waits", [False, True], ids=["taken", "queued"])
async def test_watching_the_dead_again_after_unwatch_gives_a_new_notice(
    autojump_clock: MockClock, waits: bool
) -> None:
    """One for each watch that was not taken back before its notice came."""
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        watched = await system.start(Worker)
        watcher = await system.start(Watcher, book)
        watcher.tell(Watch(watched))
        await settled()
        if waits:
            watcher.suspend()
            for message in (Unwatch(watched), Watch(watched)):
                watcher.tell(message)
        await ended(watched)
        if not waits:
            await settled()
            assert book == [(watched, "SHUTDOWN")]
            for message in (Unwatch(watched), Watch(watched)):
                watcher.tell(message)
        watcher.resume()
        await settled()
        assert book == [(watched, "SHUTDOWN")] * (1 if waits else 2)


async def test_a_watch_needs_nobody_to_keep_the_ref(autojump_clock: MockClock) -> None:
    """The watcher forgets the ref and gets its notice all the same, also after a restart of either side."""
    book: list[Any] = []

    class Forgetful(Watcher):
        @actors.receive
        def watch_one(self, message: str) -> None:
            self.ctx.watch(self.ctx.system.spawn(Worker, name=message, policy=AT_ONCE))

        @actors.receive
        def terminated(self, message: actors.Terminated) -> None:
            self.book.append(message.ref.path)

    async with actors.open_system("alpha") as system:
        watcher = await system.start(Forgetful, book, name="watcher", policy=AT_ONCE)
        watcher.tell("one")
        await settled()
        gc.collect()
        for path in ("/one", "/watcher"):
            system.find(path).tell(Die())
            await settled()
        gc.collect()
        await ended(system.find("/one"))
        await settled()
        assert book == ["/one"]
