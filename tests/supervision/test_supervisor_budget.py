"""How many restarts are allowed, and what follows when there are more: escalation."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, Breaker, ExitKind, OneForOne
from actors.events import Escalated, Failed
from tests.supervision.cast import (
    Boom,
    Child,
    Crash,
    Diary,
    Ping,
    gives_up,
    plain,
    supervisor,
)

# --- the budget -------------------------------------------------------------------------


@pytest.mark.row(83)
async def test_a_restart_at_the_edge_of_the_window_still_counts(autojump_clock: MockClock) -> None:
    """A failure exactly `within` seconds after the last allowed restart is one too many."""
    with gives_up():
        async with actors.open_system("s", strategy=OneForOne(max_restarts=1, within=10.0)) as system:
            ref = system.spawn(Child, "a", Diary(), name="a", policy=plain())
            ref.tell(Crash())
            await trio.sleep(10)
            ref.tell(Crash())
            await trio.sleep_forever()
    assert trio.current_time() == 10.0


@pytest.mark.row(83)
async def test_a_restart_behind_the_window_is_forgotten(autojump_clock: MockClock) -> None:
    """A failure just after the window is restarted, again and again."""
    async with actors.open_system("s", strategy=OneForOne(max_restarts=1, within=10.0)) as system:
        ref = system.spawn(Child, "a", Diary(), name="a", policy=plain())
        for _ in range(5):
            ref.tell(Crash())
            await trio.sleep(10.015625)
        assert ref.statistics().restarts == 5


@pytest.mark.row(83)
async def test_exactly_the_allowed_restarts_happen(autojump_clock: MockClock) -> None:
    """A crash loop restarts `max_restarts` times and escalates with the next failure."""
    diary = Diary()
    with gives_up():
        async with actors.open_system("s", strategy=OneForOne(max_restarts=3, within=30.0)) as system:
            ref = system.spawn(Child, "a", diary, name="a", policy=plain(1))
            for _ in range(9):
                ref.tell(Crash())
            await trio.sleep_forever()
    assert diary.times("start a") == [0.0, 1.0, 2.0, 3.0]
    assert trio.current_time() == 3.0


async def test_each_child_has_its_own_budget(autojump_clock: MockClock) -> None:
    """By default two children may restart as often as one."""
    async with actors.open_system("s", strategy=OneForOne(max_restarts=1)) as system:
        refs = [system.spawn(Child, name, Diary(), name=name, policy=plain()) for name in ("a", "b", "c")]
        for ref in refs:
            ref.tell(Crash())
        await wait_all_tasks_blocked()
        assert [ref.statistics().restarts for ref in refs] == [1, 1, 1]


async def test_one_budget_for_all_children(autojump_clock: MockClock) -> None:
    """With `per="supervisor"` the failures of all children count together."""
    strategy = OneForOne(max_restarts=2, per="supervisor")
    with gives_up() as caught:
        async with actors.open_system("s", strategy=strategy) as system:
            for name in ("a", "b", "c"):
                ref = await system.start(Child, name, Diary(), name=name, policy=plain())
                ref.tell(Crash())
            await trio.sleep_forever()
    assert isinstance(caught.value.__cause__, actors.RestartsExhausted)
    assert caught.value.__cause__.child.name == "c"


async def test_a_strategy_that_is_set_later_counts_with_its_own_numbers(autojump_clock: MockClock) -> None:
    """From the next failure on, and from nothing: what was spent of the old one is forgotten."""

    class Boss(actors.Supervisor):
        async def on_start(self) -> None:
            self.strategy = OneForOne(max_restarts=1)
            await self.start(Child, "a", Diary(), name="a", policy=plain())

        @actors.receive
        def more(self, message: Ping) -> str:
            self.strategy = OneForOne(max_restarts=3)
            return "three"

    async with actors.open_system("s") as system, system.subscribe(Escalated) as events:
        boss = await system.start(Boss, name="boss", policy=plain())
        child = system.find("/boss/a")
        assert child is not None
        child.tell(Crash())
        await wait_all_tasks_blocked()
        assert await boss.ask(Ping()) == "three"
        for _ in range(3):
            child.tell(Crash())
            await wait_all_tasks_blocked()
        assert (events.next_nowait(), child.statistics().restarts) == (None, 4)
        child.tell(Crash())
        await wait_all_tasks_blocked()
        escalated = events.next_nowait()
    assert isinstance(escalated, Escalated)
    assert "more than the 3 restarts" in str(escalated.error)


async def test_a_return_of_a_permanent_actor_uses_the_budget_too(autojump_clock: MockClock) -> None:
    """A permanent actor that keeps returning is restarted only as often as allowed."""

    async def returns(ctx: actors.Context) -> None:
        pass

    with gives_up():
        async with actors.open_system("s", strategy=OneForOne(max_restarts=2)) as system:
            system.spawn(returns, name="a", policy=plain(restart="permanent"))
            await trio.sleep_forever()


# --- escalation -------------------------------------------------------------------------


@pytest.mark.row(83)
async def test_a_failure_goes_up_to_the_root_with_its_chain_of_causes(autojump_clock: MockClock) -> None:
    """The root's failure is the system's; from it the causes lead down to the child's error."""

    async def middle(self: actors.Supervisor) -> None:
        await self.start(Child, "leaf", Diary(), name="leaf", policy=plain())

    with gives_up() as caught:
        async with actors.open_system("s", strategy=OneForOne(max_restarts=0)) as system:
            await system.start(supervisor(middle, OneForOne(max_restarts=0)), name="mid", policy=plain())
            leaf = system.find("/mid/leaf")
            assert leaf is not None
            leaf.tell(Crash("the end"))
            await trio.sleep_forever()
    upper = caught.value.__cause__
    assert isinstance(upper, actors.RestartsExhausted)
    assert upper.child.path == "/mid"
    lower = upper.__cause__
    assert isinstance(lower, actors.RestartsExhausted)
    assert lower.child.path == "/mid/leaf"
    assert repr(lower.__cause__) == repr(Boom("the end"))


@pytest.mark.row(83)
async def test_the_supervisor_above_decides_about_a_supervisor_that_gave_up(
    autojump_clock: MockClock,
) -> None:
    """It is restarted like any child: its children are new, with a new budget; events tell of it."""
    diary = Diary()

    async def middle(self: actors.Supervisor) -> None:
        for name in ("a", "b"):
            await self.start(Child, name, diary, name=name, policy=plain())

    async with actors.open_system("s") as system, system.subscribe(Escalated, Failed) as events:
        mid = await system.start(supervisor(middle, OneForOne(max_restarts=1)), name="mid", policy=plain(5))
        old = system.find("/mid/a")
        assert old is not None
        for _ in range(2):
            old.tell(Crash())
            await wait_all_tasks_blocked()
        assert (old.state, mid.state) == (ActorState.STOPPED, ActorState.BACKING_OFF)
        assert diary.of("stop") == ["a", "a", "b"]
        assert system.find("/mid/b") is None
        await trio.sleep(5)
        await wait_all_tasks_blocked()
        assert (mid.state, mid.statistics().restarts) == (ActorState.IDLE, 1)
        new = system.find("/mid/a")
        assert new is not None
        assert new != old
        new.tell(Crash())
        await wait_all_tasks_blocked()
        assert (new.state, mid.statistics().restarts) == (ActorState.IDLE, 1)
        seen = [events.next_nowait() for _ in range(4)]
    assert [type(event) for event in seen] == [Failed, Failed, Escalated, Failed]
    escalated, above = seen[2], seen[3]
    assert isinstance(escalated, Escalated)
    assert isinstance(above, Failed)
    assert (escalated.ref, escalated.child) == (mid, old)
    assert escalated.error is above.exit.error


async def test_a_supervisor_that_gives_up_stops_its_children_in_order(autojump_clock: MockClock) -> None:
    """Adhoc children first, then the named ones in reverse start order, before its own `on_stop`."""
    diary = Diary()

    class Middle(actors.Supervisor):
        strategy = OneForOne(max_restarts=0)

        async def on_start(self) -> None:
            for name in ("a", "b", None, "c"):
                await self.start(Child, name or "adhoc", diary, name=name, policy=plain())

        async def on_stop(self, exit: actors.Exit) -> None:
            diary.note(f"stop middle {exit.kind}")

    async with actors.open_system("s") as system:
        mid = await system.start(Middle, name="mid", policy=plain(restart="temporary"))
        system.children(mid)[1].tell(Crash())
        exit = await mid.wait_stopped()
        assert exit.kind is ExitKind.FAILED
        assert isinstance(exit.error, actors.RestartsExhausted)
    assert diary.of("stop") == ["b", "adhoc", "c", "a", "middle"]


async def test_a_supervisor_that_gives_up_while_it_starts_has_failed_to_start(
    autojump_clock: MockClock,
) -> None:
    """Its `on_start` is cancelled, and whoever started it gets the cause."""

    class Eager(actors.Supervisor):
        strategy = OneForOne(max_restarts=1)

        async def on_start(self) -> None:
            self.spawn(Child, "a", Diary(), [Boom("1"), Boom("2")], name="a", policy=plain(1))
            await trio.sleep(100)

    async with actors.open_system("s") as system:
        with pytest.raises(actors.StartFailed) as caught:
            await system.start(Eager, name="mid")
        assert trio.current_time() == 1.0
        assert isinstance(caught.value.__cause__, actors.RestartsExhausted)
        assert repr(caught.value.__cause__.__cause__) == repr(Boom("2"))
        assert system.tree().children == ()


@pytest.mark.parametrize("per", ["child", "supervisor"])
async def test_what_was_spent_before_a_breaker_opened_is_forgiven(
    per: str, autojump_clock: MockClock
) -> None:
    """Opening and closing again and again within one window never uses the budget up."""
    strategy = OneForOne(max_restarts=2, within=10_000.0, per=per)  # type: ignore[arg-type]
    async with actors.open_system("s", strategy=strategy) as system:
        policy = plain(1, Breaker(failures=2, within=100.0, reset_after=5.0))
        ref = await system.start(Child, "a", Diary(), name="a", policy=policy)
        for _ in range(6):
            for wait in (2.0, 6.0):
                ref.tell(Crash())
                await trio.sleep(wait)
            assert await ref.ask(Ping()) == "a"
        assert (ref.statistics().failed, ref.statistics().restarts) == (12, 12)
