"""The hooks of an actor: `on_start`, `on_stop`, `on_unhandled` (contract §2)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.events import StartAttemptFailed, StopFailed
from tests.core.cast import AT_ONCE, Echo, Note, Worker, facts, settled


class Diary(actors.Actor):
    """Writes down its hooks and handlers into a list that outlives it."""

    def __init__(self, book: list[Any], *, fail_in: str = "") -> None:
        self.book = book
        self.fail_in = fail_in

    def write(self, entry: Any) -> None:
        self.book.append(entry)
        if self.fail_in == entry:
            raise RuntimeError(f"failed in {entry}")

    async def on_start(self) -> None:
        self.write("start")
        await trio.sleep(1)
        self.write("started")

    async def on_stop(self, exit: actors.Exit) -> None:
        self.book.append(f"stop {exit.kind}")
        if self.fail_in == "stop":
            raise RuntimeError("failed in stop")

    @actors.receive
    async def note(self, message: Note) -> None:
        self.write(message.text)
        await trio.sleep(1)
        self.book.append(f"{message.text} done")


async def test_messages_wait_until_on_start_has_returned(autojump_clock: MockClock) -> None:
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        diary = system.spawn(Diary, book, name="diary")
        diary.tell(Note("a"))
        await trio.sleep(0.5)
        assert (book, diary.state) == (["start"], actors.ActorState.STARTING)
        await diary.wait_started()
        assert trio.current_time() == pytest.approx(1.0)
        await trio.sleep(0.5)
        assert (book, diary.state) == (["start", "started", "a"], actors.ActorState.BUSY)


async def test_the_context_is_there_in_the_constructor(autojump_clock: MockClock) -> None:
    class Early(actors.Actor):
        def __init__(self) -> None:
            self.path = self.ctx.ref.path

        @actors.receive
        def echo(self, message: Echo) -> str:
            return self.path

    async with actors.open_system("alpha") as system:
        assert await system.spawn(Early, name="early").ask(Echo()) == "/early"


def _generator(self: Any, *exit: Any) -> Any:
    yield


async def _async_generator(self: Any, *exit: Any) -> Any:
    yield


@pytest.mark.parametrize("wrong", [5, _generator, _async_generator])
@pytest.mark.parametrize("hook", ["on_start", "on_stop", "on_unhandled"])
def test_a_hook_that_is_no_function_raises_when_the_class_is_defined(hook: str, wrong: Any) -> None:
    """A generator would be made and never run."""
    with pytest.raises(TypeError, match=f"Hooked.{hook} is not a function: write `async def {hook}"):
        type("Hooked", (actors.Actor,), {hook: wrong})


@pytest.mark.parametrize("hook", ["on_start", "on_stop", "on_unhandled"])
def test_a_wrong_hook_of_a_mixin_raises_when_the_actor_class_is_defined(hook: str) -> None:
    mixin = type("Mixin", (), {hook: _generator})
    with pytest.raises(TypeError, match=f"Hooked.{hook} is not a function: write `async def {hook}"):
        type("Hooked", (mixin, actors.Actor), {})


async def test_on_unhandled_may_answer_instead(autojump_clock: MockClock) -> None:
    class Polite(actors.Actor):
        async def on_unhandled(self, message: object) -> object:
            return f"no idea about {type(message).__name__}"

    async with actors.open_system("alpha") as system:
        polite = system.spawn(Polite)
        polite.tell("what?")
        assert await polite.ask(Echo()) == "no idea about Echo"
        assert system.dead_letters == ()


async def test_on_stop_runs_also_after_a_kill(autojump_clock: MockClock) -> None:
    """The handler at work is cancelled, the hook is not."""
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        diary = await system.start(Diary, book, name="diary")
        diary.tell(Note("a"))
        await settled()
        diary.kill()
        exit = await diary.wait_stopped()
        assert (exit.kind, trio.current_time()) == (actors.ExitKind.KILLED, pytest.approx(1.0))
    assert book == ["start", "started", "a", "stop KILLED"]


async def test_on_stop_runs_after_a_failure_and_before_the_next_start(autojump_clock: MockClock) -> None:
    book: list[Any] = []

    class Failing(Diary):
        def __init__(self, book: list[Any]) -> None:
            super().__init__(book, fail_in="a")

    async with actors.open_system("alpha") as system:
        diary = await system.start(Failing, book, name="diary", policy=AT_ONCE)
        diary.tell(Note("a"))
        await settled()
        await diary.wait_started()
    assert book == ["start", "started", "a", "stop FAILED", "start", "started", "stop SHUTDOWN"]


async def test_a_failing_on_start_is_a_failed_start(autojump_clock: MockClock) -> None:
    """`on_stop` runs after it too, with START_FAILED."""
    book: list[Any] = []

    class Failing(Diary):
        def __init__(self, book: list[Any]) -> None:
            super().__init__(book, fail_in="started")

    async with actors.open_system("alpha") as system, system.subscribe(StartAttemptFailed) as events:
        with pytest.raises(actors.StartFailed, match="failed in started") as caught:
            await system.start(Failing, book, name="diary")
        assert isinstance(caught.value.__cause__, RuntimeError)
        assert [fact[:2] for fact in facts(events)] == [("StartAttemptFailed", "/diary")]
        assert system.find("/diary") is None
    assert book == ["start", "started", "stop START_FAILED"]


async def test_a_failing_on_stop_is_an_event_and_not_the_exit(autojump_clock: MockClock) -> None:
    class Failing(Diary):
        def __init__(self, book: list[Any]) -> None:
            super().__init__(book, fail_in="stop")

    async with actors.open_system("alpha") as system, system.subscribe(StopFailed) as events:
        diary = await system.start(Failing, [], name="diary")
        diary.stop()
        exit = await diary.wait_stopped()
        assert (exit.kind, exit.error) == (actors.ExitKind.SHUTDOWN, None)
        assert [(kind, path, str(error)) for kind, path, error in facts(events)] == [
            ("StopFailed", "/diary", "failed in stop")
        ]


async def test_an_error_in_on_unhandled_is_a_failure(autojump_clock: MockClock) -> None:
    class Strict(Worker):
        async def on_unhandled(self, message: object) -> object:
            raise TypeError(f"{message!r} is not for me")

    async with actors.open_system("alpha") as system:
        exit_ref = system.spawn(Strict)
        exit_ref.tell("what?")
        exit = await exit_ref.wait_stopped()
        assert (exit.kind, exit.reason) == (actors.ExitKind.FAILED, "TypeError: 'what?' is not for me")


async def test_a_constructor_that_raises_is_a_failed_start_without_on_stop(autojump_clock: MockClock) -> None:
    """There is no object whose `on_stop` could run."""
    stopped: list[Any] = []

    class Broken(Diary):
        def __init__(self) -> None:
            super().__init__(stopped)
            raise ValueError("no parts")

    async with actors.open_system("alpha") as system:
        with pytest.raises(actors.StartFailed, match="no parts"):
            await system.start(Broken)
    assert stopped == []


async def test_one_message_is_handled_at_a_time_in_the_order_of_sending(autojump_clock: MockClock) -> None:
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        diary = await system.start(Diary, book, name="diary")
        for text in "abc":
            diary.tell(Note(text))
        diary.drain()
        await diary.wait_stopped()
    assert book == ["start", "started", "a", "a done", "b", "b done", "c", "c done", "stop SHUTDOWN"]
