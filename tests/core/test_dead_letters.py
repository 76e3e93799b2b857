"""Every told message that nobody handles is one dead letter, with its reason (contract §11)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.events import DeadLetter, DeadLetterReason
from tests.core.cast import AT_ONCE, Die, Echo, Fail, Note, Sleep, Worker, facts, settled


async def stopped(system: actors.System) -> None:
    worker = await system.start(Worker, name="worker")
    worker.stop()
    await worker.wait_stopped()
    worker.tell(Note("lost"))


async def queued_at_the_stop(system: actors.System) -> None:
    worker = await system.start(Worker, name="worker")
    worker.suspend()
    worker.tell(Note("lost"))
    worker.stop()


async def crashed(system: actors.System) -> None:
    worker = await system.start(Worker, name="worker", policy=AT_ONCE)
    worker.tell(Die("lost"))
    await settled()


async def unhandled(system: actors.System) -> None:
    worker = await system.start(Worker, name="worker")
    worker.tell("lost")
    await settled()


async def interrupted(system: actors.System) -> None:
    worker = await system.start(Worker, name="worker")
    worker.tell(Sleep(60))
    await settled()
    await worker.interrupt()


async def overflowing(system: actors.System, overflow: Any) -> actors.Ref:
    policy = actors.Policy(mailbox=actors.Mailbox(capacity=1, overflow=overflow))
    worker = await system.start(Worker, name="worker", policy=policy)
    worker.suspend()
    worker.tell(Note("first"))
    return worker


async def dropped_oldest(system: actors.System) -> None:
    worker = await overflowing(system, "drop_oldest")
    worker.tell(Note("second"))
    worker.resume()
    await settled()


async def dropped_newest(system: actors.System) -> None:
    worker = await overflowing(system, "drop_newest")
    worker.tell(Note("second"))
    worker.resume()
    await settled()


async def full(system: actors.System) -> None:
    """A group has nobody to raise to."""

    class Member(Worker):
        async def on_start(self) -> None:
            self.ctx.join("crew")

    policy = actors.Policy(mailbox=actors.Mailbox(capacity=1))
    worker = await system.start(Member, name="worker", policy=policy)
    worker.suspend()
    worker.tell(Note("first"))
    system.group("crew").tell(Note("lost"))
    worker.resume()
    await settled()


async def retries_exhausted(system: actors.System) -> None:
    policy = actors.Policy(retries=2, backoff=AT_ONCE.backoff, breaker=None)
    worker = await system.start(Worker, name="worker", policy=policy)
    worker.tell(Die("lost"))
    await trio.sleep(1)
    assert worker.statistics().failed == 3


@pytest.mark.parametrize(
    ("scene", "reason", "message"),
    [
        (stopped, "stopped", Note("lost")),
        (queued_at_the_stop, "stopped", Note("lost")),
        (crashed, "crashed", Die("lost")),
        (unhandled, "unhandled", "lost"),
        (interrupted, "interrupted", Sleep(60)),
        (dropped_oldest, "dropped_oldest", Note("first")),
        (dropped_newest, "dropped_newest", Note("second")),
        (full, "full", Note("lost")),
        (retries_exhausted, "retries_exhausted", Die("lost")),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_each_reason(autojump_clock: MockClock, scene: Any, reason: str, message: Any) -> None:
    """Exactly one letter and one event, with receiver, message, sender and reason."""
    async with actors.open_system("alpha") as system, system.subscribe(DeadLetter) as events:
        await scene(system)
        await settled()
        expected = ("DeadLetter", "/worker", message, None, reason)
        assert facts(events) == [expected]
        assert [(letter.ref.path, letter.message, letter.reason) for letter in system.dead_letters] == [
            ("/worker", message, reason)
        ]


def test_the_reasons_are_those_of_the_contract() -> None:
    names = "stopped crashed unhandled full dropped_oldest dropped_newest interrupted retries_exhausted"
    assert [str(reason) for reason in DeadLetterReason] == [*names.split(), "budget"]


async def test_a_letter_names_its_sender_and_its_time(autojump_clock: MockClock) -> None:
    async def sender(ctx: actors.Context, to: actors.Ref) -> None:
        await trio.sleep(3)
        to.tell("what?")

    async with actors.open_system("alpha") as system:
        start = trio.current_time()
        worker = await system.start(Worker)
        ref = system.spawn(sender, worker)
        await ref.wait_stopped()
        await settled()
        (letter,) = system.dead_letters
        assert (letter.sender, letter.ref, letter.at - start) == (ref, worker, pytest.approx(3.0))


async def test_requests_are_never_dead_letters_when_they_were_asked(autojump_clock: MockClock) -> None:
    """Their asker gets the error instead."""
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, name="worker", policy=AT_ONCE)
        with pytest.raises(actors.ActorFailed):
            await worker.ask(Fail(ValueError()))
        worker.stop()
        await worker.wait_stopped()
        with pytest.raises(actors.ActorStopped):
            await worker.ask(Echo())
        assert system.dead_letters == ()


async def test_a_told_request_that_is_lost_is_a_dead_letter(autojump_clock: MockClock) -> None:
    """Told, it has no asker."""
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        worker.stop()
        worker.tell(Echo("lost"))
        assert [letter.message for letter in system.dead_letters] == [Echo("lost")]


async def test_the_last_thousand_are_kept_newest_last(autojump_clock: MockClock) -> None:
    """All are counted."""
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        worker.stop()
        for n in range(1500):
            worker.tell(n)
        letters = system.dead_letters
        assert [letter.message for letter in letters] == list(range(500, 1500))
        assert system.statistics().dead_letters == 1500


async def test_a_message_to_an_adhoc_actor_that_fails_is_one_letter_without_retries(
    autojump_clock: MockClock,
) -> None:
    policy = actors.Policy(retries=5)
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker, policy=policy)
        worker.tell(Die("lost"))
        worker.tell(Note("behind"))
        await worker.wait_stopped()
        assert [(letter.message, letter.reason) for letter in system.dead_letters] == [
            (Die("lost"), "crashed"),
            (Note("behind"), "stopped"),
        ]
