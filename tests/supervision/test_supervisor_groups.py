"""The group strategies: stop the others in reverse, wait together, start all in order."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, OneForAll, RestForOne
from tests.supervision.cast import (
    Boom,
    Child,
    Crash,
    Diary,
    Ping,
    Work,
    gives_up,
    plain,
    supervisor,
    trio_of,
)

# --- one round --------------------------------------------------------------------------


@pytest.mark.row(83)
async def test_one_for_all_stops_backwards_and_starts_forwards(autojump_clock: MockClock) -> None:
    """After the failure of b: c and a stop, all wait for b's backoff, then a, b and c start."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForAll()) as system:
        _, b, _ = await trio_of(system, diary)
        b.tell(Crash())
        await trio.sleep(10)
        assert diary.entries == [
            (0.0, "stop b FAILED"),
            (0.0, "stop c SHUTDOWN"),
            (0.0, "stop a SHUTDOWN"),
            *((2.0, f"{word} {name}") for name in ("a", "b", "c") for word in ("begin", "start")),
        ]


@pytest.mark.row(83)
async def test_rest_for_one_leaves_the_earlier_ones_running(autojump_clock: MockClock) -> None:
    """After the failure of b: c stops and a goes on, then b and c start."""
    diary = Diary()
    async with actors.open_system("s", strategy=RestForOne()) as system:
        a, b, _ = await trio_of(system, diary)
        b.tell(Crash())
        await trio.sleep(1)
        assert (a.state, await a.ask(Ping())) == (ActorState.IDLE, "a")
        await trio.sleep(9)
        assert (diary.of("stop"), diary.of("start")) == (["b", "c"], ["b", "c"])
        assert a.statistics().restarts == 0


async def test_each_starts_when_the_one_before_is_ready(autojump_clock: MockClock) -> None:
    """Starts that take three seconds begin three seconds apart."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForAll()) as system:
        _, b, _ = await trio_of(system, diary, starts={"a": [3.0], "b": [3.0], "c": [3.0]})
        b.tell(Crash())
        await trio.sleep(20)
        assert [diary.times(f"begin {name}") for name in "abc"] == [[2.0], [5.0], [8.0]]


async def test_the_group_waits_for_slow_stops_too(autojump_clock: MockClock) -> None:
    """Nobody starts before everybody has stopped, also when that takes longer than the backoff."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForAll()) as system:
        a = await system.start(Child, "a", diary, None, 4.0, name="a", policy=plain(2))
        await system.start(Child, "b", diary, None, 3.0, name="b", policy=plain(2))
        diary.clear()
        a.tell(Crash())
        await trio.sleep(20)
        assert diary.times("begin a") == diary.times("begin b")
        assert 7.0 <= diary.times("begin a")[0] <= 9.0
        assert diary.lines[:2] == ["stop a FAILED", "stop b SHUTDOWN"]


async def test_siblings_finish_what_they_have_in_hand_and_keep_their_queue(autojump_clock: MockClock) -> None:
    """A bulk restart loses no message of the others: in hand is finished, waiting is handled after."""
    async with actors.open_system("s", strategy=OneForAll()) as system:
        a, b, c = await trio_of(system, Diary())
        in_hand = c.request(Work(1.0))
        await wait_all_tasks_blocked()
        b.tell(Crash())
        await wait_all_tasks_blocked()
        queued = [ref.request(Ping()) for ref in (a, b, c)]
        assert await in_hand.wait() == "c"
        assert trio.current_time() == 1.0
        assert [await pending.wait() for pending in queued] == ["a", "b", "c"]
        assert trio.current_time() == 2.0


@pytest.mark.parametrize("strategy", [OneForAll(), RestForOne()], ids=["OneForAll", "RestForOne"])
async def test_temporary_and_adhoc_siblings_are_stopped_for_good(
    strategy: actors.OneForAll, autojump_clock: MockClock
) -> None:
    """Adhoc ones stop first and together; neither they nor temporary ones come back."""
    diary = Diary()
    async with actors.open_system("s", strategy=strategy) as system:
        a = await system.start(Child, "a", diary, name="a", policy=plain())
        once = [
            await system.start(Child, "x", diary, None, 2.0),
            await system.start(Child, "t", diary, name="t", policy=plain(restart="temporary")),
            await system.start(Child, "y", diary, None, 2.0),
        ]
        c = await system.start(Child, "c", diary, name="c", policy=plain())
        diary.clear()
        a.tell(Crash())
        await trio.sleep(5)
        assert [ref.state for ref in (a, *once, c)] == ["IDLE", *("STOPPED",) * 3, "IDLE"]
        assert sorted(diary.entries[:3]) == [
            (0.0, "stop a FAILED"),
            (0.0, "stop x SHUTDOWN"),
            (0.0, "stop y SHUTDOWN"),
        ]
        assert diary.of("stop")[3:] == ["c", "t"]
        assert diary.of("start") == ["a", "c"]
        assert diary.times("start a") == [2.0]


@pytest.mark.parametrize("ends", ["temporary", "adhoc"])
async def test_the_failure_of_one_that_runs_once_touches_nobody(ends: str, autojump_clock: MockClock) -> None:
    """A group strategy restarts nobody after a failure that asks for no restart."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForAll(max_restarts=0)) as system:
        await system.start(Child, "a", diary, name="a", policy=plain())
        name = "b" if ends == "temporary" else None
        b = await system.start(Child, "b", diary, name=name, policy=plain(restart="temporary"))
        b.tell(Crash())
        await trio.sleep(1)
        assert diary.of("stop") == ["b"]


async def test_a_supervisor_in_the_group_takes_its_children_along(autojump_clock: MockClock) -> None:
    """Its children stop before it does, and its next incarnation has new ones."""
    diary = Diary()

    async def start(self: actors.Supervisor) -> None:
        diary.note("start mid")
        await self.start(Child, "leaf", diary, name="leaf")

    async with actors.open_system("s", strategy=OneForAll()) as system:
        a = await system.start(Child, "a", diary, name="a", policy=plain(1))
        await system.start(supervisor(start), name="mid")
        old = system.find("/mid/leaf")
        a.tell(Crash())
        await trio.sleep(5)
        assert diary.of("stop") == ["a", "leaf"]
        assert diary.of("start") == ["a", "mid", "leaf", "a", "mid", "leaf"]
        assert system.find("/mid/leaf") != old


# --- what counts --------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [OneForAll(1), RestForOne(1)], ids=["OneForAll", "RestForOne"])
async def test_a_bulk_restart_counts_as_one(strategy: actors.OneForAll, autojump_clock: MockClock) -> None:
    """With one restart allowed a group of three restarts once, whoever fails, and not twice."""
    diary = Diary()
    with gives_up():
        async with actors.open_system("s", strategy=strategy) as system:
            a, _, c = await trio_of(system, diary)
            a.tell(Crash())
            await trio.sleep(5)
            assert diary.of("start") == ["a", "b", "c"]
            c.tell(Crash())
            await trio.sleep_forever()
    assert trio.current_time() == 5.0


async def test_a_start_that_fails_ends_the_round_and_counts_once_more(autojump_clock: MockClock) -> None:
    """b's failed start means a second round: a stops again, c was never started in the first."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForAll(2)) as system:
        a, b, c = await trio_of(system, diary, starts={"b": [Boom("start")]})
        b.tell(Crash())
        await trio.sleep(20)
        assert diary.entries[3:] == [
            (2.0, "begin a"),
            (2.0, "start a"),
            (2.0, "begin b"),
            (2.0, "stop b START_FAILED"),
            (2.0, "stop a SHUTDOWN"),
            *((4.0, f"{word} {name}") for name in ("a", "b", "c") for word in ("begin", "start")),
        ]
        assert [ref.statistics().restarts for ref in (a, b, c)] == [2, 2, 1]


async def test_a_start_that_fails_uses_the_budget(autojump_clock: MockClock) -> None:
    """With one restart allowed the failed start of a round is one too many."""
    with gives_up() as caught:
        async with actors.open_system("s", strategy=OneForAll(1)) as system:
            _, b, _ = await trio_of(system, Diary(), starts={"c": [Boom("start")]})
            b.tell(Crash())
            await trio.sleep_forever()
    assert trio.current_time() == 2.0
    assert isinstance(caught.value.__cause__, actors.RestartsExhausted)
    assert caught.value.__cause__.child.name == "c"


async def test_a_start_that_fails_while_its_group_stops_is_not_tried_again(
    autojump_clock: MockClock,
) -> None:
    """It failed by itself: one attempt, also when the others start again."""
    diary = Diary()

    class Team(actors.Supervisor):
        strategy = actors.OneForAll()

        async def on_start(self) -> None:
            await self.start(Child, "a", diary, name="a", policy=plain())

        @actors.receive
        async def more(self, message: Ping) -> str:
            with pytest.raises(actors.StartFailed):
                await self.start(Slow, name="b", policy=plain())
            return "failed"

    class Slow(actors.Actor):
        async def on_start(self) -> None:
            diary.note("begin b")
            await trio.sleep(2)
            raise Boom("start")

    async with actors.open_system("s") as system:
        team = await system.start(Team, name="team")
        pending = team.request(Ping())
        await trio.sleep(1)
        system.children(team)[0].tell(Crash())
        assert await pending.wait() == "failed"
        await trio.sleep(100)
        assert (diary.times("begin b"), diary.of("begin")) == ([0.0], ["a", "b", "a"])
        assert system.find("/team/b") is None


async def test_a_failure_of_one_that_is_being_stopped_counts_not_again(autojump_clock: MockClock) -> None:
    """What fails while its group stops it is part of the same round."""

    async def fails_when_stopped(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            pass
        raise Boom("while stopping")

    async with actors.open_system("s", strategy=OneForAll(1)) as system:
        a = await system.start(Child, "a", Diary(), name="a", policy=plain(2))
        b = await system.start(fails_when_stopped, name="b", policy=plain(2))
        a.tell(Crash())
        await trio.sleep(5)
        assert (a.statistics().restarts, b.statistics().restarts) == (1, 1)
        assert a.state is ActorState.IDLE


async def test_a_failure_among_the_starts_begins_a_new_round(autojump_clock: MockClock) -> None:
    """When a fails again while c starts, everybody stops once more and starts in order."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForAll(2)) as system:
        a, b, _ = await trio_of(system, diary, starts={"c": [10.0]})
        b.tell(Crash())
        await trio.sleep(3)
        diary.clear()
        a.tell(Crash())
        await trio.sleep(30)
        assert diary.of("begin") == ["a", "b", "c"]
        assert diary.of("stop") == ["a", "c", "b"]
        assert diary.of("start")[-3:] == ["a", "b", "c"]
        assert [child.state for child in system.tree().children] == ["IDLE"] * 3


async def test_two_failures_at_once_are_one_round_of_everybody(autojump_clock: MockClock) -> None:
    """Failures of several members at one instant restart each of them once."""
    diary = Diary()
    async with actors.open_system("s", strategy=OneForAll(3)) as system:
        refs = await trio_of(system, diary)
        for ref in refs:
            ref.tell(Crash())
        await trio.sleep(20)
        assert diary.of("start") == ["a", "b", "c"]
        assert [ref.statistics().restarts for ref in refs] == [1, 1, 1]
