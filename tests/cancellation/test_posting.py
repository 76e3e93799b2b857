"""Calls about posted messages, cancelled at every step: done or not done, and the next one works."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

import actors
from actors import Backoff, Delivery, Policy, System, TicketState
from tests.cancellation.harness import At, Lives, cut, sweep

POLICY = Policy(
    backoff=Backoff.immediate(), breaker=None, delivery=Delivery(backoff=Backoff.immediate()), shutdown=1.0
)
Check = Callable[[bool], Awaitable[None]]
Call = Callable[[System], Awaitable[tuple[Callable[[], Awaitable[object]], Check]]]
"""Prepares; the call to cut; and what must be true after it, told whether it was cut."""
TAKES_NO_ROAD = True


@actors.message
class Put(actors.Request[int]):
    n: int = 1


@actors.message
class Sum:
    n: int


class Desk(actors.Actor):
    """Adds up, and saves it."""

    total = 0

    async def on_restore(self, state: Sum) -> None:
        await trio.sleep(0.25)
        self.total = state.n

    @actors.receive
    async def put(self, message: Put) -> int:
        self.total += message.n
        await trio.sleep(0.5)
        await self.ctx.save(Sum(self.total))
        return self.total


async def works(system: System, total: int) -> None:
    """The desk answers, and nothing waits for it."""
    ticket = await system.post("/desk", Put(0))
    assert await ticket.wait_reply(50.0) == total
    assert await system.posted.waiting() == {}


async def post(system: System) -> tuple[Callable[[], Awaitable[object]], Check]:
    """Cut, it may have been posted all the same; with its key it is posted once."""

    async def call() -> None:
        await system.post("/desk", Put(), key="k")

    async def check(was_cut: bool) -> None:
        again = await system.post("/desk", Put(), key="k")
        assert await again.wait_reply(50.0) == 1
        await works(system, 1)

    return call, check


async def wait_reply(system: System) -> tuple[Callable[[], Awaitable[object]], Check]:
    """Cut or not, the ticket goes on, and others get the reply."""
    ticket = await system.post("/desk", Put())

    async def call() -> None:
        assert await ticket.wait_reply() == 1

    async def check(was_cut: bool) -> None:
        assert not ticket.readers
        assert await ticket.wait_reply(50.0) == 1
        await works(system, 1)

    return call, check


async def look_up(system: System) -> tuple[Callable[[], Awaitable[object]], Check]:
    """Cut, nothing has happened."""
    ticket = await system.post("/desk", Put())

    async def call() -> None:
        assert (await system.ticket(ticket.id)).id == ticket.id
        assert len(await system.posted.find()) == 1

    async def check(was_cut: bool) -> None:
        assert await ticket.wait_reply(50.0) == 1
        await works(system, 1)

    return call, check


async def save(system: System) -> tuple[Callable[[], Awaitable[object]], Check]:
    """The actor is killed at any step of its handler: the message is handled once more, and counts once."""
    ticket = await system.post("/desk", Put())

    async def call() -> None:
        try:
            await trio.sleep(0.7)
        finally:
            desk = system.find("/desk")
            if desk is not None:
                desk.kill()

    async def check(was_cut: bool) -> None:
        desk = system.find("/desk")
        if desk is not None:
            await desk.wait_stopped()
        await system.start(Desk, name="desk", policy=POLICY)
        assert await ticket.wait_reply(50.0) == 1
        assert ticket.attempts <= 2
        await works(system, 1)

    return call, check


async def feed(system: System) -> tuple[Callable[[], Awaitable[object]], Check]:
    """Cut, whoever goes on where it was misses nothing."""
    seen: list[int] = []
    await system.post("/desk", Put(), key="a")

    async def call() -> None:
        async with system.posted.feed(after=0) as changes:
            async for change in changes:
                seen.append(change.number)
                if change.state is TicketState.RESPONDED:
                    return

    async def check(was_cut: bool) -> None:
        await works(system, 1)
        async with system.posted.feed(after=seen[-1] if seen else 0) as changes:
            with trio.move_on_after(5.0):
                async for change in changes:
                    seen.append(change.number)
        assert seen == list(range(1, 7))  # two tickets, each pending, delivered, responded

    return call, check


async def courier(system: System) -> tuple[Callable[[], Awaitable[object]], Check]:
    """The courier is killed while it has everything to do."""
    ticket = await system.post("/desk", Put())

    async def call() -> None:
        try:
            await trio.sleep(0.7)
        finally:
            found = system.find("/system/courier")
            if found is not None:
                found.kill()

    async def check(was_cut: bool) -> None:
        assert await ticket.wait_reply(50.0) == 1
        assert ticket.attempts == 1
        await works(system, 1)

    return call, check


@pytest.mark.parametrize("of", [post, wait_reply, look_up, save, feed, courier], ids=lambda of: of.__name__)
def test_a_cancelled_call_about_posted_messages_leaves_nothing_behind(of: Call) -> None:
    async def scenario(lives: Lives, step: int) -> At:
        async with actors.open_system("a", store=actors.delivery.MemoryStore()) as system:
            await system.start(Desk, name="desk", policy=POLICY)
            call, check = await of(system)
            with cut(step) as (at, scope):
                await call()
            await check(scope.cancelled_caught)
        return at

    assert sweep(scenario, seed=5) > 3


def test_a_system_that_is_cancelled_at_any_step_loses_nothing_that_was_posted() -> None:
    """A store that outlives it has all: in the next system it is handled, and counts once."""

    async def scenario(lives: Lives, step: int) -> At:
        store = actors.delivery.MemoryStore()
        posted: list[int] = []
        with cut(step) as (at, _):
            async with actors.open_system("a", store=store) as system:
                await system.start(Desk, name="desk", policy=POLICY)
                for n in (1, 2):
                    await system.post("/desk", Put(n), key=str(n))
                    posted.append(n)
                await trio.sleep(0.7)
        async with actors.open_system("a", store=store) as system:
            await system.start(Desk, name="desk", policy=POLICY)
            for n in (1, 2):
                ticket = await system.post("/desk", Put(n), key=str(n))
                assert await ticket.wait_reply(50.0) in (1, 3)
                assert ticket.attempts <= 3
            await works(system, 3)
        assert len(store.shelf.entries) == 3
        return at

    assert sweep(scenario, seed=6) > 10
