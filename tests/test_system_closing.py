"""Closing a system: `stop`, `wait_stopped`, and what a closed one refuses (contract §4)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from tests.core.cast import Echo, Note, Worker


class Diary(Worker):
    """Writes its exit into a list."""

    def __init__(self, exits: list[Any]) -> None:
        super().__init__()
        self.exits = exits

    async def on_stop(self, exit: actors.Exit) -> None:
        self.exits.append((self.ctx.ref.path, exit.kind))


class Boss(actors.Supervisor):
    """Two diaries below, and a diary of its own."""

    def __init__(self, exits: list[Any]) -> None:
        self.exits = exits

    async def on_start(self) -> None:
        await self.start(Diary, self.exits, name="one")
        await self.start(Diary, self.exits, name="two")

    async def on_stop(self, exit: actors.Exit) -> None:
        self.exits.append((self.ctx.ref.path, exit.kind))


async def test_stop_ends_the_system_and_cancels_the_body(autojump_clock: MockClock) -> None:
    """In order, without an exception; idempotent."""
    exits: list[Any] = []
    async with actors.open_system("alpha") as system:
        await system.start(Boss, exits, name="boss")
        system.stop()
        system.stop()
        await trio.sleep_forever()
    assert exits == [("/boss/two", "SHUTDOWN"), ("/boss/one", "SHUTDOWN"), ("/boss", "SHUTDOWN")]
    assert trio.current_time() == pytest.approx(0.0)


async def test_an_actor_may_stop_its_system(autojump_clock: MockClock) -> None:
    """Its own handler is finished first."""
    done = []

    class Ender(actors.Actor):
        @actors.receive
        async def end(self, message: Note) -> None:
            self.ctx.system.stop()
            await trio.sleep(1)
            done.append(trio.current_time())

    async with actors.open_system("alpha") as system:
        system.spawn(Ender).tell(Note())
        await trio.sleep_forever()
    assert done == [pytest.approx(1.0)]


@pytest.mark.parametrize("order", ["stop", "drain", "kill"])
async def test_an_order_to_the_root_ends_the_system_and_cancels_the_body(
    autojump_clock: MockClock, order: str
) -> None:
    """By its ref, also as the parent of an actor: as `system.stop()`, and nothing starts any more."""

    class Ender(actors.Actor):
        @actors.receive
        def end(self, message: Note) -> None:
            getattr(self.ctx.parent, order)()
            with pytest.raises(actors.SystemClosed):
                self.ctx.system.spawn(Worker)

    with trio.move_on_after(10) as scope:
        async with actors.open_system("alpha") as system:
            ender = system.spawn(Ender)
            ender.tell(Note())
            await trio.sleep_forever()
    assert (scope.cancelled_caught, trio.current_time()) == (False, pytest.approx(0.0))
    assert not (await ender.wait_stopped()).kind.is_failure


async def test_wait_stopped_returns_when_nothing_lives_any_more(autojump_clock: MockClock) -> None:
    """For a task outside the block."""

    class Slow(Worker):
        async def on_stop(self, exit: actors.Exit) -> None:
            await trio.sleep(3)

    returned: list[float] = []

    async def outside(system: actors.System) -> None:
        await system.wait_stopped()
        returned.append(trio.current_time())
        assert system.tree().children == ()

    async with trio.open_nursery() as nursery, actors.open_system("alpha") as system:
        nursery.start_soon(outside, system)
        await system.start(Slow)
        await trio.sleep(2)
    assert returned == [pytest.approx(5.0)]
    with trio.testing.assert_checkpoints():
        await system.wait_stopped()


async def test_a_closed_system_starts_nothing(autojump_clock: MockClock) -> None:
    """`SystemClosed` names the system; from the moment of the stop on, also inside the block."""
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        system.stop()
        with pytest.raises(actors.SystemClosed, match="'alpha' is closed"):
            system.spawn(Worker)
    for _ in range(2):
        with pytest.raises(actors.SystemClosed) as caught:
            system.spawn(Worker, name="late")
        with pytest.raises(actors.SystemClosed):
            await system.start(Worker)
        assert caught.value.system == "alpha"
    assert (worker.state, system.find("/late")) == ("STOPPED", None)


async def test_a_supervisor_of_a_closing_system_starts_nothing(autojump_clock: MockClock) -> None:
    raised: list[type] = []

    class Late(actors.Supervisor):
        async def on_stop(self, exit: actors.Exit) -> None:
            try:
                self.spawn(Worker)
            except actors.ActorError as error:
                raised.append(type(error))

    async with actors.open_system("alpha") as system:
        await system.start(Late)
    assert raised == [actors.SystemClosed]


async def test_a_system_inside_an_actor_is_refused(autojump_clock: MockClock) -> None:
    """Its tasks would have no supervisor; the text says what to do instead."""

    async def nesting(ctx: actors.Context) -> None:
        async with actors.open_system("inner"):
            pass

    async with actors.open_system("alpha") as system:
        exit = await system.spawn(nesting).wait_stopped()
        assert isinstance(exit.error, actors.NestedSystem)
        assert exit.error.path.startswith("/~")
        assert "self.ctx.system.spawn" in str(exit.error)


async def test_systems_may_stand_inside_and_beside_each_other_outside_actors(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("alpha") as one, actors.open_system("beta") as two:
        ones, twos = one.spawn(Worker, name="worker"), two.spawn(Worker, name="worker")
        assert [await ones.ask(Echo("1")), await twos.ask(Echo("2"))] == ["1", "2"]
        assert (ones.node, twos.node) == ("alpha", "beta")


async def test_a_block_is_entered_once_a_call(autojump_clock: MockClock) -> None:
    """Two blocks of one name are two systems, one after the other."""
    names = []
    for _ in range(2):
        async with actors.open_system("alpha") as system:
            names.append((system.name, system.spawn(Worker, name="worker").path))
    assert names == [("alpha", "/worker")] * 2
