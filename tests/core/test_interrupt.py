"""Interrupting: the handler at work is cancelled, and nothing else (contract §3)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

import actors
from actors import ActorState
from actors.events import DeadLetter, Failed, LateReply
from tests.core.cast import AT_ONCE, Echo, Note, Seen, Sleep, Worker, facts, settled


@pytest.mark.row(77)
async def test_an_interrupt_ends_the_handler_and_keeps_actor_state_and_mailbox(
    autojump_clock: MockClock,
) -> None:
    """It is confirmed, the asker gets `Interrupted`, and the next message is served by the same object."""
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, name="worker")
        worker.tell(Note("kept"))
        pending = worker.request(Sleep(60))
        await settled()
        worker.tell(Note("queued"))
        assert await worker.interrupt() is True
        with pytest.raises(
            actors.Interrupted, match="/worker was interrupted while handling Sleep"
        ) as caught:
            await pending.wait()
        assert (caught.value.ref, caught.value.message) == (worker, Sleep(60))
        assert await worker.ask(Seen()) == ["kept", "queued"]
        assert trio.current_time() == pytest.approx(0.0)
        assert (worker.statistics().failed, worker.statistics().restarts) == (0, 0)


@pytest.mark.row(77)
async def test_an_interrupted_told_message_is_a_dead_letter(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system, system.subscribe(DeadLetter, Failed) as events:
        worker = await system.start(Worker, name="worker")
        worker.tell(Sleep(60))
        await settled()
        assert await worker.interrupt() is True
        assert facts(events) == [("DeadLetter", "/worker", Sleep(60), None, "interrupted")]
        assert worker.state is ActorState.IDLE


@pytest.mark.row(77)
async def test_a_handler_that_cannot_be_interrupted_is_not_confirmed(autojump_clock: MockClock) -> None:
    """`interrupt` returns when the handler has ended by itself; its asker gets the reply."""

    class Stubborn(Worker):
        @actors.receive
        async def sleep(self, message: Sleep) -> str:
            with trio.CancelScope(shield=True):
                await trio.sleep(message.seconds)
            return "slept"

    async with actors.open_system("alpha") as system:
        stubborn = await system.start(Stubborn)
        pending = stubborn.request(Sleep(3))
        await settled()
        assert await stubborn.interrupt() is False
        assert trio.current_time() == pytest.approx(3.0)
        assert await pending.wait() == "slept"
        assert await stubborn.ask(Sleep(2)) == "slept"


async def test_a_handler_that_answers_instead_of_ending_is_not_confirmed(autojump_clock: MockClock) -> None:
    """It swallowed the cancellation: its reply counts, and the next handler is not cancelled."""

    class Catcher(Worker):
        @actors.receive
        async def sleep(self, message: Sleep) -> str:
            try:
                await trio.sleep(message.seconds)
            except trio.Cancelled:
                return "caught"
            return "slept"

    async with actors.open_system("alpha") as system:
        catcher = await system.start(Catcher)
        pending = catcher.request(Sleep(60))
        await settled()
        assert await catcher.interrupt() is False
        assert await pending.wait() == "caught"
        assert await catcher.ask(Sleep(2)) == "slept"


async def test_a_handler_that_fails_on_the_way_out_has_failed(autojump_clock: MockClock) -> None:
    class Breaks(Worker):
        @actors.receive
        async def sleep(self, message: Sleep) -> str:
            try:
                await trio.sleep(message.seconds)
            finally:
                raise ValueError("on the way out")

    async with actors.open_system("alpha") as system:
        breaks = await system.start(Breaks, name="breaks", policy=AT_ONCE)
        pending = breaks.request(Sleep(60))
        await settled()
        assert await breaks.interrupt() is False
        with pytest.raises(actors.ActorFailed, match="on the way out"):
            await pending.wait()
        assert await breaks.ask(Echo("alive")) == "alive"
        assert breaks.statistics().failed == 1


async def test_a_handler_with_tasks_of_its_own_is_interrupted_with_them(autojump_clock: MockClock) -> None:
    ended: list[str] = []

    class Busy(Worker):
        async def child(self, name: str) -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended.append(name)

        @actors.receive
        async def sleep(self, message: Sleep) -> None:
            async with trio.open_nursery() as nursery:
                for name in ("one", "two"):
                    nursery.start_soon(self.child, name)

    async with actors.open_system("alpha") as system:
        busy = await system.start(Busy)
        busy.tell(Sleep())
        await settled()
        assert await busy.interrupt() is True
        assert sorted(ended) == ["one", "two"]
        assert busy.state is ActorState.IDLE


async def test_with_empty_hands_there_is_nothing_to_interrupt(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        with trio.testing.assert_checkpoints():
            assert await worker.interrupt() is False
        assert await worker.ask(Sleep(2)) == "slept"
        worker.stop()
        await worker.wait_stopped()
        assert await worker.interrupt() is False


@pytest.mark.parametrize("hook", ["on_start", "on_stop"])
async def test_hooks_are_never_interrupted(autojump_clock: MockClock, hook: str) -> None:
    done: list[str] = []

    async def slow(self: Any, *exit: Any) -> None:
        await trio.sleep(2)
        done.append(hook)

    Hooked = type("Hooked", (Worker,), {hook: slow})
    async with actors.open_system("alpha") as system:
        hooked = system.spawn(Hooked)
        if hook == "on_stop":
            await hooked.wait_started()
            hooked.stop()
        await settled()
        assert await hooked.interrupt() is False
        await trio.sleep(2)
        await settled()
        assert done == [hook]


async def test_on_unhandled_is_interrupted_like_any_handler(autojump_clock: MockClock) -> None:
    """It is the handler of what has no other."""

    class Ponders(actors.Actor):
        async def on_unhandled(self, message: object) -> object:
            await trio.sleep_forever()

    async with actors.open_system("alpha") as system:
        ponders = system.spawn(Ponders)
        pending = ponders.request(Echo())
        await settled()
        assert await ponders.interrupt() is True
        with pytest.raises(actors.Interrupted):
            await pending.wait()
        assert ponders.state is ActorState.IDLE


async def test_two_interrupts_of_one_handler_get_one_answer(autojump_clock: MockClock) -> None:
    answers: list[bool] = []

    async def interrupt(ref: actors.Ref) -> None:
        answers.append(await ref.interrupt())

    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        worker = await system.start(Worker, name="worker")
        worker.tell(Sleep(60))
        worker.tell(Sleep(5))
        await settled()
        nursery.start_soon(interrupt, worker)
        nursery.start_soon(interrupt, worker)
        await settled()
        assert (answers, worker.state) == ([True, True], ActorState.BUSY)
        assert len(system.dead_letters) == 1


async def test_a_handler_that_has_answered_is_interrupted_silently(autojump_clock: MockClock) -> None:
    """The asker has its reply: no second answer, no dead letter."""

    class Eager(Worker):
        @actors.receive
        async def sleep(self, message: Sleep) -> None:
            self.ctx.reply("early")
            await trio.sleep_forever()

    async with actors.open_system("alpha") as system, system.subscribe(LateReply) as events:
        eager = await system.start(Eager)
        assert await eager.ask(Sleep()) == "early"
        assert await eager.interrupt() is True
        assert (system.dead_letters, facts(events)) == ((), [])
        assert await eager.ask(Echo("alive")) == "alive"


async def test_an_actor_interrupts_another_and_not_itself_by_accident(autojump_clock: MockClock) -> None:
    """The interrupter may be a handler too; it waits for the end of the other's."""

    class Boss(actors.Actor):
        def __init__(self, worker: actors.Ref) -> None:
            self.worker = worker

        @actors.receive
        async def echo(self, message: Echo) -> bool:
            return await self.worker.interrupt()

    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        worker.tell(Sleep(60))
        boss = await system.start(Boss, worker)
        assert await boss.ask(Echo()) is True
        assert (worker.state, boss.state) == (ActorState.IDLE, ActorState.IDLE)


async def test_a_stop_during_an_interrupt_ends_both(autojump_clock: MockClock) -> None:
    """The order to stop is not lost when the handler was interrupted in the same moment."""
    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        worker = await system.start(Worker)
        worker.tell(Sleep(60))
        await settled()
        nursery.start_soon(worker.interrupt)
        await trio.lowlevel.checkpoint()
        worker.stop()
        assert (await worker.wait_stopped()).kind is actors.ExitKind.SHUTDOWN
        assert trio.current_time() == pytest.approx(0.0)


async def test_a_suspended_actor_is_interrupted_and_stays_suspended(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        worker.tell(Sleep(60))
        await settled()
        worker.suspend()
        worker.tell(Note("waits"))
        assert await worker.interrupt() is True
        await settled()
        assert (worker.state, worker.statistics().depth["normal"]) == (ActorState.SUSPENDED, 1)
        worker.resume()


async def test_an_actor_that_interrupts_itself_ends_its_handler(autojump_clock: MockClock) -> None:
    """It does not wait for itself; the next message is served."""

    class Harakiri(Worker):
        @actors.receive
        async def go(self, message: int) -> None:
            await self.ctx.ref.interrupt()
            self.seen.append("never")

    async with actors.open_system("alpha") as system:
        harakiri = await system.start(Harakiri)
        harakiri.tell(1)
        assert await harakiri.ask(Seen(), timeout=1.0) == []
        assert [letter.reason for letter in system.dead_letters] == ["interrupted"]
