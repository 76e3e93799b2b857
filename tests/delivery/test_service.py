"""The courier answers those who look after posted messages from outside; each request by itself."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

import actors
from actors.delivery import MemoryStore
from actors.delivery import service as ask
from actors.delivery.operations import Append
from actors.delivery.ticket import Entry


@actors.message(tag="service.Order")
class Order(actors.Request[str]):
    item: str


class Shop(actors.Actor):
    @actors.receive
    async def order(self, message: Order) -> str:
        if message.item == "stone":
            raise ValueError("stones have no price")
        if message.item == "moon":
            await trio.sleep_forever()
        return f"one {message.item}"


ONCE = actors.Policy(breaker=None, backoff=actors.Backoff.immediate())


@asynccontextmanager
async def system_and_courier() -> AsyncGenerator[tuple[actors.System, actors.Ref]]:
    async with actors.open_system("alpha", store=MemoryStore()) as system:
        courier = system.find("/system/courier")
        assert courier is not None
        yield system, courier


def order(item: str, **more: Any) -> ask.PostJson:
    return ask.PostJson("/shop", f'{{"$": "service.Order", "item": "{item}"}}', **more)


async def test_a_message_is_posted_as_json_and_its_end_awaited(autojump_clock: object) -> None:
    """By somebody who has no path: the courier is not its sender."""
    async with system_and_courier() as (system, courier):
        ticket = await courier.ask(order("tea", key="1"))
        assert (ticket.state, ticket.sender, ticket.key) == ("pending", None, "1")
        await system.start(Shop, name="shop")
        ended = await courier.ask(ask.AwaitTicket(ticket.id))
        assert (ended.state, ended.answer, ended.attempts) == ("responded", '"one tea"', 1)


async def test_a_request_that_waits_holds_up_nobody(autojump_clock: object) -> None:
    """It ends at its own limit, half a minute at most, with the ticket as it is then."""
    async with system_and_courier() as (system, courier):
        await system.start(Shop, name="shop")
        ticket = await courier.ask(order("moon"))
        began = trio.current_time()
        waiting = courier.request(ask.AwaitTicket(ticket.id, seconds=3600.0))
        page = await courier.ask(ask.FindTickets())
        assert [one.id for one in page.tickets] == [ticket.id]
        assert (trio.current_time() - began, waiting.done) == (0.0, False)
        assert (await waiting.wait()).state == "delivered"
        assert trio.current_time() - began == 30.0


async def test_what_cannot_be_done_is_refused_in_words_and_the_courier_goes_on(
    autojump_clock: object,
) -> None:
    """Bad paths, bad messages, unknown tickets and states; a live ticket is no dead letter."""
    async with system_and_courier() as (_, courier):
        live = await courier.ask(order("tea"))
        for request, why in (
            (ask.PostJson("shop", '{"$": "service.Order", "item": "tea"}'), "not a path from the root"),
            (ask.PostJson("/shop", "[1]"), 'its tag under "\\$"'),
            (ask.PostJson("/shop", '{"$": "service.Order"}'), "item"),
            (ask.PostJson("/shop", '{"$": "service.Other"}'), "service.Other"),
            (order("tea", timeout=-1.0), "timeout"),
            (ask.TellStory("none"), "no ticket 'none'"),
            (ask.FindTickets(states=("lost",)), "unknown state 'lost'"),
            (ask.FindTickets(limit=0), "limit"),
            (ask.DropDead(live.id), "is pending"),
            (ask.RedeliverDead(live.id), "is pending"),
            (ask.ForgetState("/system/courier"), "system"),
        ):
            with pytest.raises(actors.Refused, match=why):
                await courier.ask(request)
        assert [one.id for one in (await courier.ask(ask.FindTickets())).tickets] == [live.id]


async def test_a_dead_letter_is_posted_anew_or_dropped(autojump_clock: object) -> None:
    """With its history: each delivery, and what went wrong in it."""
    async with system_and_courier() as (system, courier):
        await system.start(Shop, name="shop", policy=ONCE)
        ticket = await courier.ask(order("stone", max_attempts=2))
        await courier.ask(ask.AwaitTicket(ticket.id))
        story = await courier.ask(ask.TellStory(ticket.id))
        assert [one.text for one in story.ticket.failures] == ["stones have no price"] * 2
        states = ["pending", "delivered", "pending", "delivered", "dead"]
        assert [one.state for one in story.changes] == states
        new = await courier.ask(ask.RedeliverDead(ticket.id))
        await courier.ask(ask.AwaitTicket(new.id))
        [dead] = (await courier.ask(ask.FindTickets(states=("dead",)))).tickets
        assert dead.id == new.id != ticket.id
        await courier.ask(ask.DropDead(new.id))
        assert (await courier.ask(ask.FindTickets())).tickets == ()


async def test_a_page_is_as_long_as_a_link_can_take(autojump_clock: object) -> None:
    """One that is too large by itself is on a page alone; nothing is left out or told twice."""
    async with system_and_courier() as (system, courier):
        items = ["a" * 90_000, "b" * 90_000, "c" * 90_000, "d" * 500_000, "e"]
        for item in items:
            await system.post("/shop", Order(item))
        after, pages = 0, list[str]()
        while True:
            page = await courier.ask(ask.FindTickets(after=after))
            pages.append("".join(json.loads(one.payload)["item"][0] for one in page.tickets))
            after = page.tickets[-1].seq
            if not page.more:
                break
        assert pages == ["ab", "c", "d", "e"]


@pytest.mark.row(101)
async def test_changes_are_told_as_they_happen_and_from_where_one_was(autojump_clock: object) -> None:
    """A page at once where there is something, else when there is; those of others are passed over."""
    async with system_and_courier() as (system, courier):
        waiting = courier.request(ask.NextChanges(path="/shop"))
        await system.post("/other", Order("tea"))
        await trio.testing.wait_all_tasks_blocked()
        assert not waiting.done
        await system.post("/shop", Order("tea"))
        page = await waiting.wait()
        assert [(one.path, one.state) for one in page.changes] == [("/shop", "pending")]
        missed = await courier.ask(ask.NextChanges(0))
        assert [one.number for one in missed.changes] == list(range(1, page.after + 1))
        began = trio.current_time()
        nothing = await courier.ask(ask.NextChanges(page.after))
        assert (nothing.changes, nothing.after, trio.current_time() - began) == ((), page.after, 30.0)


@pytest.mark.row(101)
async def test_how_many_changes_are_kept_no_more_is_said(autojump_clock: object) -> None:
    """Ten thousand are kept; whoever comes later hears how many it has missed."""
    store = MemoryStore()
    async with actors.open_system("alpha", store=store) as system:
        courier = system.find("/system/courier")
        assert courier is not None
        engine = next(iter(store.engines.values()))
        await engine.write(
            [Append(Entry(f"t{n}", "/shop", Order("tea"), 0.0), 20_000) for n in range(10_010)]
        )
        page = await courier.ask(ask.NextChanges(5))
        assert (page.missed, page.changes[0].number) == (5, 11)


async def test_a_message_that_json_cannot_say_is_none(autojump_clock: object) -> None:
    """A store in memory keeps any object."""
    async with system_and_courier() as (system, courier):
        await system.post("/shop", object())
        [one] = (await courier.ask(ask.FindTickets())).tickets
        assert one.payload is None


async def test_what_is_no_request_is_ignored(autojump_clock: object) -> None:
    """Nobody has anything else to say to the courier."""
    async with system_and_courier() as (_, courier):
        courier.tell("hello")
        assert await courier.ask(Order("tea")) is None
        assert (await courier.ask(ask.FindTickets())).tickets == ()
