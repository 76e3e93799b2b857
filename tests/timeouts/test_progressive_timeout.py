"""`progressive_timeout`: the deadline of an actor, for any trio code."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from actors import Stalled, TimedOut, Timeout, progressive_timeout
from tests.timeouts.cast import Doer, do, limited, quiet

QUIET = Timeout(no_activity=None)


async def talk(deadline: actors.ProgressiveTimeout, times: Iterable[float]) -> None:
    """Signs of life at these times of the clock, then silence."""
    for at in times:
        await trio.sleep_until(at)
        deadline.progress()
    await trio.sleep_forever()


async def end_of(
    body: Callable[[actors.ProgressiveTimeout], Awaitable[object]], timeout: Timeout | float = QUIET
) -> tuple[Exception | None, actors.ProgressiveTimeout]:
    """What a block with this body raised, and its deadline."""
    deadline = progressive_timeout(timeout)
    try:
        with deadline:
            await body(deadline)
    except Exception as error:
        return error, deadline
    return None, deadline


# --- how it ends -------------------------------------------------------------------------


@pytest.mark.row(19)
@pytest.mark.parametrize(
    ("until", "end", "extensions"),
    [(0, 60.0, 0), (55, 90.0, 1), (85, 135.0, 2), (130, 202.5, 3), (200, 300.0, 4), (1000, 300.0, 4)],
)
async def test_it_ends_at_the_limit_that_progress_has_led_to(
    until: int, end: float, extensions: int, autojump_clock: MockClock
) -> None:
    """60, 90, 135, 202.5, 300; the error and the deadline say the same."""
    with pytest.raises(TimedOut) as caught, progressive_timeout(QUIET) as deadline:
        await talk(deadline, range(1, until + 1))
    assert trio.current_time() == end
    assert (caught.value.limit, caught.value.extensions, caught.value.ref) == (end, extensions, None)
    assert (deadline.limit, deadline.extensions, deadline.remaining) == (end, extensions, 0.0)
    assert isinstance(caught.value, trio.TooSlowError)
    assert str(caught.value).startswith(f"the run reached its limit of {end:g} s")


async def test_silence_ends_it_earlier(autojump_clock: MockClock) -> None:
    """With another error, which says how long it was silent."""
    with pytest.raises(Stalled) as caught, progressive_timeout(Timeout(no_activity=30.0)) as deadline:
        await talk(deadline, [7.0, 20.0])
    assert (trio.current_time(), caught.value.idle, caught.value.ref) == (50.0, 30.0, None)
    assert isinstance(caught.value, trio.TooSlowError)
    assert (deadline.limit, deadline.extensions, deadline.remaining) == (60.0, 0, 0.0)


async def test_a_number_is_a_fixed_limit(autojump_clock: MockClock) -> None:
    """Progress does not move it, and silence is not measured."""
    with pytest.raises(TimedOut), progressive_timeout(5.0) as deadline:
        await talk(deadline, range(1, 100))
    assert trio.current_time() == 5.0


@pytest.mark.parametrize("limit", [float("inf"), 1e9])
async def test_a_block_that_ends_in_time_is_left_alone(limit: float, autojump_clock: MockClock) -> None:
    """Its value and its variables are its own."""
    with progressive_timeout(limit) as deadline:
        await trio.sleep(1000.0)
    assert (trio.current_time(), deadline.limit, deadline.extensions) == (1000.0, limit, 0)


async def test_a_block_that_has_got_through_is_not_ended_behind_its_limit(autojump_clock: MockClock) -> None:
    """As with any scope of trio: without a checkpoint behind the limit nobody is too slow."""
    with progressive_timeout(5.0):
        await trio.sleep(4.0)
        autojump_clock.jump(10.0)


async def test_silence_and_limit_at_one_moment_are_told_apart(autojump_clock: MockClock) -> None:
    """A limit that grows at the very moment of silence was not what ended it."""
    with pytest.raises(Stalled), progressive_timeout(Timeout(no_activity=5.0)) as deadline:
        await talk(deadline, [*range(2, 55), 55.0])
    assert trio.current_time() == 60.0
    with pytest.raises(TimedOut), progressive_timeout(Timeout("fixed", 30.0, no_activity=30.0)):
        await trio.sleep_forever()


async def test_adaptive_is_progressive_here(autojump_clock: MockClock) -> None:
    """There are no runs to go by."""
    with pytest.raises(TimedOut), progressive_timeout(Timeout("adaptive", no_activity=None)) as deadline:
        await talk(deadline, [55.0])
    assert trio.current_time() == 90.0


# --- what passes -------------------------------------------------------------------------


async def test_an_exception_of_the_body_passes(autojump_clock: MockClock) -> None:
    """Also one that is raised because of the limit, and what else a nursery has to say."""

    async def fail(_: object) -> None:
        await trio.sleep(1.0)
        raise KeyError("mine")

    async def fail_late(_: object = None) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("while it was cancelled")

    async def fail_in_a_task(_: object) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_late)
            nursery.start_soon(trio.sleep_forever)

    for body in (fail, fail_late):
        error, _ = await end_of(body, 5.0)
        assert isinstance(error, KeyError)
    with pytest.RaisesGroup(KeyError), progressive_timeout(5.0) as deadline:
        await fail_in_a_task(deadline)


async def test_a_cancellation_from_outside_passes(autojump_clock: MockClock) -> None:
    """It is nobody's slowness here: the outer scope catches it, and the deadline says what was left."""
    with trio.move_on_after(10.0) as outer, progressive_timeout(QUIET) as deadline:
        await talk(deadline, [5.0])
    assert outer.cancelled_caught
    assert (trio.current_time(), deadline.remaining, deadline.extensions) == (10.0, 50.0, 0)


@pytest.mark.parametrize(("outer", "inner"), [(5.0, 10.0), (10.0, 5.0)])
async def test_of_two_the_shorter_one_ends(outer: float, inner: float, autojump_clock: MockClock) -> None:
    """The inner error may be caught inside of the outer one, whose time goes on."""
    caught: list[float] = []

    async def body(_: object) -> None:
        try:
            with progressive_timeout(inner):
                await trio.sleep_forever()
        except TimedOut as inside:
            caught.append(inside.limit)
        await trio.sleep_forever()

    error, _ = await end_of(body, outer)
    assert isinstance(error, TimedOut)
    assert (error.limit, trio.current_time()) == (outer, outer)
    assert caught == ([] if outer < inner else [inner])


async def test_progress_of_one_is_not_that_of_the_other(autojump_clock: MockClock) -> None:
    """Each has its own signs of life; whoever wants both gives both."""
    policy = Timeout(no_activity=10.0)
    with pytest.raises(Stalled), progressive_timeout(policy), progressive_timeout(policy) as inner:
        await talk(inner, range(1, 100))
    assert trio.current_time() == 10.0


# --- what it says ------------------------------------------------------------------------


async def test_it_says_how_things_stand(autojump_clock: MockClock) -> None:
    """`limit` from the start, `extensions`, and what `remaining` there is if nothing more happens."""
    said = []

    async def body(deadline: actors.ProgressiveTimeout) -> None:
        for at in (0.0, 25.0, 50.0, 59.0, 61.0, 85.0):
            await trio.sleep_until(at)
            if at:
                deadline.progress()
            said.append((deadline.limit, deadline.extensions, deadline.remaining))

    await end_of(body, Timeout(no_activity=30.0))
    assert said == [
        (60.0, 0, 30.0),
        (60.0, 0, 30.0),
        (60.0, 0, 10.0),  # too old to extend it, if this was the last one
        (60.0, 0, 30.0),
        (90.0, 1, 29.0),
        (90.0, 1, 30.0),
    ]


async def test_after_the_block_it_says_how_things_stood(autojump_clock: MockClock) -> None:
    """Time that passes behind it changes nothing, and neither does progress."""
    with progressive_timeout(Timeout(no_activity=None)) as deadline:
        await trio.sleep(55.0)
        deadline.progress()
        await trio.sleep(1.0)
    stood = (deadline.limit, deadline.extensions, deadline.remaining)
    assert stood == (60.0, 0, 34.0)
    for pause in (30.0, 1000.0):
        await trio.sleep(pause)
        deadline.progress()
        assert (deadline.limit, deadline.extensions, deadline.remaining) == stood


async def test_slow_tidying_up_does_not_count(autojump_clock: MockClock) -> None:
    """What is said is about the moment at which it was ended, not about that of leaving the block."""

    async def body(deadline: actors.ProgressiveTimeout) -> None:
        try:
            await talk(deadline, range(1, 54))
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(500.0)
                deadline.progress()

    error, deadline = await end_of(body, Timeout(no_activity=5.0))
    assert isinstance(error, Stalled)
    assert (error.idle, deadline.limit, deadline.extensions) == (5.0, 60.0, 0)


async def test_progress_behind_the_limit_is_too_late(autojump_clock: MockClock) -> None:
    """A body that blocked the loop for so long hears of it at its next checkpoint."""

    async def body(deadline: actors.ProgressiveTimeout) -> None:
        await trio.sleep(59.0)
        autojump_clock.jump(2.0)
        deadline.progress()
        await trio.lowlevel.checkpoint()

    error, _ = await end_of(body)
    assert isinstance(error, TimedOut)


# --- how it is used ----------------------------------------------------------------------


async def test_it_is_for_one_block(autojump_clock: MockClock) -> None:
    """A second one would have the times of the first."""
    deadline = progressive_timeout(5.0)
    with deadline:
        with pytest.raises(RuntimeError, match="for one block"), deadline:
            pass
        await trio.sleep(1.0)
    with pytest.raises(RuntimeError, match="for one block"), deadline:
        pass


def test_before_its_block_there_is_nothing_to_say() -> None:
    """The error shows the line to write."""
    deadline = progressive_timeout(5.0)
    for ask in (
        deadline.progress,
        lambda: deadline.limit,
        lambda: deadline.extensions,
        lambda: deadline.remaining,
    ):
        with pytest.raises(RuntimeError, match="with progressive_timeout"):
            ask()


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan"), "5", None, True, [5.0]])
def test_what_is_no_limit_is_refused(timeout: object) -> None:
    """Before anything is entered, also outside of trio."""
    with pytest.raises(ValueError, match="initial must be"):
        progressive_timeout(timeout)  # type: ignore[arg-type]


async def test_any_task_may_give_the_sign(autojump_clock: MockClock) -> None:
    """One for several tasks: whoever gets on keeps the block alive."""

    async def work(deadline: actors.ProgressiveTimeout, first: float) -> None:
        for at in range(4):
            await trio.sleep_until(first + 16 * at)
            deadline.progress()

    with progressive_timeout(Timeout(no_activity=10.0)) as deadline:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, deadline, 4.0)
            nursery.start_soon(work, deadline, 12.0)
    assert trio.current_time() == 60.0
    assert deadline.extensions in (0, 1)  # the last sign came at the moment of the limit


async def test_inside_an_actor_progress_is_the_actors_too(autojump_clock: MockClock) -> None:
    """The actor of the running task; the block's own end is a failure that it may catch."""

    async def work(ctx: actors.Context) -> None:
        with (
            pytest.raises(TimedOut),
            progressive_timeout(Timeout("fixed", 42.0, no_activity=None)) as deadline,
        ):
            await talk(deadline, range(5, 100, 5))

    async with actors.open_system("s") as system:
        ref = await system.start(Doer, name="a", policy=quiet(10.0))
        assert await ref.ask(do(work, 7.0)) == 49.0
        assert ref.statistics().last_activity == 49.0
        assert ref.statistics().failed == 0


@settings(max_examples=100, derandomize=True, database=None)
@given(
    gaps=st.lists(st.sampled_from([0.5, 1.0, 3.0, 9.0, 9.75, 10.0, 12.0, 29.5, 31.0, 61.0]), max_size=40),
    timeout=st.builds(
        Timeout,
        st.sampled_from(["progressive", "fixed", "adaptive"]),
        st.sampled_from([7.25, 20.25, 60.25]),
        st.sampled_from([61.25, 150.25, 300.25]),
        extend_within=st.sampled_from([0.0, 4.25, 10.125]),
        factor=st.sampled_from([1.25, 1.5, 3.0]),
        no_activity=st.sampled_from([None, 5.125, 30.125]),
    ),
)
def test_it_ends_at_the_moment_at_which_an_actor_would(gaps: list[float], timeout: Timeout) -> None:
    """The same limits and the same signs of life: the same end for the same reason."""
    trio.run(race, gaps, timeout, clock=MockClock(autojump_threshold=0))


async def race(gaps: list[float], timeout: Timeout) -> None:
    """A block and an actor with the same life, side by side."""
    times = list(itertools.accumulate(gaps))

    async def work(ctx: actors.Context) -> None:
        for at in times:
            await trio.sleep_until(at)
            ctx.progress()
        await trio.sleep_forever()

    ends: dict[str, tuple[float, object]] = {}

    async def block() -> None:
        error, _ = await end_of(lambda deadline: talk(deadline, times), timeout)
        ends["block"] = (trio.current_time(), told(error))

    async def actor() -> None:
        async with actors.open_system("s") as system:
            ref = system.spawn(work, policy=limited(timeout))
            error = (await ref.wait_stopped()).error
            ends["actor"] = (trio.current_time(), told(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(block)
        nursery.start_soon(actor)
    assert ends["block"] == ends["actor"]


def told(error: BaseException | None) -> tuple[object, ...]:
    """What an error says, but for whose it is."""
    if isinstance(error, TimedOut):
        return TimedOut, error.limit, error.extensions
    assert isinstance(error, Stalled)
    return Stalled, error.idle
