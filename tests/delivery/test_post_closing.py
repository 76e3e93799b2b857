"""A system that closes with posted messages in hand, queued, being posted: nothing hangs or is lost."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import SystemClosed, TicketState
from actors.delivery import MemoryStore
from actors.exits import Exit
from tests.delivery.post_cast import AT_ONCE, Boom, Desk, Do, plain, settled
from tests.roads import ROADS

pytestmark = pytest.mark.parametrize("on_road", ROADS, indirect=True)


def kept(store: MemoryStore) -> list[tuple[int, TicketState, int]]:
    """What is in the store: number, state, attempts."""
    return [(one.payload.n, one.state, one.attempts) for one in store.shelf.entries.values()]


async def test_what_is_in_hand_is_finished_and_written_and_the_rest_waits(autojump_clock: MockClock) -> None:
    """A close in order is a stop of each actor."""
    store = MemoryStore()
    async with actors.open_system("s", store=store) as system:
        system.spawn(Desk, name="desk")
        for n in range(3):
            await system.post("/desk", Do(n, seconds=2.0))
        await trio.sleep(1.0)
    assert trio.current_time() == 2.0
    assert kept(store) == [
        (0, TicketState.RESPONDED, 1),
        (1, TicketState.PENDING, 0),
        (2, TicketState.PENDING, 0),
    ]


async def test_what_is_in_hand_of_a_cancelled_system_has_had_its_attempt(autojump_clock: MockClock) -> None:
    """The body fails: every actor is cancelled, and that is written before the end."""
    store = MemoryStore()
    with pytest.raises(Boom):  # noqa: PT012
        async with actors.open_system("s", store=store) as system:
            system.spawn(Desk, name="desk")
            queued = system.spawn(Desk, name="queued")
            await settled()
            queued.suspend()
            await system.post("/desk", Do(1, seconds=60.0))
            await system.post("/queued", Do(2))
            await trio.sleep(1.0)
            raise Boom
    assert trio.current_time() == 1.0
    assert kept(store) == [(1, TicketState.PENDING, 1), (2, TicketState.PENDING, 0)]


async def test_a_post_of_an_on_stop_is_stored(autojump_clock: MockClock) -> None:
    """The courier ends after all others."""

    class Tidy(Desk):
        async def on_stop(self, exit: Exit) -> None:
            await self.ctx.system.post("/later", plain(7))

    store = MemoryStore()
    async with actors.open_system("s", store=store) as system:
        system.spawn(Tidy, name="tidy")
        await settled()
    assert kept(store) == [(7, TicketState.PENDING, 0)]


async def test_a_first_post_of_an_on_stop_is_refused_at_once(autojump_clock: MockClock) -> None:
    """Nobody has needed a courier before, and none is made now: it does not wait for one."""
    errors: list[Any] = []

    class Tidy(Desk):
        async def on_stop(self, exit: Exit) -> None:
            try:
                await self.ctx.system.post("/later", plain(7))
            except SystemClosed as error:
                errors.append(type(error))

    async with actors.open_system("s") as system:
        system.spawn(Tidy, name="tidy")
        await settled()
    assert errors == [SystemClosed]
    assert trio.current_time() == 0.0


async def test_an_actor_spawned_at_the_end_of_the_body_leaves_its_messages(autojump_clock: MockClock) -> None:
    """Whatever has been begun is whole: each message is answered or waits."""
    for checkpoints in range(0, 20, 2):
        store = MemoryStore()
        book: list[int] = []
        async with actors.open_system("s", store=store) as system:
            for n in range(20):
                await system.post("/desk", Do(n), max_attempts=1)
            system.spawn(Desk, book, name="desk")
            for _ in range(checkpoints):
                await trio.lowlevel.checkpoint()
        found = kept(store)
        assert [n for n, state, _ in found if state is TicketState.RESPONDED] == book
        assert {(state, attempts) for n, state, attempts in found if n not in book} <= {
            (TicketState.PENDING, 0)
        }


async def test_posters_are_told_when_the_system_closes_over_them(autojump_clock: MockClock) -> None:
    """Each of many tasks outside it ends, and what they were told is so."""
    store = MemoryStore()
    receipts: list[int] = []

    async def post(system: actors.System, task: int) -> None:
        n = 0
        try:
            while True:
                await system.post("/nobody", Do(task * 1000 + n))
                receipts.append(task * 1000 + n)
                n += 1
                await trio.sleep(0.001 * task)
        except (SystemClosed, actors.StoreUnavailable):
            pass

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery, actors.open_system("s", store=store) as system:
            for task in range(1, 6):
                nursery.start_soon(post, system, task)
            await trio.sleep(0.05)
    stored = [n for n, _, _ in kept(store)]
    assert len(receipts) > 50
    assert set(receipts) <= set(stored)
    assert len(stored) == len(set(stored))


async def test_a_handler_that_stops_the_system_has_answered_its_message(
    autojump_clock: MockClock,
) -> None:
    """The handler calls `system.stop()`: it returns, and that is written."""

    class Last(Desk):
        @actors.receive
        async def do(self, message: Do) -> int:
            self.ctx.system.stop()
            return message.n

    store = MemoryStore()
    async with actors.open_system("s", store=store) as system:
        system.spawn(Last, name="desk", policy=AT_ONCE)
        await system.post("/desk", Do(1))
        await trio.sleep_forever()
    assert kept(store) == [(1, TicketState.RESPONDED, 1)]
