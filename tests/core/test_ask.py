"""Asking: the reply, every way in which it fails, and when (contract §3)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState, ExitKind
from tests.core.cast import AT_ONCE, Echo, Fail, Note, Sleep, Worker, settled


async def ask_later(ref: actors.Ref, request: actors.Request[Any], results: dict[str, Any]) -> None:
    """Ask, and note the reply, or the kind of the error, together with the time."""
    kind = type(request).__name__
    try:
        results[kind] = (await ref.ask(request), trio.current_time())
    except actors.ActorError as error:
        results[kind] = (type(error), trio.current_time())


async def test_a_failing_handler_is_actor_failed_with_the_cause(autojump_clock: MockClock) -> None:
    cause = ValueError("bad wheel")
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker, name="worker", policy=AT_ONCE)
        with pytest.raises(actors.ActorFailed) as caught:
            await worker.ask(Fail(cause))
        assert caught.value.__cause__ is cause
        assert str(caught.value) == "/worker failed while handling the request: ValueError: bad wheel"


@pytest.mark.parametrize("error", [actors.AskTimeout, actors.MailboxFull], ids=lambda kind: kind.__name__)
async def test_an_error_of_the_framework_in_a_handler_is_a_failure_like_any(
    autojump_clock: MockClock, error: type[actors.ActorError]
) -> None:
    """Only `Refused` and its own `Unhandled` are answers."""
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker, name="worker", policy=AT_ONCE)
        cause = error(worker, Echo(), 1.0, "IDLE") if error is actors.AskTimeout else error(worker, Echo(), 1)
        with pytest.raises(actors.ActorFailed) as caught:
            await worker.ask(Fail(cause))
        assert caught.value.__cause__ is cause


async def test_unhandled_by_another_actor_is_a_failure_of_this_one(autojump_clock: MockClock) -> None:
    """`Unhandled` answers only for the message in hand."""

    class Empty(actors.Actor): ...

    class Front(actors.Actor):
        @actors.receive
        async def echo(self, message: Echo) -> str:
            return await self.ctx.system.spawn(Empty).ask(message)

    async with actors.open_system("alpha") as system:
        front = system.spawn(Front)
        with pytest.raises(actors.ActorFailed, match="Unhandled"):
            await front.ask(Echo())


async def test_a_stopped_callee_ends_the_ask_at_once(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker, name="worker")
        worker.stop()
        exit = await worker.wait_stopped()
        with pytest.raises(actors.ActorStopped, match=r"^/worker has stopped \(stopped\)") as caught:
            await worker.ask(Echo(), timeout=60)
        assert (caught.value.ref, caught.value.exit) == (worker, exit)
        assert trio.current_time() == pytest.approx(0.0)


async def test_a_callee_that_failed_for_good_is_the_cause(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker)
        with pytest.raises(actors.ActorFailed):
            await worker.ask(Fail(ValueError("first")))
        with pytest.raises(actors.ActorStopped, match="ValueError: first") as caught:
            await worker.ask(Echo(), timeout=60)
        assert isinstance(caught.value.__cause__, ValueError)


async def test_a_stopping_callee_ends_the_ask_at_once(autojump_clock: MockClock) -> None:
    """Also the queued ones, at the moment of the stop; the one in hand still gets its reply."""
    results: dict[str, Any] = {}
    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        worker = system.spawn(Worker, name="worker")
        nursery.start_soon(ask_later, worker, Sleep(2), results)
        await settled()
        nursery.start_soon(ask_later, worker, Echo("queued"), results)
        await settled()
        worker.stop()
        with pytest.raises(actors.ActorStopped, match="is stopping"):
            await worker.ask(Echo("new"), timeout=60)
        await worker.wait_stopped()
    assert results == {
        "Echo": (actors.ActorStopped, pytest.approx(0.0)),
        "Sleep": ("slept", pytest.approx(2.0)),
    }


async def test_a_killed_callee_ends_the_ask_in_hand_at_once(autojump_clock: MockClock) -> None:
    """Not after its `on_stop`, which takes three seconds."""

    class Slow(Worker):
        async def on_stop(self, exit: actors.Exit) -> None:
            await trio.sleep(3)

    results: dict[str, Any] = {}
    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        slow = system.spawn(Slow)
        nursery.start_soon(ask_later, slow, Sleep(60), results)
        await settled()
        slow.kill()
        exit = await slow.wait_stopped()
        assert (exit.kind, trio.current_time()) == (ExitKind.KILLED, pytest.approx(3.0))
    assert results == {"Sleep": (actors.ActorStopped, pytest.approx(0.0))}


async def test_a_dying_callee_ends_every_ask_at_once(autojump_clock: MockClock) -> None:
    """It failed for good: what was in hand, queued, or asked while its `on_stop` takes three seconds."""

    class Slow(Worker):
        async def on_stop(self, exit: actors.Exit) -> None:
            await trio.sleep(3)

    results: dict[str, Any] = {}
    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        slow = await system.start(Slow)
        slow.suspend()
        for request in (Fail(ValueError()), Echo("queued")):
            nursery.start_soon(ask_later, slow, request, results)
            await settled()
        slow.tell(Note("queued"))
        slow.resume()
        await trio.sleep(1)
        assert slow.state is ActorState.STOPPING
        nursery.start_soon(ask_later, slow, Sleep(), results)
        await settled()
        assert [letter.reason for letter in system.dead_letters] == ["stopped"]
    assert results == {
        "Fail": (actors.ActorFailed, pytest.approx(0.0)),
        "Echo": (actors.ActorStopped, pytest.approx(0.0)),
        "Sleep": (actors.ActorStopped, pytest.approx(1.0)),
    }


async def test_an_unknown_message_is_unhandled(autojump_clock: MockClock) -> None:
    class Empty(actors.Actor): ...

    async with actors.open_system("alpha") as system:
        empty = system.spawn(Empty, name="empty")
        with pytest.raises(actors.Unhandled, match="/empty has no handler for Echo") as caught:
            await empty.ask(Echo())
        assert (caught.value.ref, caught.value.message) == (empty, Echo())
        assert empty.state is ActorState.IDLE
        assert system.dead_letters == ()


@pytest.mark.parametrize("overflow", ["reject", "drop_newest"])
async def test_a_full_mailbox_ends_the_ask_at_once(autojump_clock: MockClock, overflow: Any) -> None:
    policy = actors.Policy(mailbox=actors.Mailbox(capacity=1, overflow=overflow))
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, name="worker", policy=policy)
        worker.tell(Sleep(2))
        await settled()
        worker.tell(Note("waits"))
        with pytest.raises(actors.MailboxFull) as caught:
            await worker.ask(Echo("no room"))
        assert (caught.value.ref, caught.value.message, caught.value.capacity) == (worker, Echo("no room"), 1)
        assert trio.current_time() == pytest.approx(0.0)


async def test_a_request_that_is_dropped_as_the_oldest_ends_with_mailbox_full(
    autojump_clock: MockClock,
) -> None:
    policy = actors.Policy(mailbox=actors.Mailbox(capacity=1, overflow="drop_oldest"))
    results: dict[str, Any] = {}
    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        worker = await system.start(Worker, policy=policy)
        worker.tell(Sleep(2))
        await settled()
        nursery.start_soon(ask_later, worker, Echo("old"), results)
        await settled()
        assert await worker.ask(Echo("new")) == "new"
        assert system.dead_letters == ()
    assert results == {"Echo": (actors.MailboxFull, pytest.approx(0.0))}


async def test_an_open_breaker_ends_the_ask_at_once(autojump_clock: MockClock) -> None:
    """Queued asks end when it opens; later ones hear the seconds that are left."""
    results: dict[str, Any] = {}
    policy = actors.Policy(breaker=actors.Breaker(failures=1, reset_after=30.0))
    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        worker = await system.start(Worker, name="worker", policy=policy)
        worker.tell(Sleep(1))
        await settled()
        for request in (Fail(ValueError("bad")), Echo("queued")):
            nursery.start_soon(ask_later, worker, request, results)
            await settled()
        await trio.sleep(3)
        with pytest.raises(actors.CircuitOpen) as caught:
            await worker.ask(Echo("new"))
        assert (caught.value.path, caught.value.failures) == ("/worker", 1)
        assert caught.value.retry_after == pytest.approx(28.0)
    assert results == {
        "Fail": (actors.ActorFailed, pytest.approx(1.0)),
        "Echo": (actors.CircuitOpen, pytest.approx(1.0)),
    }


async def test_asking_oneself_is_a_deadlock_and_raises_at_once(autojump_clock: MockClock) -> None:
    """Also from a task that the handler started, and by waiting for a request to oneself."""

    class Narcissus(Worker):
        async def ask_self(self, raised: list[str]) -> None:
            for wait in (self.ctx.ref.ask(Echo()), self.ctx.ref.request(Echo()).wait()):
                with pytest.raises(actors.Deadlock, match="would wait for ever"):
                    await wait
                raised.append("Deadlock")

        @actors.receive
        async def mirror(self, message: list) -> None:  # type: ignore[type-arg]
            await self.ask_self(message)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.ask_self, message)

    raised: list[str] = []
    async with actors.open_system("alpha") as system:
        narcissus = system.spawn(Narcissus)
        narcissus.tell(raised)
        assert await narcissus.ask(Echo("alive")) == "alive"
        assert (raised, narcissus.statistics().failed) == (["Deadlock"] * 4, 0)


async def test_an_ask_waits_through_the_start_a_suspension_and_a_backoff(autojump_clock: MockClock) -> None:
    """It survives a restart in the queue, and is answered by the next incarnation."""

    class Slow(Worker):
        async def on_start(self) -> None:
            await trio.sleep(2)

    policy = actors.Policy(backoff=actors.Backoff(initial=3.0, jitter=0.0), breaker=None)
    results: dict[str, Any] = {}
    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        slow = system.spawn(Slow, name="slow", policy=policy)
        assert slow.state is ActorState.STARTING
        assert await slow.ask(Echo("start")) == "start"
        assert trio.current_time() == pytest.approx(2.0)
        slow.suspend()
        nursery.start_soon(ask_later, slow, Fail(ValueError()), results)
        await settled()
        nursery.start_soon(ask_later, slow, Echo("queued"), results)
        await trio.sleep(3)
        assert (slow.state, results) == (ActorState.SUSPENDED, {})
        slow.resume()
        await settled()
        assert slow.state is ActorState.BACKING_OFF
        assert await slow.ask(Echo("backoff")) == "backoff"
    assert results == {
        "Fail": (actors.ActorFailed, pytest.approx(5.0)),
        "Echo": ("queued", pytest.approx(10.0)),
    }
