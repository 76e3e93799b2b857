"""Actors with a time limit: functions and processes over their whole run, classes over each handling."""

from __future__ import annotations

import sys

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, Breaker, ExitKind, Policy, Stalled, TimedOut, Timeout
from actors.events import DeadlineExtended, DeadlinePassed, DeadlineWarning, Failed, Started, Stopped
from actors.process import Command
from tests.core.cast import drained, facts
from tests.timeouts.cast import SIGN, Doer, do, doing, fixed, limited, quiet, when_over

LIVELY = (*[1.0, SIGN] * 400,)
"""Signs of life each second, for longer than any limit here."""


# --- what ended it is told apart ---------------------------------------------------------


@pytest.mark.row(21)
async def test_a_run_over_its_limit_is_timed_out(autojump_clock: MockClock) -> None:
    """At its moment, with an error that says which limit and whose, and is one of trio's."""
    async with actors.open_system("s") as system:
        ref = system.spawn(doing, 100.0, policy=fixed(1.0))
        assert await when_over(ref) == (1.0, ExitKind.TIMED_OUT)
        error = (await ref.wait_stopped()).error
        assert isinstance(error, TimedOut)
        assert isinstance(error, trio.TooSlowError)
        assert (error.limit, error.extensions, error.ref) == (1.0, 0, ref)
        assert str(error).startswith(f"{ref.path} reached its limit of 1 s: call progress()")


async def test_a_silent_run_is_stalled(autojump_clock: MockClock) -> None:
    """An error that says how long it was silent, and what to do."""
    async with actors.open_system("s") as system:
        ref = system.spawn(doing, 2.0, SIGN, 100.0, policy=quiet(7.0))
        assert await when_over(ref) == (9.0, ExitKind.STALLED)
        error = (await ref.wait_stopped()).error
        assert isinstance(error, Stalled)
        assert isinstance(error, trio.TooSlowError)
        assert (error.idle, error.ref) == (7.0, ref)
        assert str(error).startswith(f"{ref.path} showed no activity for 7 s, more than no_activity")


@pytest.mark.row(12)
@pytest.mark.row(14)
@pytest.mark.parametrize(
    ("preset", "end", "kind"),
    [
        ("default", 30.0, ExitKind.STALLED),
        ("test", 10.0, ExitKind.STALLED),
        ("fast_fail", 15.0, ExitKind.STALLED),
        ("production", 120.0, ExitKind.TIMED_OUT),
        ("patient", 120.0, ExitKind.TIMED_OUT),
        ("development", 1800.0, ExitKind.TIMED_OUT),
    ],
)
async def test_an_actor_without_any_output_ends_by_its_preset(
    preset: str, end: float, kind: ExitKind, autojump_clock: MockClock
) -> None:
    """Three end it for silence; production, patient and development leave it to its limit."""
    async with actors.open_system("s") as system:
        ref = system.spawn(doing, 1e6, policy=Policy.preset(preset))
        assert await when_over(ref) == (end, kind)


@pytest.mark.row(19)
async def test_signs_of_life_extend_the_limit_up_to_the_maximum(autojump_clock: MockClock) -> None:
    """Silent it is 60 seconds, talking 300; the error tells how often it grew."""
    async with actors.open_system("s") as system:
        policy = limited(Timeout(no_activity=None))
        silent = system.spawn(doing, 1e6, policy=policy)
        talking = system.spawn(doing, *LIVELY, policy=policy)
        assert await when_over(silent) == (60.0, ExitKind.TIMED_OUT)
        assert await when_over(talking) == (300.0, ExitKind.TIMED_OUT)
        error = (await talking.wait_stopped()).error
        assert isinstance(error, TimedOut)
        assert (error.limit, error.extensions) == (300.0, 4)
        assert "which activity had extended 4 times" in str(error)


async def test_a_run_that_ends_in_time_is_left_alone(autojump_clock: MockClock) -> None:
    """A slow good one too: 290 seconds at work of 300."""
    async with actors.open_system("s") as system:
        ref = system.spawn(doing, *LIVELY[:580], policy=limited(Timeout()))
        assert await when_over(ref) == (290.0, ExitKind.NORMAL)
        assert (await ref.wait_stopped()).value == 290.0


@pytest.mark.row(39)
async def test_the_events_come_in_order_at_their_moments(autojump_clock: MockClock) -> None:
    """A warning at 0.8 of each limit, each extension, the end, and then the failure."""
    kinds = (Started, DeadlineWarning, DeadlineExtended, DeadlinePassed, Failed, Stopped)
    policy = limited(Timeout("progressive", 60.0, 120.0, no_activity=None))
    async with actors.open_system("s") as system, system.subscribe(*kinds) as events:
        ref = system.spawn(doing, *LIVELY, policy=policy)
        exit = await ref.wait_stopped()
        await wait_all_tasks_blocked()
        found = [(event.at, fact) for event, fact in both(events)]
        assert [(at, fact) for at, fact in found if fact[1] == ref.path] == [
            (0.0, ("Started", ref.path)),
            (48.0, ("DeadlineWarning", ref.path, 12.0)),
            (60.0, ("DeadlineExtended", ref.path, 90.0, 1)),
            (72.0, ("DeadlineWarning", ref.path, 18.0)),
            (90.0, ("DeadlineExtended", ref.path, 120.0, 2)),
            (96.0, ("DeadlineWarning", ref.path, 24.0)),
            (120.0, ("DeadlinePassed", ref.path, 120.0)),
            (120.0, ("Failed", ref.path, exit, None)),
            (120.0, ("Stopped", ref.path, exit)),
        ]


def both(events: actors.Subscription) -> list[tuple[object, tuple[object, ...]]]:
    """What waits for a subscriber, as it is and as facts."""
    kept = drained(events)
    for event in kept:
        events.put(event)
    return list(zip(kept, facts(events), strict=True))


# --- one handling of a class -------------------------------------------------------------


async def test_each_handling_has_the_whole_limit(autojump_clock: MockClock) -> None:
    """Ten of four seconds under a limit of five: nothing of one is left for the next."""
    began: list[float] = []
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, began, policy=fixed(5.0))
        pendings = [ref.request(do(4.0)) for _ in range(10)]
        assert [await pending.wait() for pending in pendings] == [4.0 * one for one in range(1, 11)]
        assert began == [4.0 * one for one in range(10)]


async def test_an_asker_hears_of_the_limit_at_once(autojump_clock: MockClock) -> None:
    """`ActorFailed` with the reason as its cause, long before its own limit."""
    async with actors.open_system("s") as system:
        for policy, cause, end in ((fixed(5.0), TimedOut, 5.0), (quiet(3.0), Stalled, 8.0)):
            ref = await system.start(Doer, policy=policy)
            with pytest.raises(actors.ActorFailed) as caught:
                await ref.ask(do(1e6), timeout=1000.0)
            assert trio.current_time() == end
            assert isinstance(caught.value.__cause__, cause)


async def test_a_told_message_over_the_limit_is_a_dead_letter(autojump_clock: MockClock) -> None:
    """What waits behind it is handled by the next incarnation."""
    async with actors.open_system("s") as system, system.subscribe(Failed) as events:
        ref = await system.start(Doer, name="a", policy=fixed(5.0))
        ref.tell(do(1e6))
        assert await ref.ask(do(1.0)) == 6.0
        assert [(dead.message, dead.reason) for dead in system.dead_letters] == [(do(1e6), "crashed")]
        [failed] = drained(events)
        assert isinstance(failed, Failed)
        assert (failed.at, failed.message, failed.exit.kind) == (5.0, do(1e6), ExitKind.TIMED_OUT)


async def test_idle_time_is_nobodys_run(autojump_clock: MockClock) -> None:
    """An actor without a message may be silent for ever."""
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, name="a", policy=limited(Timeout("fixed", 5.0, no_activity=2.0)))
        for _ in range(3):
            await trio.sleep(1000.0)
            assert await ref.ask(do(1.5)) == trio.current_time()
        assert ref.statistics().restarts == 0


async def test_a_start_is_no_handling(autojump_clock: MockClock) -> None:
    """`on_start` and `on_stop` are outside of the limit; `start(timeout)` and `shutdown` are for them."""

    class Slow(Doer):
        async def on_start(self) -> None:
            self.ctx.progress()
            await trio.sleep(50)

        async def on_stop(self, exit: actors.Exit) -> None:
            await trio.sleep(4)

    async with actors.open_system("s") as system:
        ref = await system.start(Slow, policy=limited(Timeout("fixed", 3.0, no_activity=2.0)))
        assert trio.current_time() == 50.0
        assert await ref.ask(do(1.0)) == 51.0
        ref.stop()
        assert await when_over(ref) == (55.0, ExitKind.SHUTDOWN)


async def test_a_function_is_one_run_with_all_its_messages(autojump_clock: MockClock) -> None:
    """Its limit covers the whole call. Taking a message is a sign of life."""

    async def serve(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            ctx.reply(trio.current_time())

    async with actors.open_system("s") as system:
        ref = await system.start(serve, policy=limited(Timeout("fixed", 40.0, no_activity=10.0)))
        for at in (8.0, 16.0, 24.0, 32.0):
            await trio.sleep_until(at)
            assert await ref.ask(do()) == at
        assert await when_over(ref) == (40.0, ExitKind.TIMED_OUT)
        ref = await system.start(serve, policy=quiet(10.0))
        assert await when_over(ref) == (50.0, ExitKind.STALLED)


# --- one run and the next ----------------------------------------------------------------


async def test_an_alarm_of_an_earlier_run_never_ends_a_later_one(autojump_clock: MockClock) -> None:
    """Runs of 4.5 seconds with pauses of all lengths: each has its own five seconds, and its own silence."""
    policy = limited(Timeout("fixed", 5.0, no_activity=4.9))
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, name="a", policy=policy)
        for pause in (0.0, 0.1, 0.4, 0.5, 0.6, 1.0, 4.0, 4.5, 5.0, 9.9):
            await trio.sleep(pause)
            assert await ref.ask(do(4.5)) == trio.current_time()
        assert ref.statistics().failed == 0


async def test_what_plain_handlers_took_before_it_is_not_taken_from_a_run(autojump_clock: MockClock) -> None:
    """Ten that keep the loop busy for a second each, then one of four seconds under a limit of five."""

    class Blocking(Doer):
        @actors.receive
        def block(self, message: float) -> None:
            autojump_clock.jump(message)

    async with actors.open_system("s") as system:
        ref = await system.start(Blocking, policy=fixed(5.0))
        await trio.sleep(100.0)
        for _ in range(10):
            ref.tell(1.0)
        assert await ref.ask(do(4.0)) == 114.0


async def test_a_short_run_after_a_long_one_ends_at_its_own_limit(autojump_clock: MockClock) -> None:
    """The far moment that a run had come to is not waited for by the next one."""
    policy = limited(Timeout("progressive", 1.0, 1000.0, no_activity=None))
    async with actors.open_system("s") as system, system.subscribe(DeadlineWarning) as events:
        ref = await system.start(Doer, name="a", policy=policy)
        await ref.ask(do(*[0.5, SIGN] * 1250))
        assert trio.current_time() == 625.0
        drained(events)
        with pytest.raises(actors.ActorFailed):
            await ref.ask(do(1e6))
        assert trio.current_time() == 626.0
        assert [event.at for event in drained(events)] == [625.8]


async def test_the_limits_of_a_run_that_was_extended_are_not_those_of_the_next(
    autojump_clock: MockClock,
) -> None:
    """It begins with `initial` again, and its extensions are counted anew."""
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, name="a", policy=limited(Timeout(no_activity=None)))
        await ref.ask(do(*LIVELY[:200]))
        assert extensions(ref) == 2
        with pytest.raises(actors.ActorFailed) as caught:
            await ref.ask(do(1e6))
        assert isinstance(caught.value.error, TimedOut)
        assert (trio.current_time(), caught.value.error.extensions) == (160.0, 0)
        assert extensions(ref) == 0


def extensions(ref: actors.Ref) -> int:
    """How often the limit of its last run was extended, as jobs tell it."""
    assert ref.cell.vigil is not None
    return ref.cell.vigil.extensions


# --- what follows ------------------------------------------------------------------------


async def test_a_named_actor_starts_again_with_a_new_limit(autojump_clock: MockClock) -> None:
    """A limit that is used up is a failure like any other: a restart, as its policy says."""
    began: list[float] = []

    async def job(ctx: actors.Context) -> str:
        began.append(trio.current_time())
        if len(began) < 3:
            await trio.sleep_forever()
        return "done"

    async with actors.open_system("s") as system:
        ref = system.spawn(job, name="a", policy=fixed(5.0, backoff=actors.Backoff.fixed(2.0)))
        assert (await ref.wait_stopped()).value == "done"
        assert began == [0.0, 7.0, 14.0]


@pytest.mark.parametrize("policy", [fixed(5.0), quiet(5.0)], ids=["limit", "silence"])
async def test_the_breaker_counts_it(policy: Policy, autojump_clock: MockClock) -> None:
    """Two in a row open a breaker of two; the next ask is refused without a run."""
    policy = actors.Policy(
        timeout=policy.timeout, backoff=policy.backoff, breaker=Breaker(failures=2, reset_after=60.0)
    )
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, name="a", policy=policy)
        for _ in range(2):
            with pytest.raises(actors.ActorFailed):
                await ref.ask(do(1e6))
        assert ref.state is ActorState.CIRCUIT_OPEN
        with pytest.raises(actors.CircuitOpen) as refused:
            await ref.ask(do())
        assert (refused.value.failures, refused.value.retry_after) == (2, 60.0)


async def test_a_probe_has_its_limit_too(autojump_clock: MockClock) -> None:
    """One that does not come back opens the breaker again, and nobody waits for ever."""
    breaker = Breaker(failures=1, reset_after=60.0)
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, name="a", policy=fixed(5.0, breaker=breaker))
        ref.tell(do(1e6))
        ref.tell(do(1e6))
        await trio.sleep(70.5)
        assert system.breaker("/a").retry_after == 59.5
        await ref.wait_started()
        assert await ref.ask(do(1.0)) == 131.0
        assert system.breaker("/a").state is actors.CircuitState.CLOSED


async def test_an_adhoc_actor_ends_and_nobody_else(autojump_clock: MockClock) -> None:
    """No restart, no breaker, and its supervisor goes on."""
    async with actors.open_system("s") as system:
        refs = [system.spawn(doing, 1e6, policy=fixed(float(one))) for one in (1, 2, 3)]
        assert [await when_over(ref) for ref in refs] == [(at, "TIMED_OUT") for at in (1.0, 2.0, 3.0)]
        assert system.breakers() == {}


async def test_a_start_that_takes_too_long_is_a_failed_start(autojump_clock: MockClock) -> None:
    """A function that is not ready by the end of its limit never was."""

    @actors.function(readiness=True)
    async def job(ctx: actors.Context) -> None:
        await trio.sleep_forever()

    async with actors.open_system("s") as system:
        with pytest.raises(actors.StartFailed) as caught:
            await system.start(job, name="a", policy=fixed(5.0))
        assert isinstance(caught.value.error, TimedOut)
        assert (trio.current_time(), system.find("/a")) == (5.0, None)


# --- adaptive ----------------------------------------------------------------------------

ADAPTIVE = limited(Timeout("adaptive", 60.0, 300.0, no_activity=None), restart="permanent")


@pytest.mark.row(20)
async def test_adaptive_begins_with_the_quantile_of_the_last_runs(autojump_clock: MockClock) -> None:
    """Two runs say nothing; after three the longest of them is the limit of the fourth."""
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, name="a", policy=ADAPTIVE)
        for seconds in (2.0, 4.0, 40.0):
            await ref.ask(do(seconds))
        with pytest.raises(actors.ActorFailed) as caught:
            await ref.ask(do(1e6))
        assert isinstance(caught.value.error, TimedOut)
        assert caught.value.error.limit == 40.0
        for _ in range(9):
            await ref.ask(do(3.0))
        began = trio.current_time()
        with pytest.raises(actors.ActorFailed):
            await ref.ask(do(1e6))
        assert trio.current_time() - began == pytest.approx(3.0)


async def test_adaptive_goes_by_what_went_well(autojump_clock: MockClock) -> None:
    """Runs that were ended, interrupted, or failed are no measure."""

    async def fail(ctx: actors.Context) -> None:
        raise ValueError("no")

    async with actors.open_system("s") as system:
        ref = await system.start(Doer, name="a", policy=ADAPTIVE)
        for _ in range(4):
            ref.tell(do(50.0))
            await trio.sleep(1.0)
            assert await ref.interrupt()
            ref.tell(do(2.0, fail))
            await trio.sleep(3.0)
        began = trio.current_time()
        with pytest.raises(actors.ActorFailed):
            await ref.ask(do(1e6))
        assert trio.current_time() - began == 60.0


async def test_adaptive_goes_by_whole_runs(autojump_clock: MockClock) -> None:
    """A function that was stopped did not take so long, it was only left so long."""
    policy = limited(ADAPTIVE.timeout)
    async with actors.open_system("s") as system:
        for _ in range(4):
            ref = system.spawn(doing, 1e6, name="a", policy=policy)
            await trio.sleep(1.0)
            ref.kill()
            await ref.wait_stopped()
        ref = system.spawn(doing, 1e6, name="a", policy=limited(ADAPTIVE.timeout, restart="temporary"))
        assert await when_over(ref) == (64.0, ExitKind.TIMED_OUT)


async def test_adaptive_knows_functions_by_their_path(autojump_clock: MockClock) -> None:
    """Whole runs that returned; a later actor of the name has them too, one without a name has none."""
    async with actors.open_system("s") as system:
        for _ in range(3):
            for name in ("a", None):
                await system.spawn(doing, 7.0, name=name, policy=limited(ADAPTIVE.timeout)).wait_stopped()
        began = trio.current_time()
        named = system.spawn(doing, 1e6, name="a", policy=limited(ADAPTIVE.timeout, restart="temporary"))
        adhoc = system.spawn(doing, 1e6, policy=limited(ADAPTIVE.timeout))
        other = system.spawn(doing, 1e6, name="b", policy=limited(ADAPTIVE.timeout, restart="temporary"))
        ends = [await when_over(ref) for ref in (named, adhoc, other)]
        assert [round(at - began, 6) for at, _ in ends] == [7.0, 60.0, 60.0]


async def test_adaptive_grows_for_who_is_at_work(autojump_clock: MockClock) -> None:
    """A run that takes longer than all before, and says so, is not ended for it."""
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, name="a", policy=ADAPTIVE)
        for _ in range(3):
            await ref.ask(do(10.0))
        assert await ref.ask(do(*LIVELY[:400])) == 230.0


# --- processes ---------------------------------------------------------------------------


async def test_a_silent_process_is_ended_and_one_at_work_is_not() -> None:
    """A real one: its output is its sign of life."""
    chatty = "import time\nfor _ in range(20): print('.', flush=True); time.sleep(0.1)"
    silent = "import time; print('.', flush=True); time.sleep(60)"
    async with actors.open_system("s") as system:
        refs = [
            system.spawn(Command([sys.executable, "-c", script]), policy=quiet(1.5))
            for script in (chatty, silent)
        ]
        began = trio.current_time()
        exits = [await ref.wait_stopped() for ref in refs]
        assert [exit.kind for exit in exits] == [ExitKind.NORMAL, ExitKind.STALLED]
        assert trio.current_time() - began < 30.0


async def test_a_process_over_its_limit_is_killed_with_its_group() -> None:
    """Also one that ignores TERM, however much it says."""
    deaf = "trap '' TERM; while true; do echo .; sleep 0.05; done"
    async with actors.open_system("s") as system:
        ref = system.spawn(Command(["sh", "-c", deaf]), policy=fixed(0.5))
        began = trio.current_time()
        assert (await ref.wait_stopped()).kind is ExitKind.TIMED_OUT
        assert 0.5 <= trio.current_time() - began < 30.0
