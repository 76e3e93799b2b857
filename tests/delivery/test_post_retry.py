"""Failing deliveries: counted, tried again, exactly as often as allowed; then a dead letter."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import Backoff, Delivery, Policy, TicketFailed, TicketState
from actors.delivery.errors import IllegalMove, UnknownTicket
from actors.events import TicketMoved
from tests.delivery.post_cast import (
    AT_ONCE,
    PATIENT,
    Boom,
    Desk,
    Do,
    Poster,
    entries,
    facts,
    gently,
    plain,
    settled,
    states,
    way,
)
from tests.roads import ROADS

pytestmark = pytest.mark.parametrize("on_road", ROADS, indirect=True)
PENDING, DELIVERED, DEAD = TicketState.PENDING, TicketState.DELIVERED, TicketState.DEAD


@pytest.mark.row(95)
@pytest.mark.parametrize("max_attempts", [1, 2, 5])
async def test_a_message_that_always_fails_is_delivered_exactly_as_often_as_allowed(
    autojump_clock: MockClock, max_attempts: int
) -> None:
    """Then it is DEAD, with the history of its failures, and the next one goes."""
    async with actors.open_system("s", strategy=PATIENT) as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk", policy=AT_ONCE)
        ticket = await system.post("/desk", Do(1, error=Boom("always")), max_attempts=max_attempts)
        later = await system.post("/desk", Do(2))
        assert await later.wait_reply() == 2
        assert book == [1] * max_attempts + [2]
        with pytest.raises(TicketFailed, match="always") as caught:
            await ticket.wait_reply()
        assert caught.value.attempts == max_attempts
        assert "Boom" in str(caught.value.__cause__)
        (dead,) = await entries(system, states={DEAD})
        assert (dead.id, dead.attempts) == (ticket.id, max_attempts)
        assert [failure.attempt for failure in dead.failures] == list(range(1, max_attempts + 1))
        assert {failure.kind for failure in dead.failures} == {"tests.delivery.post_cast.Boom"}
        assert "post_cast.py" in dead.failures[-1].traceback
        assert ticket.entry.failures == dead.failures
        await trio.sleep(3600)
        assert len(book) == max_attempts + 1


async def test_five_deliveries_by_default(autojump_clock: MockClock) -> None:
    """As `max_attempts` says when nobody says anything."""
    async with actors.open_system("s", strategy=PATIENT) as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk", policy=AT_ONCE)
        await system.post("/desk", Do(1, error=Boom()))
        await settled()
        assert book == [1] * 5


async def test_deliveries_wait_by_the_backoff_of_the_recipient(autojump_clock: MockClock) -> None:
    """`Delivery(backoff=...)`: 1, 2 and 4 seconds here, whatever the restarts wait."""
    times: list[float] = []

    class Failing(actors.Actor):
        @actors.receive
        def do(self, message: Do) -> None:
            times.append(trio.current_time())
            raise Boom

    policy = Policy(
        backoff=Backoff.immediate(),
        breaker=None,
        delivery=Delivery(backoff=Backoff(initial=1.0, factor=2.0, jitter=0.0)),
    )
    async with actors.open_system("s") as system:
        system.spawn(Failing, name="desk", policy=policy)
        await system.post("/desk", Do(1), max_attempts=4)
        await trio.sleep(60)
        assert times == [0.0, 1.0, 3.0, 7.0]


async def test_max_attempts_stands_in_place_of_the_policy_s_retries(autojump_clock: MockClock) -> None:
    """Retries of the policy add nothing."""
    async with actors.open_system("s", strategy=PATIENT) as system:
        book: list[int] = []
        policy = Policy(
            backoff=Backoff.immediate(),
            breaker=None,
            retries=7,
            delivery=Delivery(backoff=Backoff.immediate()),
        )
        system.spawn(Desk, book, name="desk", policy=policy)
        await system.post("/desk", Do(1, error=Boom()), max_attempts=2)
        await trio.sleep(60)
        assert book == [1, 1]


async def test_one_that_fails_once_is_answered_in_its_second_delivery(autojump_clock: MockClock) -> None:
    """Same id, one attempt more; what the first one did is told by an event and kept."""

    class Moody(actors.Actor):
        @actors.receive
        def do(self, message: Do) -> int:
            if not self.ctx.ref.statistics().restarts:
                raise Boom("once")
            return message.n

    async with actors.open_system("s") as system, system.subscribe(TicketMoved) as events:
        system.spawn(Moody, name="desk", policy=AT_ONCE)
        ticket = await system.post("/desk", Do(7))
        assert await ticket.wait_reply() == 7
        assert ticket.attempts == 2
        assert await way(system, ticket) == [
            (PENDING, 0),
            (DELIVERED, 1),
            (PENDING, 1),
            (DELIVERED, 2),
            (TicketState.RESPONDED, 2),
        ]
        moves = [(one.ticket_id == ticket.id, one.state, one.why) for one in facts(events, TicketMoved)]
        assert moves == [
            (True, "delivered", ""),
            (True, "pending", "once"),
            (True, "delivered", ""),
            (True, "responded", ""),
        ]


async def test_one_that_is_refused_has_failed_at_once(autojump_clock: MockClock) -> None:
    """`Refused` is an answer: no second delivery, the actor lives on, the waiter gets it."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        ref = system.spawn(Desk, book, name="desk", policy=AT_ONCE)
        ticket = await system.post("/desk", Do(1, error=actors.Refused("not on Mondays")))
        with pytest.raises(actors.Refused, match="not on Mondays"):
            await ticket.wait_reply()
        assert (ticket.state, ticket.attempts) == (TicketState.FAILED, 1)
        await trio.sleep(3600)
        assert book == [1]
        assert ref.statistics().restarts == 0


async def test_one_without_a_handler_has_failed_at_once(autojump_clock: MockClock) -> None:
    """It would find none the next time either; the error says what is missing."""

    class Deaf(actors.Actor):
        @actors.receive
        def other(self, message: plain) -> None: ...

    async with actors.open_system("s") as system:
        system.spawn(Deaf, name="desk", policy=AT_ONCE)
        ticket = await system.post("/desk", Do(1))
        with pytest.raises(TicketFailed, match="Do"):
            await ticket.wait_reply()
        assert (ticket.state, ticket.attempts) == (TicketState.FAILED, 1)
        assert await (await system.post("/desk", plain(1))).wait_reply() is None


async def test_a_reply_that_is_put_off_and_fails_is_delivered_again(autojump_clock: MockClock) -> None:
    """By `port.fail`, and where the actor goes before it has answered."""

    class Later(actors.Actor):
        deliveries = 0

        @actors.receive
        async def do(self, message: Do) -> None:
            type(self).deliveries += 1
            port = self.ctx.reply_later()
            if self.deliveries == 1:
                port.fail(Boom("not now"))
            elif self.deliveries == 2:
                self.ctx.stop()
            else:
                port.answer(message.n)

    async with actors.open_system("s") as system:
        policy = attrs_permanent()
        system.spawn(Later, name="desk", policy=policy)
        ticket = await system.post("/desk", Do(5))
        assert await ticket.wait_reply() == 5
        assert ticket.attempts == 3
        assert [failure.kind.rpartition(".")[2] for failure in ticket.entry.failures] == [
            "Boom",
            "ActorStopped",
        ]


def attrs_permanent() -> Policy:
    """One that starts again whatever ended it."""
    return Policy(
        restart="permanent",
        backoff=Backoff.immediate(),
        breaker=None,
        delivery=Delivery(backoff=Backoff.immediate()),
    )


async def test_an_interrupted_one_is_delivered_again(autojump_clock: MockClock) -> None:
    """Its handler was ended: that was one attempt, and the actor lives on."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        ref = system.spawn(Desk, book, name="desk", policy=AT_ONCE)
        ticket = await system.post("/desk", Do(1, seconds=10.0))
        await trio.sleep(1.0)
        assert await ref.interrupt()
        assert await ticket.wait_reply() == 1
        assert book == [1, 1]
        assert ticket.attempts == 2
        assert ref.statistics().restarts == 0
        assert trio.current_time() == 11.0


LATER = Policy(backoff=Backoff.immediate(), breaker=None, delivery=Delivery(backoff=Backoff.fixed(5.0)))


@actors.message
class Total:
    """What a counter keeps."""

    n: int


class Counter(actors.Actor):
    """Counts in its memory, twice: before it saves and waits, and behind that."""

    def __init__(self) -> None:
        self.early = self.late = 0

    @actors.receive
    async def do(self, message: Do) -> int:
        self.early += 1
        late = self.late + 1
        await self.ctx.save(Total(late))
        await trio.sleep(message.seconds)
        self.late = late
        return 10 * self.early + self.late

    @actors.receive
    async def told(self, message: plain) -> object:
        return await self.ctx.restored()


async def test_an_interrupted_handler_has_saved_nothing_and_changes_its_memory_again(
    autojump_clock: MockClock,
) -> None:
    """Nobody restores the memory of an actor that lives on: what is changed behind the last wait is right."""
    async with actors.open_system("s") as system:
        ref = system.spawn(Counter, name="counter", policy=LATER)
        ticket = await system.post("/counter", Do(1, seconds=10.0))
        await trio.sleep(1.0)
        assert await ref.interrupt()
        assert await (await system.post("/counter", plain(1), priority=1)).wait_reply() is None
        assert await ticket.wait_reply() == 21
        assert await (await system.post("/counter", plain(1))).wait_reply() == Total(1)


async def test_a_higher_priority_passes_one_that_waits_for_its_next_try(autojump_clock: MockClock) -> None:
    """Those of its own priority wait behind it."""
    async with actors.open_system("s", strategy=PATIENT) as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk", policy=LATER)
        await system.post("/desk", Do(1, error=Boom()), max_attempts=2)
        last = await system.post("/desk", Do(2))
        await trio.sleep(1.0)
        await system.post("/desk", Do(3), priority=1)
        assert await last.wait_reply() == 2
        assert book == [1, 3, 1, 2]


async def test_a_reply_given_early_waits_for_the_handler_and_is_lost_where_it_fails(
    autojump_clock: MockClock,
) -> None:
    """Acknowledged is a message only when its handler has returned."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk", policy=AT_ONCE)
        good = await system.post("/desk", Do(1, seconds=2.0, how="early"))
        bad = await system.post("/desk", Do(2, how="early", error=Boom("after the reply")), max_attempts=2)
        await trio.sleep(1.0)
        assert good.state is DELIVERED
        assert await good.wait_reply() == 1
        assert trio.current_time() == 2.0
        with pytest.raises(TicketFailed, match="after the reply"):
            await bad.wait_reply()
        assert book == [1, 2, 2]


# --- the dead -----------------------------------------------------------------------


async def test_a_dead_letter_is_posted_anew_as_a_new_ticket(autojump_clock: MockClock) -> None:
    """With all its attempts, at the end of the line, and the dead one is gone."""
    async with actors.open_system("s", strategy=PATIENT) as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk", policy=AT_ONCE)
        ticket = await system.post("/desk", Do(1, error=Boom()), max_attempts=2, timeout=100.0)
        await settled()
        with pytest.raises(IllegalMove):
            await system.posted.redeliver((await system.post("/nobody", Do(3))).id)
        again = await system.posted.redeliver(ticket.id)
        assert again.id != ticket.id
        with pytest.raises(TicketFailed):
            await again.wait_reply()
        assert book == [1] * 4
        assert [entry.id for entry in await entries(system, states={DEAD})] == [again.id]
        with pytest.raises(UnknownTicket):
            await system.posted.redeliver(ticket.id)
        await trio.sleep(200)
        assert again.state is DEAD  # the timeout was that of the first


async def test_a_dead_letter_is_redelivered_to_who_comes_later(autojump_clock: MockClock) -> None:
    """Where nobody is there it waits, as any other."""
    async with actors.open_system("s", strategy=PATIENT) as system:
        ref = system.spawn(Desk, name="desk", policy=AT_ONCE)
        ticket = await system.post("/desk", Do(1, error=Boom()), max_attempts=1)
        await settled()
        ref.stop()
        await ref.wait_stopped()
        again = await system.posted.redeliver(ticket.id)
        await settled()
        assert again.state is PENDING

        class Good(actors.Actor):
            @actors.receive
            def do(self, message: Do) -> str:
                return "well"

        system.spawn(Good, name="desk")
        assert await again.wait_reply() == "well"


async def test_a_dead_letter_is_dropped_and_a_living_one_is_not(autojump_clock: MockClock) -> None:
    """Its key is free again then."""
    async with actors.open_system("s", strategy=PATIENT) as system:
        system.spawn(Desk, name="desk", policy=AT_ONCE)
        ticket = await system.post("/desk", Do(1, error=Boom()), max_attempts=1, key="k")
        await settled()
        waits = await system.post("/nobody", Do(2))
        with pytest.raises(IllegalMove):
            await system.posted.drop(waits.id)
        await system.posted.drop(ticket.id)
        with pytest.raises(UnknownTicket):
            await system.posted.drop(ticket.id)
        assert [entry.id for entry in await entries(system)] == [waits.id]
        assert (await system.post("/desk", Do(2), key="k")).id != ticket.id


async def test_a_reply_that_comes_later_than_a_redelivery_changes_nothing(autojump_clock: MockClock) -> None:
    """A port of an earlier delivery is dead; the ticket has the reply of the one that ended well."""
    ports: list[Any] = []

    class Later(actors.Actor):
        @actors.receive
        async def do(self, message: Do) -> Any:
            ports.append(self.ctx.reply_later())
            if len(ports) == 1:
                raise Boom

    async with actors.open_system("s") as system:
        system.spawn(Later, name="desk", policy=gently())
        ticket = await system.post("/desk", Do(1))
        await settled()
        assert len(ports) == 2
        ports[0].answer("old")
        await settled()
        assert ticket.state is DELIVERED
        ports[1].answer("new")
        assert await ticket.wait_reply() == "new"
        assert await states(system) == [TicketState.RESPONDED]


async def test_the_post_of_a_handler_that_fails_afterwards_is_made(autojump_clock: MockClock) -> None:
    """A post is no part of the handling: who wants it once gives it a key."""
    book: list[Any] = []

    class Failing(Poster):
        @actors.receive
        async def do(self, message: Do) -> None:
            await self.ctx.system.post("/sink", plain(message.n), key="of the first")
            await self.ctx.system.post("/sink", plain(message.n + 1))
            raise Boom

    async with actors.open_system("s", strategy=PATIENT) as system:
        got: list[int] = []
        system.spawn(Desk, got, name="sink")
        system.spawn(Failing, book, name="desk", policy=AT_ONCE)
        await system.post("/desk", Do(1), max_attempts=3)
        await settled()
        assert sorted(got) == [1, 2, 2, 2]


async def test_a_ticket_that_is_looked_up_at_any_moment_has_each_failure_once(
    autojump_clock: MockClock,
) -> None:
    """Also in the moment between the writing of a failure and the news of it."""
    for checkpoints in range(20):
        async with actors.open_system("s", strategy=PATIENT) as system:
            system.spawn(Desk, name="desk", policy=AT_ONCE)
            ticket = await system.post("/desk", Do(1, error=Boom()), max_attempts=3)
            for _ in range(checkpoints):
                await trio.lowlevel.checkpoint()
            for _ in range(4):
                assert await system.ticket(ticket.id) is ticket
            await settled()
            assert [failure.attempt for failure in ticket.entry.failures] == [1, 2, 3]
