"""Texts and values that JSON or a disk makes trouble of: kept as they are, or refused, and nothing hangs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

import actors
from actors import NotSerializable, TicketFailed, TicketState
from actors.delivery import SQLiteStore
from tests.delivery.post_cast import AT_ONCE, entries

NO_UTF8 = "caf\udce9"
"""As Python writes the name of a file that is no UTF-8."""


@actors.message
class Say(actors.Request[Any]):
    """Answered with `text`, in the way of `how`."""

    text: Any
    how: str = "answer"


@actors.message
class Said:
    text: str


class Mute(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise ValueError("no text")


class Speaker(actors.Actor):
    """Says what it is told to say."""

    def __init__(self, restored: list[str]) -> None:
        self.restored = restored

    async def on_restore(self, state: Said) -> None:
        self.restored.append(state.text)

    @actors.receive
    async def say(self, message: Say) -> Any:
        match message.how:
            case "save":
                await self.ctx.save(Said(message.text))
            case "refuse":
                raise actors.Refused(message.text)
            case "fail":
                raise RuntimeError(message.text)
            case "mute":
                raise Mute
            case "number":
                return 10**5000
            case "ring":
                ring: list[Any] = []
                ring.append(ring)
                return ring
            case _:
                pass
        return message.text


async def said(path: Path, message: Say, restored: list[str] | None = None) -> Any:
    """What comes of it; the actor works on afterwards."""
    async with actors.open_system("s", store=SQLiteStore(path)) as system:
        system.spawn(Speaker, [] if restored is None else restored, name="speaker", policy=AT_ONCE)
        ticket = await system.post("/speaker", message, max_attempts=1)
        following = await system.post("/speaker", Say("next"))
        with trio.fail_after(10):
            assert await following.wait_reply() == "next"
            try:
                return await ticket.wait_reply()
            except actors.ActorError as error:
                return error


async def test_a_text_that_is_no_utf8_is_kept_as_it_is(tmp_path: Path) -> None:
    """In a message, its reply, a refusal, an error."""
    path = tmp_path / "a.db"
    assert await said(path, Say(NO_UTF8)) == NO_UTF8
    assert str(await said(path, Say(NO_UTF8, "refuse"))) == NO_UTF8
    failed = await said(path, Say(NO_UTF8, "fail"))
    assert isinstance(failed, TicketFailed)
    assert failed.why == NO_UTF8


async def test_a_state_whose_text_is_no_utf8_is_kept_as_it_is(tmp_path: Path) -> None:
    """And restored."""
    restored: list[str] = []
    await said(tmp_path / "a.db", Say(NO_UTF8, "save"), restored)
    assert restored == []
    await said(tmp_path / "a.db", Say("x"), restored)
    assert restored == [NO_UTF8]


@pytest.mark.parametrize("how", ["number", "ring"])
async def test_a_reply_that_cannot_be_written_fails_its_ticket(tmp_path: Path, how: str) -> None:
    """At once, with the type; it is no dead letter, and says so."""
    failed = await said(tmp_path / "a.db", Say("x", how))
    assert isinstance(failed, TicketFailed)
    assert not failed.is_dead
    assert "cannot be kept" in str(failed)
    assert "dead letter" not in str(failed)


async def test_a_message_that_cannot_be_written_is_refused_at_the_sender(tmp_path: Path) -> None:
    """Nothing is stored."""
    ring: list[Any] = []
    ring.append(ring)
    async with actors.open_system("s", store=SQLiteStore(tmp_path / "a.db")) as system:
        for what in (10**5000, ring):
            with pytest.raises(NotSerializable, match=r"cannot be (kept|coded)"):
                await system.post("/speaker", Say(what))
        assert await entries(system) == []


async def test_of_an_error_that_has_no_text_its_type_is_kept(tmp_path: Path) -> None:
    failed = await said(tmp_path / "a.db", Say("x", "mute"))
    assert isinstance(failed, TicketFailed)
    assert failed.why == "Mute"


async def test_of_an_error_as_long_as_a_book_the_beginning_is_kept(tmp_path: Path) -> None:
    failed = await said(tmp_path / "a.db", Say("x" * 100_000, "fail"))
    assert 1000 < len(failed.why) < 50_000
    assert failed.why.endswith("…")


@pytest.mark.parametrize(
    ("attempts", "says"), [(1, "in its only delivery: no"), (2, "each of 2 deliveries, last: no")]
)
async def test_a_dead_letter_says_how_often_it_was_tried(tmp_path: Path, attempts: int, says: str) -> None:
    async with actors.open_system("s", store=SQLiteStore(tmp_path / "a.db")) as system:
        system.spawn(Speaker, [], name="speaker", policy=AT_ONCE)
        ticket = await system.post("/speaker", Say("no", "fail"), max_attempts=attempts)
        with pytest.raises(TicketFailed, match=says) as caught:
            await ticket.wait_reply(10)
        assert caught.value.is_dead
        assert ticket.state is TicketState.DEAD


async def test_a_message_without_a_handler_is_no_dead_letter_and_says_so(tmp_path: Path) -> None:
    """It is FAILED: trying again would not help, and there is nothing to redeliver."""
    async with actors.open_system("s", store=SQLiteStore(tmp_path / "a.db")) as system:
        system.spawn(Speaker, [], name="speaker")
        ticket = await system.post("/speaker", Said("?"))
        with pytest.raises(TicketFailed, match=r"not tried again.*@actors\.receive") as caught:
            await ticket.wait_reply(10)
        assert not caught.value.is_dead
        assert (ticket.state, ticket.attempts) == (TicketState.FAILED, 1)
