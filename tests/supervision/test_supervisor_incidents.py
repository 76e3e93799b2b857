"""One incident is one incident, however many children it takes, and whoever asked hears why."""

from __future__ import annotations

from typing import ClassVar

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.events import Escalated

BARE = actors.Policy(breaker=None, backoff=actors.Backoff.immediate())
ONCE = actors.Policy(restart="temporary", breaker=None)


@actors.message
class Boom:
    """Fail."""


@actors.message
class Go(actors.Request[str]):
    """Answer."""


class Worker(actors.Actor):
    @actors.receive
    async def boom(self, message: Boom) -> None:
        raise ValueError("boom")

    @actors.receive
    async def go(self, message: Go) -> str:
        return "ok"


class Slow(Worker):
    async def on_stop(self, exit: actors.Exit) -> None:
        await trio.sleep(1.0)


class Boss(actors.Supervisor):
    what: ClassVar[type[Worker]] = Worker

    def __init__(self, strategy: actors.OneForOne | actors.OneForAll | actors.RestForOne) -> None:
        self.strategy = strategy

    async def on_start(self) -> None:
        for name in "abc":
            self.spawn(self.what, name=name, policy=BARE)


class SlowBoss(Boss):
    what = Slow


def child(system: actors.System, name: str) -> actors.Ref:
    ref = system.find(f"/boss/{name}")
    assert ref is not None
    return ref


@pytest.mark.parametrize("boss", [Boss, SlowBoss])
@pytest.mark.parametrize(
    ("strategy", "second", "lives"),
    [
        (actors.OneForAll(max_restarts=1), "b", True),
        (actors.RestForOne(max_restarts=1), "b", True),
        (actors.OneForOne(max_restarts=1, per="supervisor"), "b", False),
    ],
)
async def test_children_that_fail_together_cost_a_group_one_restart(
    autojump_clock: MockClock,
    boss: type[Boss],
    strategy: actors.OneForOne | actors.OneForAll | actors.RestForOne,
    second: str,
    lives: bool,
) -> None:
    """Whether `on_stop` takes time or not; without a group each failure is its own."""
    async with actors.open_system("s") as system:
        ref = await system.start(boss, strategy, name="boss", policy=ONCE)
        child(system, "a").tell(Boom())
        child(system, second).tell(Boom())
        await trio.sleep(10.0)
        assert (ref.state is not actors.ActorState.STOPPED) == lives
        if lives:
            assert [child(system, name).statistics().restarts for name in "abc"] == [1, 1, 1]


async def test_a_supervisor_gives_up_once_and_names_the_first(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, system.subscribe(Escalated) as events:
        ref = await system.start(Boss, actors.OneForOne(max_restarts=0), name="boss", policy=ONCE)
        for name in "abc":
            child(system, name).tell(Boom())
        exit = await ref.wait_stopped()
        first = events.next_nowait()
        assert isinstance(first, Escalated)
        assert events.next_nowait() is None
        assert isinstance(exit.error, actors.RestartsExhausted)
        assert exit.error.child == first.child


async def test_a_start_that_fails_shuts_nobody_down(autojump_clock: MockClock) -> None:
    """Nothing of it is left, so its significance is not either."""

    class Bad(Worker):
        async def on_start(self) -> None:
            raise ValueError("no")

    class Any(actors.Supervisor):
        auto_shutdown = "any"

        @actors.receive
        async def go(self, message: Go) -> str:
            with pytest.raises(actors.StartFailed):
                await self.start(Bad, name="bad", significant=True)
            return "handled"

    async with actors.open_system("s") as system:
        ref = system.spawn(Any, name="any")
        assert await ref.ask(Go()) == "handled"
        await trio.sleep(1.0)
        assert ref.state is actors.ActorState.IDLE


async def test_a_child_without_a_breaker_is_not_refused_by_that_of_its_path(
    autojump_clock: MockClock,
) -> None:
    """Neither by `spawn` nor by `start`."""
    async with actors.open_system("s") as system:
        first = system.spawn(Worker, name="x", policy=actors.Policy(breaker=actors.Breaker(failures=1)))
        first.tell(Boom())
        await trio.sleep(0.1)
        first.kill()
        await first.wait_stopped()
        with pytest.raises(actors.CircuitOpen):
            await system.start(Worker, name="x")
        second = await system.start(Worker, name="x", policy=BARE)
        assert await second.ask(Go()) == "ok"


async def test_who_waits_for_an_actor_that_fails_for_good_hears_why(autojump_clock: MockClock) -> None:
    """At once as well as a moment later."""

    class Bad(Worker):
        async def on_start(self) -> None:
            raise ValueError("no key")

    async with actors.open_system("s") as system:
        ref = system.spawn(Bad)
        for _ in range(2):
            with pytest.raises(actors.ActorStopped, match="no key") as caught:
                await ref.ask(Go())
            assert isinstance(caught.value.__cause__, ValueError)
        queued = system.spawn(Worker)
        queued.tell(Boom())
        with pytest.raises(actors.ActorStopped, match="boom"):
            await queued.ask(Go())


def test_the_modules_of_the_door_are_there() -> None:
    """As the pages write them: `actors.events.Failed`, `actors.process.Command`."""
    assert actors.events.Failed.__module__ == "actors.events"
    assert actors.process.Command(["true"]).argv == ("true",)
