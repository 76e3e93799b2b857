"""An actor of plain code that is asked while it rests answers in the asker's step."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState, ExitKind
from tests.core.cast import AT_ONCE, Echo, Note, settled


class Plain(actors.Actor):
    """Says what it is asked, and may do something first."""

    def __init__(self, first: Callable[[actors.Context], object] | None = None) -> None:
        self.first = first
        self.noted: list[str] = []

    @actors.receive
    def note(self, message: Note) -> None:
        self.noted.append(message.text)

    @actors.receive
    def echo(self, message: Echo) -> str:
        if self.first is not None:
            self.first(self.ctx)
        return message.text or ",".join(self.noted)


class Steps(trio.abc.Instrument):
    """Counts the steps of tasks other than the one that made it."""

    def __init__(self) -> None:
        self.asker = trio.lowlevel.current_task()
        self.others = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.others += task is not self.asker


async def test_no_other_task_runs_for_it(autojump_clock: MockClock, on_road: str) -> None:
    async with actors.open_system("alpha", watchdog=None) as system:
        plain = await system.start(Plain)
        await settled()
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        assert await plain.ask(Echo("now"), timeout=5) == "now"
        trio.lowlevel.remove_instrument(steps)
        assert (steps.others == 0) is (on_road == "dispatcher")
        assert system.statistics().alarms == 0


async def test_what_was_told_before_is_handled_before(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        plain = await system.start(Plain)
        plain.tell(Note("one"))
        plain.tell(Note("two"))
        assert await plain.ask(Echo()) == "one,two"


async def test_it_is_a_checkpoint_and_does_nothing_when_cancelled(
    autojump_clock: MockClock, on_road: str
) -> None:
    done: list[Any] = []
    async with actors.open_system("alpha") as system:
        plain = await system.start(Plain, done.append)
        await settled()
        with trio.CancelScope() as scope:
            scope.cancel()
            await plain.ask(Echo("never"))
        assert scope.cancelled_caught
        await settled()
        assert plain.state is ActorState.IDLE
        assert on_road == "tasks" or not done  # a task may have taken it before the asker left
        assert await plain.ask(Echo("after")) == "after"


async def test_its_limit_counts_from_the_ask(autojump_clock: MockClock) -> None:
    """Also when the handler computes for a while and puts the reply off."""

    def compute(ctx: actors.Context) -> None:
        autojump_clock.jump(3.0)
        ctx.reply_later()

    async with actors.open_system("alpha") as system:
        plain = await system.start(Plain, compute)
        await settled()
        began = trio.current_time()
        with pytest.raises(actors.AskTimeout):
            await plain.ask(Echo(), timeout=5)
        assert trio.current_time() - began == pytest.approx(5.0)


async def test_a_wrong_limit_or_request_leaves_it_as_it_was(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        plain = await system.start(Plain)
        await settled()
        with pytest.raises(ValueError, match="timeout"):
            await plain.ask(Echo(), timeout=-1)
        with pytest.raises(TypeError):
            await plain.ask(Note())  # type: ignore[arg-type]
        assert (plain.state, plain.statistics().depth["normal"]) == (ActorState.IDLE, 0)
        assert await plain.ask(Echo("well")) == "well"


async def test_a_failure_in_it_is_judged_like_any(autojump_clock: MockClock) -> None:
    def crash(ctx: actors.Context) -> None:
        raise RuntimeError("in the asker's step")

    async with actors.open_system("alpha") as system:
        plain = await system.start(Plain, crash, name="plain", policy=AT_ONCE)
        await settled()
        with pytest.raises(actors.ActorFailed):
            await plain.ask(Echo("x"))
        await settled()
        assert (plain.state, plain.statistics().restarts) == (ActorState.IDLE, 1)


@pytest.mark.parametrize("order", ["stop", "drain", "kill", "suspend"])
async def test_an_order_from_its_own_handler_is_obeyed(autojump_clock: MockClock, order: str) -> None:
    """When the handler has returned, and answered."""
    async with actors.open_system("alpha") as system:
        plain = await system.start(Plain, lambda ctx: getattr(ctx.ref, order)())
        await settled()
        assert await plain.ask(Echo("x")) == "x"
        await settled()
        assert plain.state == ("SUSPENDED" if order == "suspend" else "STOPPED")


async def test_an_asker_deep_in_the_stack_neither_deafens_it_nor_ends_the_system(
    autojump_clock: MockClock,
) -> None:
    """Whatever the depth at which the stack has no room left."""

    async def ask_below(levels: int, ref: actors.Ref) -> str:
        if levels:
            return await ask_below(levels - 1, ref)
        return await ref.ask(Echo("deep"))

    async with actors.open_system("alpha") as system:
        plain = await system.start(Plain, name="plain", policy=AT_ONCE)
        failed, used, frame = 0, 0, sys._getframe()
        while frame is not None:
            used, frame = used + 1, frame.f_back
        room = sys.getrecursionlimit() - used
        for levels in range(20, room + 5):
            await settled()
            try:
                assert await ask_below(levels, plain) == "deep"
            except (RecursionError, actors.ActorFailed):
                failed += 1
            await settled()
            assert await plain.ask(Echo("shallow")) == "shallow"
        assert 0 < failed < room - 20  # a tracer takes a part of the stack for itself


async def test_one_turn_at_a_time_where_a_clock_stands_still(autojump_clock: MockClock) -> None:
    """Actors that each make the next, tell it and end let others run."""
    handled = 0

    class Relay(actors.Actor):
        @actors.receive
        def note(self, message: Note) -> None:
            nonlocal handled
            handled += 1
            self.ctx.system.spawn(Relay).tell(message)
            self.ctx.stop()

    async with actors.open_system("alpha") as system:
        system.spawn(Relay).tell(Note())
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        assert 0 < handled < 20_000
        system.stop()
        await trio.sleep_forever()


class Wrapped(actors.Actor):
    """A handler that seems plain, and waits."""

    @actors.receive
    def echo(self, message: Echo) -> Any:
        return self._answer(message)

    async def _answer(self, message: Echo) -> str:
        await trio.sleep(2)
        if not message.text:
            raise actors.Refused("nothing to say")
        return message.text


async def test_what_turns_out_to_wait_can_be_interrupted_from_its_first_moment(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("alpha") as system:
        for _ in range(10):
            wrapped = await system.start(Wrapped)
            pending = wrapped.request(Echo("x"))
            while wrapped.state != "BUSY":
                await trio.lowlevel.checkpoint()
            assert await wrapped.interrupt() is True
            with pytest.raises(actors.Interrupted):
                await pending.wait()
            assert await wrapped.ask(Echo("again")) == "again"


@pytest.mark.parametrize("text", ["", "said"])
async def test_what_turns_out_to_wait_is_measured_like_any_run(autojump_clock: MockClock, text: str) -> None:
    """Three runs of two seconds make an adaptive limit of two seconds, refused or not."""
    policy = actors.Policy(timeout=actors.Timeout("adaptive", initial=60, maximum=300))
    async with actors.open_system("alpha") as system:
        for _ in range(3):
            wrapped = await system.start(Wrapped, name="x", policy=policy)
            pending = wrapped.request(Echo(text))
            await trio.sleep(3)
            assert pending.done
            wrapped.stop()
            await wrapped.wait_stopped()
        assert [list(runs) for runs in system._durations._runs.values()] == [[pytest.approx(2.0)] * 3]


async def test_a_shutdown_bounds_what_turns_out_to_wait(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        wrapped = await system.start(Wrapped, policy=actors.Policy(shutdown=0.5))
        wrapped.tell(Echo("x"))
        await settled()
        wrapped.stop()
        assert (await wrapped.wait_stopped()).kind is ExitKind.KILLED
        assert trio.current_time() == pytest.approx(0.5)


async def test_jobs_of_plain_classes_start_in_input_order(autojump_clock: MockClock) -> None:
    """They do not queue behind the turns of others."""
    started: list[str] = []

    class Busy(actors.Actor):
        @actors.receive
        def note(self, message: Note) -> None:
            self.ctx.ref.tell(message)

    class First(actors.Actor):
        def __init__(self) -> None:
            started.append("first")
            self.ctx.stop()

    async def second(ctx: actors.Context) -> None:
        started.append("second")

    async with actors.open_system("alpha") as system:
        for _ in range(20):
            system.spawn(Busy).tell(Note())
        await trio.lowlevel.checkpoint()
        await system.run_jobs([actors.Job(First), actors.Job(second), actors.Job(second)])
        assert started == ["first", "second", "second"]
        system.stop()
        await trio.sleep_forever()
