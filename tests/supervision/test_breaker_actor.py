"""Breakers around real actors: opening, parking, refusing, and what stays when the actor is gone."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, Breaker, BreakerState, CircuitState, ExitKind, FailureKind
from actors.events import BreakerClosed, BreakerHalfOpen, BreakerOpened, Restarted, Spawned, Started
from tests.supervision.cast import ONE, TWO, Boom, Child, Crash, Diary, Die, Ping, opened, plain

# --- opening ----------------------------------------------------------------------------


@pytest.mark.row(25)
async def test_the_second_failure_within_the_window_opens_it(autojump_clock: MockClock) -> None:
    """The first failure is restarted after its backoff, the second keeps the actor down."""
    async with actors.open_system("s") as system:
        ref = await system.start(Child, "a", Diary(), name="a", policy=TWO)
        ref.tell(Crash())
        await wait_all_tasks_blocked()
        assert (ref.state, system.breaker("/a").failures) == (ActorState.BACKING_OFF, 1)
        await trio.sleep(299.5)
        ref.tell(Crash())
        await trio.sleep(10)
        assert ref.state is ActorState.CIRCUIT_OPEN
        view = system.breaker("/a")
        assert (view.state, view.failures, view.retry_after) == (CircuitState.OPEN, 2, 50.0)


@pytest.mark.row(25)
async def test_failures_that_lie_too_far_apart_never_open_it(autojump_clock: MockClock) -> None:
    """Failures older than the window are forgotten."""
    async with actors.open_system("s") as system:
        ref = await system.start(Child, "a", Diary(), name="a", policy=TWO)
        for _ in range(5):
            ref.tell(Crash())
            await trio.sleep(300.25)
        assert (ref.state, ref.statistics().restarts) == (ActorState.IDLE, 5)


async def test_failed_starts_count_like_failures(autojump_clock: MockClock) -> None:
    """Two failed starts open a breaker that allows one."""
    async with actors.open_system("s") as system:
        ref = system.spawn(Child, "a", Diary(), [Boom("1"), Boom("2")], name="a", policy=TWO)
        await trio.sleep(5)
        assert ref.state is ActorState.CIRCUIT_OPEN
        assert system.breaker("/a").retry_after == 56.0


@pytest.mark.row(32)
async def test_a_rate_limit_restarts_and_never_opens(autojump_clock: MockClock) -> None:
    """Ten rate limits leave the breaker closed."""

    class Limited(actors.Actor):
        @actors.receive
        def limit(self, message: Ping) -> str:
            raise actors.RateLimited(retry_after=5.0)

    async with actors.open_system("s") as system:
        ref = await system.start(Limited, name="a", policy=plain(10, Breaker(failures=1)))
        for _ in range(10):
            with pytest.raises(actors.ActorFailed):
                await ref.ask(Ping())
            await trio.sleep(40)
        assert ref.statistics().restarts == 10
        assert system.breaker("/a") == BreakerState()


@pytest.mark.row(31)
@pytest.mark.parametrize(("error", "opens"), [(actors.PermanentFailure("no key"), True), (Boom("x"), False)])
async def test_two_permanent_failures_open_the_agents_breaker(
    error: Exception, opens: bool, autojump_clock: MockClock
) -> None:
    """Under `fast_fail` two permanent failures within ten seconds are enough, others are not."""
    policy = plain(1, Breaker(failures=9, fast_fail=True))
    async with actors.open_system("s") as system:
        ref = system.spawn(Child, "a", Diary(), [error, error], name="a", policy=policy)
        await trio.sleep(5)
        assert (ref.state is ActorState.CIRCUIT_OPEN) is opens


@pytest.mark.parametrize(
    ("kind", "opens"), [(FailureKind.RATE_LIMIT, False), (FailureKind.ERROR, True), (None, True)]
)
async def test_the_policy_can_say_itself_what_a_failure_is(
    kind: FailureKind | None, opens: bool, autojump_clock: MockClock
) -> None:
    """`classify` of the policy decides; one that raises itself counts as an error."""

    def classify(error: BaseException) -> FailureKind:
        if kind is None:
            raise ZeroDivisionError
        return kind

    policy = plain(1, Breaker(failures=1), classify=classify)
    async with actors.open_system("s") as system:
        ref = system.spawn(Child, "a", Diary(), [Boom("x")], name="a", policy=policy)
        await trio.sleep(5)
        assert (ref.state is ActorState.CIRCUIT_OPEN) is opens


# --- while it is open ---------------------------------------------------------------------


async def test_while_open_asks_are_refused_and_tells_park(autojump_clock: MockClock) -> None:
    """An ask raises with path, count and seconds left; what is told is handled after the probe time."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await opened(system, diary)
        ref.tell(Ping())
        await trio.sleep(12.5)
        with pytest.raises(actors.CircuitOpen) as caught:
            await ref.ask(Ping())
        assert (caught.value.path, caught.value.failures, caught.value.retry_after) == ("/a", 1, 47.5)
        assert ref.statistics().depth["normal"] == 1
        assert not system.dead_letters[1:]
        await trio.sleep(60)
        assert diary.times("ping a") == [60.0]


async def test_asks_that_wait_in_the_queue_end_when_it_opens(autojump_clock: MockClock) -> None:
    """The one in hand fails with its error, those behind it are refused, told messages stay."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await system.start(Child, "a", diary, name="a", policy=ONE)
        failed, waiting = ref.request(Die()), ref.request(Ping())
        ref.tell(Ping())
        await wait_all_tasks_blocked()
        with pytest.raises(actors.ActorFailed):
            await failed.wait()
        with pytest.raises(actors.CircuitOpen) as caught:
            await waiting.wait()
        assert caught.value.retry_after == 60.0
        assert trio.current_time() == 0.0
        await trio.sleep(61)
        assert diary.of("ping") == ["a"]


async def test_asks_are_refused_from_the_failure_on_not_after_on_stop(autojump_clock: MockClock) -> None:
    """While `on_stop` of the failed incarnation runs, its breaker is open already."""
    async with actors.open_system("s") as system:
        ref = await opened(system, stop=3.0)
        with pytest.raises(actors.CircuitOpen) as caught:
            await ref.ask(Ping())
        assert caught.value.retry_after == 60.0


async def test_the_probe_time_counts_from_the_failure(autojump_clock: MockClock) -> None:
    """A slow `on_stop` does not lengthen the period."""
    diary = Diary()
    async with actors.open_system("s") as system:
        await opened(system, diary, stop=3.0)
        await trio.sleep(100)
        assert diary.times("start a") == [0.0, 60.0]


async def test_an_actor_that_its_breaker_holds_back_can_be_stopped(autojump_clock: MockClock) -> None:
    """It ends at once; what was parked is a dead letter."""
    async with actors.open_system("s") as system:
        ref = await opened(system)
        ref.tell(Ping())
        ref.stop()
        assert (await ref.wait_stopped()).kind is ExitKind.SHUTDOWN
        assert [dead.reason for dead in system.dead_letters] == ["crashed", "stopped"]
        await trio.sleep(100)
        assert system.tree().children == ()


@pytest.mark.parametrize("stop", [None, 3.0], ids=["down", "on_stop runs"])
async def test_a_stopped_actor_is_stopped_whatever_its_breaker_says(
    stop: float | None, autojump_clock: MockClock
) -> None:
    """Whoever asks it is not told to try again."""
    async with actors.open_system("s") as system:
        ref = await opened(system, stop=stop)
        ref.stop()
        for _ in range(2):
            with pytest.raises(actors.ActorStopped):
                await ref.ask(Ping())
            await ref.wait_stopped()
        assert system.breaker("/a").state is CircuitState.OPEN


async def test_it_is_circuit_open_from_the_failure_on_not_after_on_stop(autojump_clock: MockClock) -> None:
    """The state says what asks are told."""
    async with actors.open_system("s") as system:
        ref = await opened(system, stop=3.0)
        for seconds in (0.0, 1.0, 10.0):
            await trio.sleep(seconds)
            assert (ref.state, system.breaker("/a").state) == (ActorState.CIRCUIT_OPEN, CircuitState.OPEN)


@pytest.mark.row(27)
@pytest.mark.row(36)
async def test_a_start_is_refused_without_spawning(autojump_clock: MockClock) -> None:
    """While the breaker of a path is open nothing is started by hand; count and seconds are told."""
    policy = plain(1, Breaker(failures=1, reset_after=60.0), restart="temporary")
    async with actors.open_system("s") as system:
        ref = await system.start(Child, "a", Diary(), name="a", policy=policy)
        ref.tell(Crash())
        await ref.wait_stopped()
        await trio.sleep(20)
        async with system.subscribe(Spawned) as events:
            with pytest.raises(actors.CircuitOpen) as caught:
                await system.start(Child, "a", Diary(), name="a", policy=policy)
            assert (caught.value.failures, caught.value.retry_after) == (1, 40.0)
            assert events.next_nowait() is None
        assert system.tree().children == ()


async def test_a_start_is_taken_as_the_probe_when_the_time_is_over(autojump_clock: MockClock) -> None:
    """From the probe time on a start by hand goes through, half-open."""
    policy = plain(1, Breaker(failures=1, reset_after=60.0), restart="temporary")
    async with actors.open_system("s") as system:
        ref = await system.start(Child, "a", Diary(), name="a", policy=policy)
        ref.tell(Crash())
        await ref.wait_stopped()
        await trio.sleep(60)
        ref = await system.start(Child, "a", Diary(), name="a", policy=policy)
        assert system.breaker("/a").state is CircuitState.HALF_OPEN
        assert await ref.ask(Ping()) == "a"
        assert system.breaker("/a").state is CircuitState.CLOSED


async def test_a_spawn_waits_for_the_probe_time_of_its_path(autojump_clock: MockClock) -> None:
    """The breaker outlives its actor: a new one of the same path is held back for the rest of the time."""
    diary = Diary()
    async with actors.open_system("s") as system:
        old = await opened(system, diary)
        old.stop()
        await old.wait_stopped()
        assert system.breaker("/a").state is CircuitState.OPEN
        await trio.sleep(20)
        new = system.spawn(Child, "a", diary, name="a", policy=ONE)
        assert new.state is ActorState.CIRCUIT_OPEN
        with pytest.raises(actors.CircuitOpen) as caught:
            await new.ask(Ping())
        assert caught.value.retry_after == 40.0
        await new.wait_started()
        assert (trio.current_time(), diary.times("start a")) == (60.0, [0.0, 60.0])
        assert system.breaker("/a").state is CircuitState.HALF_OPEN


async def test_a_new_actor_of_a_path_inherits_its_failures(autojump_clock: MockClock) -> None:
    """One failure of the old and one of the new actor open a breaker that allows one."""
    async with actors.open_system("s") as system:
        old = await system.start(Child, "a", Diary(), name="a", policy=TWO)
        old.tell(Crash())
        await trio.sleep(2)
        old.stop()
        await old.wait_stopped()
        new = await system.start(Child, "a", Diary(), name="a", policy=TWO)
        new.tell(Crash())
        await trio.sleep(2)
        assert new.state is ActorState.CIRCUIT_OPEN


# --- events and exemptions ------------------------------------------------------------------


@pytest.mark.row(35)
async def test_every_step_of_a_breaker_is_an_event(autojump_clock: MockClock) -> None:
    """Opened, half-open, opened again by a failed probe, half-open, closed: at their times."""
    async with actors.open_system("s") as system:
        kinds = (BreakerOpened, BreakerHalfOpen, BreakerClosed)
        async with system.subscribe(*kinds) as events:
            policy = plain(1, Breaker(failures=1, reset_after=10.0, factor=2.0))
            ref = await opened(system, policy=policy)
            ref.tell(Crash())
            await trio.sleep(10)
            ref.tell(Ping())
            await trio.sleep(30)
            seen = list(iter(events.next_nowait, None))
        assert [(type(event), event.at) for event in seen] == [
            (BreakerOpened, 0.0),
            (BreakerHalfOpen, 10.0),
            (BreakerOpened, 10.0),
            (BreakerHalfOpen, 30.0),
            (BreakerClosed, 30.0),
        ]
        assert {event.ref for event in seen if isinstance(event, kinds)} == {ref}
        told = [(e.failures, e.retry_after) for e in seen if isinstance(e, BreakerOpened)]
        assert told == [(1, 10.0), (2, 20.0)]


@pytest.mark.row(35)
async def test_a_reset_of_an_open_breaker_is_an_event(autojump_clock: MockClock) -> None:
    """`BreakerClosed` comes for an open breaker only."""
    async with actors.open_system("s") as system, system.subscribe(BreakerClosed) as events:
        await system.start(Child, "b", Diary(), name="b")
        system.reset_breaker("/b")
        assert events.next_nowait() is None
        ref = await opened(system)
        system.reset_breaker("/a")
        event = events.next_nowait()
        assert isinstance(event, BreakerClosed)
        assert event.ref == ref


async def test_the_first_start_of_an_actor_is_no_restart_though_it_was_the_probe(
    autojump_clock: MockClock,
) -> None:
    """`Started`, not `Restarted`, when it has waited for the breaker of its path; nothing is counted."""
    async with actors.open_system("s") as system:
        old = await opened(system)
        old.stop()
        await old.wait_stopped()
        async with system.subscribe(Started, Restarted) as events:
            new = system.spawn(Child, "a", Diary(), name="a", policy=ONE)
            await new.wait_started()
            seen = list(iter(events.next_nowait, None))
        assert [(type(event), event.ref) for event in seen] == [(Started, new)]
        assert new.statistics().restarts == 0


@pytest.mark.row(26)
async def test_a_thousand_failing_adhoc_actors_are_all_attempted(autojump_clock: MockClock) -> None:
    """Adhoc actors have no breaker, are never refused by one, and touch nobody's."""
    attempts: list[int] = []

    async def fail(ctx: actors.Context, number: int) -> None:
        attempts.append(number)
        raise Boom(str(number))

    async with actors.open_system("s", policy=ONE) as system:
        refs = [system.spawn(fail, number) for number in range(1000)]
        exits = [await ref.wait_stopped() for ref in refs]
        assert sorted(attempts) == list(range(1000))
        assert {exit.kind for exit in exits} == {ExitKind.FAILED}
        assert system.breakers() == {}
        with pytest.raises(actors.StartFailed):
            await system.start(Child, "x", Diary(), [Boom("start")], policy=ONE)
        assert system.breakers() == {}


async def test_an_actor_without_a_breaker_is_never_held_back(autojump_clock: MockClock) -> None:
    """With `breaker=None` the budget alone decides."""
    async with actors.open_system("s", strategy=actors.OneForOne(max_restarts=99)) as system:
        ref = await system.start(Child, "a", Diary(), name="a", policy=plain(1))
        for _ in range(20):
            ref.tell(Crash())
        await trio.sleep(30)
        assert (ref.state, ref.statistics().restarts) == (ActorState.IDLE, 20)
        assert system.breaker("/a") == BreakerState()
