"""Who waits is not silent: the clock of silence stands still for a child and for a person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ExitKind, Timeout
from tests.timeouts.cast import SIGN, Do, Doer, Step, do, doing, fixed, limited, quiet, when_over

LONG = 100.0
Wait = Callable[[Any], Awaitable[object]]


class Parent(Doer):
    """With one child; `wait` is how it waits for it."""

    async def on_start(self) -> None:
        self.child = await self.start(Doer, name="child")


def own(ctx: actors.Context) -> Any:
    """The actor of a context."""
    return ctx.cell.actor


async def ask(ctx: actors.Context) -> None:
    await own(ctx).child.ask(do(LONG))


async def ask_with_a_limit(ctx: actors.Context) -> None:
    with pytest.raises(actors.AskTimeout):
        await own(ctx).child.ask(do(1e6), timeout=LONG)


async def request(ctx: actors.Context) -> None:
    await own(ctx).child.request(do(LONG)).wait()


async def start(ctx: actors.Context) -> None:
    late = await own(ctx).start(Late, LONG, name="late")
    late.kill()


async def wait_started(ctx: actors.Context) -> None:
    late = own(ctx).spawn(Late, LONG, name="late")
    await late.wait_started()
    late.kill()


async def wait_stopped(ctx: actors.Context) -> None:
    await own(ctx).spawn(doing, LONG).wait_stopped()


async def broadcast(ctx: actors.Context) -> None:
    await own(ctx).broadcast(do(LONG))


async def a_person(ctx: actors.Context) -> None:
    with ctx.waiting("a person"):
        await trio.sleep(LONG)


class Late(actors.Actor):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def on_start(self) -> None:
        await trio.sleep(self.seconds)


WAITS: dict[Wait, str] = {
    ask: "/a/child",
    ask_with_a_limit: "/a/child",
    request: "/a/child",
    start: "/a/late",
    wait_started: "/a/late",
    wait_stopped: "/a/~",
    broadcast: "/a/child",
    a_person: "a person",
}
ANSWERS = (ask, request, broadcast)
"""These end with the child's answer, which is a sign of life of its own."""
waits = pytest.mark.parametrize("wait", WAITS, ids=lambda wait: wait.__name__)


@waits
async def test_silence_stands_still_in_a_wait_and_goes_on_after_it(
    wait: Wait, autojump_clock: MockClock
) -> None:
    """Six silent seconds of ten, a hundred in which somebody else is at work, then the other four.

    After an answer of the child all ten: it has just been heard.
    """
    left = 10.0 if wait in ANSWERS else 4.0
    async with actors.open_system("s") as system:
        ref = await system.start(Parent, name="a", policy=quiet(10.0))
        assert await ref.ask(do(6.0, wait, left - 0.125)) == 106.0 + left - 0.125
        began = trio.current_time()
        with pytest.raises(actors.ActorFailed) as caught:
            await ref.ask(do(6.0, wait, left + 0.125))
        assert trio.current_time() - began == 106.0 + left
        assert isinstance(caught.value.error, actors.Stalled)
        assert caught.value.error.idle == 10.0


@waits
async def test_a_ref_says_what_is_waited_for(wait: Wait, autojump_clock: MockClock) -> None:
    """The path of the child, or the words; nothing before and after."""
    async with actors.open_system("s") as system:
        ref = await system.start(Parent, name="a", policy=quiet(10.0))
        pending = ref.request(do(1.0, wait, 1.0))
        said = []
        for at in (0.5, 50.0, 101.5):
            await trio.sleep_until(at)
            said.append(ref.waiting_for)
        assert (said[0], said[2]) == (None, None)
        assert said[1] is not None
        assert said[1].startswith(WAITS[wait])
        await pending.wait()


@waits
async def test_the_limit_goes_on_in_a_wait(wait: Wait, autojump_clock: MockClock) -> None:
    """It is the time that the asker is kept waiting, whoever is at work."""
    async with actors.open_system("s") as system:
        ref = await system.start(Parent, policy=fixed(20.0))
        with pytest.raises(actors.ActorFailed) as caught:
            await ref.ask(do(6.0, wait))
        assert isinstance(caught.value.error, actors.TimedOut)
        assert trio.current_time() == 20.0
        await ref.wait_stopped()
        assert ref.waiting_for is None


@pytest.mark.parametrize("who", ["sibling", "nephew", "the end of one"])
async def test_whom_it_did_not_start_it_waits_for_in_silence(who: str, autojump_clock: MockClock) -> None:
    """Others may be waiting for it in turn: only a child excuses its parent."""
    async with actors.open_system("s") as system:
        sibling = await system.start(Parent, policy=quiet(1000.0))
        other = sibling if who == "sibling" else system.children(sibling)[0]

        async def wait(ctx: actors.Context) -> None:
            if who == "the end of one":
                await other.wait_stopped()
            else:
                await other.ask(do(LONG))

        ref = await system.start(Doer, policy=quiet(10.0))
        pending = ref.request(do(wait))
        await trio.sleep(5)
        assert ref.waiting_for is None
        assert await when_over(ref) == (10.0, ExitKind.STALLED)
        with pytest.raises(actors.ActorFailed):
            await pending.wait()


async def test_a_sign_of_life_in_a_wait_begins_the_silence_anew(autojump_clock: MockClock) -> None:
    """After the wait all ten seconds are there, not the four that were left."""

    async def wait(ctx: actors.Context) -> None:
        with ctx.waiting("a person"):
            await trio.sleep(50)
            ctx.progress()
            await trio.sleep(50)

    async with actors.open_system("s") as system:
        ref = system.spawn(doing, 6.0, wait, 100.0, policy=quiet(10.0))
        assert await when_over(ref) == (116.0, ExitKind.STALLED)


async def test_a_wait_that_began_before_the_run_counts_from_its_beginning(autojump_clock: MockClock) -> None:
    """A task of the actor waits through the end of one handling and into the next."""

    class Patient(Doer):
        @actors.receive
        async def wait(self, message: float) -> None:
            background.start_soon(self.hold, message)

        async def hold(self, seconds: float) -> None:
            with self.ctx.waiting("a person"):
                await trio.sleep(seconds)

    async with trio.open_nursery() as background, actors.open_system("s") as system:
        ref = await system.start(Patient, name="a", policy=quiet(10.0))
        ref.tell(50.0)
        await trio.sleep(20.0)
        with pytest.raises(actors.ActorFailed):
            await ref.ask(do(1e6))
        assert trio.current_time() == 60.0
        ref.tell(20.0)
        await ref.ask(do(5.0))
        await trio.sleep_until(90.0)
        with pytest.raises(actors.ActorFailed):
            await ref.ask(do(1e6))
        assert trio.current_time() == 100.0


async def test_a_wait_between_two_runs_leaves_the_next_one_its_moments(autojump_clock: MockClock) -> None:
    """The far alarm of a run that waited is not the first one of the run after it."""

    class Patient(Doer):
        @actors.receive
        async def wait(self, message: float) -> None:
            background.start_soon(self.hold, message)
            await trio.sleep(message - 1)

        async def hold(self, seconds: float) -> None:
            with self.ctx.waiting("a person"):
                await trio.sleep(seconds)

    async with trio.open_nursery() as background, actors.open_system("s") as system:
        ref = await system.start(Patient, policy=limited(Timeout("fixed", 1000.0, no_activity=5.0)))
        ref.tell(20.0)
        await trio.sleep(30.0)
        with pytest.raises(actors.ActorFailed):
            await ref.ask(do(1e6))
        assert trio.current_time() == 35.0


# --- several waits at once ------------------------------------------------------------


async def overlapping(ctx: actors.Context) -> None:
    """Three waits in three tasks, of which no two end in the order of their beginning."""

    async def wait(what: str, begin: float, end: float) -> None:
        await trio.sleep_until(begin)
        with ctx.waiting(what):
            await trio.sleep_until(end)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, "a person", 5.0, 25.0)
        nursery.start_soon(wait, "another", 10.0, 15.0)
        nursery.start_soon(wait, "a person", 20.0, 40.0)


async def test_overlapping_waits_are_one(autojump_clock: MockClock) -> None:
    """The clock goes on when the last one ends: five seconds before them and five after."""
    async with actors.open_system("s") as system:
        ref = system.spawn(doing, overlapping, 1e6, policy=quiet(10.0))
        said = []
        for at in (4.0, 7.0, 12.0, 17.0, 22.0, 30.0, 41.0):
            await trio.sleep_until(at)
            said.append(ref.waiting_for)
        assert said == [None, "a person", "another", "a person", "a person", "a person", None]
        assert await when_over(ref) == (45.0, ExitKind.STALLED)


async def test_the_newest_wait_is_the_one_that_is_said(autojump_clock: MockClock) -> None:
    """Also when two are for the same: the end of the older one takes nothing from the newer."""

    async def wait(ctx: actors.Context) -> None:
        first, second, third = ctx.waiting("a person"), ctx.waiting("another"), ctx.waiting("a person")
        for one in (first, second, third):
            one.__enter__()
            await trio.sleep(1)
        for one in (first, third, second):
            one.__exit__(None, None, None)
            await trio.sleep(1)

    async with actors.open_system("s") as system:
        ref = system.spawn(doing, wait, policy=quiet(10.0))
        said = []
        for at in (0.5, 1.5, 2.5, 3.5, 4.5, 5.5):
            await trio.sleep_until(at)
            said.append(ref.waiting_for)
        assert said == ["a person", "another", "a person", "a person", "another", None]


async def test_a_wait_that_outlives_its_incarnation_is_nothing_to_the_next(
    autojump_clock: MockClock,
) -> None:
    """Its end does not start the clock of a wait for the same in the incarnation after it."""

    class Careless(Doer):
        @actors.receive
        async def wait(self, message: float) -> None:
            outside.start_soon(self.hold, self.ctx, message)
            await trio.sleep(1)
            raise ValueError("gone")

        async def hold(self, ctx: actors.Context, seconds: float) -> None:
            with ctx.waiting("a person"):
                await trio.sleep(seconds)

    async def wait(ctx: actors.Context) -> None:
        with ctx.waiting("a person"):
            await trio.sleep(50.0)

    async with trio.open_nursery() as outside, actors.open_system("s") as system:
        ref = await system.start(Careless, name="a", policy=quiet(10.0))
        ref.tell(20.0)
        await trio.sleep(2.0)
        assert ref.waiting_for is None
        pending = ref.request(do(wait))
        await trio.sleep_until(25.0)
        assert ref.waiting_for == "a person"
        assert await pending.wait() == 52.0


async def test_a_wait_ends_with_an_interrupt(autojump_clock: MockClock) -> None:
    """The next handling is not excused by it."""
    async with actors.open_system("s") as system:
        ref = await system.start(Parent, name="a", policy=quiet(10.0))
        pending = ref.request(do(ask))
        await trio.sleep(5)
        assert await ref.interrupt()
        with pytest.raises(actors.Interrupted):
            await pending.wait()
        assert ref.waiting_for is None
        with pytest.raises(actors.ActorFailed):
            await ref.ask(do(1e6))
        assert trio.current_time() == 15.0


async def test_without_limits_a_wait_is_told_all_the_same(autojump_clock: MockClock) -> None:
    """`ctx.waiting` costs nothing else there, in any incarnation."""

    async def wait(ctx: actors.Context) -> None:
        with ctx.waiting("a person"):
            await trio.sleep(50.0)
        raise ValueError("again")

    async with actors.open_system("s") as system:
        ref = await system.start(Doer, name="a", policy=actors.Policy(breaker=None))
        for _ in range(3):
            pending = ref.request(do(wait))
            await trio.sleep(10.0)
            assert ref.waiting_for == "a person"
            with pytest.raises(actors.ActorFailed):
                await pending.wait()
            assert ref.waiting_for is None


# --- what the children do ----------------------------------------------------------------


async def tell_child(ctx: actors.Context) -> None:
    own(ctx).child.tell(Do((*[1.0, SIGN] * 200,)))


@pytest.mark.parametrize("generations", [1, 2])
async def test_the_signs_of_life_of_its_children_are_its_own(
    generations: int, autojump_clock: MockClock
) -> None:
    """At any depth they break its silence and extend its limit, but never beyond its maximum."""

    class Elder(Doer):
        async def on_start(self) -> None:
            self.parent = await self.start(Parent)
            self.child = self.parent.cell.actor.child

    what = Parent if generations == 1 else Elder
    async with actors.open_system("s") as system:
        policy = limited(Timeout("progressive", 20.0, 45.0, factor=2.0, no_activity=10.0))
        ref = await system.start(what, policy=policy)
        for steps, error, end in (((1e6,), actors.Stalled, 10.0), ((tell_child, 1e6), actors.TimedOut, 55.0)):
            ref = await system.start(what, policy=policy)
            with pytest.raises(actors.ActorFailed) as caught:
                await ref.ask(do(*steps))
            assert isinstance(caught.value.error, error)
            assert trio.current_time() == end


async def test_the_signs_of_life_of_before_the_run_do_not_count(autojump_clock: MockClock) -> None:
    """A child that worked until the run began has said nothing in it."""
    async with actors.open_system("s") as system:
        ref = await system.start(Parent, policy=limited(Timeout("progressive", 20.0, 45.0, no_activity=None)))
        [child] = system.children(ref)
        await child.ask(Do((*[1.0, SIGN] * 15,)))
        ref.tell(do(1e6))
        assert await when_over(ref) == (35.0, ExitKind.TIMED_OUT)


async def test_a_child_has_limits_of_its_own(autojump_clock: MockClock) -> None:
    """What ends the child does not end its parent; what its parent does is not the child's."""

    async def spawn(ctx: actors.Context) -> None:
        steps: list[Step] = [1.0, SIGN]
        ref = own(ctx).spawn(doing, *steps * 200, policy=fixed(30.0))
        assert (await ref.wait_stopped()).kind is ExitKind.TIMED_OUT

    async with actors.open_system("s") as system:
        ref = await system.start(Doer, policy=quiet(10.0))
        assert await ref.ask(do(spawn)) == 30.0


@pytest.mark.parametrize("generations", [1, 2])
async def test_a_child_that_has_ended_was_alive_until_then(
    generations: int, autojump_clock: MockClock
) -> None:
    """Its last sign of life stays that of all above it: silence counts from there."""

    async def spawn(ctx: actors.Context) -> None:
        above = own(ctx) if generations == 1 else own(ctx).child.cell.actor
        above.spawn(doing, *[1.0, SIGN] * 8)

    async with actors.open_system("s") as system:
        ref = await system.start(Doer if generations == 1 else Parent, policy=quiet(10.0))
        with pytest.raises(actors.ActorFailed):
            await ref.ask(do(spawn, 1e6))
        assert trio.current_time() == 18.0
