"""Requests without waiting, several at once, and replies that come later (contract §2, §3)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState
from actors.events import Expired, LateReply
from tests.core.cast import AT_ONCE, Echo, Fail, Sleep, Worker, facts, settled


class Later(actors.Actor):
    """Keeps the ports of what it is asked in a list that everybody shares."""

    def __init__(self, ports: list[actors.ReplyPort]) -> None:
        self.ports = ports

    @actors.receive
    def keep(self, message: Echo) -> None:
        self.ports.append(self.ctx.reply_later())

    @actors.receive
    def fail(self, message: Fail) -> None:
        raise message.error


@pytest.mark.row(64)
async def test_a_request_returns_at_once_with_its_id(autojump_clock: MockClock) -> None:
    """A thousand requests and messages to a sleeping actor take no time and not one step of another task."""

    class Steps(trio.abc.Instrument):
        count = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.count += 1

    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        worker.tell(Sleep(1))
        await settled()
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        pendings = [worker.request(Echo(str(n))) for n in range(500)]
        for n in range(500):
            worker.tell(Echo(str(n)))
        trio.lowlevel.remove_instrument(steps)
        assert (steps.count, trio.current_time()) == (0, pytest.approx(0.0))
        assert len({pending.id for pending in pendings}) == 500
        assert worker.statistics().depth["normal"] == 1000
        assert [pending.done for pending in pendings] == [False] * 500
        assert [await pending.wait() for pending in pendings] == [str(n) for n in range(500)]


async def test_the_reply_waits_for_whoever_looks_later(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker, name="worker")
        pending = worker.request(Echo("hi"))
        assert repr(pending) == f"<Pending {pending.id} Echo to /worker, waiting>"
        await settled()
        assert (pending.done, repr(pending)) == (True, f"<Pending {pending.id} Echo to /worker, done>")
        assert (await pending.wait(), await pending.wait()) == ("hi", "hi")


async def test_several_tasks_may_wait_for_one_reply(autojump_clock: MockClock) -> None:
    results: list[Any] = []

    async def wait(pending: actors.Pending[str]) -> None:
        results.append((await pending.wait(), trio.current_time()))

    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        pending = system.spawn(Worker).request(Sleep(2))
        for _ in range(3):
            nursery.start_soon(wait, pending)
    assert results == [("slept", pytest.approx(2.0))] * 3


async def test_the_limit_of_a_wait_ends_the_wait_and_not_the_request(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        pending = system.spawn(Worker, name="worker").request(Sleep(5))
        with pytest.raises(actors.AskTimeout, match=r"^/worker did not answer Sleep within 2 s; it is BUSY"):
            await pending.wait(timeout=2)
        assert (pending.done, trio.current_time()) == (False, pytest.approx(2.0))
        assert await pending.wait(timeout=60) == "slept"
        assert trio.current_time() == pytest.approx(5.0)


async def test_the_limit_of_the_request_ends_it_for_every_waiter(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system, system.subscribe(LateReply) as events:
        pending = system.spawn(Worker, name="worker").request(Sleep(5), timeout=2)
        with pytest.raises(actors.AskTimeout):
            await pending.wait(timeout=60)
        assert (pending.done, trio.current_time()) == (True, pytest.approx(2.0))
        with pytest.raises(actors.AskTimeout):
            await pending.wait()
        await trio.sleep(5)
        assert facts(events) == [("LateReply", "/worker", Sleep(5))]


async def test_a_cancelled_wait_leaves_the_request_alone(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        pending = system.spawn(Worker).request(Sleep(5))
        with trio.move_on_after(1):
            await pending.wait()
        assert pending.done is False
        assert await pending.wait() == "slept"


async def test_cancel_withdraws_and_is_idempotent(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system, system.subscribe(Expired, LateReply) as events:
        worker = system.spawn(Worker, name="worker")
        worker.tell(Sleep(1))
        await settled()
        pending = worker.request(Echo("withdrawn"))
        pending.cancel()
        pending.cancel()
        assert pending.done
        with pytest.raises(actors.ActorError, match="was cancelled by its asker"):
            await pending.wait()
        assert await worker.ask(Echo("next")) == "next"
        assert facts(events) == [("Expired", "/worker", Echo("withdrawn"))]


async def test_cancel_wakes_those_who_wait(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        pending = system.spawn(Worker).request(Sleep(5))

        async def wait() -> None:
            with pytest.raises(actors.ActorError, match="was cancelled"):
                await pending.wait()
            assert trio.current_time() == pytest.approx(0.0)

        nursery.start_soon(wait)
        await settled()
        pending.cancel()


async def test_cancelling_an_answered_request_keeps_its_reply(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        pending = system.spawn(Worker).request(Echo("hi"))
        await settled()
        pending.cancel()
        assert await pending.wait() == "hi"


async def test_whatever_goes_wrong_the_pending_tells_and_request_does_not_raise(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        worker.stop()
        await worker.wait_stopped()
        pending = worker.request(Echo())
        assert pending.done
        with pytest.raises(actors.ActorStopped):
            await pending.wait()


@pytest.mark.row(65)
async def test_two_overlapping_asks_answered_in_reverse_get_their_own_replies(
    autojump_clock: MockClock,
) -> None:
    ports: list[actors.ReplyPort] = []
    async with actors.open_system("alpha") as system:
        later = system.spawn(Later, ports)
        first, second = later.request(Echo("1")), later.request(Echo("2"))
        await settled()
        assert (len(ports), first.done, second.done, later.state) == (2, False, False, ActorState.IDLE)
        ports[1].answer("to the second")
        ports[0].answer("to the first")
        assert (await second.wait(), await first.wait()) == ("to the second", "to the first")


async def test_a_port_fails_the_request_and_not_the_actor(autojump_clock: MockClock) -> None:
    """An `ActorError` reaches the asker as it is, anything else as the cause of `ActorFailed`."""
    ports: list[actors.ReplyPort] = []
    refused, broken = actors.Refused("no"), ValueError("broken")
    async with actors.open_system("alpha") as system:
        later = system.spawn(Later, ports)
        first, second = later.request(Echo("1")), later.request(Echo("2"))
        await settled()
        ports[0].fail(refused)
        ports[1].fail(broken)
        with pytest.raises(actors.Refused) as plain:
            await first.wait()
        with pytest.raises(actors.ActorFailed) as failed:
            await second.wait()
        assert (plain.value, failed.value.__cause__) == (refused, broken)
        assert (later.statistics().failed, later.state) == (0, ActorState.IDLE)


async def test_a_second_answer_of_a_port_is_dropped_like_a_late_one(autojump_clock: MockClock) -> None:
    ports: list[actors.ReplyPort] = []
    async with actors.open_system("alpha") as system, system.subscribe(LateReply) as events:
        later = system.spawn(Later, ports, name="later")
        pending = later.request(Echo("1"))
        await settled()
        ports[0].answer("first")
        ports[0].answer("second")
        ports[0].fail(ValueError("third"))
        assert await pending.wait() == "first"
        assert facts(events) == [("LateReply", "/later", Echo("1"))] * 2


async def test_a_port_of_a_told_message_goes_nowhere(autojump_clock: MockClock) -> None:
    ports: list[actors.ReplyPort] = []
    async with actors.open_system("alpha") as system, system.subscribe(LateReply) as events:
        system.spawn(Later, ports).tell(Echo("told"))
        await settled()
        ports[0].answer("nobody hears it")
        ports[0].fail(ValueError("nor this"))
        assert facts(events) == []


async def test_a_port_dies_with_its_incarnation(autojump_clock: MockClock) -> None:
    """After a failure its asker gets `ActorFailed`, after a stop `ActorStopped`; a later answer is late."""
    ports: list[actors.ReplyPort] = []
    async with actors.open_system("alpha") as system, system.subscribe(LateReply) as events:
        later = system.spawn(Later, ports, name="later", policy=AT_ONCE)
        first = later.request(Echo("1"))
        cause = ValueError("dies")
        later.tell(Fail(cause))
        with pytest.raises(actors.ActorFailed) as caught:
            await first.wait()
        assert caught.value.__cause__ is cause
        second = later.request(Echo("2"))
        await settled()
        later.stop()
        with pytest.raises(actors.ActorStopped):
            await second.wait()
        ports[0].answer("too late")
        assert facts(events) == [("LateReply", "/later", Echo("1"))]


async def test_reply_in_a_class_answers_before_the_handler_returns(autojump_clock: MockClock) -> None:
    """What the handler returns afterwards goes nowhere."""

    class Eager(actors.Actor):
        @actors.receive
        async def echo(self, message: Echo) -> str:
            self.ctx.reply("early")
            await trio.sleep(3)
            return "late"

    async with actors.open_system("alpha") as system, system.subscribe(LateReply) as events:
        eager = system.spawn(Eager)
        assert await eager.ask(Echo()) == "early"
        assert (trio.current_time(), eager.state) == (pytest.approx(0.0), ActorState.BUSY)
        await trio.sleep(4)
        assert (eager.state, facts(events)) == (ActorState.IDLE, [])


async def test_a_failure_after_the_reply_is_no_error_for_the_asker(autojump_clock: MockClock) -> None:
    """The message was answered: it is no dead letter either. The actor has failed all the same."""

    class Eager(actors.Actor):
        @actors.receive
        async def echo(self, message: Echo) -> None:
            self.ctx.reply("early")
            raise ValueError("after all")

    async with actors.open_system("alpha") as system:
        eager = system.spawn(Eager)
        assert await eager.ask(Echo()) == "early"
        exit = await eager.wait_stopped()
        assert (exit.reason, system.dead_letters) == ("ValueError: after all", ())


@pytest.mark.parametrize("error", [actors.Refused, actors.Unhandled])
async def test_an_asker_whose_reply_was_put_off_gets_the_refusal(
    autojump_clock: MockClock, error: type[Exception]
) -> None:
    """Nobody else would answer it: the port stays with an actor that has said no."""

    class Wavering(actors.Actor):
        @actors.receive
        def echo(self, message: Echo) -> None:
            self.ctx.reply_later()
            raise actors.Refused("no") if error is actors.Refused else error(self.ctx.ref, message)

    async with actors.open_system("alpha") as system:
        wavering = system.spawn(Wavering)
        with trio.fail_after(10), pytest.raises(error):
            await wavering.ask(Echo())
        assert (wavering.state, system.dead_letters) == (ActorState.IDLE, ())


async def test_a_refusal_reaches_nobody_else_who_asked_with_the_same_message(
    autojump_clock: MockClock,
) -> None:
    """One object asked twice: the second is answered and then refused, the first waits on."""
    ports: list[actors.ReplyPort] = []

    class Wavering(actors.Actor):
        @actors.receive
        def echo(self, message: Echo) -> None:
            ports.append(self.ctx.reply_later())
            if len(ports) == 2:
                ports[1].answer("second")
                raise actors.Refused("after all")

    request = Echo()
    async with actors.open_system("alpha") as system:
        wavering = system.spawn(Wavering)
        first, second = wavering.request(request), wavering.request(request)
        assert await second.wait() == "second"
        await settled()
        assert (first.done, wavering.state) == (False, ActorState.IDLE)
        ports[0].answer("first")
        assert await first.wait() == "first"


async def test_replying_with_empty_hands_raises_in_a_class_too(autojump_clock: MockClock) -> None:
    class Hasty(actors.Actor):
        async def on_start(self) -> None:
            with pytest.raises(RuntimeError, match="without a message in hand"):
                self.ctx.reply("nobody asked")
            with pytest.raises(RuntimeError, match="without a message in hand"):
                self.ctx.reply_later()

    async with actors.open_system("alpha") as system:
        assert (await system.start(Hasty)).state is ActorState.IDLE


async def test_each_of_several_waiters_leaves_on_its_own(autojump_clock: MockClock) -> None:
    """One is cancelled, one reaches its own limit, the others get the reply."""
    came: dict[str, Any] = {}

    async def wait(name: str, pending: actors.Pending[str], limit: float | None, patience: float) -> None:
        with trio.move_on_after(patience) as scope:
            try:
                came[name] = await pending.wait(limit)
            except actors.AskTimeout as error:
                came[name] = error.limit
        if scope.cancelled_caught:
            came[name] = "cancelled"

    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        pending = system.spawn(Worker).request(Sleep(10))
        waiters: list[tuple[str, float | None, float]] = [
            ("cancelled first", None, 1.0),
            ("patient", None, 100.0),
            ("limited", 2.0, 100.0),
            ("cancelled later", 50.0, 3.0),
            ("long limit", 50.0, 100.0),
        ]
        for name, limit, patience in waiters:
            nursery.start_soon(wait, name, pending, limit, patience)
            await settled()
    assert came == {
        "cancelled first": "cancelled",
        "patient": "slept",
        "limited": 2.0,
        "cancelled later": "cancelled",
        "long limit": "slept",
    }
