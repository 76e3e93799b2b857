"""Hooks that are plain functions, on classes that are all plain and on those with an async handler."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Generator
from typing import Any, ClassVar

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ExitKind
from actors.events import StartAttemptFailed, StopFailed
from tests.core.cast import AT_ONCE, Echo, Fail, Note, facts, settled

TAKES_NO_ROAD = True


class Hooked(actors.Actor):
    """Plain hooks that write, and do what they are told to."""

    does: ClassVar[dict[str, Any]] = {}

    def __init__(self, book: list[Any]) -> None:
        self.book = book

    def hook(self, name: str, *entry: Any) -> Any:
        self.book.append((name, *entry))
        return self.does[name](self) if name in self.does else None

    def on_start(self) -> Any:
        return self.hook("start")

    def on_stop(self, exit: actors.Exit) -> Any:
        return self.hook("stop", exit.kind.value)

    def on_unhandled(self, message: object) -> Any:
        return self.hook("unhandled")

    @actors.receive
    def note(self, message: Note) -> None:
        self.book.append(("note", message.text))


class WithTask(Hooked):
    """The same, with an async handler."""

    @actors.receive
    async def echo(self, message: Echo) -> str:
        return message.text


BOTH = pytest.mark.parametrize("base", [Hooked, WithTask])


def doing(base: type[Hooked], **does: Any) -> type[Hooked]:
    """A class whose hooks do this."""
    return type("Doing", (base,), {"does": does, "__qualname__": "Doing"})


def fail(_: Hooked) -> None:
    raise ArithmeticError("on purpose")


class Slow:
    """Something to be awaited that is no coroutine."""

    def __await__(self) -> Generator[Any, Any, None]:
        yield


async def asleep(hooked: Hooked) -> str:
    await trio.sleep(1)
    hooked.book.append("slept")
    return "slept"


@BOTH
async def test_plain_hooks_run_like_async_ones(autojump_clock: MockClock, base: type[Hooked]) -> None:
    """Before the first message, for one without a handler, and at the end."""
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(doing(base, unhandled=lambda _: "polite"), book)
        ref.tell(Note("a"))
        assert await ref.ask(Fail(ValueError())) == "polite"
        ref.tell("strange")
        await settled()
        ref.stop()
        assert (await ref.wait_stopped()).kind is ExitKind.SHUTDOWN
        assert system.dead_letters == ()
    assert book == [("start",), ("note", "a"), ("unhandled",), ("unhandled",), ("stop", "SHUTDOWN")]


@BOTH
@pytest.mark.parametrize("order", ["kill", "stop", "drain"])
async def test_a_plain_on_stop_runs_at_any_end(
    autojump_clock: MockClock, base: type[Hooked], order: str
) -> None:
    """Also with no time to stop, and of one that never took a message."""
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = await system.start(base, book, policy=actors.Policy(shutdown=0.001))
        getattr(ref, order)()
        exit = await ref.wait_stopped()
        assert book == [("start",), ("stop", exit.kind.value)]


@BOTH
async def test_the_bases_hooks_may_be_called_and_awaited(
    autojump_clock: MockClock, base: type[Hooked]
) -> None:
    """A plain hook calls them; an `async` one may await them, or not."""
    book: list[Any] = []

    class Plain(actors.Actor):
        def on_start(self) -> None:
            super().on_start()
            book.append("plain start")

        def on_stop(self, exit: actors.Exit) -> None:
            super().on_stop(exit)
            book.append("plain stop")

        def on_unhandled(self, message: object) -> Any:
            book.append("plain unhandled")
            return super().on_unhandled(message)

    class Awaiting(actors.Actor):
        async def on_start(self) -> None:
            await super().on_start()
            super().on_start()
            book.append("async start")

        async def on_stop(self, exit: actors.Exit) -> None:
            await super().on_stop(exit)
            super().on_stop(exit)
            book.append("async stop")

        async def on_unhandled(self, message: object) -> Any:
            book.append("async unhandled")
            return await super().on_unhandled(message)

    async with actors.open_system("alpha") as system:
        for what in (Plain, Awaiting):
            ref = await system.start(what)
            with pytest.raises(actors.Unhandled):
                await ref.ask(Echo())
            ref.tell("strange")
            ref.drain()
            await ref.wait_stopped()
    assert book == [
        f"{how} {hook}" for how in ("plain", "async") for hook in ("start", "unhandled", "unhandled", "stop")
    ]


async def test_a_hook_may_return_what_the_bases_hook_returned(autojump_clock: MockClock) -> None:
    """Plain code passes it on, and it is no thing to be awaited."""

    class Passing(actors.Actor):
        def on_start(self) -> Any:
            return super().on_start()

        def on_stop(self, exit: actors.Exit) -> Any:
            return super().on_stop(exit)

    async with actors.open_system("alpha") as system, system.subscribe(StopFailed) as events:
        ref = await system.start(Passing)
        ref.stop()
        await ref.wait_stopped()
        assert facts(events) == []


@pytest.mark.parametrize("awaitable", [asleep, lambda _: Slow()])
async def test_a_plain_on_start_that_returns_something_to_await_is_a_failed_start(
    autojump_clock: MockClock, awaitable: Any
) -> None:
    """With a TypeError that says the cure; nothing is left that was never awaited."""
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        with pytest.raises(actors.StartFailed) as caught:
            await system.start(doing(Hooked, start=awaitable), book, name="wrong")
        cause = caught.value.__cause__
        assert isinstance(cause, TypeError)
        assert str(cause) == (
            "Doing.on_start is plain and returned something to await: write `async def on_start`"
        )
        assert system.find("/wrong") is None
        gc.collect()
    assert book == [("start",), ("stop", "START_FAILED")]


@pytest.mark.parametrize("awaitable", [asleep, lambda _: Slow()])
async def test_a_plain_on_stop_that_returns_something_to_await_is_a_failed_stop(
    autojump_clock: MockClock, awaitable: Any
) -> None:
    """An event with a TypeError that says the cure, and not the exit."""
    async with actors.open_system("alpha") as system, system.subscribe(StopFailed) as events:
        ref = await system.start(doing(Hooked, stop=awaitable), [])
        ref.stop()
        exit = await ref.wait_stopped()
        assert (exit.kind, exit.error) == (ExitKind.SHUTDOWN, None)
        ((_, _, error),) = facts(events)
        assert isinstance(error, TypeError)
        assert "on_stop is plain and returned something to await: write `async def on_stop`" in str(error)
        gc.collect()


@pytest.mark.parametrize("hook", ["start", "stop"])
async def test_a_plain_hook_may_return_a_coroutine_where_there_is_a_task(
    autojump_clock: MockClock, hook: str
) -> None:
    """As plain wrappers around async hooks do."""
    book: list[Any] = []
    async with actors.open_system("alpha") as system, system.subscribe(StopFailed) as events:
        ref = await system.start(doing(WithTask, **{hook: asleep}), book)
        ref.stop()
        await ref.wait_stopped()
        assert facts(events) == []
    assert book.index("slept") == book.index((hook, *(["SHUTDOWN"] if hook == "stop" else []))) + 1


@BOTH
async def test_a_coroutine_of_a_plain_on_unhandled_is_awaited(
    autojump_clock: MockClock, base: type[Hooked]
) -> None:
    """It is a handler, and may wait like any."""
    async with actors.open_system("alpha") as system:
        ref = await system.start(doing(base, unhandled=asleep), [])
        assert await ref.ask(Fail(ValueError())) == "slept"
        assert trio.current_time() == pytest.approx(1.0)


@BOTH
async def test_a_plain_on_start_that_raises_is_a_failed_start(
    autojump_clock: MockClock, base: type[Hooked]
) -> None:
    """`on_stop` runs after it too, with START_FAILED; a spawned one is tried again."""
    book: list[Any] = []
    tries: list[int] = []

    def fail_once(_: Hooked) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ArithmeticError("on purpose")

    what = doing(base, start=fail_once)
    async with actors.open_system("alpha") as system, system.subscribe(StartAttemptFailed) as events:
        with pytest.raises(actors.StartFailed, match="on purpose"):
            await system.start(what, book, name="started", policy=AT_ONCE)
        ref = system.spawn(what, book, name="spawned", policy=AT_ONCE)
        ref.tell(Note("a"))
        await settled()
        assert [fact[1] for fact in facts(events)] == ["/started", "/spawned"]
        assert ref.statistics().restarts == 1
    failed = [("start",), ("stop", "START_FAILED")]
    assert book == [*failed, *failed, ("start",), ("note", "a"), ("stop", "SHUTDOWN")]


@BOTH
async def test_a_plain_on_stop_that_raises_is_an_event_and_not_the_exit(
    autojump_clock: MockClock, base: type[Hooked]
) -> None:
    async with actors.open_system("alpha") as system, system.subscribe(StopFailed) as events:
        ref = await system.start(doing(base, stop=fail), [], name="a")
        ref.stop()
        assert (await ref.wait_stopped()).kind is ExitKind.SHUTDOWN
        assert [(path, str(error)) for _, path, error in facts(events)] == [("/a", "on purpose")]


@BOTH
async def test_a_plain_on_unhandled_that_raises_is_a_failure(
    autojump_clock: MockClock, base: type[Hooked]
) -> None:
    """`Refused` is none, as in any handler."""

    def refuse(_: Hooked) -> None:
        raise actors.Refused("no")

    async with actors.open_system("alpha") as system:
        refusing = await system.start(doing(base, unhandled=refuse), [])
        with pytest.raises(actors.Refused):
            await refusing.ask(Fail(ValueError()))
        failing = await system.start(doing(base, unhandled=fail), [])
        with pytest.raises(actors.ActorFailed) as caught:
            await failing.ask(Fail(ValueError()))
        assert isinstance(caught.value.__cause__, ArithmeticError)
        assert (await failing.wait_stopped()).kind is ExitKind.FAILED


class Alarmed(BaseException):
    """Not an Exception, and nobody's to keep."""


@BOTH
@pytest.mark.parametrize("hook", ["start", "stop", "unhandled"])
async def test_a_base_exception_of_a_plain_hook_leaves_the_block(
    autojump_clock: MockClock, base: type[Hooked], hook: str
) -> None:
    book: list[Any] = []

    def alarm(_: Hooked) -> None:
        raise Alarmed(hook)

    async def play() -> None:
        async with actors.open_system("alpha") as system:
            await system.start(Hooked, book)
            ref = system.spawn(doing(base, **{hook: alarm}), [])
            ref.tell("strange")
            await settled()
            ref.stop()
            await trio.sleep_forever()

    with pytest.raises(Alarmed, match=hook):
        await play()
    assert book == [("start",), ("stop", "KILLED")]


@BOTH
async def test_a_supervisor_may_have_plain_hooks(autojump_clock: MockClock, base: type[Hooked]) -> None:
    """Its children are gone when its `on_stop` runs."""
    book: list[Any] = []

    class Crew(actors.Supervisor):
        def on_start(self) -> None:
            book.append("crew starts")
            self.spawn(base, book, name="a")

        def on_stop(self, exit: actors.Exit) -> None:
            book.append(("crew stops", self.children))

    async with actors.open_system("alpha") as system:
        crew = await system.start(Crew)
        await settled()
        crew.stop()
        await crew.wait_stopped()
    assert book == ["crew starts", ("start",), ("stop", "SHUTDOWN"), ("crew stops", ())]


def test_what_the_bases_hooks_return_can_be_awaited_often() -> None:
    """It holds nothing."""
    done = actors.Actor.on_start(object.__new__(actors.Actor))
    assert isinstance(done, Awaitable)
    assert [*done.__await__(), *done.__await__()] == []
