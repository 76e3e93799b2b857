"""A full mailbox: each overflow rule is visible, and `send` waits for room (contract §3, §5)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from tests.core.cast import Echo, Note, Seen, Sleep, Worker, settled


def holding(capacity: int, overflow: Any = "reject") -> actors.Policy:
    return actors.Policy(mailbox=actors.Mailbox(capacity=capacity, overflow=overflow))


async def busy_worker(system: actors.System, policy: actors.Policy) -> actors.Ref:
    """A worker that works for a second, its mailbox empty."""
    worker = await system.start(Worker, name="worker", policy=policy)
    worker.tell(Sleep(1))
    await settled()
    return worker


def letters(system: actors.System) -> list[tuple[str, str]]:
    return [(letter.message.text, letter.reason) for letter in system.dead_letters]


@pytest.mark.row(76)
async def test_reject_raises_with_the_message_in_it(autojump_clock: MockClock) -> None:
    """The sender decides; nothing is lost and nothing is a dead letter."""
    async with actors.open_system("alpha") as system:
        worker = await busy_worker(system, holding(2))
        worker.tell(Note("a"))
        worker.tell(Note("b"), urgent=True)
        for urgent in (False, True):
            with pytest.raises(actors.MailboxFull) as caught:
                worker.tell(Note("c"), urgent=urgent)
            error = caught.value
            assert (error.ref, error.message, error.capacity) == (worker, Note("c"), 2)
            assert "/worker is full (2 waiting)" in str(error)
        await trio.sleep(2)
        assert await worker.ask(Seen()) == ["b", "a"]
        assert letters(system) == []


@pytest.mark.row(76)
async def test_drop_newest_makes_the_newcomer_a_dead_letter(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await busy_worker(system, holding(2, "drop_newest"))
        for text in "abcd":
            worker.tell(Note(text))
        await trio.sleep(2)
        assert await worker.ask(Seen()) == ["a", "b"]
        assert letters(system) == [("c", "dropped_newest"), ("d", "dropped_newest")]


@pytest.mark.row(76)
async def test_drop_oldest_makes_the_oldest_a_dead_letter(autojump_clock: MockClock) -> None:
    """The oldest normal one, else the oldest urgent one."""
    async with actors.open_system("alpha") as system:
        worker = await busy_worker(system, holding(2, "drop_oldest"))
        worker.tell(Note("U1"), urgent=True)
        worker.tell(Note("n1"))
        worker.tell(Note("U2"), urgent=True)
        worker.tell(Note("U3"), urgent=True)
        await trio.sleep(2)
        assert await worker.ask(Seen()) == ["U2", "U3"]
        assert letters(system) == [("n1", "dropped_oldest"), ("U1", "dropped_oldest")]


@pytest.mark.row(76)
async def test_the_one_in_hand_and_uncounted_ones_take_no_room(autojump_clock: MockClock) -> None:
    """A timer's message and a notice come into a full mailbox."""
    heard: list[str] = []

    class Busy(Worker):
        @actors.receive
        async def begin(self, message: actors.Ref) -> None:
            self.ctx.watch(message)
            self.ctx.after(0.5, Note("timer"))
            message.stop()
            await trio.sleep(1)

        @actors.receive
        def gone(self, message: actors.Terminated) -> None:
            heard.extend([*self.seen, "terminated"])

    async with actors.open_system("alpha") as system:
        other = await system.start(Worker)
        busy = await system.start(Busy, policy=holding(1))
        busy.tell(other)
        await settled()
        busy.tell(Note("a"))
        await trio.sleep(0.6)
        assert busy.statistics().depth == {"system": 2, "urgent": 0, "normal": 1}
        with pytest.raises(actors.MailboxFull):
            busy.tell(Note("b"))
        await trio.sleep(2)
        assert await busy.ask(Seen()) == ["a", "timer"]
    assert heard == ["terminated"]


async def test_send_waits_for_room_whatever_the_rule(autojump_clock: MockClock) -> None:
    """First come, first served; the message goes in when one is taken out."""
    for rule in ("reject", "drop_newest", "drop_oldest"):
        async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
            worker = await busy_worker(system, holding(1, rule))
            start = trio.current_time()
            await worker.send(Note("room"))
            assert trio.current_time() == start
            for text in "abc":
                nursery.start_soon(worker.send, Note(text))
                await settled()
            assert worker.statistics().depth["normal"] == 1
            await worker.send(Note("d"))
            assert trio.current_time() - start == pytest.approx(1.0)
            await settled()
            assert await worker.ask(Seen()) == ["room", "a", "b", "c", "d"]
            assert letters(system) == []


async def test_a_cancelled_send_sent_nothing(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await busy_worker(system, holding(1))
        worker.tell(Note("a"))
        with trio.move_on_after(0.5) as scope:
            await worker.send(Note("never"))
        assert scope.cancelled_caught
        await trio.sleep(2)
        assert await worker.ask(Seen()) == ["a"]
        with trio.CancelScope() as cancelled:
            cancelled.cancel()
            await worker.send(Note("never"))
        assert await worker.ask(Seen()) == ["a"]
        assert letters(system) == []


async def test_a_sender_that_waits_for_a_stopping_actor_goes_on_at_once(autojump_clock: MockClock) -> None:
    """Its message is a dead letter, and no exception."""
    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        worker = await busy_worker(system, holding(1))
        worker.tell(Note("a"))
        nursery.start_soon(worker.send, Note("b"))
        await settled()
        worker.stop()
        await settled()
        assert len(nursery.child_tasks) == 0
        assert trio.current_time() == pytest.approx(0.0)
        assert sorted(letters(system)) == [("a", "stopped"), ("b", "stopped")]


async def test_a_sender_that_waits_for_a_draining_actor_is_told_no(autojump_clock: MockClock) -> None:
    """Draining takes no new messages; what waited for room becomes a dead letter, the queue is handled."""
    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        worker = await busy_worker(system, holding(1))
        worker.tell(Note("a"))
        nursery.start_soon(worker.send, Note("b"))
        await settled()
        worker.drain()
        await worker.wait_stopped()
        await settled()
        assert len(nursery.child_tasks) == 0
        assert letters(system) == [("b", "stopped")]
        assert worker.statistics().handled == 2


async def test_a_sender_waits_through_a_restart(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        policy = actors.Policy(
            mailbox=actors.Mailbox(capacity=1),
            backoff=actors.Backoff(initial=2.0, jitter=0.0),
            breaker=None,
        )
        worker = await system.start(Worker, name="worker", policy=policy)
        worker.tell(Sleep(1))
        await settled()
        worker.suspend()
        worker.tell("unknown to it")
        nursery.start_soon(worker.send, Note("patient"))
        await settled()
        worker.resume()
        await trio.sleep(2)
        assert await worker.ask(Seen()) == ["patient"]


async def test_an_opening_breaker_lets_waiting_senders_in(autojump_clock: MockClock) -> None:
    """The ask that waited ends, and the told message parks in the room that it leaves."""

    class Breaks(Worker):
        @actors.receive
        async def go(self, message: int) -> None:
            await trio.sleep(1)
            raise ValueError

    policy = actors.Policy(
        mailbox=actors.Mailbox(capacity=1), breaker=actors.Breaker(failures=1, reset_after=60.0)
    )
    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        breaks = await system.start(Breaks, name="breaks", policy=policy)
        breaks.tell(1)
        await settled()
        queued = breaks.request(Echo("queued"))
        nursery.start_soon(breaks.send, Note("parks"))
        await trio.sleep(2)
        assert breaks.state is actors.ActorState.CIRCUIT_OPEN
        with pytest.raises(actors.CircuitOpen):
            await queued.wait()
        assert (len(nursery.child_tasks), breaks.statistics().depth["normal"]) == (0, 1)
        await trio.sleep(60)
        assert await breaks.ask(Seen()) == ["parks"]


async def test_a_send_to_a_mailbox_with_room_is_a_checkpoint(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        with trio.testing.assert_checkpoints():
            await worker.send(Note("a"))
        with trio.testing.assert_checkpoints():
            await worker.ask(Echo())
        with trio.testing.assert_no_checkpoints():
            worker.tell(Note("b"))
            pending = worker.request(Echo())
        await pending.wait()
        with trio.testing.assert_checkpoints():
            await pending.wait()


async def test_messages_are_never_compared(autojump_clock: MockClock) -> None:
    """A message whose `==` raises is as good as any: the second of two waiting senders may be cancelled."""

    class Proud:
        def __eq__(self, other: object) -> bool:
            raise TypeError("incomparable")

        __hash__ = object.__hash__

    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        worker = await busy_worker(system, holding(1))
        worker.tell(Note("a"))
        nursery.start_soon(worker.send, Proud())
        await settled()
        with trio.move_on_after(0.5) as scope:
            await worker.send(Proud())
        assert scope.cancelled_caught
        await trio.sleep(2)
        assert [letter.reason for letter in system.dead_letters] == ["unhandled"]


async def test_waiting_for_room_in_ones_own_mailbox_is_a_deadlock(autojump_clock: MockClock) -> None:
    """With room there is none: the message is simply queued."""

    class Narcissus(actors.Actor):
        @actors.receive
        async def go(self, message: int) -> None:
            for _ in range(message):
                await self.ctx.ref.send(Note("to me"))

        @actors.receive
        def note(self, message: Note) -> None: ...

    policy = actors.Policy(mailbox=actors.Mailbox(capacity=2))
    async with actors.open_system("alpha") as system:
        fine = await system.start(Narcissus, policy=policy)
        fine.tell(2)
        await settled()
        assert fine.statistics().handled == 3
        stuck = await system.start(Narcissus, policy=policy)
        stuck.tell(3)
        exit = await stuck.wait_stopped()
        assert isinstance(exit.error, actors.Deadlock)
