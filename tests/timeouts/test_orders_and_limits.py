"""Orders that come while a limit runs, and handlers that do not let themselves be ended."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, ExitKind, Timeout
from actors.events import DeadlinePassed, Failed, Unresponsive
from tests.core.cast import drained
from tests.timeouts.cast import SIGN, Doer, do, doing, fixed, limited, quiet, when_over


@pytest.mark.parametrize("policy", [fixed(5.0), quiet(5.0)], ids=["limit", "silence"])
async def test_an_interrupt_ends_the_run_and_its_limit(
    policy: actors.Policy, autojump_clock: MockClock
) -> None:
    """The next message has the whole of it; an idle actor has none."""
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, name="a", policy=policy)
        ref.tell(do(1e6))
        await trio.sleep(4.0)
        assert await ref.interrupt()
        assert await ref.ask(do(4.5)) == 8.5
        ref.tell(do(1e6))
        await trio.sleep(4.0)
        assert await ref.interrupt()
        await trio.sleep(100.0)
        assert (ref.statistics().failed, ref.state) == (0, ActorState.IDLE)


async def test_an_interrupted_function_has_a_new_limit(autojump_clock: MockClock) -> None:
    """It is called again; inside `handling()` it is the same call, and the same limit."""
    began: list[float] = []

    async def job(ctx: actors.Context, survives: bool) -> None:
        began.append(trio.current_time())
        async for _ in ctx.inbox:
            if survives:
                with ctx.handling():
                    await trio.sleep(100.0)
            else:
                await trio.sleep(100.0)

    async with actors.open_system("s") as system:
        for survives, ends, starts in ((False, 9.0, 2), (True, 5.0, 1)):
            zero = trio.current_time()
            ref = system.spawn(job, survives, policy=fixed(5.0))
            ref.tell("work")
            await trio.sleep(4.0)
            assert await ref.interrupt()
            at, kind = await when_over(ref)
            assert (at - zero, kind, len(began)) == (ends, ExitKind.TIMED_OUT, starts)
            began.clear()


async def test_a_stop_leaves_the_limit_in_force(autojump_clock: MockClock) -> None:
    """Whichever is shorter ends the message in hand: the limit, or `shutdown`."""
    async with actors.open_system("s") as system:
        for shutdown, end, kind in ((60.0, 5.0, "TIMED_OUT"), (1.0, 4.0, "KILLED"), (0.0, 3.0, "KILLED")):
            zero = trio.current_time()
            ref = await system.start(Doer, name="a", policy=fixed(5.0, shutdown=shutdown))
            pending = ref.request(do(1e6))
            await trio.sleep(3.0)
            ref.stop()
            at, ended = await when_over(ref)
            assert (at - zero, ended) == (end, kind)
            with pytest.raises(actors.ActorFailed if kind == "TIMED_OUT" else actors.ActorStopped):
                await pending.wait()


async def test_a_drain_bounds_each_message_that_is_left(autojump_clock: MockClock) -> None:
    """The first one over its limit ends it for good, as it was ordered; the rest is told so."""
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, name="a", policy=fixed(5.0, shutdown=1000.0))
        for seconds in (4.0, 4.0, 1e6, 4.0):
            ref.tell(do(seconds))
        ref.drain()
        assert await when_over(ref) == (13.0, ExitKind.TIMED_OUT)
        assert [dead.reason for dead in system.dead_letters] == ["crashed", "stopped"]


async def test_a_kill_needs_no_limit(autojump_clock: MockClock) -> None:
    """Killed is killed, also at the moment of the limit."""
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, policy=fixed(5.0))
        ref.tell(do(1e6))
        await trio.sleep(3.0)
        ref.kill()
        assert await when_over(ref) == (3.0, ExitKind.KILLED)


async def test_a_suspended_actor_finishes_its_message_in_time_or_not(autojump_clock: MockClock) -> None:
    """The message in hand goes on, and so does its limit; what waits has none yet."""
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, name="a", policy=fixed(5.0))
        ref.tell(do(1.0))
        pending = ref.request(do(4.5))
        await wait_all_tasks_blocked()
        ref.suspend()
        await trio.sleep(100.0)
        ref.resume()
        assert await pending.wait() == 104.5
        ref.tell(do(1e6))
        await wait_all_tasks_blocked()
        ref.suspend()
        await trio.sleep(100.0)
        assert ref.statistics().failed == 1


async def test_the_end_of_the_system_is_no_failure(autojump_clock: MockClock) -> None:
    """Limits run until the last step, and nothing of them is left behind the block."""
    async with actors.open_system("s") as system:
        refs = [await system.start(Doer, policy=fixed(60.0, shutdown=2.0)) for _ in range(3)]
        for ref in refs:
            ref.tell(do(1e6))
        await trio.sleep(1.0)
    assert trio.current_time() == 3.0
    assert [ref.cell.exit.kind for ref in refs] == [ExitKind.KILLED] * 3


# --- who does not let go ------------------------------------------------------------------


async def stubborn(ctx: actors.Context) -> None:
    with trio.CancelScope(shield=True):
        await trio.sleep(9.5)


async def test_a_handler_that_swallows_its_end_is_told_of_each_second(autojump_clock: MockClock) -> None:
    """Python cannot kill it. It has been ended once, and when it is through it has failed for that reason."""
    kinds = (DeadlinePassed, Unresponsive, Failed)
    async with actors.open_system("s") as system, system.subscribe(*kinds) as events:
        ref = await system.start(Doer, policy=fixed(5.0))
        ref.tell(do(stubborn, SIGN, 3.0))
        assert await when_over(ref) == (9.5, ExitKind.TIMED_OUT)
        found = [(event.at, type(event).__name__) for event in drained(events)]
        assert found == [
            (5.0, "DeadlinePassed"),
            *[(at, "Unresponsive") for at in (6.0, 7.0, 8.0, 9.0)],
            (9.5, "Failed"),
        ]


async def test_a_handler_that_ends_in_its_own_way_was_ended_all_the_same(autojump_clock: MockClock) -> None:
    """It raises something else, or returns as if nothing had been: the reason is the limit."""

    async def raises(ctx: actors.Context) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("while it was cancelled")

    async def returns(ctx: actors.Context) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(7.0)

    async with actors.open_system("s") as system:
        for step, end in ((raises, 5.0), (returns, 7.0)):
            zero = trio.current_time()
            ref = await system.start(Doer, policy=fixed(5.0))
            ref.tell(do(step))
            at, kind = await when_over(ref)
            assert (at - zero, kind) == (end, ExitKind.TIMED_OUT)


async def test_an_answer_that_was_given_too_late_is_an_answer(autojump_clock: MockClock) -> None:
    """The asker has it, though the actor then ends."""
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, policy=fixed(5.0))
        assert await ref.ask(do(stubborn)) == 9.5
        assert await when_over(ref) == (9.5, ExitKind.TIMED_OUT)


async def test_it_is_ended_once_whatever_follows(autojump_clock: MockClock) -> None:
    """A wait that ends with it, signs of life and seconds of tidying up add nothing to the verdict."""

    async def tidies(ctx: actors.Context) -> None:
        try:
            with ctx.waiting("a person"):
                await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.5)
                ctx.progress()
                with ctx.waiting("another"):
                    await trio.sleep(100.0)

    policy = limited(Timeout("fixed", 5.0, no_activity=5.0))
    async with actors.open_system("s") as system, system.subscribe(DeadlinePassed, Failed) as events:
        ref = await system.start(Doer, policy=policy)
        ref.tell(do(tidies))
        assert await when_over(ref) == (105.5, ExitKind.TIMED_OUT)
        assert [(event.at, type(event)) for event in drained(events)] == [
            (5.0, DeadlinePassed),
            (105.5, Failed),
        ]


async def test_a_loop_that_stood_still_ends_nobody_twice(autojump_clock: MockClock) -> None:
    """Runs that are over their limits by an hour when the loop comes back: one end each, and a new start."""
    async with actors.open_system("s") as system, system.subscribe(DeadlinePassed, Failed) as events:
        refs = [await system.start(Doer, name=name, policy=fixed(5.0)) for name in ("a", "b")]
        for ref in refs:
            ref.tell(do(1e6))
        await wait_all_tasks_blocked()
        autojump_clock.jump(3600.0)
        await wait_all_tasks_blocked()
        assert [type(event) for event in drained(events)].count(Failed) == 2
        for ref in refs:
            assert await ref.ask(do(4.0)) == trio.current_time()


async def test_a_supervisor_over_its_limit_takes_its_children_with_it(autojump_clock: MockClock) -> None:
    """They end before its `on_stop`, and it starts again with none of them."""

    class Family(Doer):
        async def on_start(self) -> None:
            self.child = await self.start(doing, 1e6, name="child")

    async with actors.open_system("s") as system:
        ref = await system.start(Family, name="a", policy=fixed(5.0))
        [child] = system.children(ref)
        ref.tell(do(1e6))
        exit = await child.wait_stopped()
        assert (trio.current_time(), exit.kind) == (10.0, ExitKind.KILLED)  # its own `shutdown`
        await ref.wait_started()
        assert [one.path for one in system.children(ref)] == ["/a/child"]
        assert system.children(ref)[0] != child
