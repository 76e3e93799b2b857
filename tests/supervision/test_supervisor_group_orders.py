"""Orders and breakers that come while a group restarts."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, Breaker, OneForAll, Policy
from actors.events import Restarting
from tests.supervision.cast import (
    Boom,
    Child,
    Crash,
    Diary,
    Ping,
    Starts,
    Work,
    plain,
    steady,
    supervisor,
    trio_of,
)

# --- stops and breakers during a round ------------------------------------------------------


async def test_a_stop_of_the_supervisor_ends_a_waiting_round(autojump_clock: MockClock) -> None:
    """What waits for its group is stopped at once with its supervisor."""
    diary = Diary()

    async def start(self: actors.Supervisor) -> None:
        for name in ("a", "b"):
            await self.start(Child, name, diary, name=name, policy=plain(100))

    async with actors.open_system("s") as system:
        mid = await system.start(supervisor(start, OneForAll()), name="mid")
        system.children(mid)[0].tell(Crash())
        await trio.sleep(1)
        mid.stop()
        await mid.wait_stopped()
        assert trio.current_time() == 1.0
        await trio.sleep(200)
    assert diary.of("start") == ["a", "b"]


async def test_a_stop_of_the_supervisor_ends_a_round_that_starts(autojump_clock: MockClock) -> None:
    """The member that is starting is stopped like any, the later ones never start."""
    diary = Diary()

    async def start(self: actors.Supervisor) -> None:
        for name in ("a", "b", "c"):
            script: Starts = [None, 50.0] if name == "b" else []
            await self.start(Child, name, diary, script, name=name, policy=plain(2, shutdown=3.0))

    async with actors.open_system("s") as system:
        mid = await system.start(supervisor(start, OneForAll()), name="mid")
        system.children(mid)[0].tell(Crash())
        await trio.sleep(4)
        diary.clear()
        mid.stop()
        await mid.wait_stopped()
        assert diary.entries == [(7.0, "stop b KILLED"), (7.0, "stop a SHUTDOWN")]
        await trio.sleep(100)
    assert diary.of("begin") == []


@pytest.mark.parametrize("who", ["a", "b"])
async def test_a_member_that_is_stopped_during_the_wait_stays_away(
    who: str, autojump_clock: MockClock
) -> None:
    """The round goes on without a member that somebody stops, also without the failed one."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForAll()) as system:
        refs = dict(zip("abc", await trio_of(system, diary), strict=True))
        refs["b"].tell(Crash())
        await trio.sleep(1)
        refs[who].stop()
        await trio.sleep(5)
        assert refs[who].state is ActorState.STOPPED
        assert diary.of("start") == [name for name in "abc" if name != who]


@pytest.mark.parametrize("who", ["b", "c"])
async def test_a_member_that_is_stopped_while_it_starts_does_not_hold_the_round_up(
    who: str, autojump_clock: MockClock
) -> None:
    """The next one starts when the one before is ready or gone."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForAll()) as system:
        starts: dict[str, Starts] = {who: [100.0]}
        refs = dict(zip("abc", await trio_of(system, diary, starts=starts), strict=True))
        refs["a"].tell(Crash())
        await trio.sleep(4)
        refs[who].kill()
        await trio.sleep(5)
        assert diary.of("start") == [name for name in "abc" if name != who]
        assert trio.current_time() == 9.0


async def test_the_group_waits_for_an_open_breaker(autojump_clock: MockClock) -> None:
    """When the failure opens the breaker all wait for the probe, and no restart is used up."""
    diary = Diary()
    policy = plain(2, Breaker(failures=1, reset_after=60.0))
    async with actors.open_system("s", strategy=OneForAll(0)) as system:
        a, b, c = await trio_of(system, diary, policy=policy)
        b.tell(Crash())
        await trio.sleep(59.75)
        assert [ref.state for ref in (a, b, c)] == ["BACKING_OFF", "CIRCUIT_OPEN", "BACKING_OFF"]
        assert diary.of("begin") == []
        await trio.sleep(1)
        assert diary.of("start") == ["a", "b", "c"]
        assert diary.times("start a") == [60.0]
        assert system.breaker("/b").state == "HALF_OPEN"
        assert system.breaker("/a").state == "CLOSED"


async def test_a_breaker_that_opens_while_the_group_stops_is_waited_for_too(
    autojump_clock: MockClock,
) -> None:
    """The group waits for the longest of its breakers and its backoff."""
    diary = Diary()

    async def fails_when_stopped(ctx: actors.Context) -> None:
        diary.note("run b")
        async for _ in ctx.inbox:
            pass
        raise Boom("while stopping")

    async with actors.open_system("s", strategy=OneForAll()) as system:
        a = await system.start(Child, "a", diary, name="a", policy=plain(2))
        b = await system.start(
            fails_when_stopped, name="b", policy=plain(2, Breaker(failures=1, reset_after=30.0))
        )
        a.tell(Crash())
        await trio.sleep(29.75)
        assert (a.state, b.state) == (ActorState.BACKING_OFF, ActorState.CIRCUIT_OPEN)
        await trio.sleep(1)
        assert (diary.times("start a"), diary.times("run b")) == ([0.0, 30.0], [0.0, 30.0])


async def test_resetting_the_breaker_ends_the_wait_of_the_group(autojump_clock: MockClock) -> None:
    """A reset by hand starts the whole group at once."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForAll(0)) as system:
        refs = await trio_of(system, diary, policy=plain(2, Breaker(failures=1, reset_after=60.0)))
        refs[1].tell(Crash())
        await trio.sleep(10)
        system.reset_breaker("/b")
        await trio.sleep(1)
        assert diary.times("start a") == diary.times("start c") == [10.0]
        assert [await ref.ask(Ping()) for ref in refs] == ["a", "b", "c"]


async def test_the_backoff_of_the_failed_child_counts_not_that_of_others(autojump_clock: MockClock) -> None:
    """Siblings with longer delays of their own start with the group."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForAll()) as system:
        a = await system.start(Child, "a", diary, name="a", policy=plain(100))
        b = await system.start(Child, "b", diary, name="b", policy=Policy(backoff=steady(1), breaker=None))
        b.tell(Crash())
        await trio.sleep(1.5)
        assert (a.state, b.state) == (ActorState.IDLE, ActorState.IDLE)


async def test_a_group_does_not_start_a_member_before_its_breaker_allows_it(
    autojump_clock: MockClock,
) -> None:
    """A child spawned on a path whose breaker is open stays down until the probe, whatever its group does."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForAll()) as system:
        policy = plain(0, Breaker(failures=1, reset_after=60.0), restart="temporary")
        old = await system.start(Child, "b", diary, name="b", policy=policy)
        old.tell(Crash())
        await old.wait_stopped()
        a = await system.start(Child, "a", diary, name="a", policy=plain(2))
        b = system.spawn(Child, "b", diary, name="b", policy=plain(2, Breaker(failures=1, reset_after=60.0)))
        assert b.state is ActorState.CIRCUIT_OPEN
        await trio.sleep(10)
        a.tell(Crash())
        await trio.sleep(30)
        assert (b.state, system.breaker("/b").state) == (ActorState.CIRCUIT_OPEN, "OPEN")
        await trio.sleep(60)
        assert diary.times("start b") == [0.0, 60.0]


async def test_the_asker_of_a_sibling_that_is_cut_off_hears_of_it_at_once(autojump_clock: MockClock) -> None:
    """A handler that takes longer than `shutdown` is cancelled; its asker gets an error then."""
    async with actors.open_system("s", strategy=OneForAll()) as system:
        a = await system.start(Child, "a", Diary(), name="a", policy=plain(1))
        b = await system.start(Child, "b", Diary(), name="b", policy=plain(1, shutdown=3.0))
        pending = b.request(Work(100.0))
        b.tell(Work(0.0))
        await wait_all_tasks_blocked()
        a.tell(Crash())
        with pytest.raises(actors.Interrupted):
            await pending.wait()
        assert trio.current_time() == 3.0
        assert await b.ask(Ping()) == "b"


async def test_a_member_that_ends_late_does_not_hold_its_stopping_supervisor_up(
    autojump_clock: MockClock,
) -> None:
    """A failure whose `on_stop` ends while the supervisor already stops the others starts no round."""
    diary = Diary()

    async def start(self: actors.Supervisor) -> None:
        await self.start(Child, "a", diary, None, 3.0, name="a", policy=plain(100))
        await self.start(Child, "b", diary, None, 4.0, name="b", policy=plain(100))

    async with actors.open_system("s") as system:
        mid = await system.start(supervisor(start, OneForAll()), name="mid")
        system.children(mid)[0].tell(Crash())
        await trio.sleep(1)
        mid.stop()
        await mid.wait_stopped()
        assert diary.entries[-2:] == [(0.0, "stop a FAILED"), (1.0, "stop b SHUTDOWN")]
        assert trio.current_time() == 5.0


async def test_a_failure_of_one_that_was_not_yet_told_to_stop_is_part_of_the_round(
    autojump_clock: MockClock,
) -> None:
    """While c takes its time to stop, a fails by itself: one bulk restart, counted once."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForAll(1)) as system:
        a = await system.start(Child, "a", diary, name="a", policy=plain(2))
        b = await system.start(Child, "b", diary, name="b", policy=plain(2))
        await system.start(Child, "c", diary, None, 4.0, name="c", policy=plain(2))
        diary.clear()
        b.tell(Crash())
        await trio.sleep(1)
        a.tell(Crash())
        await trio.sleep(20)
        assert diary.of("start") == ["a", "b", "c"]
        assert diary.of("stop") == ["b", "c", "a"]


async def test_a_newer_round_waits_as_long_as_the_older_one_would_have(autojump_clock: MockClock) -> None:
    """A newcomer that fails meanwhile does not start the group before the open breaker allows it."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForAll(5)) as system:
        policy = plain(2, Breaker(failures=1, reset_after=60.0))
        a = await system.start(Child, "a", diary, name="a", policy=policy)
        a.tell(Crash())
        await trio.sleep(10)
        c = await system.start(Child, "c", diary, name="c", policy=plain(2))
        c.tell(Crash())
        await trio.sleep(60)
        assert diary.times("start a") == [0.0, 60.0]
        assert diary.times("start c") == [10.0, 60.0]


async def test_a_sibling_that_stops_with_its_group_says_when_it_starts_again(
    autojump_clock: MockClock,
) -> None:
    """Its `Restarting` tells how much longer the group waits."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForAll(5)) as system:
        a = await system.start(Child, "a", diary, name="a", policy=plain(2))
        b = await system.start(Child, "b", diary, name="b", policy=plain(2))
        async with system.subscribe(Restarting) as events:
            b.tell(Crash())
            await trio.sleep(1)
            told = [events.next_nowait(), events.next_nowait()]
    assert [(event.ref, event.attempt, event.delay, event.exit.kind) for event in told] == [
        (b, 1, 2.0, "FAILED"),
        (a, 1, 2.0, "SHUTDOWN"),
    ]


async def test_a_member_whose_on_stop_runs_already_is_not_stopped_once_more(
    autojump_clock: MockClock,
) -> None:
    """b has failed and still ends when a fails: one round, and the next incarnations stay."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForAll()) as system:
        a = await system.start(Child, "a", diary, name="a", policy=plain())
        b = await system.start(Child, "b", diary, None, 1.0, name="b", policy=plain())
        b.tell(Crash())
        await trio.sleep(0.5)
        a.tell(Crash())
        await trio.sleep(30)
        assert (diary.of("start"), diary.of("stop")) == (["a", "b", "a", "b"], ["b", "a"])
        assert [ref.statistics().restarts for ref in (a, b)] == [1, 1]


async def test_a_supervisor_that_ends_already_takes_no_limit_along_into_its_next_life(
    autojump_clock: MockClock,
) -> None:
    """Its children still stop when a sibling fails; what it has in hand later is not cut off by that."""
    diary = Diary()

    class Mid(actors.Supervisor):
        async def on_start(self) -> None:
            await self.start(Child, "leaf", diary, None, 1.0, name="leaf")

        async def on_stop(self, exit: actors.Exit) -> None:
            diary.note(f"stop mid {exit.kind}")

        @actors.receive
        def crash(self, message: Crash) -> None:
            raise Boom(message.text)

        @actors.receive
        async def work(self, message: Work) -> str:
            await trio.sleep(message.seconds)
            return "mid"

    async with actors.open_system("s", strategy=OneForAll()) as system:
        a = await system.start(Child, "a", diary, name="a", policy=plain())
        mid = await system.start(Mid, name="mid", policy=plain(shutdown=5.0))
        mid.tell(Crash())
        await trio.sleep(0.5)
        a.tell(Crash())
        await trio.sleep(1)
        assert await mid.ask(Work(20.0)) == "mid"
        assert diary.of("stop") == ["leaf", "a", "mid"]
        assert mid.statistics().restarts == 1


async def test_a_group_does_not_wait_for_a_function_whose_shutdown_is_zero(
    autojump_clock: MockClock,
) -> None:
    """It goes on after its inbox has ended: cancelled at once, and started with the others."""

    async def lingers(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            pass
        await trio.sleep_forever()

    async with actors.open_system("s", strategy=OneForAll()) as system:
        a = await system.start(Child, "a", Diary(), name="a", policy=plain())
        b = await system.start(lingers, name="b", policy=plain(shutdown=0.0))
        a.tell(Crash())
        await trio.sleep(1)
        assert [(ref.state, ref.statistics().restarts) for ref in (a, b)] == [(ActorState.IDLE, 1)] * 2
