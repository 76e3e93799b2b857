"""A pool is told and asked like one actor (contract §7)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import (
    ActorFailed,
    ActorState,
    ActorStopped,
    AskTimeout,
    Mailbox,
    MailboxFull,
    Policy,
    Pool,
    Refused,
    Unhandled,
)
from actors.events import DeadLetterReason, Expired, LateReply
from tests.core.cast import Note
from tests.spawning.hands import (
    AT_ONCE,
    Do,
    Hand,
    Log,
    Plain,
    clerk,
    hands,
    hear,
    log,
    outcome,
    pool,
    read,
    settled,
)

__all__ = ["log"]

WORKERS = pytest.mark.parametrize("what", [Hand, Plain, clerk])


@actors.message
class Lost(actors.Request[None]):
    """Nobody has a handler for it."""


def letters(system: actors.System) -> list[tuple[Any, str]]:
    return [(letter.message.number, str(letter.reason)) for letter in system.dead_letters]


# --- replies and errors ---------------------------------------------------------------


@WORKERS
async def test_it_answers_like_its_workers(what: Any, log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(Pool(hands(log, what), 2, 2), name="pool")
        assert await ref.ask(Do(7)) == 7
        ref.tell(Do(8))
        await ref.send(Do(9))
        assert await ref.request(Do(10)).wait() == 10
        assert sorted(log.numbers()) == [7, 8, 9, 10]
        assert ref.statistics().handled == 4


async def test_its_workers_are_at_work_at_the_same_time(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log, 3), name="pool")
        assert await read([ref.request(Do(n, 1.0)) for n in range(7)]) == list(range(7))
        assert trio.current_time() == 3.0
        assert [at for at, _, what, _ in log.lines if what == "begin"] == [0.0] * 3 + [1.0] * 3 + [2.0]


@pytest.mark.parametrize(
    ("act", "error"),
    [
        ("refuse", Refused),
        ("fail", ActorFailed),
        ("later, refuse", ActorFailed),
        ("later, fail", ActorFailed),
    ],
)
async def test_errors_reach_the_asker(
    act: str, error: type[Exception], log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log), name="pool")
        with pytest.raises(error):
            await ref.ask(Do(1, 0.5, act))
        assert await ref.ask(Do(2)) == 2
        assert not system.dead_letters
        assert ref.statistics().handled == 2
        assert ref.statistics().failed == 0  # the pool itself has not


async def test_an_error_says_which_worker_failed(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log), name="pool")
        with pytest.raises(ActorFailed, match="/pool/worker-1 failed") as caught:
            await ref.ask(Do(1, 0, "fail"))
        assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("what", [Hand, Plain])
async def test_what_no_worker_handles_is_unhandled(what: Any, log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(Pool(hands(log, what), 1, 1), name="pool")
        with pytest.raises(Unhandled):
            await ref.ask(Lost())
        ref.tell(Note("x"))
        assert await ref.ask(Do(1)) == 1
        (letter,) = system.dead_letters
        assert (letter.reason, letter.message) == (DeadLetterReason.UNHANDLED, Note("x"))
        assert letter.ref.path == "/pool/worker-1"


async def test_a_reply_before_the_end_of_the_handling_goes_at_once(
    log: Log, autojump_clock: MockClock
) -> None:
    """The worker has the message until its handler returns."""
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log), name="pool")
        assert await ref.ask(Do(1, 2.0, "reply")) == 1
        assert trio.current_time() == 0.0
        assert ref.state is ActorState.BUSY
        assert await ref.ask(Do(2)) == 2
        assert trio.current_time() == 2.0


async def test_a_failure_behind_the_reply_is_nobodys_dead_letter(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log), name="pool")
        assert await ref.ask(Do(1, 2.0, "reply, fail")) == 1
        assert await ref.ask(Do(2)) == 2
        assert not system.dead_letters


async def test_a_reply_put_off_may_come_behind_the_end_of_the_handling(
    log: Log, autojump_clock: MockClock
) -> None:
    """Meanwhile the worker takes the next message."""
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log), name="pool")
        pending = ref.request(Do(1, 0.0, "later"))
        assert await ref.ask(Do(2)) == 2
        assert not pending.done
        assert ref.state is ActorState.IDLE
        log.ports[1].answer("at last")
        assert await pending.wait() == "at last"
        failing = ref.request(Do(3, 0.0, "later"))
        await settled()
        log.ports[3].fail(Refused("no"))
        assert await outcome(failing) is Refused
        assert await ref.ask(Do(4, 1.0, "later, answer")) == "later"
        assert ref.statistics().handled == 4


@pytest.mark.parametrize(("order", "error"), [("kill", ActorStopped), ("stop", ActorStopped)])
async def test_a_reply_put_off_ends_with_its_worker(
    order: str, error: type[Exception], log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log), name="pool")
        pending = ref.request(Do(1, 0.0, "later"))
        await settled()
        getattr(system.children(ref)[0], order)()
        assert await outcome(pending) is error
        assert await ref.ask(Do(2)) == 2


async def test_workers_see_who_has_sent(log: Log, autojump_clock: MockClock) -> None:
    class Boss(actors.Actor):
        @actors.receive
        async def go(self, message: Note) -> None:
            target.tell(Do(1))
            await target.ask(Do(2))

    async with actors.open_system("s") as system:
        target = await system.start(pool(log), name="pool")
        boss = await system.start(Boss, name="boss")
        boss.tell(Note())
        await settled()
        target.tell(Do(3))
        await settled()
        assert log.senders == [boss, boss, None]


# --- limits of an ask -----------------------------------------------------------------


@pytest.mark.parametrize("keyed", [False, True])
async def test_an_ask_that_is_late_names_the_pool(keyed: bool, log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(_keyed(log) if keyed else pool(log), name="pool")
        ref.tell(Do(1, 10.0))
        with pytest.raises(AskTimeout, match="/pool did not answer"):
            await ref.ask(Do(2), timeout=5.0)
        assert trio.current_time() == 5.0


def _keyed(log: Log, workers: int = 1) -> Pool:
    return pool(log, workers, routing="key", key=lambda message: message.key or 0)


@pytest.mark.parametrize("keyed", [False, True])
async def test_an_asker_that_leaves_the_queue_is_skipped(
    keyed: bool, log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system, hear(system, Expired, LateReply) as facts:
        ref = await system.start(_keyed(log) if keyed else pool(log), name="pool")
        ref.tell(Do(1, 10.0))
        gone = ref.request(Do(2))
        stays = ref.request(Do(3))
        await trio.sleep(1.0)
        gone.cancel()
        assert await stays.wait() == 3
        assert log.numbers("begin") == [1, 3]
        assert ref.statistics().handled == 2
        assert ref.state is ActorState.IDLE
    assert [(type(fact), fact.message) for fact in facts] == [(Expired, Do(2))]


async def test_an_answer_to_an_asker_that_has_left_is_late(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, hear(system, Expired, LateReply) as facts:
        ref = await system.start(pool(log), name="pool")
        pending = ref.request(Do(1, 1.0))
        await settled()
        pending.cancel()
        assert await ref.ask(Do(2)) == 2
        assert log.numbers() == [1, 2]
    assert [(type(fact), fact.ref.path, fact.message) for fact in facts] == [(LateReply, "/pool", Do(1, 1.0))]


# --- the mailbox ----------------------------------------------------------------------


async def test_urgent_messages_come_first(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log), name="pool")
        ref.tell(Do(1, 1.0))
        await settled()
        ref.tell(Do(2))
        ref.tell(Do(3), urgent=True)
        await trio.sleep(2.0)
        assert log.numbers() == [1, 3, 2]


@pytest.mark.parametrize(
    ("overflow", "handled", "lost"),
    [("drop_oldest", [1, 3, 4], 2), ("drop_newest", [1, 2, 3], 4), ("reject", [1, 2, 3], None)],
)
async def test_a_full_mailbox_overflows_by_its_rule(
    overflow: Any, handled: list[int], lost: int | None, log: Log, autojump_clock: MockClock
) -> None:
    policy = Policy(mailbox=Mailbox(capacity=2, overflow=overflow))
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log), name="pool", policy=policy)
        ref.tell(Do(1, 1.0))
        await settled()
        ref.tell(Do(2))
        ref.tell(Do(3))
        if lost is None:
            with pytest.raises(MailboxFull):
                ref.tell(Do(4))
        else:
            ref.tell(Do(4))
        assert ref.statistics().depth["normal"] == 2
        await trio.sleep(2.0)
        assert log.numbers() == handled
        assert letters(system) == ([] if lost is None else [(lost, overflow.replace("drop_", "dropped_"))])


async def test_an_ask_of_a_full_pool_is_told_so(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log), name="pool", policy=Policy(mailbox=Mailbox(capacity=1)))
        pendings = [ref.request(Do(0, 1.0))]
        await settled()
        pendings += [ref.request(Do(n)) for n in (1, 2)]
        assert await read(pendings) == [0, 1, MailboxFull]


async def test_send_waits_for_room(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log), name="pool", policy=Policy(mailbox=Mailbox(capacity=1)))
        ref.tell(Do(1, 1.0))
        await settled()
        await ref.send(Do(2))
        await ref.send(Do(3))
        assert trio.current_time() == 1.0
        await trio.sleep(1.0)
        assert log.numbers() == [1, 2, 3]


async def test_told_messages_that_are_lost_are_dead_letters_with_the_reason(
    log: Log, autojump_clock: MockClock
) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log), name="pool")
        ref.tell(Do(1, 0.0, "fail"))
        await settled()
        ref.tell(Do(2, 5.0))
        await settled()
        assert await system.children(ref)[0].interrupt()
        ref.tell(Do(3, 5.0))
        await settled()
        system.children(ref)[0].kill()
        ref.tell(Do(4, 0.0, "refuse"))
        ref.tell(Do(5, 5.0))
        await trio.sleep(2.0)
        ref.tell(Do(6))
        ref.stop()
        await ref.wait_stopped()
        ref.tell(Do(7))
        said = [(1, "crashed"), (2, "interrupted"), (3, "stopped"), (6, "stopped"), (7, "stopped")]
        assert letters(system) == said
        assert log.numbers() == [5]


async def test_the_dead_letter_after_the_last_retry_says_so(log: Log, autojump_clock: MockClock) -> None:
    policy = Policy(retries=2, backoff=AT_ONCE.backoff, breaker=None)
    async with actors.open_system("s") as system:
        ref = await system.start(Pool(hands(log, policy=policy), 1, 1), name="pool")
        ref.tell(Do(1, 0.0, "fail"))
        assert await ref.ask(Do(2)) == 2
        assert log.numbers("begin") == [1, 1, 1, 2]
        assert letters(system) == [(1, "retries_exhausted")]
        assert await outcome(ref.request(Do(3, 0.0, "fail"))) is ActorFailed
        assert log.numbers("begin") == [1, 1, 1, 2, 3, 3, 3]
