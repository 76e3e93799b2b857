"""How the block of a system ends, and what it raises (contract §4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ExitKind
from tests.core.cast import AT_ONCE, Die, Echo, Fail, Sleep, Worker, settled


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


@actors.message
class Raise:
    error: BaseException


class Raiser(actors.Actor):
    @actors.receive
    async def throw(self, message: Raise) -> None:
        raise message.error


@contextmanager
def what_is_raised() -> Iterator[list[BaseException]]:
    """The one exception that leaves the block, or nothing."""
    raised: list[BaseException] = []
    try:
        yield raised
    except BaseException as error:
        raised.append(error)


GIVES_UP = actors.OneForOne(max_restarts=0)


async def test_leaving_the_block_stops_the_tree_children_before_parents(autojump_clock: MockClock) -> None:
    """In reverse start order, each in time."""
    exits: list[Any] = []
    async with actors.open_system("alpha") as system:
        await system.start(Diary, exits, name="first")
        await system.start(Boss, exits, name="boss")
    assert exits == [
        ("/boss/two", "SHUTDOWN"),
        ("/boss/one", "SHUTDOWN"),
        ("/boss", "SHUTDOWN"),
        ("/first", "SHUTDOWN"),
    ]
    assert repr(system) == "<System 'alpha' closed, 0 children>"


async def test_leaving_the_block_finishes_what_is_in_hand(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        pending = worker.request(Sleep(3))
        await settled()
    assert (await pending.wait(), trio.current_time()) == ("slept", pytest.approx(3.0))


async def test_an_error_of_the_body_is_raised_plain_and_every_actor_is_cancelled(
    autojump_clock: MockClock,
) -> None:
    exits: list[Any] = []
    error = ValueError("mine")
    with what_is_raised() as raised:
        async with actors.open_system("alpha") as system:
            await system.start(Boss, exits, name="boss")
            worker = await system.start(Worker)
            worker.tell(Sleep(60))
            await settled()
            raise error
    assert (raised, error.__cause__) == ([error], None)
    assert (await worker.wait_stopped()).kind is ExitKind.KILLED
    assert trio.current_time() == pytest.approx(0.0)
    assert sorted(exits) == [("/boss", "KILLED"), ("/boss/one", "KILLED"), ("/boss/two", "KILLED")]


async def test_a_group_of_the_body_passes_as_it_is(autojump_clock: MockClock) -> None:
    group = ExceptionGroup("mine", [ValueError(), ExceptionGroup("inner", [KeyError()])])
    with what_is_raised() as raised:
        async with actors.open_system("alpha"):
            raise group
    assert raised == [group]


async def test_a_root_that_gives_up_raises_supervisor_failed_and_cancels_the_body(
    autojump_clock: MockClock,
) -> None:
    """One plain exception; what the child raised is at the end of its chain of causes."""
    body = []
    with what_is_raised() as raised:
        async with actors.open_system("alpha", strategy=GIVES_UP) as system:
            worker = system.spawn(Worker, name="worker", policy=AT_ONCE)
            worker.tell(Die("first cause"))
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                body.append("cancelled")
                raise
    (failed,) = raised
    assert isinstance(failed, actors.SupervisorFailed)
    assert (body, failed.system) == (["cancelled"], "alpha")
    assert "the root supervisor of the system 'alpha' gave up" in str(failed)
    exhausted = failed.__cause__
    assert isinstance(exhausted, actors.RestartsExhausted)
    assert (exhausted.child, exhausted.restarts) == (worker, 0)
    assert str(exhausted.__cause__) == "first cause"
    assert trio.current_time() == pytest.approx(0.0)


async def test_two_causes_are_one_flat_group_without_cancelled(autojump_clock: MockClock) -> None:
    with what_is_raised() as raised:
        async with actors.open_system("alpha", strategy=GIVES_UP) as system:
            system.spawn(Worker, name="worker", policy=AT_ONCE).tell(Die())
            try:
                await trio.sleep_forever()
            finally:
                raise ExceptionGroup("mine", [ValueError("body"), ExceptionGroup("inner", [KeyError("in")])])
    (group,) = raised
    assert type(group) is ExceptionGroup
    assert [type(error) for error in group.exceptions] == [
        ValueError,
        KeyError,
        actors.SupervisorFailed,
    ]


@pytest.mark.parametrize("where", ["top", "below a supervisor"])
async def test_a_fault_in_the_judgement_of_a_failure_ends_the_system_with_it(
    autojump_clock: MockClock, where: str
) -> None:
    """A random source that raises, say: nothing hangs, everybody else ends in order, nobody is restarted."""
    exits: list[Any] = []
    error = OSError("no entropy")

    class Broken(Random):
        def random(self) -> float:
            raise error

    class Nest(actors.Supervisor):
        async def on_start(self) -> None:
            await self.start(Worker, name="worker")

    with what_is_raised() as raised:
        async with actors.open_system("alpha", random=Broken()) as system:
            await system.start(Diary, exits, name="other")
            if where == "top":
                worker: Any = await system.start(Worker, name="worker")
            else:
                await system.start(Nest, name="nest")
                worker = system.find("/nest/worker")
            worker.tell(Die("its own"))
            with trio.move_on_after(10):
                await trio.sleep_forever()
    assert raised == [error]
    exit = await worker.wait_stopped()
    assert (exit.kind, exit.reason) == (ExitKind.FAILED, "RuntimeError: its own")
    assert (exits, trio.current_time()) == ([("/other", "KILLED")], pytest.approx(0.0))


@pytest.mark.parametrize("reply", ["in hand", "put off"])
async def test_a_fault_in_the_judgement_of_a_failure_leaves_no_asker_behind(
    autojump_clock: MockClock, reply: str
) -> None:
    """One outside the block hears of the failure at once."""
    error = OSError("no entropy")
    heard: list[Any] = []

    class Broken(Random):
        def random(self) -> float:
            raise error

    class Later(Worker):
        @actors.receive
        def echo(self, message: Echo) -> None:
            self.ctx.reply_later()

    async def ask(ref: actors.Ref, request: actors.Request[Any]) -> None:
        with trio.fail_after(100), pytest.raises(actors.ActorFailed) as caught:
            await ref.ask(request)
        heard.append((str(caught.value.__cause__), trio.current_time()))

    async with trio.open_nursery() as outside:
        with what_is_raised() as raised:
            async with actors.open_system("alpha", random=Broken()) as system:
                later = await system.start(Later, name="later")
                own = ValueError("its own")
                outside.start_soon(ask, later, Fail(own) if reply == "in hand" else Echo())
                await settled()
                later.tell(Fail(own))
                await trio.sleep(10)
    assert (raised, heard) == ([error], [("its own", pytest.approx(0.0))])


async def test_a_body_with_a_nursery_is_cancelled_without_a_trace(autojump_clock: MockClock) -> None:
    """The Cancelled of several tasks of the body are no causes."""
    with what_is_raised() as raised:
        async with actors.open_system("alpha", strategy=GIVES_UP) as system, trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(trio.sleep_forever)
            system.spawn(Worker, name="worker", policy=AT_ONCE).tell(Die())
    assert [type(error) for error in raised] == [actors.SupervisorFailed]


async def test_cancellation_from_outside_passes_through(autojump_clock: MockClock) -> None:
    """Every actor is cancelled at once, its `on_stop` runs, and the scope outside catches it."""
    exits: list[Any] = []
    with trio.move_on_after(5) as scope:
        async with actors.open_system("alpha") as system:
            await system.start(Boss, exits, name="boss")
            worker = await system.start(Worker, policy=actors.Policy(shutdown=60.0))
            worker.tell(Sleep(1000))
            await trio.sleep_forever()
    assert (scope.cancelled_caught, trio.current_time()) == (True, pytest.approx(5.0))
    assert (await worker.wait_stopped()).kind is ExitKind.KILLED
    assert sorted(exits) == [("/boss", "KILLED"), ("/boss/one", "KILLED"), ("/boss/two", "KILLED")]


async def test_cancellation_while_the_block_closes_cancels_the_rest(autojump_clock: MockClock) -> None:
    """The orderly end is given up: what is in hand for 60 s ends at the outer limit."""
    with trio.move_on_after(5) as scope:
        async with actors.open_system("alpha", policy=actors.Policy(shutdown=100.0)) as system:
            worker = await system.start(Worker)
            worker.tell(Sleep(60))
            await settled()
    assert (scope.cancelled_caught, trio.current_time()) == (True, pytest.approx(5.0))
    assert (await worker.wait_stopped()).kind is ExitKind.KILLED


async def test_cancelled_before_the_body_nothing_is_left(autojump_clock: MockClock) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        async with actors.open_system("alpha"):
            await trio.sleep_forever()
    assert scope.cancelled_caught


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(3)], ids=lambda error: type(error).__name__
)
@pytest.mark.parametrize(
    "where", ["handler", "body", "function", "on_start", "on_stop", "below a supervisor"]
)
async def test_what_is_no_exception_leaves_the_block_plain(
    autojump_clock: MockClock, where: str, error: BaseException
) -> None:
    """It is never swallowed and nothing restarts; the other actors end in order."""
    exits: list[Any] = []

    async def function(ctx: actors.Context) -> None:
        raise error

    async def hook(self: Any, *exit: Any) -> None:
        raise error

    class Nest(actors.Supervisor):
        async def on_start(self) -> None:
            self.spawn(function, name="deep", policy=AT_ONCE)

    with what_is_raised() as raised:
        async with actors.open_system("alpha") as system:
            await system.start(Diary, exits, name="other")
            if where == "handler":
                system.spawn(Raiser, name="raiser", policy=AT_ONCE).tell(Raise(error))
            elif where == "body":
                raise error
            elif where == "function":
                system.spawn(function, name="raiser", policy=AT_ONCE)
            elif where == "below a supervisor":
                system.spawn(Nest, name="nest", policy=AT_ONCE)
            else:
                hooked = system.spawn(type("Hooked", (Worker,), {where: hook}), name="raiser", policy=AT_ONCE)
                await settled()
                hooked.stop()
            await trio.sleep(1)
    assert raised == [error]
    assert [path for path, _ in exits] == ["/other"]


async def test_an_interrupt_wins_over_other_causes(autojump_clock: MockClock) -> None:
    """Ctrl-C leaves the block as a plain KeyboardInterrupt, whatever else went wrong."""
    with what_is_raised() as raised:
        async with actors.open_system("alpha") as system:
            system.spawn(Raiser, name="raiser").tell(Raise(KeyboardInterrupt()))
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("body")
    assert [type(error) for error in raised] == [KeyboardInterrupt]


async def test_an_interrupt_in_nurseries_of_the_body_leaves_the_block_plain(
    autojump_clock: MockClock,
) -> None:
    """The groups of the nurseries stay behind, and so do the other errors in them."""

    async def strike(error: BaseException) -> None:
        raise error

    with what_is_raised() as raised:
        async with (
            actors.open_system("alpha"),
            trio.open_nursery() as outer,
            trio.open_nursery() as inner,
        ):
            outer.start_soon(strike, ValueError())
            inner.start_soon(strike, KeyboardInterrupt())
    assert [type(error) for error in raised] == [KeyboardInterrupt]
