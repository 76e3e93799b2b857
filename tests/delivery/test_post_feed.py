"""The feed: every change of a ticket as it happens, pushed, with filters, to be resumed."""

from __future__ import annotations

from collections import deque

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import FeedGap, TicketState
from actors.delivery import Change, MemoryStore
from actors.events import TicketMoved
from tests.delivery.post_cast import AT_ONCE, Boom, Desk, Do, facts, plain, settled
from tests.roads import ROADS

pytestmark = pytest.mark.parametrize("on_road", ROADS, indirect=True)
PENDING, DELIVERED, RESPONDED = TicketState.PENDING, TicketState.DELIVERED, TicketState.RESPONDED


async def read(system: actors.System, many: int, after: int | None = None) -> list[Change]:
    """So many of them."""
    async with system.posted.feed(after=after) as feed:
        return [await anext(feed) for _ in range(many)]


@pytest.mark.row(101)
async def test_a_feed_tells_each_change_as_it_happens(autojump_clock: MockClock) -> None:
    """Without a question: whoever iterates is woken in the moment of the change."""
    async with actors.open_system("s") as system:
        seen: list[tuple[float, str, TicketState, int]] = []

        async def watch() -> None:
            async with system.posted.feed() as feed:
                async for change in feed:
                    seen.append((trio.current_time(), change.path, change.state, change.attempts))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await settled()
            await trio.sleep(5.0)
            await system.post("/desk", Do(1, seconds=2.0))
            await trio.sleep(5.0)
            system.spawn(Desk, name="desk")
            await trio.sleep(5.0)
            nursery.cancel_scope.cancel()
        assert seen == [
            (5.0, "/desk", PENDING, 0),
            (10.0, "/desk", DELIVERED, 1),
            (12.0, "/desk", RESPONDED, 1),
        ]


@pytest.mark.row(101)
async def test_who_was_away_goes_on_where_it_was_and_misses_nothing(autojump_clock: MockClock) -> None:
    """By the number of the last change it has seen, over and over, in whatever pieces."""
    async with actors.open_system("s") as system:
        system.spawn(Desk, name="desk", policy=AT_ONCE)
        last = await system.posted.last_change()
        assert last == 0
        seen: list[Change] = []
        for n in range(100):
            await system.post("/desk", Do(n))
            if n % 7 == 0:
                await settled()
                seen += await read(system, 3, after=seen[-1].number if seen else 0)
        await settled()
        while seen[-1].number < await system.posted.last_change():
            seen += await read(system, 1, after=seen[-1].number)
        assert [change.number for change in seen] == list(range(1, 301))
        for ticket_id in {change.id for change in seen}:
            assert [change.state for change in seen if change.id == ticket_id] == [
                PENDING,
                DELIVERED,
                RESPONDED,
            ]


@pytest.mark.row(101)
async def test_a_feed_leaves_out_what_is_not_asked_for(autojump_clock: MockClock) -> None:
    """By recipient, by state, by both; its place moves on over what is left out."""
    async with actors.open_system("s") as system:
        for name in ("a", "b"):
            system.spawn(Desk, name=name)
            for n in range(3):
                await system.post(f"/{name}", Do(n))
        await settled()
        async with system.posted.feed(after=0, path="/a") as feed:
            assert {(await anext(feed)).path for _ in range(9)} == {"/a"}
        async with system.posted.feed(after=0, states={RESPONDED}) as feed:
            assert {(await anext(feed)).state for _ in range(6)} == {RESPONDED}
        async with system.posted.feed(after=0, states={RESPONDED, PENDING}, path="/b") as feed:
            seen = [await anext(feed) for _ in range(6)]
            assert {(change.path, change.state) for change in seen} == {("/b", RESPONDED), ("/b", PENDING)}
            with trio.move_on_after(1.0):
                await anext(feed)
            assert feed.after == await system.posted.last_change()


@pytest.mark.row(101)
async def test_who_was_away_for_too_long_is_told_what_it_has_missed(autojump_clock: MockClock) -> None:
    """Once; iterating on goes on with what is kept."""
    store = MemoryStore()
    store.shelf.feed = deque(maxlen=100)  # for 10,000
    async with actors.open_system("s", store=store) as system:
        many = 60
        tickets = [await system.post("/nobody", plain(n)) for n in range(many)]
        for ticket in tickets:
            ticket.cancel()
        await settled()
        async with system.posted.feed(after=5) as feed:
            with pytest.raises(FeedGap, match="the changes 6 to 20") as caught:
                await anext(feed)
            assert (caught.value.first, caught.value.next) == (6, 21)
            assert [(await anext(feed)).number for _ in range(3)] == [21, 22, 23]


async def test_a_feed_ends_with_its_system(autojump_clock: MockClock) -> None:
    """For a task outside the block that iterates."""
    seen: list[Change] = []

    async def watch(system: actors.System) -> None:
        async with system.posted.feed(after=0) as feed:
            async for change in feed:
                seen.append(change)

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery, actors.open_system("s") as system:
            nursery.start_soon(watch, system)
            await system.post("/nobody", Do(1))
            await settled()
    assert [change.state for change in seen] == [PENDING]


async def test_the_numbers_of_a_store_go_on_in_the_next_system(autojump_clock: MockClock) -> None:
    """A reader resumes over a restart."""
    store = MemoryStore()
    async with actors.open_system("s", store=store) as system:
        await system.post("/desk", Do(1))
        (first,) = await read(system, 1, after=0)
    async with actors.open_system("s", store=store) as system:
        system.spawn(Desk, name="desk")
        assert [change.state for change in await read(system, 2, after=first.number)] == [
            DELIVERED,
            RESPONDED,
        ]


@pytest.mark.row(101)
async def test_a_feed_goes_on_when_the_courier_restarts(autojump_clock: MockClock) -> None:
    """And so does everything else: nothing is lost or doubled."""
    async with actors.open_system("s") as system:
        book: list[int] = []
        seen: list[int] = []

        async def watch() -> None:
            async with system.posted.feed(after=0) as feed:
                async for change in feed:
                    seen.append(change.number)

        system.spawn(Desk, book, name="desk")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            for n in range(50):
                await system.post("/desk", Do(n, seconds=0.1))
            courier = system.find("/system/courier")
            assert courier is not None
            for _ in range(3):
                await trio.sleep(1.0)
                courier.cell.quit()
            await trio.sleep(20.0)
            assert courier.statistics().restarts == 3
            nursery.cancel_scope.cancel()
        assert book == list(range(50))
        assert seen == list(range(1, 151))


# --- events, and those who are slow -------------------------------------------------


async def test_each_move_is_an_event_with_its_reason(autojump_clock: MockClock) -> None:
    """For whoever subscribes to `TicketMoved`."""
    async with actors.open_system("s") as system, system.subscribe(TicketMoved) as events:
        system.spawn(Desk, name="desk", policy=AT_ONCE)
        await system.post("/desk", Do(1, error=Boom("why")), max_attempts=1)
        (await system.post("/nobody", Do(2))).cancel()
        await system.post("/nobody", Do(3), timeout=1.0)
        await trio.sleep(2.0)
        moves = [(one.path, one.state, one.attempts, one.why) for one in facts(events, TicketMoved)]
        assert sorted(moves) == [
            ("/desk", "dead", 1, "why"),
            ("/desk", "delivered", 1, ""),
            ("/nobody", "cancelled", 0, ""),
            ("/nobody", "timed_out", 0, ""),
        ]


@pytest.mark.row(97)
async def test_a_slow_subscriber_and_a_slow_reader_cost_the_senders_nothing(
    autojump_clock: MockClock,
) -> None:
    """A logger that takes half a second for each fact: the posts take no time, and the deliveries none."""
    async with actors.open_system("s") as system:
        logged = 0

        async def log() -> None:
            nonlocal logged
            async with system.subscribe() as events:
                async for _ in events:
                    logged += 1
                    await trio.sleep(0.5)

        async def read_slowly() -> None:
            async with system.posted.feed() as feed:
                async for _ in feed:
                    await trio.sleep(0.5)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(log)
            nursery.start_soon(read_slowly)
            await settled()
            system.spawn(Desk, name="desk")
            for n in range(200):
                assert await (await system.post("/desk", Do(n))).wait_reply() == n
            assert trio.current_time() == 0.0
            await trio.sleep(10.0)
            assert logged <= 21
            nursery.cancel_scope.cancel()
