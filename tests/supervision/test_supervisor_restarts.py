"""What a supervisor does when a child fails: type, breaker, budget, backoff, in this order."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, Backoff, Breaker, ExitKind, OneForOne, Policy
from actors.events import Failed, Restarted, Restarting, StartAttemptFailed
from tests.supervision.cast import (
    Boom,
    Child,
    Crash,
    Diary,
    Ping,
    Quit,
    Work,
    gives_up,
    plain,
    steady,
)

RESTARTS = {
    "permanent": {"returns", "stops itself", "raises", "fails to start"},
    "transient": {"raises", "fails to start"},
    "temporary": set[str](),
}
KINDS = {
    "returns": ExitKind.NORMAL,
    "stops itself": ExitKind.NORMAL,
    "raises": ExitKind.FAILED,
    "fails to start": ExitKind.START_FAILED,
    "is stopped": ExitKind.SHUTDOWN,
    "is drained": ExitKind.SHUTDOWN,
    "is killed": ExitKind.KILLED,
    "fails while it is stopped": ExitKind.FAILED,
}


async def returns_once(ctx: actors.Context, runs: list[int]) -> None:
    runs.append(1)
    if len(runs) > 1:
        async for _ in ctx.inbox:
            pass


async def fails_late(ctx: actors.Context) -> None:
    """Works for a second after it was told to stop, and fails then."""
    async for _ in ctx.inbox:
        pass
    await trio.sleep(1)
    raise Boom("late")


async def end(ref: actors.Ref, how: str) -> None:
    """Bring the end about that `how` names."""
    orders: dict[str, Callable[[], None]] = {
        "stops itself": lambda: ref.tell(Quit()),
        "raises": lambda: ref.tell(Crash()),
        "is stopped": ref.stop,
        "is drained": ref.drain,
        "is killed": ref.kill,
        "fails while it is stopped": ref.stop,
    }
    if how in orders:
        await ref.wait_started()
        orders[how]()
    await trio.sleep(2)


@pytest.mark.parametrize("how", list(KINDS))
@pytest.mark.parametrize("restart", list(RESTARTS))
async def test_each_restart_type_after_each_end(restart: str, how: str, autojump_clock: MockClock) -> None:
    """Permanent restarts after all it did itself, transient after failures, temporary never."""
    policy = plain(restart=restart)
    starts: list[Exception | float | None] = [Boom("start")] if how == "fails to start" else []
    async with actors.open_system("s") as system:
        if how == "returns":
            ref = system.spawn(returns_once, [], name="a", policy=policy)
        elif how == "fails while it is stopped":
            ref = system.spawn(fails_late, name="a", policy=policy)
        else:
            ref = system.spawn(Child, "a", Diary(), starts, name="a", policy=policy)
        await end(ref, how)
        if how in RESTARTS[restart]:
            assert (ref.state, ref.statistics().restarts) == (ActorState.IDLE, 1)
        else:
            assert (ref.state, ref.statistics().restarts) == (ActorState.STOPPED, 0)
            assert (await ref.wait_stopped()).kind is KINDS[how]


@pytest.mark.parametrize("how", [how for how in KINDS if how != "returns"])
async def test_an_adhoc_actor_is_never_restarted(how: str, autojump_clock: MockClock) -> None:
    """Without a name an actor runs once, whatever its policy says, and nobody else is touched."""
    starts: list[Exception | float | None] = [Boom("start")] if how == "fails to start" else []
    async with actors.open_system("s", strategy=actors.OneForAll(max_restarts=0)) as system:
        other = await system.start(Child, "b", Diary(), name="b")
        if how == "fails while it is stopped":
            ref = system.spawn(fails_late, policy=plain(restart="permanent"))
        else:
            ref = system.spawn(Child, "a", Diary(), starts, policy=plain(restart="permanent"))
        await end(ref, how)
        assert (await ref.wait_stopped()).kind is KINDS[how]
        assert other.state is ActorState.IDLE
        assert other.statistics().restarts == 0


# --- the order of the decisions -----------------------------------------------------------


async def test_the_type_comes_before_the_breaker(autojump_clock: MockClock) -> None:
    """A temporary actor whose failure opens its breaker ends; it does not wait for a probe."""
    async with actors.open_system("s", strategy=OneForOne(max_restarts=0)) as system:
        policy = plain(0, Breaker(failures=1), restart="temporary")
        ref = system.spawn(Child, "a", Diary(), name="a", policy=policy)
        ref.tell(Crash())
        assert (await ref.wait_stopped()).kind is ExitKind.FAILED
        assert system.breaker("/a").state == "OPEN"


async def test_the_breaker_comes_before_the_budget(autojump_clock: MockClock) -> None:
    """A failure that opens the breaker uses up no restart, even where none is allowed."""
    async with actors.open_system("s", strategy=OneForOne(max_restarts=0)) as system:
        ref = system.spawn(Child, "a", Diary(), name="a", policy=plain(0, Breaker(failures=1)))
        ref.tell(Crash())
        await wait_all_tasks_blocked()
        assert ref.state is ActorState.CIRCUIT_OPEN


async def test_the_budget_comes_before_the_backoff(autojump_clock: MockClock) -> None:
    """A failure beyond the budget escalates at once, not after a delay."""
    with gives_up():
        async with actors.open_system("s", strategy=OneForOne(max_restarts=0)) as system:
            system.spawn(Child, "a", Diary(), name="a", policy=plain(100)).tell(Crash())
            await trio.sleep_forever()
    assert trio.current_time() == 0.0


async def test_a_breaker_at_or_below_the_budget_spares_it_for_good(autojump_clock: MockClock) -> None:
    """With the default policy an actor that always fails never takes its supervisor down."""

    class Broken(actors.Actor):
        async def on_start(self) -> None:
            raise Boom("always")

    async with actors.open_system("s", random=Random(1)) as system:
        ref = system.spawn(Broken, name="a")
        await trio.sleep(3600)
        assert ref.state is ActorState.CIRCUIT_OPEN
        assert ref.statistics().failed > 50


# --- the backoff ------------------------------------------------------------------------


@pytest.mark.row(69)
async def test_failed_starts_are_tried_again_with_growing_delays(autojump_clock: MockClock) -> None:
    """After two failed starts the third comes 1 + 2 seconds later and is the one that counts."""
    diary = Diary()
    policy = Policy(backoff=Backoff(initial=1.0, maximum=60.0, jitter=0.0), breaker=None)
    kinds = (StartAttemptFailed, Restarting, Restarted)
    async with actors.open_system("s") as system, system.subscribe(*kinds) as events:
        ref = system.spawn(Child, "a", diary, [Boom("1"), Boom("2")], name="a", policy=policy)
        await ref.wait_started()
        assert trio.current_time() == 3.0
        seen = [events.next_nowait() for _ in range(5)]
    assert diary.times("begin a") == [0.0, 1.0, 3.0]
    assert diary.times("start a") == [3.0]
    assert [(e.attempt, e.delay) for e in seen if isinstance(e, Restarting)] == [(1, 1.0), (2, 2.0)]
    assert [type(e) for e in seen] == [*(StartAttemptFailed, Restarting) * 2, Restarted]
    assert isinstance(seen[-1], Restarted)
    assert seen[-1].attempt == 2


async def test_the_delays_start_over_after_a_quiet_life(autojump_clock: MockClock) -> None:
    """A life of `reset_after` seconds makes the next delay the first one again; a shorter one does not."""
    diary = Diary()
    policy = Policy(backoff=Backoff(initial=1.0, maximum=64.0, jitter=0.0, reset_after=10.0), breaker=None)
    async with actors.open_system("s", strategy=OneForOne(max_restarts=99)) as system:
        ref = system.spawn(Child, "a", diary, name="a", policy=policy)
        for quiet in (0.0, 9.75, 10.0, 0.0):
            await ref.wait_started()
            await trio.sleep(quiet)
            ref.tell(Crash())
            await wait_all_tasks_blocked()
        await ref.wait_started()
    ready, stopped = diary.times("start a"), diary.times("stop a FAILED")
    assert [up - down for down, up in zip(stopped, ready[1:], strict=True)] == [1.0, 2.0, 1.0, 2.0]


async def test_jitter_comes_from_the_random_source_of_the_system(autojump_clock: MockClock) -> None:
    """The same seed gives the same delays, another one others, and all are inside their spread."""

    async def delays(seed: int) -> list[float]:
        policy = Policy(backoff=Backoff(initial=8.0, maximum=8.0, jitter=0.5), breaker=None)
        opened = actors.open_system("s", random=Random(seed))
        async with opened as system, system.subscribe(Restarting) as events:
            starts = [Boom("1"), Boom("2"), Boom("3")]
            ref = system.spawn(Child, "a", Diary(), starts, name="a", policy=policy)
            await ref.wait_started()
            seen = [events.next_nowait() for _ in range(3)]
            return [event.delay for event in seen if isinstance(event, Restarting)]

    first, again, other = await delays(1), await delays(1), await delays(2)
    assert first == again != other
    assert all(4.0 <= delay <= 8.0 for delay in first + other)


async def test_it_is_backing_off_while_it_waits_and_asks_wait_with_it(autojump_clock: MockClock) -> None:
    """An ask that comes during the backoff is answered after the restart."""
    async with actors.open_system("s") as system:
        ref = system.spawn(Child, "a", Diary(), name="a", policy=plain(4))
        ref.tell(Crash())
        await wait_all_tasks_blocked()
        assert ref.state is ActorState.BACKING_OFF
        assert await ref.ask(Ping()) == "a"
        assert trio.current_time() == 4.0


@pytest.mark.parametrize("how", ["stop", "kill", "drain"])
async def test_an_order_to_end_during_the_backoff_ends_it_at_once(
    how: str, autojump_clock: MockClock
) -> None:
    """What waits for a restart can be stopped without waiting, and stays so."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = system.spawn(Child, "a", diary, name="a", policy=plain(100))
        ref.tell(Crash())
        await wait_all_tasks_blocked()
        getattr(ref, how)()
        expected = ExitKind.KILLED if how == "kill" else ExitKind.SHUTDOWN
        assert (await ref.wait_stopped()).kind is expected
        assert trio.current_time() == 0.0
        await trio.sleep(200)
    assert diary.of("begin") == ["a"]


# --- what a restart is --------------------------------------------------------------------


@attrs.define
class Seen:
    """The objects and events of one life, as they come."""

    objects: list[actors.Actor] = attrs.field(factory=list[actors.Actor])
    lines: list[str] = attrs.field(factory=list[str])


class Living(Child):
    """Notes its object, sets a timer, and watches a friend in its first incarnation."""

    def __init__(self, seen: Seen, diary: Diary, friend: actors.Ref) -> None:
        super().__init__("a", diary)
        self.seen = seen
        self.friend = friend

    async def on_start(self) -> None:
        if not self.seen.objects:
            self.ctx.watch(self.friend)
            self.ctx.after(5, "old timer")
        self.seen.objects.append(self)

    @actors.receive
    def text(self, message: str) -> None:
        self.seen.lines.append(message)

    @actors.receive
    def friend_is_gone(self, message: actors.Terminated) -> None:
        self.seen.lines.append(f"{message.ref.name} is gone")


async def test_a_restart_keeps_mailbox_ref_name_and_watches_and_ends_timers(
    autojump_clock: MockClock,
) -> None:
    """A new object from the same arguments takes the old queue; old timers never come."""
    seen, diary = Seen(), Diary()
    async with actors.open_system("s") as system:
        friend = await system.start(Child, "f", diary, name="friend")
        ref = await system.start(Living, seen, diary, friend, name="a", policy=plain(1))
        for message in (Crash(), "first", "second"):
            ref.tell(message)
        await trio.sleep(10)
        friend.stop()
        await trio.sleep(1)
        assert system.find("/a") == ref
    first, second = seen.objects
    assert isinstance(first, Living)
    assert isinstance(second, Living)
    assert first is not second
    assert (first.seen, first.friend) == (second.seen, second.friend)
    assert seen.lines == ["first", "second", "friend is gone"]
    assert diary.of("stop") == ["a", "f", "a"]


async def test_a_watcher_hears_nothing_of_a_restart(autojump_clock: MockClock) -> None:
    """`Terminated` comes once, when the actor is finally gone, behind what it had sent."""
    seen, diary = Seen(), Diary()
    async with actors.open_system("s") as system:
        friend = await system.start(Child, "f", diary, name="friend", policy=plain())
        await system.start(Living, seen, diary, friend, name="a")
        for _ in range(3):
            friend.tell(Crash())
        await trio.sleep(1)
        assert (friend.statistics().restarts, seen.lines) == (3, [])
        friend.stop()
        await trio.sleep(1)
        assert seen.lines == ["friend is gone"]


async def test_the_message_in_hand_is_lost_once_and_visibly(autojump_clock: MockClock) -> None:
    """A told message whose handling failed is one dead letter; the supervisor's event carries it."""
    async with actors.open_system("s") as system, system.subscribe(Failed) as events:
        ref = await system.start(Child, "a", Diary(), name="a", policy=plain())
        ref.tell(Crash("lost"))
        await wait_all_tasks_blocked()
        assert [(dead.message, dead.reason) for dead in system.dead_letters] == [(Crash("lost"), "crashed")]
        failed = events.next_nowait()
        assert isinstance(failed, Failed)
        assert (failed.ref, failed.message, failed.exit.kind) == (ref, Crash("lost"), ExitKind.FAILED)


async def test_a_restart_waits_for_on_stop(autojump_clock: MockClock) -> None:
    """Two incarnations never overlap: the backoff of the next begins when `on_stop` has ended."""
    diary = Diary()
    policy = Policy(backoff=steady(1), breaker=None)
    async with actors.open_system("s") as system:
        ref = system.spawn(Child, "a", diary, None, 3.0, name="a", policy=policy)
        ref.tell(Crash())
        ref.tell(Work(0))
        await trio.sleep(10)
        assert 3.0 <= diary.times("begin a")[1] <= 4.0
        assert diary.lines[:4] == ["begin a", "start a", "stop a FAILED", "begin a"]


async def test_what_waits_when_a_permanent_actor_stops_itself_is_for_the_next_one(
    autojump_clock: MockClock,
) -> None:
    """`ctx.stop()` ends the incarnation after the message in hand; the queue stays."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await system.start(Child, "a", diary, name="a", policy=plain(1, restart="permanent"))
        ref.tell(Quit())
        assert await ref.ask(Ping()) == "a"
        assert trio.current_time() == 1.0
        assert diary.of("stop") == ["a"]
        assert system.dead_letters == ()
