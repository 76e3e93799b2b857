"""What a system costs that posts and serves for long: nothing that only grows, nobody who waits for ever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.delivery import Entry, MemoryStore, SQLiteStore
from actors.delivery.operations import Append, Operation, Result
from actors.delivery.ticket import TicketState
from tests.delivery.broken import Broken, broken
from tests.delivery.post_cast import PATIENT, Boom, Desk, Do, SlowStore, plain, settled


class Steps(trio.abc.Instrument):
    """Counts what tasks do, but for the test's own."""

    def __init__(self) -> None:
        self.count = 0
        self.own = trio.lowlevel.current_task()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += task is not self.own


@actors.message(tag="growth.Coded")
class Coded(actors.Request[int]):
    n: int


class Coder(actors.Actor):
    @actors.receive
    async def code(self, message: Coded) -> int:
        return message.n


async def steps_in(seconds: float) -> int:
    steps = Steps()
    trio.lowlevel.add_instrument(steps)
    try:
        await trio.sleep(seconds)
    finally:
        trio.lowlevel.remove_instrument(steps)
    return steps.count


async def test_idle_recipients_wake_nobody(tmp_path: Path, mock_clock: MockClock) -> None:
    async with actors.open_system("s", store=SQLiteStore(tmp_path / "post.db")) as system:
        for n in range(100):
            system.spawn(Coder, name=f"coder-{n}")
            ticket = await system.post(f"/coder-{n}", Coded(n))
            await ticket.wait_reply()
        await settled()
        mock_clock.autojump_threshold = 0
        assert await steps_in(10.0) == 0
        mock_clock.autojump_threshold = float("inf")


async def test_with_a_shared_store_only_the_lease_is_renewed(autojump_clock: MockClock) -> None:
    async def renewing(count: int) -> int:
        store = MemoryStore(shared=True)
        async with actors.open_system("s", store=store, lease=15.0) as system:
            for n in range(count):
                system.spawn(Desk, name=f"desk-{n}")
            await settled()
            return await steps_in(60.0)

    assert max(await renewing(100), await renewing(1)) <= 3 * (12 + 1)


def known_of(system: actors.System) -> dict[str, int]:
    """How much is kept in memory beside the store."""
    office: Any = system._office  # pyright: ignore[reportPrivateUsage]
    rounds = office.rounds
    return {
        "tickets": len(office._tickets),
        "settling": len(office._settling),
        "known": len(rounds.known),
        "elsewhere": len(rounds._elsewhere),
        "sought": len(rounds._seeking._sought),
        "hands": len(rounds.deliveries._hands),
        "giving": len(rounds.deliveries._giving),
        "pump": len(office.pump),
    }


async def test_of_posts_whose_tickets_nobody_holds_nothing_stays_but_in_the_store(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("s", strategy=PATIENT) as system:
        desk = system.spawn(Desk, name="desk")
        for n in range(2000):
            await system.post("/desk", plain(n) if n % 2 else Do(n), reply=not n % 2)
        await settled()
        held = known_of(system)
        assert held == {**dict.fromkeys(held, 0), "known": 1}
        desk.stop()
        await desk.wait_stopped()
        held = known_of(system)
        assert held == dict.fromkeys(held, 0)


@pytest.mark.parametrize("how", ["timed out", "cancelled", "unclaimed"])
async def test_of_recipients_that_never_came_nothing_stays(how: str, autojump_clock: MockClock) -> None:
    posting = actors.Posting(keep_unclaimed=100.0, keep_ended=100.0)
    async with actors.open_system("s", posting=posting) as system:

        async def post(n: int) -> None:
            ticket = await system.post(f"/session-{n}", plain(n), timeout=1.0 if how == "timed out" else None)
            if how == "cancelled":
                ticket.cancel()

        for n in range(50):
            await post(n)
        assert known_of(system)["elsewhere"] == 50
        await trio.sleep(1000.0)
        held = known_of(system)
        assert held == dict.fromkeys(held, 0)
        system.spawn(Desk, name="session-1")
        late = await system.post("/session-1", Do(1))
        assert await late.wait_reply(timeout=1.0) == 1


async def test_who_is_posted_to_while_the_forgotten_are_looked_for_is_not_forgotten(
    autojump_clock: MockClock,
) -> None:
    class LooksLong(Broken):
        async def waiting(self) -> Any:
            found = await self.engine.waiting()
            await trio.sleep(1.0)
            return found

    store = broken(LooksLong)
    posting = actors.Posting(keep_unclaimed=100.0, keep_ended=100.0)
    async with actors.open_system("s", posting=posting, store=store) as system:
        first = await system.post("/late", plain(1))
        first.cancel()
        office: Any = system._office  # pyright: ignore[reportPrivateUsage]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(office.rounds.tidy)
            await trio.sleep(0.5)
            ticket = await system.post("/late", Do(2))
        system.spawn(Desk, name="late")
        assert await ticket.wait_reply(timeout=1.0) == 2


async def test_tickets_time_out_while_others_post_without_a_pause(autojump_clock: MockClock) -> None:
    """There is always something that waits to be written."""
    async with actors.open_system("s", store=SlowStore(0.1)) as system:

        async def post(path: str) -> None:
            while True:
                await system.post(path, plain(1))

        async with trio.open_nursery() as nursery:
            tickets = [await system.post("/absent", plain(1), timeout=10.0 + n / 100) for n in range(3)]
            late = await system.post("/absent", plain(1), timeout=20.0)
            for n in range(3):
                nursery.start_soon(post, f"/busy-{n}")
                await trio.sleep(0.03)
            await trio.sleep(12.0 - trio.current_time())
            assert {ticket.state for ticket in tickets} == {TicketState.TIMED_OUT}
            await trio.sleep(10.0)
            assert late.state is TicketState.TIMED_OUT
            nursery.cancel_scope.cancel()


async def test_a_recipient_with_very_many_waiting_lets_the_others_work(autojump_clock: MockClock) -> None:
    """And no stack grows with what waits."""
    store = MemoryStore()
    for n in range(5000):
        store.shelf.apply(Append(Entry(f"t{n}", "/full", plain(n), 0.0, reply=False), 10_000))
    full, other = list[int](), list[int]()
    async with actors.open_system("s", store=store) as system:
        system.spawn(Desk, other, name="other")
        system.spawn(Desk, full, name="full")
        ticket = await system.post("/other", Do(1))
        assert await ticket.wait_reply() == 1
        assert len(full) < 1000
        last = await system.post("/full", Do(5000))
        await last.wait_reply()
        assert full == list(range(5001))


# --- a store that hangs --------------------------------------------------------------


class Hangs(Broken):
    """From the given write on none returns."""

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        if any(getattr(one, "entry", None) is not None and one.entry.path == "/hang" for one in group):  # type: ignore[union-attr]
            await trio.sleep_forever()
        return await super().write(group)


Ends = Callable[[actors.System, trio.CancelScope], Awaitable[None]]


async def _in_order(system: actors.System, scope: trio.CancelScope) -> None:
    system.stop()


async def _cancelled(system: actors.System, scope: trio.CancelScope) -> None:
    scope.cancel()


async def _failed(system: actors.System, scope: trio.CancelScope) -> None:
    raise Boom


@pytest.mark.parametrize("ends", [_in_order, _cancelled, _failed])
async def test_a_store_that_hangs_keeps_no_system_from_ending(ends: Ends, autojump_clock: MockClock) -> None:
    """The time of an actor to stop, and then that of the last words."""
    heard: list[BaseException] = []
    begun = 1.0

    async def post(system: actors.System) -> None:
        try:
            await system.post("/hang", plain(1))
        except actors.ActorError as error:
            heard.append(error)

    with trio.fail_after(60), trio.CancelScope() as scope:
        async with trio.open_nursery() as outside:
            with suppress(Boom):
                async with actors.open_system("s", store=broken(Hangs)) as system:
                    outside.start_soon(post, system)
                    await trio.sleep(begun)
                    await ends(system, scope)
                    await trio.sleep_forever()
    assert trio.current_time() - begun <= 5.0 + 2.0
    if ends is not _cancelled:
        assert [type(error) for error in heard] == [actors.StoreUnavailable]
