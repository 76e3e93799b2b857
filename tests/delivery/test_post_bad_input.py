"""Bad input at the door of `post` and `posted`: refused before anything is stored, with the cure."""

from __future__ import annotations

import math
from typing import Any

import pytest
from trio.testing import MockClock

import actors
from actors import Delivery, NameReserved, Posting, SystemClosed
from tests.delivery.post_cast import Do, entries, plain


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
    "wrong", [{"store": "file.db"}, {"store": 7}, {"posting": {"hops": 3}}, {"posting": 3}]
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
