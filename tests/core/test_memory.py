"""What is gone is forgotten: nothing of the system keeps a stopped actor alive."""

from __future__ import annotations

import functools
import gc
import weakref
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from tests.core.cast import AT_ONCE, Die, Echo, Note, Seen, Sleep, Worker, settled


class Full(Worker):
    """Uses everything there is: timers, watches, groups, requests, ports."""

    def __init__(self, other: actors.Ref, kept: list[weakref.ref[Any]]) -> None:
        super().__init__()
        self.other = other
        kept.append(weakref.ref(self))
        kept.append(weakref.ref(self.ctx.ref))

    async def on_start(self) -> None:
        self.ctx.watch(self.other)
        self.ctx.join("crew")
        self.ctx.every(10.0, Note("tick"))
        self.ctx.after(1000.0, Note("late"))
        self.other.request(Echo("open"), timeout=500.0)
        self.other.request(Sleep(0.5), timeout=500.0)

    @actors.receive
    def later(self, message: int) -> None:
        self.port = self.ctx.reply_later()


@pytest.mark.parametrize("end", ["stop", "drain", "kill", "die"])
async def test_an_ended_actor_is_forgotten(autojump_clock: MockClock, end: str) -> None:
    """Its object, its ref and all it used, also when it was watched, asked and timed."""
    kept: list[weakref.ref[Any]] = []
    async with actors.open_system("alpha") as system:
        other = await system.start(Worker)
        for name in ("named", None):
            ref = await system.start(Full, other, kept, name=name, policy=AT_ONCE)
            assert await ref.ask(Echo("alive"), timeout=1.0) == "alive"
            ref.tell(1)
            await settled()
            if end == "die" and name is None:
                ref.tell(Die("adhoc"))
            else:
                getattr(ref, "stop" if end == "die" else end)()
            await ref.wait_stopped()
            del ref
        await trio.sleep(2000)
        assert await other.ask(Echo("alive")) == "alive"
        system._kernel.dead_letters.clear()
        gc.collect()
        assert [one() for one in kept] == [None] * 4
        statistics = system.statistics()
        assert (statistics.actors, statistics.alarms) == (1, 0)
        assert system.group("crew").members == ()


async def test_a_restart_forgets_the_former_object(autojump_clock: MockClock) -> None:
    kept: list[weakref.ref[Any]] = []
    async with actors.open_system("alpha") as system:
        other = await system.start(Worker)
        ref = await system.start(Full, other, kept, name="named", policy=AT_ONCE)
        ref.tell(Die())
        assert await ref.ask(Echo("again")) == "again"
        system._kernel.dead_letters.clear()
        gc.collect()
        former, _, present, _ = kept
        assert former() is None
        assert present() is not None


async def test_a_held_ref_keeps_only_itself(autojump_clock: MockClock) -> None:
    """The object of a stopped actor goes, though somebody still has its ref."""
    kept: list[weakref.ref[Any]] = []
    async with actors.open_system("alpha") as system:
        other = await system.start(Worker)
        stopped = await system.start(Full, other, kept)
        stopped.stop()
        await stopped.wait_stopped()
        gc.collect()
        assert [one() for one in kept] == [None, stopped]


@pytest.mark.parametrize("what", ["function", "partial", "class"])
async def test_what_was_spawned_is_forgotten_with_its_last_actor(
    autojump_clock: MockClock, what: str
) -> None:
    """A closure, or a class made in a function, goes with all that it captured."""

    class Big: ...

    def made(big: Big) -> Any:
        async def job(ctx: actors.Context) -> Big:
            return big

        class Job(actors.Actor):
            async def on_start(self) -> None:
                self.big = big

        return {"function": job, "partial": functools.partial(job), "class": Job}[what]

    big = Big()
    kept = weakref.ref(big)
    async with actors.open_system("alpha") as system:
        ref = await system.start(made(big))
        ref.stop()
        await ref.wait_stopped()
        del ref, big
        gc.collect()
        assert kept() is None


async def test_a_watcher_keeps_nothing_of_the_dead_it_watched(autojump_clock: MockClock) -> None:
    """Not their refs, exits and values, however many it has seen go."""
    kept: list[weakref.ref[actors.Ref]] = []

    async def job(ctx: actors.Context) -> list[int]:
        return [0] * 1000

    class Pool(Worker):
        @actors.receive
        def more(self, message: int) -> None:
            for _ in range(message):
                ref = self.ctx.system.spawn(job)
                self.ctx.watch(ref)
                kept.append(weakref.ref(ref))

        @actors.receive
        def less(self, message: actors.Terminated) -> None:
            self.seen.append(message.ref.path)

    async with actors.open_system("alpha") as system:
        pool = await system.start(Pool)
        pool.tell(100)
        await trio.sleep(1)
        assert len(await pool.ask(Seen())) == 100
        gc.collect()
        assert [one() for one in kept] == [None] * 100
