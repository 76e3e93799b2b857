"""An actor that always has work starves nobody, and can always be stopped."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

import actors
from actors import ExitKind
from tests.core.cast import Echo, Worker, settled


class Endless(actors.Actor):
    """Tells itself a message for each one it takes, and never waits."""

    def __init__(self) -> None:
        self.taken = 0

    @actors.receive
    def again(self, message: int) -> None:
        self.taken += 1
        self.ctx.ref.tell(message + 1)

    @actors.receive
    async def echo(self, message: Echo) -> int:
        return self.taken


class EndlessAsync(Endless):
    @actors.receive
    async def again(self, message: int) -> None:
        self.taken += 1
        self.ctx.ref.tell(message + 1)


async def endless(ctx: actors.Context) -> None:
    async for message in ctx.inbox:
        ctx.ref.tell(message + 1)


@pytest.mark.parametrize("what", [Endless, EndlessAsync, endless])
async def test_others_run_while_one_never_waits(autojump_clock: MockClock, what: Any) -> None:
    """Between two turns of another task it handles a bounded number of messages."""
    async with actors.open_system("alpha") as system:
        busy, other = system.spawn(what), system.spawn(Worker)
        busy.tell(0)
        for n in range(20):
            before = busy.statistics().handled
            assert await other.ask(Echo(str(n))) == str(n)
            assert busy.statistics().handled - before <= 2000
        assert busy.statistics().handled >= 20
        busy.kill()


@pytest.mark.parametrize("order", ["stop", "drain", "kill"])
@pytest.mark.parametrize("what", [Endless, EndlessAsync, endless])
async def test_one_that_never_waits_is_stopped(autojump_clock: MockClock, what: Any, order: str) -> None:
    """Without its time running out: what it tells itself while it drains is refused."""
    async with actors.open_system("alpha") as system:
        busy = system.spawn(what)
        busy.tell(0)
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        getattr(busy, order)()
        exit = await busy.wait_stopped()
        assert exit.kind is (ExitKind.KILLED if order == "kill" else ExitKind.SHUTDOWN)
        assert trio.current_time() == pytest.approx(0.0)
        assert len(system.dead_letters) <= 2


async def test_an_asker_is_answered_by_one_that_never_waits(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        busy = system.spawn(Endless)
        busy.tell(0)
        first = await busy.ask(Echo())
        second = await busy.ask(Echo())
        assert 0 <= first < second
        busy.kill()


class Sink(actors.Actor):
    @actors.receive
    def take(self, message: int) -> None: ...


async def sink(ctx: actors.Context) -> None:
    async for _ in ctx.inbox:
        pass


@pytest.mark.parametrize("what", [Sink, sink])
async def test_a_long_queue_is_handled_in_batches(autojump_clock: MockClock, what: Any, on_road: str) -> None:
    """A thousand waiting messages cost far fewer task switches than messages, but more than one."""

    class Steps(trio.abc.Instrument):
        count = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.count += task.name in ("/sink", "dispatcher of alpha")

    async with actors.open_system("alpha") as system:
        ref = await system.start(what, name="sink")
        ref.suspend()
        for n in range(1000):
            ref.tell(n)
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        ref.resume()
        await settled()
        trio.lowlevel.remove_instrument(steps)
        assert ref.statistics().handled == 1000
        has_task = on_road == "tasks" or what is sink
        assert (1000 / 128 if has_task else 2) <= steps.count <= 100
