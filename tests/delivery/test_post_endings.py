"""Recipients that stop, drain, are killed or restart, with a posted message queued or in hand."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import Backoff, Delivery, Policy, TicketState
from tests.delivery.post_cast import AT_ONCE, PATIENT, Boom, Desk, Do, plain, settled, states, way
from tests.roads import ROADS

pytestmark = pytest.mark.parametrize("on_road", ROADS, indirect=True)
PENDING, DELIVERED, RESPONDED = TicketState.PENDING, TicketState.DELIVERED, TicketState.RESPONDED
ENDS: dict[str, Callable[[actors.Ref], None]] = {
    "stop": actors.Ref.stop,
    "drain": actors.Ref.drain,
    "kill": actors.Ref.kill,
}
EVER = Policy(
    restart="permanent",
    backoff=Backoff.immediate(),
    breaker=None,
    delivery=Delivery(backoff=Backoff.immediate()),
)


@pytest.mark.row(95)
@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_one_that_was_queued_and_not_begun_has_had_no_attempt(
    autojump_clock: MockClock, end: str
) -> None:
    """It is PENDING again, and goes to the next actor of the name."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        ref = system.spawn(Desk, book, name="desk")
        await settled()
        ref.suspend()
        ticket = await system.post("/desk", Do(1), max_attempts=1)
        await settled()
        assert (ticket.state, ticket.attempts) == (DELIVERED, 1)
        ENDS[end](ref)
        await ref.wait_stopped()
        await settled()
        assert (ticket.state, ticket.attempts) == (PENDING, 0)
        system.spawn(Desk, book, name="desk")
        assert await ticket.wait_reply() == 1
        assert ticket.attempts == 1
        assert book == [1]


async def test_one_in_hand_is_finished_by_an_actor_that_is_stopped(autojump_clock: MockClock) -> None:
    """And the next one waits for the next actor, without an attempt."""
    async with actors.open_system("s") as system:
        ref = system.spawn(Desk, name="desk")
        first = await system.post("/desk", Do(1, seconds=2.0))
        second = await system.post("/desk", Do(2))
        await trio.sleep(1.0)
        ref.stop()
        assert await first.wait_reply() == 1
        await trio.sleep(60)
        assert (second.state, second.attempts) == (PENDING, 0)
        system.spawn(Desk, name="desk")
        assert await second.wait_reply() == 2


@pytest.mark.row(95)
@pytest.mark.parametrize("max_attempts", [1, 2])
async def test_one_in_hand_of_a_killed_actor_has_had_its_attempt(
    autojump_clock: MockClock, max_attempts: int
) -> None:
    """It is delivered again to the next, or is dead where that was the last one."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        ref = system.spawn(Desk, book, name="desk")
        ticket = await system.post("/desk", Do(1, seconds=5.0), max_attempts=max_attempts)
        await trio.sleep(1.0)
        ref.kill()
        await ref.wait_stopped()
        await settled()
        assert ticket.attempts == 1
        assert ticket.state is (TicketState.DEAD if max_attempts == 1 else PENDING)
        system.spawn(Desk, book, name="desk")
        await trio.sleep(60)
        assert book == [1] * max_attempts


async def test_a_draining_actor_takes_what_it_has_and_nothing_new(autojump_clock: MockClock) -> None:
    """What waits in the store stays there untouched, for however long it drains."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        ref = system.spawn(Desk, book, name="desk", policy=Policy(shutdown=1000.0))
        first = await system.post("/desk", Do(1, seconds=5.0))
        await trio.sleep(1.0)
        ref.tell(plain(10))
        ref.drain()
        second = await system.post("/desk", Do(2))
        await trio.sleep(100.0)
        assert ref.state is actors.ActorState.STOPPED
        assert book == [1, 10]
        assert first.state is RESPONDED
        assert await way(system, second) == [(PENDING, 0)]
        system.spawn(Desk, book, name="desk")
        assert await second.wait_reply() == 2


async def test_one_queued_in_a_draining_actor_is_handled(autojump_clock: MockClock) -> None:
    """Drained is the mailbox, with what was delivered."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        ref = system.spawn(Desk, book, name="desk")
        await settled()
        ref.suspend()
        ticket = await system.post("/desk", Do(1))
        await settled()
        ref.drain()
        await ref.wait_stopped()
        await settled()
        assert (ticket.state, book) == (RESPONDED, [1])


async def test_an_actor_that_stops_itself_answers_what_it_has_in_hand(autojump_clock: MockClock) -> None:
    """A permanent one goes on with the next; of another the next waits for a later actor."""
    for policy in (EVER, AT_ONCE):
        async with actors.open_system("s") as system:
            ref = system.spawn(Desk, name="desk", policy=policy)
            first = await system.post("/desk", Do(1, how="stop"))
            second = await system.post("/desk", Do(2))
            await trio.sleep(60)
            assert first.state is RESPONDED
            if policy is AT_ONCE:
                assert ref.state is actors.ActorState.STOPPED
                assert (second.state, second.attempts) == (PENDING, 0)
                system.spawn(Desk, name="desk")
            assert await second.wait_reply() == 2
            assert second.attempts == 1


@pytest.mark.row(95)
async def test_one_that_crashes_its_actor_for_good_goes_to_the_next_of_the_name(
    autojump_clock: MockClock,
) -> None:
    """Also where that is there in the very moment in which the first is gone."""
    for pause in (None, 0, 1, 2, 3, 5, 8):
        async with actors.open_system("s") as system:
            book: list[int] = []
            temporary = Policy(
                restart="temporary", breaker=None, delivery=Delivery(backoff=Backoff.immediate())
            )
            ref = system.spawn(Desk, book, name="desk", policy=temporary)
            ticket = await system.post("/desk", Do(1, error=Boom()), max_attempts=2)
            later = await system.post("/desk", Do(2))
            await ref.wait_stopped()
            for _ in range(pause or 0):
                await trio.lowlevel.checkpoint()
            second = system.spawn(Desk, book, name="desk", policy=temporary)
            await second.wait_stopped()
            system.spawn(Desk, book, name="desk", policy=temporary)
            assert await later.wait_reply() == 2
            assert ticket.state is TicketState.DEAD
            assert book == [1, 1, 2]


async def test_one_that_came_back_is_not_forgotten_when_the_next_actor_is_there_at_once(
    autojump_clock: MockClock,
) -> None:
    """Queued in the first one when it was stopped; at every step of what follows."""
    for pause in range(8):
        async with actors.open_system("s") as system:
            book: list[int] = []
            ref = system.spawn(Desk, book, name="desk")
            await settled()
            ref.suspend()
            ticket = await system.post("/desk", Do(1))
            await settled()
            ref.stop()
            await ref.wait_stopped()
            for _ in range(pause):
                await trio.lowlevel.checkpoint()
            system.spawn(Desk, book, name="desk")
            with trio.fail_after(60):
                assert await ticket.wait_reply() == 1


async def test_a_restart_keeps_what_was_queued_in_the_mailbox(autojump_clock: MockClock) -> None:
    """A told message crashes the actor; the posted one behind it is handled by the next incarnation, once."""

    class Fragile(Desk):
        @actors.receive
        def told(self, message: plain) -> None:
            raise Boom

    async with actors.open_system("s") as system:
        book: list[int] = []
        ref = system.spawn(Fragile, book, name="desk", policy=AT_ONCE)
        await settled()
        ref.suspend()
        ref.tell(plain(1))
        ticket = await system.post("/desk", Do(1), max_attempts=1)
        await settled()
        ref.resume()
        assert await ticket.wait_reply() == 1
        assert (ticket.attempts, ref.statistics().restarts, book) == (1, 1, [1])


@pytest.mark.parametrize("strategy", [actors.RestForOne, actors.OneForAll])
async def test_a_restart_of_the_group_counts_only_what_was_in_hand(
    autojump_clock: MockClock, strategy: Callable[..., Any]
) -> None:
    """The neighbour finishes what it has in hand, as on a stop; what is queued is handled afterwards."""
    books: dict[str, list[int]] = {"a": [], "b": []}

    class Group(actors.Supervisor):
        async def on_start(self) -> None:
            self.strategy = strategy(max_restarts=10)
            for name in ("a", "b"):
                self.spawn(Desk, books[name], name=name, policy=AT_ONCE)

    async with actors.open_system("s") as system:
        system.spawn(Group, name="group")
        hand = await system.post("/group/b", Do(1, seconds=2.0), max_attempts=1)
        queued = await system.post("/group/b", Do(2), max_attempts=1)
        await trio.sleep(1.0)
        bad = await system.post("/group/a", Do(3, error=Boom()), max_attempts=2)
        await trio.sleep(60)
        assert (hand.state, queued.state) == (RESPONDED, RESPONDED)
        assert books == {"a": [3, 3], "b": [1, 2]}
        assert bad.state is TicketState.DEAD


async def test_one_cut_short_by_a_restart_of_the_group_has_had_its_attempt(autojump_clock: MockClock) -> None:
    """Its actor did not end in time: cancelled with it in hand."""
    book: list[int] = []

    class Group(actors.Supervisor):
        strategy = actors.OneForAll()

        async def on_start(self) -> None:
            self.spawn(Desk, name="a", policy=AT_ONCE)
            quick = Policy(
                shutdown=1.0,
                backoff=Backoff.immediate(),
                breaker=None,
                delivery=Delivery(backoff=Backoff.immediate()),
            )
            self.spawn(Desk, book, name="b", policy=quick)

    async with actors.open_system("s") as system:
        system.spawn(Group, name="group")
        ticket = await system.post("/group/b", Do(1, seconds=20.0))
        await trio.sleep(10.0)
        await system.post("/group/a", Do(3, error=Boom()), max_attempts=1)
        assert await ticket.wait_reply() == 1
        assert (ticket.attempts, book) == (2, [1, 1])
        assert trio.current_time() == 31.0


async def test_a_supervisor_that_restarts_takes_its_children_and_brings_them_back(
    autojump_clock: MockClock,
) -> None:
    """A new actor has the path; it gets what waits."""

    class Net(actors.Supervisor):
        async def on_start(self) -> None:
            self.spawn(Desk, name="worker-1", policy=AT_ONCE)

        @actors.receive
        def told(self, message: plain) -> None:
            raise Boom

    async with actors.open_system("s") as system:
        net = system.spawn(Net, name="net", policy=AT_ONCE)
        ticket = await system.post("/net/worker-1", Do(1, seconds=10.0))
        later = await system.post("/net/worker-1", Do(2))
        await trio.sleep(1.0)
        net.tell(plain(1))
        assert await later.wait_reply() == 2
        assert (ticket.state, ticket.attempts) == (RESPONDED, 2)  # it did not end within its 5 seconds
        assert trio.current_time() == 16.0


async def test_one_that_comes_and_goes_gets_everything_once(autojump_clock: MockClock) -> None:
    """A hundred messages to an actor that is stopped after every few of them."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        for n in range(100):
            await system.post("/desk", Do(n, seconds=0.1), max_attempts=1)
        while await system.posted.waiting():
            ref = system.spawn(Desk, book, name="desk")
            await trio.sleep(0.75)
            ref.stop()
            await ref.wait_stopped()
        assert book == list(range(100))
        assert set(await states(system)) == {RESPONDED}


async def test_a_run_that_is_too_long_is_a_failed_delivery(autojump_clock: MockClock) -> None:
    """By `Policy(timeout=...)`: cancelled, counted, delivered again."""
    policy = Policy(
        backoff=Backoff.immediate(),
        breaker=None,
        timeout=actors.Timeout(mode="fixed", initial=2.0, no_activity=None),
        delivery=Delivery(backoff=Backoff.immediate()),
    )
    async with actors.open_system("s", strategy=PATIENT) as system:
        book: list[int] = []
        system.spawn(Desk, book, name="desk", policy=policy)
        ticket = await system.post("/desk", Do(1, seconds=10.0), max_attempts=3)
        with pytest.raises(actors.TicketFailed):
            await ticket.wait_reply()
        assert trio.current_time() == 6.0
        assert book == [1, 1, 1]


async def test_a_function_that_ends_leaves_what_it_has_not_taken(autojump_clock: MockClock) -> None:
    """Without an attempt; what it had in hand was handled if it returned, and failed if it raised."""

    async def clerk(ctx: actors.Context, error: Exception | None) -> None:
        async for _ in ctx.inbox:
            if error is not None:
                raise error
            return

    async with actors.open_system("s") as system:
        first = await system.post("/clerk", Do(1), max_attempts=2)
        second = await system.post("/clerk", Do(2))
        temporary = Policy(restart="temporary", breaker=None)
        await system.spawn(
            functools.partial(clerk, error=Boom()), name="clerk", policy=temporary
        ).wait_stopped()
        await settled()
        assert (first.state, first.attempts, second.attempts) == (PENDING, 1, 0)
        await system.spawn(
            functools.partial(clerk, error=None), name="clerk", policy=temporary
        ).wait_stopped()
        await settled()
        assert (first.state, first.attempts) == (RESPONDED, 2)
        assert (second.state, second.attempts) == (PENDING, 0)
