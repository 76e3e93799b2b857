"""`when_ready`: an actor or a function is told that a network is ready; no task of the caller waits."""

from __future__ import annotations

import functools
import logging
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import Mailbox, NetworkReady, Policy
from actors.core.scope import CURRENT
from tests.spawning.test_network import ONCE, crew, never, never_ready, seconds
from tests.supervision.cast import Boom, Child, Crash, Diary, gives_up

Log = list[tuple[float, NetworkReady]]


class Boss(actors.Supervisor):
    """Starts three children, and hears when all are ready; crashes on request."""

    def __init__(self, log: Log) -> None:
        self.log = log

    async def on_start(self) -> None:
        for length in (1.0, 3.0, 2.0):
            self.spawn(Child, "c", Diary(), [length], name=f"takes-{length:g}")
        self.ctx.system.when_ready(self.children, self.ctx.ref)

    @actors.receive
    def ready(self, message: NetworkReady) -> None:
        self.log.append((trio.current_time(), message))

    @actors.receive
    def crash(self, message: Crash) -> None:
        raise Boom("crash")


def watches(system: actors.System) -> dict[Any, Any]:
    return system._networks.watches  # pyright: ignore[reportPrivateUsage]


def nothing_left(system: actors.System) -> bool:
    kernel = system._kernel  # pyright: ignore[reportPrivateUsage]
    return not (watches(system) or kernel.followers or len(kernel.alarms))


def listener() -> tuple[Log, Any]:
    log: Log = []
    return log, lambda news: log.append((trio.current_time(), news))


@pytest.mark.row(67)
async def test_a_supervisor_is_told_when_its_network_is_ready(autojump_clock: MockClock) -> None:
    """One message, at the slowest child's time, while it goes on with its work."""
    log: Log = []
    async with actors.open_system("alpha") as system:
        boss = await system.start(Boss, log, name="boss")
        await trio.sleep(10)
        assert log == [(3.0, NetworkReady(system.children(boss), (), (), 3.0))]
        assert log[0][1].ok
        assert nothing_left(system)


@pytest.mark.row(67)
async def test_a_function_is_called_once(autojump_clock: MockClock) -> None:
    """In a task of the system, outside any actor."""
    log: Log = []

    def told(news: NetworkReady) -> None:
        assert CURRENT.get() is None
        log.append((trio.current_time(), news))

    async with actors.open_system("alpha") as system:
        refs = await crew(system, *seconds(2, 1))
        watch = system.when_ready([*refs, refs[0]], told)
        assert (watch.done, repr(watch)) == (False, "<ReadyWatch 1 of 3, under way>")
        await trio.sleep(5)
        assert log == [(2.0, NetworkReady(refs, elapsed=2.0))]
        assert (watch.done, repr(watch)) == (True, "<ReadyWatch 3 of 3, done>")
        assert nothing_left(system)


async def test_it_never_comes_before_the_call_has_returned(autojump_clock: MockClock) -> None:
    """Also when all are ready now, or there is nobody; it takes no time all the same."""
    log, told = listener()
    async with actors.open_system("alpha") as system:
        refs = await crew(system)
        watches = [system.when_ready(refs, told), system.when_ready([], told)]
        assert (log, [watch.done for watch in watches]) == ([], [False, False])
        await wait_all_tasks_blocked()
        assert log == [(0.0, NetworkReady(refs)), (0.0, NetworkReady(()))]


async def test_it_names_those_that_failed_and_those_that_are_late(autojump_clock: MockClock) -> None:
    """Either is not ok."""
    log, told = listener()
    async with actors.open_system("alpha") as system:
        good = system.spawn(Child, "a", Diary(), [1.0])
        bad = system.spawn(Child, "b", Diary(), [Boom("no")], policy=ONCE)
        late = system.spawn(never_ready)
        system.when_ready([late, bad, good], told, timeout=4)
        system.when_ready([bad, good], told, timeout=4)
        await trio.sleep(5)
        assert log == [
            (1.0, NetworkReady((good,), (bad,), (), 1.0)),
            (4.0, NetworkReady((good,), (bad,), (late,), 4.0)),
        ]
        assert [news.ok for _, news in log] == [False, False]
        assert not NetworkReady((), late=(late,)).ok
        assert nothing_left(system)
        late.kill()


async def test_a_cancelled_watch_tells_nobody(autojump_clock: MockClock) -> None:
    """Whenever it is cancelled: on the way, between the end and the telling, afterwards."""
    log, told = listener()
    async with actors.open_system("alpha") as system:
        refs = await crew(system, *seconds(1))
        early = system.when_ready(refs, told, timeout=9)
        early.cancel()
        assert (early.done, nothing_left(system)) == (True, True)
        at_once = system.when_ready(refs[:1], told)
        at_once.cancel()
        at_once.cancel()
        await trio.sleep(2)
        assert (log, nothing_left(system)) == ([], True)
        done = system.when_ready(refs, told)
        await wait_all_tasks_blocked()
        done.cancel()
        assert len(log) == 1


async def test_it_may_be_cancelled_by_what_it_calls(autojump_clock: MockClock) -> None:
    """And what is called may do anything: start a watch, stop an actor."""
    calls: list[str] = []
    async with actors.open_system("alpha") as system:
        refs = await crew(system, *seconds(1))

        def first(news: NetworkReady) -> None:
            calls.append("first")
            watch.cancel()
            news.ready[0].kill()
            system.when_ready([], second)

        def second(_: NetworkReady) -> None:
            calls.append("second")

        watch = system.when_ready(refs, first)
        await trio.sleep(2)
        assert (calls, refs[0].state, nothing_left(system)) == (
            ["first", "second"],
            actors.ActorState.STOPPED,
            True,
        )


async def test_what_is_called_and_raises_is_logged(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing else is touched: others are told, time goes on."""
    log, told = listener()

    def bad(_: NetworkReady) -> None:
        raise Boom("in the callback")

    async with actors.open_system("alpha") as system:
        refs = await crew(system, *seconds(1))
        for to in (bad, told):
            system.when_ready(refs, to)
        await trio.sleep(2)
    assert [at for at, _ in log] == [1.0]
    (record,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert record.name == "actors.spawning"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], Boom)


async def test_a_system_that_closes_tells_nobody(autojump_clock: MockClock) -> None:
    """Neither that they failed, nor that they were ready, nor that the time is up."""
    log, told = listener()
    async with actors.open_system("alpha") as system:
        refs = await crew(system)
        late = system.spawn(never_ready)
        open_ones = [system.when_ready([late], told), system.when_ready([late], told, timeout=3)]
        at_once = system.when_ready(refs, told)
        system.stop()
        with pytest.raises(actors.SystemClosed):
            system.when_ready(refs, told)
    assert log == []
    assert all(watch.done for watch in (*open_ones, at_once))
    assert nothing_left(system)


async def test_a_system_that_gives_up_tells_nobody(autojump_clock: MockClock) -> None:
    log, told = listener()
    with gives_up():
        async with actors.open_system("alpha", strategy=actors.OneForOne(max_restarts=0)) as system:
            crashes = system.spawn(Child, "c", Diary(), [Boom("no")], name="c", policy=Policy(breaker=None))
            watch = system.when_ready([crashes, system.spawn(never_ready)], told)
            await trio.sleep(10)
    assert (log, watch.done, nothing_left(system)) == ([], True, True)


async def test_a_full_mailbox_takes_the_news(autojump_clock: MockClock) -> None:
    """It does not count toward the capacity; nobody waits for ever."""
    taken: list[object] = []

    async def slow(ctx: actors.Context) -> None:
        await trio.sleep(5)
        async for message in ctx.inbox:
            taken.append(message)

    policy = Policy(mailbox=Mailbox(capacity=1))
    async with actors.open_system("alpha") as system:
        ref = system.spawn(slow, name="slow", policy=policy)
        ref.tell("fills it")
        system.when_ready([], ref)
        await trio.sleep(10)
        assert (taken, list(system.dead_letters)) == (["fills it", NetworkReady(())], [])


async def test_news_for_the_dead_and_the_deaf_is_a_dead_letter(autojump_clock: MockClock) -> None:
    """One that has no handler for it did not ask for it."""
    async with actors.open_system("alpha") as system:
        dead = system.spawn(never)
        dead.kill()
        await dead.wait_stopped()
        deaf = await system.start(Child, "a", Diary())
        for to in (dead, deaf):
            system.when_ready([], to)
        await wait_all_tasks_blocked()
        letters = [(letter.ref, letter.message, letter.reason) for letter in system.dead_letters]
        assert letters == [(dead, NetworkReady(()), "stopped"), (deaf, NetworkReady(()), "unhandled")]


async def test_it_outlives_a_restart_of_who_is_told(autojump_clock: MockClock) -> None:
    """The next incarnation hears of the network that the one before had; and of its own."""
    log: Log = []
    policy = Policy(backoff=actors.Backoff.immediate(), breaker=None)
    async with actors.open_system("alpha") as system:
        boss = await system.start(Boss, log, name="boss", policy=policy)
        await trio.sleep(1.5)
        boss.tell(Crash())
        await trio.sleep(10)
        assert [(at, news.ok, len(news.ready)) for at, news in log] == [(3.0, False, 1), (6.0, True, 3)]


async def test_who_is_to_be_told_must_be_somebody(autojump_clock: MockClock) -> None:
    async def asynchronous(news: NetworkReady) -> None: ...

    async with actors.open_system("alpha") as system, actors.open_system("beta") as other:
        for wrong, said in ((None, "to must be a Ref"), (Boss, "to must be a Ref"), (asynchronous, "async")):
            with pytest.raises(TypeError, match=said):
                system.when_ready([], wrong)  # type: ignore[arg-type]
        with pytest.raises(actors.UnknownActor):
            system.when_ready([], other.spawn(never))
        system.when_ready([], functools.partial(print, end=""), timeout=0).cancel()
        assert nothing_left(system)
