"""Replies to senders: an actor that posts gets the reply as a message, unless it waits for it itself."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import Mailbox, Policy, TicketFailed, TicketReply, TicketState
from actors.delivery import MemoryStore
from tests.delivery.post_cast import AT_ONCE, PATIENT, Boom, Desk, Do, Poster, Send, entries, plain, settled
from tests.roads import ROADS

pytestmark = pytest.mark.parametrize("on_road", ROADS, indirect=True)


def told(replies: list[TicketReply]) -> list[tuple[str, Any, type]]:
    """What they say."""
    return [(reply.ticket_id, reply.value, type(reply.error)) for reply in replies]


@pytest.mark.row(93)
async def test_the_reply_comes_as_a_message_that_names_the_ticket(autojump_clock: MockClock) -> None:
    """Once, without anybody asking; each kind of end has its error."""
    async with actors.open_system("s", strategy=PATIENT) as system:
        replies: list[TicketReply] = []
        poster = system.spawn(Poster, replies, name="poster")
        system.spawn(Desk, name="desk", policy=AT_ONCE)
        good = await poster.ask(Send("/desk", Do(7)))
        refused = await poster.ask(Send("/desk", Do(1, error=actors.Refused("no"))))
        dead = await poster.ask(Send("/desk", Do(1, error=Boom("always")), {"max_attempts": 2}))
        await trio.sleep(3600)
        assert told(replies) == [
            (good.id, 7, type(None)),
            (refused.id, None, actors.Refused),
            (dead.id, None, TicketFailed),
        ]
        assert "always" in str(replies[2].error)


@pytest.mark.row(93)
async def test_an_actor_without_a_name_gets_its_reply_too(autojump_clock: MockClock) -> None:
    """Told at once, as no later one is the same; each its own."""
    async with actors.open_system("s", strategy=PATIENT) as system:
        books: list[list[TicketReply]] = [[], []]
        posters = [system.spawn(Poster, book) for book in books]
        system.spawn(Desk, name="desk", policy=AT_ONCE)
        tickets = [await poster.ask(Send("/desk", Do(n))) for n, poster in enumerate(posters)]
        dead = await posters[0].ask(Send("/desk", Do(1, error=Boom()), {"max_attempts": 1}))
        await settled()
        assert told(books[0]) == [(tickets[0].id, 0, type(None)), (dead.id, None, TicketFailed)]
        assert told(books[1]) == [(tickets[1].id, 1, type(None))]


async def test_a_full_mailbox_of_a_sender_without_a_name_takes_its_reply(autojump_clock: MockClock) -> None:
    """And the courier lives on."""
    async with actors.open_system("s") as system:
        replies: list[TicketReply] = []
        poster = system.spawn(Poster, replies, policy=Policy(mailbox=Mailbox(capacity=1)))
        system.spawn(Desk, name="desk")
        await poster.ask(Send("/desk", Do(1, seconds=1.0)))
        poster.suspend()
        poster.tell(plain(1))
        await trio.sleep(2.0)
        courier = system.find("/system/courier")
        assert courier is not None
        assert courier.statistics().restarts == 0
        poster.resume()
        await settled()
        assert [reply.value for reply in replies] == [1]


async def test_the_reply_to_a_sender_without_a_name_that_has_gone_goes_nowhere(
    autojump_clock: MockClock,
) -> None:
    """The ticket has it."""
    async with actors.open_system("s") as system:
        poster = system.spawn(Poster, [])
        system.spawn(Desk, name="desk")
        ticket = await poster.ask(Send("/desk", Do(1, seconds=1.0)))
        poster.stop()
        assert await ticket.wait_reply() == 1
        await settled()
        assert len(await entries(system)) == 1


async def test_a_sender_that_waits_itself_gets_no_message(autojump_clock: MockClock) -> None:
    """It has the reply already."""
    async with actors.open_system("s") as system:
        books: list[list[TicketReply]] = [[], []]
        named = system.spawn(Poster, books[0], name="poster")
        nameless = system.spawn(Poster, books[1])
        system.spawn(Desk, name="desk")
        for poster in (named, nameless):
            assert await poster.ask(Send("/desk", Do(7, seconds=1.0), wait=True)) == 7
        await trio.sleep(60)
        assert books == [[], []]
        assert {entry.path for entry in await entries(system)} == {"/desk"}


async def test_without_reply_nobody_is_told_how_it_ended(autojump_clock: MockClock) -> None:
    """Named or not."""
    async with actors.open_system("s") as system:
        replies: list[TicketReply] = []
        for name in ("poster", None):
            poster = system.spawn(Poster, replies, name=name)
            await poster.ask(Send("/desk", Do(7), {"reply": False}))
        system.spawn(Desk, name="desk")
        await settled()
        assert replies == []


@pytest.mark.row(93)
async def test_a_named_sender_that_restarted_or_comes_later_gets_its_reply(autojump_clock: MockClock) -> None:
    """It is posted to the name."""
    async with actors.open_system("s") as system:
        replies: list[TicketReply] = []

        class Weak(Poster):
            @actors.receive
            def do(self, message: Do) -> None:
                raise Boom

        poster = system.spawn(Weak, replies, name="poster", policy=AT_ONCE)
        first = await poster.ask(Send("/desk", Do(1, seconds=5.0)))
        second = await poster.ask(Send("/desk", Do(2, seconds=5.0)))
        system.spawn(Desk, name="desk")
        poster.tell(Do(3))
        await trio.sleep(6.0)
        assert told(replies) == [(first.id, 1, type(None))]
        poster.stop()
        await poster.wait_stopped()
        await trio.sleep(60)
        assert second.state is TicketState.RESPONDED
        assert len(replies) == 1
        system.spawn(Poster, replies, name="poster")
        await settled()
        assert told(replies)[1:] == [(second.id, 2, type(None))]


async def test_a_failing_handler_of_a_reply_gets_it_again(autojump_clock: MockClock) -> None:
    """It is a posted message as any other; nobody is told how it ended."""
    async with actors.open_system("s", strategy=PATIENT) as system:
        seen: list[int] = []

        class Clumsy(Poster):
            @actors.receive
            async def replied(self, message: TicketReply) -> None:
                seen.append(message.value)
                raise Boom

        poster = system.spawn(Clumsy, [], name="poster", policy=AT_ONCE)
        system.spawn(Desk, name="desk")
        await poster.ask(Send("/desk", Do(7)))
        await trio.sleep(60)
        assert seen == [7] * 5
        assert [(entry.path, entry.state) for entry in await entries(system)] == [
            ("/desk", TicketState.RESPONDED),
            ("/poster", TicketState.DEAD),
        ]


async def test_a_reply_without_a_handler_is_ignored(autojump_clock: MockClock) -> None:
    """It is no failure, and no dead letter."""

    class Careless(actors.Actor):
        @actors.receive
        async def send(self, message: Send) -> Any:
            return await self.ctx.system.post(message.path, message.message)

    async with actors.open_system("s") as system:
        poster = system.spawn(Careless, name="poster")
        system.spawn(Desk, name="desk")
        await poster.ask(Send("/desk", Do(7)))
        await settled()
        assert {entry.state for entry in await entries(system)} == {TicketState.RESPONDED}
        assert system.statistics().dead_letters == 0


async def test_an_earlier_system_s_nameless_sender_is_nobody_in_the_next(autojump_clock: MockClock) -> None:
    """Another actor may have its number: it gets nothing that it has not asked for."""
    store = MemoryStore()
    strangers: list[TicketReply] = []
    async with actors.open_system("s", store=store) as system:
        poster = system.spawn(Poster, strangers)
        await poster.ask(Send("/desk", Do(1)))
        path = poster.path
        await trio.sleep(1.0)
    async with actors.open_system("s", store=store) as system:
        while (stranger := system.spawn(Poster, strangers)).path != path:
            assert len(stranger.path) <= len(path)
        system.spawn(Desk, name="desk")
        await settled()
        assert [entry.state for entry in await entries(system)] == [TicketState.RESPONDED]
        assert strangers == []


async def test_an_actor_that_posts_in_its_start_gets_the_reply(autojump_clock: MockClock) -> None:
    """From `on_start`, before it is ready itself."""
    replies: list[TicketReply] = []

    class Eager(Poster):
        async def on_start(self) -> None:
            await self.ctx.system.post("/desk", Do(7))

    async with actors.open_system("s") as system:
        system.spawn(Desk, name="desk")
        system.spawn(Eager, replies, name="eager")
        await settled()
        assert [reply.value for reply in replies] == [7]
