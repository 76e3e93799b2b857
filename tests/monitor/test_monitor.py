"""The monitor as an actor, and the runs that it watches."""

from __future__ import annotations

import gc
import weakref
from contextvars import ContextVar
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, ExitKind, Nudge, Oversight, Policy, Stall, Timeout
from actors.events import (
    CheckFailed,
    HelpNeeded,
    Nudged,
    Recovered,
    Restarted,
    StallConfirmed,
    StallSuspected,
    Stopped,
)
from actors.monitor import Watched
from actors.monitor.guard import MonitorGuard
from tests.core.cast import drained, ended, facts
from tests.monitor.cast import Alert, Doer, do, doing, err, guarded, out, watches_of
from tests.timeouts.cast import SIGN, when_over

HUNDRED = out(b"x" * 100)


async def parked(ctx: actors.Context) -> None:
    """Takes what comes."""
    async for _ in ctx.inbox:
        pass


def timed(events: actors.Subscription) -> list[tuple[Any, ...]]:
    """(at, kind, path, ...) of what has come."""
    seen = drained(events)
    return [(event.at, type(event).__name__, event.ref.path) for event in seen]  # type: ignore[attr-defined]


# --- stalls ---------------------------------------------------------------------------------


@pytest.mark.row(13)
async def test_a_stalled_function_is_suspected_and_ended(autojump_clock: MockClock) -> None:
    """Its last output at 0: suspected at 125 seconds, ended at 130, with an error that says so."""
    async with actors.open_system("s") as system, system.subscribe(StallSuspected, StallConfirmed) as events:
        ref = system.spawn(doing, HUNDRED, 1e6, policy=guarded())
        assert await when_over(ref) == (130.0, ExitKind.STALLED)
        error = (await ref.wait_stopped()).error
        assert isinstance(error, actors.Stalled)
        assert (error.idle, error.ref) == (130.0, ref)
        assert "the threshold of its Stall" in str(error)
        assert facts(events) == [
            ("StallSuspected", ref.path, 125.0, 1),
            ("StallConfirmed", ref.path, 130.0),
        ]


@pytest.mark.row(13)
async def test_growth_saves_it(autojump_clock: MockClock) -> None:
    """A byte between the two looks; any sign of life does."""
    async with actors.open_system("s") as system:
        ref = system.spawn(doing, HUNDRED, 127.0, out(b"x"), 1e6, policy=guarded())
        signs = system.spawn(doing, HUNDRED, *[119.0, SIGN] * 10, policy=guarded())
        assert await when_over(ref) == (255.0, ExitKind.STALLED)
        assert await when_over(signs) == (1190.0, ExitKind.NORMAL)


@pytest.mark.row(12)
@pytest.mark.row(14)
@pytest.mark.parametrize(
    ("preset", "mute", "wrote"),
    [
        ("default", (30.0, "STALLED"), (30.0, "STALLED")),
        ("test", (10.0, "STALLED"), (10.0, "STALLED")),
        ("fast_fail", (15.0, "STALLED"), (15.0, "STALLED")),
        ("production", (120.0, "TIMED_OUT"), (180.0, "TIMED_OUT")),
        ("patient", (120.0, "TIMED_OUT"), (180.0, "TIMED_OUT")),
    ],
)
async def test_the_presets_end_the_silent_by_their_numbers(
    preset: str, mute: tuple[float, str], wrote: tuple[float, str], autojump_clock: MockClock
) -> None:
    """Silence of their `no_activity`; production and patient only report it and wait for the limit."""
    async with actors.open_system("s") as system, system.subscribe(StallConfirmed) as events:
        policy = Policy.preset(preset)
        silent = system.spawn(doing, 1e6, policy=policy)
        stalls = system.spawn(doing, HUNDRED, 1e6, policy=policy)
        late = system.spawn(doing, 115.0, HUNDRED, 1e6, policy=policy)
        assert await when_over(silent) == mute
        assert (await when_over(stalls))[1] == mute[1]
        if preset in ("production", "patient"):
            assert await when_over(late) == wrote
            assert facts(events) == []
        else:
            assert await when_over(late) == wrote


@pytest.mark.row(14)
async def test_the_mute_are_caught_without_a_minimum(autojump_clock: MockClock) -> None:
    """By `min_output=0`; with one they are left to the silence limit."""
    async with actors.open_system("s") as system:
        ref = system.spawn(doing, 1e6, policy=guarded(Stall(min_output=0)))
        left = system.spawn(doing, 1e4, policy=guarded())
        assert await when_over(ref) == (130.0, ExitKind.STALLED)
        assert await when_over(left) == (1e4, ExitKind.NORMAL)


async def test_without_termination_it_is_only_told(autojump_clock: MockClock) -> None:
    """Once until it grows; and the run goes on."""
    told = Alert()
    async with actors.open_system("s") as system, system.subscribe(StallConfirmed) as events:
        policy = guarded(Stall(terminate=False, on_detection=told))
        ref = system.spawn(doing, HUNDRED, 400.0, SIGN, 400.0, policy=policy)
        assert await when_over(ref) == (800.0, ExitKind.NORMAL)
        assert timed(events) == [(130.0, "StallConfirmed", ref.path), (530.0, "StallConfirmed", ref.path)]
        assert [who for who, _ in told.told] == [ref, ref]


async def test_without_a_threshold_only_patterns_count(autojump_clock: MockClock) -> None:
    """No silence is too long then."""
    async with actors.open_system("s") as system:
        policy = guarded(Stall(threshold=float("inf")))
        ref = system.spawn(doing, HUNDRED, 1e6, err(b"forbidden"), 1.0, policy=policy)
        assert await when_over(ref) == (1e6, ExitKind.PATTERN)


@pytest.mark.row(13)
@pytest.mark.parametrize("order", ["stop", "drain"])
@pytest.mark.parametrize("kind", ["class", "function"])
async def test_a_run_that_a_stop_waits_for_may_stall(
    order: str, kind: str, autojump_clock: MockClock
) -> None:
    """However long a stop may take: a handler that hangs does not hold it up."""
    async with actors.open_system("s") as system:
        policy = guarded(shutdown=float("inf"))
        if kind == "class":
            ref = await system.start(Doer, policy=policy)
            ref.tell(do(HUNDRED, 1e6))
        else:
            ref = system.spawn(doing, HUNDRED, 1e6, policy=policy)
        await trio.sleep(10.0)
        getattr(ref, order)()
        assert await when_over(ref) == (130.0, ExitKind.STALLED)


@pytest.mark.row(13)
@pytest.mark.parametrize("monitor", ["there", "stopped"])
async def test_a_system_that_closes_waits_for_no_stalled_run(monitor: str, autojump_clock: MockClock) -> None:
    """The monitor is the last to go, whenever it was made; and it is not missed if somebody stopped it."""
    async with actors.open_system("s") as system, system.subscribe(Stopped) as events:
        for name in ("a", "b"):
            system.spawn(doing, HUNDRED, 1e6, name=name, policy=guarded(shutdown=float("inf")))
        await trio.sleep(10.0)
        if monitor == "stopped":
            await ended(system.monitor)
        drained(events)
        system.stop()
        with trio.CancelScope(shield=True):
            await system.wait_stopped()
        gone = timed(events)
    assert gone.pop() == (130.0, "Stopped", "/")
    assert [at for at, _, path in gone if path in ("/a", "/b")] == [130.0, 130.0]
    if monitor == "there":
        assert [path for _, _, path in gone[2:]] == ["/system/monitor", "/system"]


async def test_who_waits_is_not_stalled(autojump_clock: MockClock) -> None:
    """The clock of silence stands still; behind the wait it goes on from where it stood."""

    async def wait(ctx: actors.Context) -> None:
        with ctx.waiting("a person"):
            await trio.sleep(1000.0)

    async with actors.open_system("s") as system:
        ref = system.spawn(doing, HUNDRED, 100.0, wait, 1e6, policy=guarded())
        assert await when_over(ref) == (1130.0, ExitKind.STALLED)


# --- classes ---------------------------------------------------------------------------------


async def test_a_class_is_watched_only_while_a_handler_runs(autojump_clock: MockClock) -> None:
    """On the grid of that handler, whatever alarm an earlier one has left; idle it may be for ever."""
    async with actors.open_system("s") as system, system.subscribe(StallSuspected, StallConfirmed) as events:
        ref = await system.start(Doer, name="a", policy=guarded())
        await ref.ask(do(HUNDRED))
        await trio.sleep_until(3.0)
        await ref.ask(do(HUNDRED, 1.0))
        await trio.sleep_until(10_000.0)
        assert facts(events) == []
        await trio.sleep_until(10_001.5)
        with pytest.raises(actors.ActorFailed):
            await ref.ask(do(HUNDRED, 1e6))
        assert timed(events) == [
            (10_126.5, "StallSuspected", "/a"),
            (10_131.5, "StallConfirmed", "/a"),
        ]


@pytest.mark.parametrize("begin", [0.5, 1.0, 2.0, 3.1, 4.9])
async def test_the_grid_is_that_of_the_run_at_hand(begin: float, autojump_clock: MockClock) -> None:
    """The alarm of the run before rings at another moment, and it finds nothing then."""
    async with actors.open_system("s") as system, system.subscribe(StallSuspected) as events:
        ref = await system.start(Doer, name="a", policy=guarded(Stall(threshold=122.0)))
        await ref.ask(do(HUNDRED))
        await trio.sleep_until(begin)
        with pytest.raises(actors.ActorFailed):
            await ref.ask(do(HUNDRED, 1e6))
        (event,) = drained(events)
        assert event.at == begin + 125.0


async def test_output_counts_from_the_beginning_of_the_handler(autojump_clock: MockClock) -> None:
    """What the handler before wrote is its own; what is written between two is nobody's."""
    told = Alert()
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, name="a", policy=guarded(Stall(on_detection=told)))
        await ref.ask(do(HUNDRED))
        context = ref.cell.context
        assert context is not None
        await wait_all_tasks_blocked()
        context.output(b"rate limit" * 100, "stderr")
        assert await ref.ask(do(err(b"half a rate"), 1000.0)) == 1000.0
        assert await ref.ask(do(err(b" limit"), 1.0)) == 1001.0
        assert told.told == []


async def test_a_named_actor_starts_again_and_its_breaker_counts(autojump_clock: MockClock) -> None:
    """A stall is a failure like any other; the next incarnation is watched from its own beginning."""
    async with actors.open_system("s") as system, system.subscribe(Restarted, StallConfirmed) as events:
        policy = guarded(breaker=actors.Breaker(failures=3, within=1000.0))
        ref = await system.start(Doer, name="a", policy=policy)
        for failures in (1, 2):
            with pytest.raises(actors.ActorFailed) as caught:
                await ref.ask(do(HUNDRED, 1e6))
            assert isinstance(caught.value.error, actors.Stalled)
            assert system.breaker("/a").failures == failures
        assert await ref.ask(do(HUNDRED, 1.0)) == 261.0
        assert [fact[0] for fact in facts(events)] == ["StallConfirmed", "Restarted"] * 2
        with pytest.raises(actors.ActorFailed):
            await ref.ask(do(HUNDRED, 1e6))
        assert ref.state is ActorState.CIRCUIT_OPEN


# --- what is told -----------------------------------------------------------------------------


@pytest.mark.row(18)
@pytest.mark.parametrize("error", [None, ValueError("mine")])
async def test_a_detection_is_told_with_who_and_why(
    error: Exception | None, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Pattern and stall; what the callback raises is logged, and the run is ended all the same."""
    told = Alert(error)
    async with actors.open_system("s") as system:
        policy = guarded(Stall(on_detection=told))
        stalled = system.spawn(doing, HUNDRED, 1e6, policy=policy)
        matched = system.spawn(doing, 1.0, err(b"403 Forbidden"), 1e6, policy=policy)
        assert await when_over(matched) == (1.0, ExitKind.PATTERN)
        assert await when_over(stalled) == (130.0, ExitKind.STALLED)
        assert [who for who, _ in told.told] == [matched, stalled]
        assert "matches forbidden: 403 Forbidden" in told.told[0][1]
        assert "no activity for 130 s" in told.told[1][1]
    assert caplog.text.count("on_detection raised for") == (0 if error is None else 2)


# --- the actor --------------------------------------------------------------------------------


@pytest.mark.row(16)
async def test_it_is_made_when_it_is_needed(autojump_clock: MockClock) -> None:
    """Not by actors without a stall or an oversight, and not before one of them runs."""
    async with actors.open_system("s") as system:
        await system.start(Doer, name="free")
        idle = await system.start(Doer, name="a", policy=guarded())
        assert system.find("/system") is None
        await idle.ask(do())
        assert system.find("/system/monitor") is not None
        assert "/system/monitor" in {ref.path for ref in system.children(system.find("/system"))}  # type: ignore[arg-type]
        assert "monitor" in str(system.tree())


@pytest.mark.row(16)
async def test_asking_for_it_is_idempotent(autojump_clock: MockClock) -> None:
    """Always the same, alive and without any work."""
    async with actors.open_system("s") as system:
        monitor = system.monitor
        assert system.monitor == monitor
        assert monitor.path == "/system/monitor"
        assert await monitor.ask(Watched()) == ()
        assert system.monitor == monitor
    with pytest.raises(actors.SystemClosed):
        system.monitor  # noqa: B018


@pytest.mark.row(16)
@pytest.mark.parametrize("order", ["stop", "kill", "drain"])
@pytest.mark.parametrize("whom", ["/system/monitor", "/system"])
async def test_stopped_by_hand_it_comes_back(order: str, whom: str, autojump_clock: MockClock) -> None:
    """When something is due; runs that it watched are watched on."""
    async with actors.open_system("s") as system:
        ref = system.spawn(doing, HUNDRED, 1e6, policy=guarded())
        await trio.sleep(50.0)
        first = system.monitor
        stopped = system.find(whom)
        assert stopped is not None
        await ended(stopped, order)
        assert first.state is ActorState.STOPPED
        assert await when_over(ref) == (130.0, ExitKind.STALLED)
        assert system.monitor != first


@pytest.mark.row(16)
@pytest.mark.parametrize("order", ["stop", "kill"])
@pytest.mark.parametrize("whom", ["/system/monitor", "/system"])
@pytest.mark.parametrize("steps", [0, 1, 2, 3])
async def test_stopped_in_the_moment_of_a_look_nothing_is_lost(
    order: str, whom: str, steps: int, autojump_clock: MockClock
) -> None:
    """Whoever comes first, the next monitor looks a little later at the latest."""
    async with actors.open_system("s") as system:
        ref = system.spawn(doing, HUNDRED, 1e6, policy=guarded(Stall(confirmations=1)))
        await trio.sleep_until(125.0)
        for _ in range(steps):
            await trio.lowlevel.checkpoint()
        stopped = system.find(whom)
        assert stopped is not None
        getattr(stopped, order)()
        at, kind = await when_over(ref)
        assert kind == ExitKind.STALLED
        assert 125.0 <= at <= 131.0


@pytest.mark.row(16)
async def test_a_failing_look_is_told_and_the_rest_goes_on(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are looked at in the same moment; the one whose look failed a little later again."""
    look = MonitorGuard.look
    failures = [ValueError("broken")]

    def fail_once(guard: MonitorGuard) -> None:
        if guard.cell.name == "bad" and failures:
            raise failures.pop()
        look(guard)

    monkeypatch.setattr(MonitorGuard, "look", fail_once)
    async with actors.open_system("s") as system, system.subscribe(CheckFailed) as events:
        policy = guarded(Stall(confirmations=1), restart="temporary")
        refs = [system.spawn(doing, HUNDRED, 1e6, name=name, policy=policy) for name in ("a", "bad", "c")]
        assert [await when_over(ref) for ref in refs] == [
            (125.0, "STALLED"),
            (126.0, "STALLED"),
            (126.0, "STALLED"),
        ]
        (event,) = drained(events)
        assert isinstance(event, CheckFailed)
        assert (event.ref.path, str(event.error)) == ("/bad", "broken")
        assert system.monitor.statistics().restarts == 0


@pytest.mark.row(16)
async def test_a_monitor_that_fails_starts_again(autojump_clock: MockClock) -> None:
    """It is permanent, and what was due is looked at then."""
    async with actors.open_system("s") as system:
        ref = system.spawn(doing, HUNDRED, 1e6, policy=guarded())
        await trio.sleep(10.0)
        monitor = system.monitor
        monitor.cell.fail()
        await wait_all_tasks_blocked()
        assert await when_over(ref) == (130.0, ExitKind.STALLED)
        assert system.monitor == monitor
        assert monitor.statistics().restarts == 1


@pytest.mark.row(16)
async def test_without_policy_nothing_is_watched(autojump_clock: MockClock) -> None:
    """No stall, no monitor: also with limits."""
    async with actors.open_system("s") as system:
        ref = system.spawn(
            doing, err(b"rate limit"), 50.0, policy=Policy(timeout=Timeout("fixed", 100.0, no_activity=None))
        )
        free = system.spawn(doing, err(b"rate limit"), 50.0)
        assert [await when_over(one) for one in (ref, free)] == [(50.0, "NORMAL"), (50.0, "NORMAL")]
        assert system.find("/system") is None


async def test_a_system_closes_while_runs_are_watched(autojump_clock: MockClock) -> None:
    """Also in the moment of a look, and with handlers that begin to run in its end."""
    for moment in (10.0, 125.0, 130.0):
        began = trio.current_time()
        async with actors.open_system("s") as system:
            for _ in range(3):
                system.spawn(doing, HUNDRED, 1e6, policy=guarded(shutdown=0.5))
            named = await system.start(Doer, name="a", policy=guarded(oversight=Oversight()))
            named.tell(do(HUNDRED, 1e6))
            await trio.sleep_until(began + moment)
        assert not watches_of(system).guards


async def test_two_systems_have_a_monitor_each(autojump_clock: MockClock) -> None:
    """They know nothing of each other."""
    async with actors.open_system("a") as one, actors.open_system("b") as other:
        ref = one.spawn(doing, HUNDRED, 1e6, policy=guarded())
        await wait_all_tasks_blocked()
        assert other.find("/system") is None
        assert one.monitor != other.monitor
        assert [len(await system.monitor.ask(Watched())) for system in (one, other)] == [1, 0]
        assert await when_over(ref) == (130.0, ExitKind.STALLED)


async def test_asked_it_tells_the_runs(autojump_clock: MockClock) -> None:
    """In order of their beginning, with sizes apart, silence, looks, and whom they wait for."""

    async def wait(ctx: actors.Context) -> None:
        with ctx.waiting("a person"):
            await trio.sleep(1e4)

    async with actors.open_system("s") as system:
        doer = await system.start(Doer, name="doer", policy=guarded())
        await doer.ask(do())
        await trio.sleep(1.0)
        silent = system.spawn(
            doing, HUNDRED, err(b"xx"), 1e6, name="silent", policy=guarded(restart="temporary")
        )
        await trio.sleep(1.0)
        idle = await system.start(Doer, name="idle", policy=guarded())
        waiter = system.spawn(doing, wait, policy=guarded())
        await trio.sleep(1.0)
        doer.tell(do(1e6))
        await trio.sleep(123.5)
        first, second, third = await system.monitor.ask(Watched())
        assert [record.ref for record in (first, second, third)] == [silent, waiter, doer]
        assert (first.path, first.since, first.idle, first.stdout, first.stderr) == (
            "/silent",
            1.0,
            125.5,
            100,
            2,
        )
        assert (first.checks, second.checks, third.checks) == (1, 0, 0)
        assert (second.idle, second.waiting_for, third.waiting_for) == (0.0, "a person", None)
        assert idle.statistics().handled == 0


# --- nothing is left ----------------------------------------------------------------------------


@pytest.mark.row(17)
async def test_no_record_is_left_of_ten_thousand(autojump_clock: MockClock) -> None:
    """Whatever their end: success, failure, cancellation, pattern, stall; functions and classes."""

    async def fail(ctx: actors.Context) -> None:
        ctx.output(b"x" * 100)
        await trio.sleep(1.0)
        raise ValueError("mine")

    policy = guarded(oversight=Oversight())
    scripts: list[tuple[Any, ...]] = [
        (doing, 1.0),
        (fail,),
        (doing, 1e6),
        (doing, err(b"forbidden")),
        (doing, HUNDRED, 1e6),
    ]
    async with actors.open_system("s") as system:
        watches = watches_of(system)
        for _ in range(10):
            refs = [system.spawn(*scripts[number % 5], policy=policy) for number in range(990)]
            classes = [system.spawn(Doer, policy=policy) for _ in range(10)]
            for ref in classes:
                ref.tell(do(1e6))
            await trio.sleep(2.0)
            assert watches.guards
            for number, ref in enumerate(refs):
                if number % 5 == 2:
                    ref.kill()
            for ref in classes:
                ref.kill()
            for ref in (*refs, *classes):
                await ref.wait_stopped()
        await wait_all_tasks_blocked()
        assert not watches.guards
        assert not watches.due
        assert await system.monitor.ask(Watched()) == ()
        assert system.statistics().actors == 2


_HELD: ContextVar[object] = ContextVar("held")


class Thing:
    """Something big."""


async def test_an_ended_actor_is_kept_by_nobody(autojump_clock: MockClock) -> None:
    """Not by alarms, registers, or the variables in which the monitor was made."""

    async def run(ctx: actors.Context, thing: Thing) -> None:
        ctx.output(b"x" * 100)
        await trio.sleep(126.0)

    async with actors.open_system("s") as system:
        thing: Thing | None = Thing()
        kept = weakref.ref(thing)
        token = _HELD.set(thing)
        ref: Any = system.spawn(run, thing, policy=guarded(oversight=Oversight(stuck=50.0)))
        _HELD.reset(token)
        cell = weakref.ref(ref)
        await ref.wait_stopped()
        await wait_all_tasks_blocked()
        del ref, thing, token
        await trio.sleep(1.0)
        gc.collect()
        assert kept() is None
        assert cell() is None


# --- oversight -----------------------------------------------------------------------------------

KINDS = (Nudged, HelpNeeded, Recovered)


class Patient(Doer):
    """Notes the nudges that it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.nudges: list[Nudge] = []

    @actors.receive
    def nudged(self, message: Nudge) -> None:
        self.nudges.append(message)


@pytest.mark.row(84)
async def test_the_stuck_get_nudges_and_then_help(autojump_clock: MockClock) -> None:
    """A table of times; a peer at work is left alone, an idle one too."""
    policy = Policy(oversight=Oversight(), breaker=None)
    async with actors.open_system("s") as system, system.subscribe(*KINDS) as events:
        stuck = await system.start(Patient, name="stuck", policy=policy)
        busy = await system.start(Patient, name="busy", policy=policy)
        await system.start(Patient, name="idle", policy=policy)
        stuck.tell(do(1000.0))
        busy.tell(do(*[100.0, SIGN] * 10))
        await trio.sleep(990.0)
        assert timed(events) == [
            (300.0, "Nudged", "/stuck"),
            (360.0, "Nudged", "/stuck"),
            (420.0, "Nudged", "/stuck"),
            (480.0, "HelpNeeded", "/stuck"),
        ]
        actor: Any = stuck.cell.actor
        await trio.sleep(20.0)
        assert [(nudge.reason, nudge.seconds, nudge.attempt) for nudge in actor.nudges] == [
            ("stuck", 300.0, 1),
            ("stuck", 360.0, 2),
            ("stuck", 420.0, 3),
        ]
        assert timed(events) == [(1000.0, "Recovered", "/stuck")]


@pytest.mark.row(84)
async def test_the_waiting_are_nudged_and_recover_at_once(autojump_clock: MockClock) -> None:
    """At the end of the wait; the next wait begins at nothing."""

    def wait(seconds: float) -> Any:
        async def waiting(ctx: actors.Context) -> None:
            with ctx.waiting("a person"):
                await trio.sleep(seconds)

        return waiting

    async with actors.open_system("s") as system, system.subscribe(*KINDS) as events:
        policy = Policy(oversight=Oversight(), breaker=None)
        ref = system.spawn(doing, wait(200.0), wait(130.0), 1.0, policy=policy)
        await ref.wait_stopped()
        assert timed(events) == [
            (120.0, "Nudged", ref.path),
            (180.0, "Nudged", ref.path),
            (200.0, "Recovered", ref.path),
            (320.0, "Nudged", ref.path),
            (330.0, "Recovered", ref.path),
        ]


@pytest.mark.row(84)
async def test_errors_in_a_row_are_trouble_until_a_message_is_handled(autojump_clock: MockClock) -> None:
    """Three incarnations that fail; the nudge waits in the mailbox."""

    async def fail(ctx: actors.Context) -> None:
        raise ValueError("mine")

    async with actors.open_system("s") as system, system.subscribe(*KINDS) as events:
        policy = guarded(oversight=Oversight())
        ref = await system.start(Patient, name="a", policy=policy)
        for _ in range(2):
            with pytest.raises(actors.ActorFailed):
                await ref.ask(do(fail))
        await ref.ask(do())
        for _ in range(3):
            await wait_all_tasks_blocked()
            assert facts(events) == []
            with pytest.raises(actors.ActorFailed):
                await ref.ask(do(fail))
        await wait_all_tasks_blocked()
        assert facts(events) == [("Nudged", "/a", "errors", 0.0, 1)]
        await ref.ask(do())
        await wait_all_tasks_blocked()
        assert facts(events) == [("Recovered", "/a", "errors")]


@pytest.mark.row(84)
@pytest.mark.parametrize("kind", ["class with a handler", "class without", "function"])
async def test_to_take_a_nudge_is_no_recovery_from_errors(kind: str, autojump_clock: MockClock) -> None:
    """Who fails at each message gets help in the end, however many nudges it has taken."""

    async def fail(ctx: actors.Context) -> None:
        raise ValueError("mine")

    async def failing(ctx: actors.Context) -> None:
        async for message in ctx.inbox:
            if not isinstance(message, Nudge):
                raise ValueError("mine")

    whats = {"class with a handler": Patient, "class without": Doer, "function": failing}
    strategy = actors.OneForOne(max_restarts=1000)
    async with actors.open_system("s", strategy=strategy) as system, system.subscribe(*KINDS) as events:
        ref = await system.start(whats[kind], name="a", policy=guarded(oversight=Oversight(errors=2)))
        for _ in range(30):
            ref.tell(do(fail))
            await trio.sleep(10.0)
        assert timed(events) == [
            (10.0, "Nudged", "/a"),
            (70.0, "Nudged", "/a"),
            (130.0, "Nudged", "/a"),
            (190.0, "HelpNeeded", "/a"),
        ]


async def test_a_function_that_has_handled_messages_in_between_is_in_no_trouble(
    autojump_clock: MockClock,
) -> None:
    """Its errors are not in a row."""

    async def failing(ctx: actors.Context) -> None:
        async for message in ctx.inbox:
            if message == "bad":
                raise ValueError("mine")

    strategy = actors.OneForOne(max_restarts=1000)
    async with actors.open_system("s", strategy=strategy) as system, system.subscribe(*KINDS) as events:
        ref = await system.start(failing, name="a", policy=guarded(oversight=Oversight()))
        for message in ["good", "bad"] * 10:
            ref.tell(message)
            await trio.sleep(1.0)
        assert facts(events) == []
        for message in ["good", "bad", "bad", "bad", "good", "bad"]:
            ref.tell(message)
            await trio.sleep(1.0)
        assert [fact[0] for fact in facts(events)] == ["Nudged", "Recovered"]


async def test_nudges_that_nobody_takes_do_not_pile_up(autojump_clock: MockClock) -> None:
    """What waits of a trouble that is over is replaced by the first nudge of the next."""
    async with actors.open_system("s") as system, system.subscribe(Nudged) as events:
        ref = system.spawn(doing, *[500.0, SIGN] * 20, policy=guarded(oversight=Oversight()))
        await trio.sleep(9950.0)
        assert len(drained(events)) == 60
        assert ref.statistics().depth == {"system": 3, "urgent": 0, "normal": 0}
        await ended(ref, "kill")


async def test_who_is_being_stopped_is_not_nudged(autojump_clock: MockClock) -> None:
    """It could do nothing about it."""
    async with actors.open_system("s") as system, system.subscribe(*KINDS) as events:
        policy = guarded(oversight=Oversight(), shutdown=1000.0)
        ref = system.spawn(doing, 1e6, policy=policy)
        await trio.sleep(350.0)
        ref.stop()
        assert await when_over(ref) == (1350.0, ExitKind.KILLED)
        assert timed(events) == [(300.0, "Nudged", ref.path)]


async def test_who_is_ended_has_not_recovered(autojump_clock: MockClock) -> None:
    """A run that was in trouble and timed out; the next one is at the beginning."""
    async with actors.open_system("s") as system, system.subscribe(*KINDS) as events:
        policy = guarded(timeout=Timeout("fixed", 350.0, no_activity=None), oversight=Oversight())
        ref = await system.start(Patient, name="a", policy=policy)
        for _ in range(2):
            with pytest.raises(actors.ActorFailed):
                await ref.ask(do(1e6))
        assert timed(events) == [(300.0, "Nudged", "/a"), (650.0, "Nudged", "/a")]


async def test_a_nudged_function_recovers_by_taking_it(autojump_clock: MockClock) -> None:
    """It reads its inbox beside its work: that is a sign of life."""

    async def reads(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            pass

    async with actors.open_system("s") as system, system.subscribe(*KINDS) as events:
        ref = system.spawn(reads, policy=guarded(oversight=Oversight()))
        await trio.sleep(700.0)
        assert timed(events) == [
            (300.0, "Nudged", ref.path),
            (360.0, "Recovered", ref.path),
            (600.0, "Nudged", ref.path),
            (660.0, "Recovered", ref.path),
        ]
        await ended(ref)


# --- cost -----------------------------------------------------------------------------------------


class Steps(trio.abc.Instrument):
    """Counts the steps of all tasks but one."""

    def __init__(self, but: trio.lowlevel.Task) -> None:
        self.but = but
        self.names: list[str] = []

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is not self.but:
            self.names.append(task.name)


@pytest.mark.row(87)
async def test_a_thousand_idle_agents_wake_nobody(autojump_clock: MockClock) -> None:
    """Functions in their inbox and classes that have handled a message: no task steps in 10 seconds."""
    policy = Policy(stall=Stall(), timeout=Timeout(), oversight=Oversight())
    async with actors.open_system("s") as system:
        functions = [await system.start(parked, policy=Policy(stall=Stall())) for _ in range(500)]
        classes = [await system.start(Doer, policy=policy) for _ in range(500)]
        for ref in classes:
            await ref.ask(do(HUNDRED))
        await wait_all_tasks_blocked()
        steps = Steps(trio.lowlevel.current_task())
        trio.lowlevel.add_instrument(steps)
        await trio.sleep(10.0)
        trio.lowlevel.remove_instrument(steps)
        assert steps.names == []
        assert len(await system.monitor.ask(Watched())) == len(functions)


async def test_a_message_calls_no_guard(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first one there is an alarm that is early enough for all that follow."""
    begun: list[str] = []
    begin = MonitorGuard.begin

    def counted(guard: MonitorGuard) -> bool:
        begun.append(guard.cell.path)
        return begin(guard)

    monkeypatch.setattr(MonitorGuard, "begin", counted)
    async with actors.open_system("s") as system:
        policy = Policy(stall=Stall(), timeout=Timeout(), oversight=Oversight())
        ref = await system.start(Doer, policy=policy)
        for _ in range(1000):
            await ref.ask(do(HUNDRED))
        assert len(begun) == 1
        assert system.statistics().alarms <= 3
