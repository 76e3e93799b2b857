"""A message in the hands of a worker: whoever asked is answered once, and the pool hears of the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorFailed, ActorStopped, CircuitOpen, Interrupted, MailboxFull, Refused, Unhandled
from actors.core.ask import Pending
from actors.core.mailbox import Item
from actors.events import LateReply
from actors.spawning.delegated import Delegated
from actors.spawning.worker import Worker
from tests.spawning.hands import Do, Hand, Log, hear, log, outcome, pool, settled

__all__ = ["log"]


@attrs.define
class Told:
    """A delegator that writes down what it is told."""

    lines: list[tuple[Any, ...]] = attrs.field(factory=list)

    def finished(self, delegated: Delegated, well: bool) -> None:
        self.lines.append(("finished", well))

    def skipped(self, delegated: Delegated) -> None:
        self.lines.append(("skipped",))

    def came_back(self, delegated: Delegated) -> None:
        self.lines.append(("came back",))

    def replaced(self, delegated: Delegated, rest: Delegated) -> None:
        self.lines.append(("replaced", rest.is_told))

    def caught_up(self, delegated: Delegated) -> None:
        self.lines.append(("caught up",))


def delegated(ref: actors.Ref, asked: bool = True) -> tuple[Delegated, Told]:
    """One whose worker is `ref`, asked for by somebody or told."""
    told = Told()
    request = Pending[Any](ref.cell, Do(1), None) if asked else None
    item: Item = (Do(1), None, request, 0.0, None)
    return Delegated(Worker(ref.cell, False), told, item, None), told


@pytest.fixture
async def ref(log: Log, autojump_clock: MockClock) -> Any:
    async with actors.open_system("s") as system:
        yield await system.start(Hand, log, name="hand")


Made = Callable[[actors.Ref], Exception]


@pytest.mark.parametrize(
    ("made", "well", "reason"),
    [
        (lambda ref: Refused("no"), True, None),
        (lambda ref: ActorFailed(ref, ValueError()), False, "crashed"),
        (lambda ref: Interrupted(ref, Do(1)), True, "interrupted"),
        (lambda ref: ActorStopped(ref), True, "stopped"),
        (lambda ref: Unhandled(ref, Do(1)), True, "unhandled"),
    ],
)
async def test_an_error_is_the_askers_and_a_told_message_is_a_dead_letter(
    made: Made, well: bool, reason: str | None, ref: actors.Ref
) -> None:
    error = made(ref)
    one, told = delegated(ref)
    one.fail(error)
    assert one.asked is not None
    with pytest.raises(type(error)):
        await one.asked.wait()
    letters = ref.cell.kernel.dead_letters
    assert not letters
    other, also = delegated(ref, asked=False)
    other.fail(error)
    assert [str(letter.reason) for letter in letters] == ([] if reason is None else [reason])
    assert told.lines == also.lines == [("finished", well)]


@pytest.mark.parametrize(
    "made", [lambda ref: CircuitOpen("/x", 1, 1.0), lambda ref: MailboxFull(ref, Do(1), 1)]
)
async def test_what_a_worker_would_not_have_comes_back(made: Made, ref: actors.Ref) -> None:
    error = made(ref)
    one, told = delegated(ref)
    one.fail(error)
    assert told.lines == [("came back",)]
    assert one.asked is not None
    assert not one.asked.done


@pytest.mark.parametrize("asked", [False, True])
async def test_it_ends_once(asked: bool, ref: actors.Ref) -> None:
    """What comes later is a late reply, or nothing."""
    one, told = delegated(ref, asked)
    one.answer(1)
    one.fail(ValueError())
    async with ref.cell.kernel.system.subscribe(LateReply) as events:
        one.answer(2)
        late = events.next_nowait()
    assert isinstance(late, LateReply)
    assert told.lines == [("finished", True)]
    assert one.done
    assert one.asked is None or await one.asked.wait() == 1
    assert not ref.cell.kernel.dead_letters


@pytest.mark.parametrize("well", [False, True])
async def test_an_answer_that_goes_alone_does_not_end_the_handling(well: bool, ref: actors.Ref) -> None:
    one, told = delegated(ref)
    rest = one.rest()
    assert rest.is_told
    if well:
        one.answer(1)
    else:
        one.fail(Refused("no"))
    assert one.asked is not None
    assert await outcome(one.asked) == (1 if well else Refused)
    assert told.lines == [("replaced", True)]
    assert isinstance(rest, Delegated)
    rest.fail(ActorFailed(ref, ValueError()))
    assert told.lines == [("replaced", True), ("finished", False)]
    assert not ref.cell.kernel.dead_letters


@pytest.mark.parametrize("well", [False, True])
async def test_an_answer_that_was_put_off_is_owed_until_it_comes(well: bool, ref: actors.Ref) -> None:
    one, told = delegated(ref)
    one.rest()
    one.put_off()
    assert list(one.worker.owed) == [one]
    if well:
        one.answer(1)
    else:
        one.fail(Refused("no"))
    assert told.lines == [("replaced", True), ("caught up",)]


async def test_a_deadline_is_that_of_whoever_asked(ref: actors.Ref, autojump_clock: MockClock) -> None:
    one, _ = delegated(ref)
    assert one.left(0.0) is None
    assert one.asked is not None
    one.asked.arm(5.0, 0.0)
    assert one.left(2.0) == 3.0
    await trio.sleep(6.0)
    assert one.done
    other, _ = delegated(ref, asked=False)
    assert other.left(0.0) is None
    assert not other.done


async def test_what_is_withdrawn_is_nobodys_any_more(ref: actors.Ref) -> None:
    one, told = delegated(ref)
    assert one.withdraw() is one.item
    one.fail(ActorStopped(ref))
    assert told.lines == []
    assert one.asked is not None
    assert not one.asked.done


# --- in a pool ------------------------------------------------------------------------


async def test_a_second_answer_is_late(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system, hear(system, LateReply) as facts:
        ref = await system.start(pool(log), name="pool")
        pending = ref.request(Do(1, 0.0, "later"))
        await settled()
        log.ports[1].answer("first")
        log.ports[1].answer("second")
        assert await pending.wait() == "first"
        assert ref.statistics().handled == 1
    assert len(facts) == 1


async def test_a_reply_to_a_told_message_goes_nowhere(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = await system.start(pool(log), name="pool")
        ref.tell(Do(1, 1.0, "reply"))
        ref.tell(Do(2, 1.0, "later, answer"))
        ref.tell(Do(3, 0.0, "reply, fail"))
        assert await ref.ask(Do(4)) == 4
        assert log.numbers("begin") == [1, 2, 3, 4]
        assert [letter.message.number for letter in system.dead_letters] == [3]


async def test_messages_of_others_to_a_worker_are_not_the_pools(log: Log, autojump_clock: MockClock) -> None:
    """They end with that worker, as with any actor."""
    async with actors.open_system("s") as system:
        one = pool(log, 1, routing="key", key=lambda message: 1)
        ref = system.spawn(one, name="pool")
        mine = [ref.request(Do(number, 1.0)) for number in (1, 2)]
        await settled()
        (worker,) = system.children(ref)
        foreign = worker.request(Do(3))
        worker.tell(Do(4))
        worker.stop()
        assert await outcome(foreign) is ActorStopped
        assert [await outcome(pending) for pending in mine] == [1, 2]
        assert [letter.message.number for letter in system.dead_letters] == [4]


async def test_a_pool_that_nobody_waits_for_works_too(log: Log, autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref = system.spawn(pool(log, 0, 2, max_wait=0.5), name="pool")
        for number in range(4):
            ref.tell(Do(number, 1.0, "fail" if number == 2 else ""))
        await trio.sleep(10.0)
        assert sorted(log.numbers()) == [0, 1, 3]
