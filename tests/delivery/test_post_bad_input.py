"""Bad input at the door of `post` and `posted`: refused before anything is stored, with the cure."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

import actors
from actors import Delivery, NameReserved, Posting, SystemClosed
from actors.delivery import SQLiteStore
from tests.delivery.post_cast import Do, entries, plain


@actors.message
class Words:
    """A message as large as one likes."""

    text: str


@pytest.mark.parametrize(
    ("path", "error", "cure"),
    [
        (None, TypeError, "ref.path"),
        (7, TypeError, "ref.path"),
        (b"/a", TypeError, "ref.path"),
        ("", ValueError, "/"),
        ("/", ValueError, "below the root"),
        ("desk", ValueError, "from the root"),
        ("/~3", ValueError, "without a name"),
        ("/net/~3/a", ValueError, "without a name"),
        ("/a b", ValueError, "a b"),
        ("/system/courier", NameReserved, "system"),
    ],
)
async def test_a_path_that_is_none_is_refused(
    autojump_clock: MockClock, path: Any, error: type[Exception], cure: str
) -> None:
    """Nothing is stored."""
    async with actors.open_system("s") as system:
        with pytest.raises(error, match=cure):
            await system.post(path, plain(1))
        assert await entries(system) == []


@pytest.mark.parametrize(
    ("options", "error", "cure"),
    [
        ({"key": ""}, ValueError, "text"),
        ({"key": 7}, ValueError, "text"),
        ({"key": "x" * 1025}, ValueError, "take a hash"),
        ({"key": "\ud800"}, ValueError, "UTF-8"),
        ({"reply": None}, ValueError, "reply is True or False"),
        ({"reply": "yes"}, ValueError, "reply is True or False"),
        ({"timeout": 0}, ValueError, "timeout"),
        ({"timeout": -1.0}, ValueError, "timeout"),
        ({"timeout": math.nan}, ValueError, "timeout"),
        ({"timeout": "3"}, (TypeError, ValueError), "timeout"),
        ({"priority": 1.5}, ValueError, "whole number"),
        ({"priority": True}, ValueError, "whole number"),
        ({"priority": 2**31}, ValueError, "between"),
        ({"max_attempts": 0}, ValueError, "max_attempts"),
        ({"max_attempts": -3}, ValueError, "max_attempts"),
        ({"max_attempts": 1.5}, (TypeError, ValueError), "max_attempts"),
        ({"max_attempts": True}, (TypeError, ValueError), "max_attempts"),
        ({"max_attempts": 2**31}, ValueError, "max_attempts"),
    ],
)
async def test_an_option_that_makes_no_sense_is_refused(
    autojump_clock: MockClock, options: dict[str, Any], error: Any, cure: str
) -> None:
    """With the name of the option; nothing is stored."""
    async with actors.open_system("s") as system:
        with pytest.raises(error, match=cure):
            await system.post("/desk", plain(1), **options)
        assert await entries(system) == []


@pytest.mark.parametrize("timeout", [-1.0, math.nan])
async def test_a_wait_without_sense_is_refused(autojump_clock: MockClock, timeout: float) -> None:
    """The ticket is as it was."""
    async with actors.open_system("s") as system:
        ticket = await system.post("/desk", Do(1))
        with pytest.raises(ValueError, match="timeout"):
            await ticket.wait_reply(timeout)
        assert ticket.cancel()


@pytest.mark.parametrize("ticket_id", ["", "no such id"])
async def test_an_unknown_ticket_is_refused_everywhere(autojump_clock: MockClock, ticket_id: str) -> None:
    """With what to do."""
    async with actors.open_system("s") as system:
        for call in (system.ticket, system.posted.redeliver, system.posted.drop):
            with pytest.raises(actors.UnknownTicket, match="check the id"):
                await call(ticket_id)


@pytest.mark.parametrize("ticket_id", [None, 7, b"x"])
async def test_an_id_that_is_no_text_is_refused_everywhere(autojump_clock: MockClock, ticket_id: Any) -> None:
    """With where the right one stands."""
    async with actors.open_system("s") as system:
        for call in (system.ticket, system.posted.redeliver, system.posted.drop):
            with pytest.raises(TypeError, match=r"ticket\.id"):
                await call(ticket_id)


@pytest.mark.parametrize("ticket_id", ["\ud800", "x" * 1000])
async def test_an_id_that_no_ticket_can_have_is_unknown(tmp_path: Path, ticket_id: str) -> None:
    """Whatever a store could do with it; the text is no longer than it need be."""
    async with actors.open_system("s", store=SQLiteStore(tmp_path / "a.db")) as system:
        with pytest.raises(actors.UnknownTicket) as caught:
            await system.ticket(ticket_id)
        assert len(str(caught.value)) < 300


async def test_what_cannot_be_done_with_a_ticket_says_what_can(autojump_clock: MockClock) -> None:
    """One that is live cannot be dropped, one that is not dead cannot be redelivered."""
    async with actors.open_system("s") as system:
        ticket = await system.post("/desk", Do(1))
        with pytest.raises(actors.IllegalMove, match=r"pending: dropping it is not possible.*cancel"):
            await system.posted.drop(ticket.id)
        with pytest.raises(actors.IllegalMove, match=r"redelivering it is not possible.*post its message"):
            await system.posted.redeliver(ticket.id)


async def test_a_message_larger_than_a_durable_store_takes_is_refused(tmp_path: Path) -> None:
    """By its characters as they are stored; nothing is stored, and whoever watches hears of it."""
    size = len('{"$":"","text":""}') + len(actors.tag_of(Words))
    system = actors.open_system(
        "s", store=SQLiteStore(tmp_path / "a.db"), posting=Posting(max_payload=size + 10)
    )
    async with system as s, s.subscribe(actors.events.PostRejected) as events:
        ticket = await s.post("/desk", Words("x" * 10))
        with pytest.raises(actors.PayloadTooLarge, match=r"Posting\(max_payload=...\)") as caught:
            await s.post("/desk", Words("x" * 11))
        error = caught.value
        assert isinstance(error, actors.PostRefused)
        assert (error.path, error.size, error.limit) == ("/desk", size + 11, size + 10)
        assert [entry.id for entry in await entries(s)] == [ticket.id]
        told = events.next_nowait()
        assert isinstance(told, actors.events.PostRejected)
        assert told.error is error


async def test_a_store_in_memory_takes_messages_of_any_size(autojump_clock: MockClock) -> None:
    """It keeps the object, and no text of it."""
    async with actors.open_system("s", posting=Posting(max_payload=1)) as system:
        assert (await system.post("/desk", Words("x" * 100))).state is actors.TicketState.PENDING


async def test_a_look_at_the_tickets_without_sense_is_refused(autojump_clock: MockClock) -> None:
    """Limits, paths, states."""
    async with actors.open_system("s") as system:
        with pytest.raises(ValueError, match="limit"):
            await system.posted.find(limit=0)
        with pytest.raises(ValueError, match="from the root"):
            await system.posted.find(path="desk")
        with pytest.raises(ValueError, match="from the root"):
            system.posted.feed(path="desk")
        with pytest.raises(ValueError, match="from the root"):
            await system.posted.forget("desk")
        for after in (-1, "x", 1.5, 2**63):
            place: Any = after
            with pytest.raises(ValueError, match="after"):
                await system.posted.find(after=place)
            with pytest.raises(ValueError, match="after"):
                system.posted.feed(after=place)
        for states in (actors.TicketState.DEAD, "dead", {"dead"}):
            wrong: Any = states
            with pytest.raises(TypeError, match="states="):
                await system.posted.find(states=wrong)
            with pytest.raises(TypeError, match="states="):
                system.posted.feed(states=wrong)


@pytest.mark.parametrize(
    "options",
    [
        {"capacity": 0},
        {"capacity": math.inf},
        {"max_payload": 0},
        {"hops": 0},
        {"per_minute": 0},
        {"keep_ended": 0.0},
        {"keep_ended": math.inf},
        {"keep_unclaimed": -1.0},
        {"keep_unclaimed": math.nan},
    ],
)
def test_bounds_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    """With the name of the bound."""
    (name,) = options
    with pytest.raises((TypeError, ValueError), match=name):
        Posting(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"cooldown": -1.0},
        {"cooldown": math.inf},
        {"cooldown": math.nan},
        {"at_once": 0},
        {"at_once": 1.5},
        {"ordered": "yes"},
        {"backoff": 3.0},
        {"backoff": None},
    ],
)
def test_a_delivery_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    """With the name of the field."""
    (name,) = options
    with pytest.raises((TypeError, ValueError), match=name):
        Delivery(**options)


@pytest.mark.parametrize(
    "wrong",
    [
        {"store": "file.db"},
        {"store": Path("file.db")},
        {"store": 7},
        {"store": actors.delivery.MemoryStore},
        {"posting": {"hops": 3}},
        {"posting": 3},
    ],
)
def test_a_system_with_a_wrong_store_or_posting_is_refused(wrong: dict[str, Any]) -> None:
    """In the step in which it is made."""
    with pytest.raises(TypeError, match=next(iter(wrong))):
        actors.open_system("s", **wrong)


async def test_everything_of_a_closed_system_says_that_it_is_closed(autojump_clock: MockClock) -> None:
    """Whether or not it had a courier."""
    for posted_before in (False, True):
        async with actors.open_system("s") as system:
            if posted_before:
                await system.post("/desk", plain(1))
        with pytest.raises(SystemClosed):
            await system.post("/desk", plain(1))
        with pytest.raises(SystemClosed):
            await system.ticket("x")
        with pytest.raises(SystemClosed):
            await system.posted.find()
        with pytest.raises(SystemClosed):
            await system.posted.redeliver("x")
        with pytest.raises(SystemClosed):
            async with system.posted.feed():
                pass
