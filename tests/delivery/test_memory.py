"""The store in memory, where it is more than the shelf: who may open it, names, and signals."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from itertools import count
from typing import Any

import pytest
import trio

from actors.delivery import MemoryStore
from actors.delivery.errors import NotTheOwner, StoreInUse
from actors.delivery.operations import Append, Drop, Moved
from actors.delivery.store import Arrived, Changed, Engine, Opening, Resumed, Signal
from actors.delivery.ticket import Entry, Move, TicketState

_numbers = count(1)


class Wall:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(
    store: MemoryStore, node: str = "one", wall: Wall | None = None
) -> AbstractAsyncContextManager[Engine]:
    return store.open(Opening(node, f"{node}{next(_numbers)}", wall or Wall(), lease=10.0))


async def post(engine: Engine, ticket_id: str, path: str = "/a", **more: Any) -> None:
    [result] = await engine.write([Append(Entry(ticket_id, path, "1", 1.0, **more), 1_000_000)])
    assert isinstance(result, Entry)


async def heard(engine: Engine) -> list[Signal]:
    """What has come until now."""
    found: list[Signal] = []

    async def listen() -> None:
        async for signal in engine.signals():
            found.append(signal)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return found


async def test_a_store_that_is_not_shared_is_opened_by_one_at_a_time() -> None:
    store = MemoryStore()
    async with opened(store):
        with pytest.raises(StoreInUse, match=r"make it with MemoryStore\(shared=True\)"):
            async with opened(store):
                pass
    async with opened(store) as engine:
        assert engine.directory is None


async def test_the_names_of_a_node_are_free_at_once_when_it_closes() -> None:
    store = MemoryStore(shared=True)
    async with opened(store, "two") as two:
        async with opened(store, "one") as one:
            assert one.directory is not None
            first = await one.directory.claim("/a")
        assert two.directory is not None
        assert await two.directory.owner("/a") is None
        second = await two.directory.claim("/a")
        assert (second.node, second.token > first.token) == ("two", True)


async def test_a_lease_has_lapsed_at_its_end_and_not_before() -> None:
    store, wall = MemoryStore(shared=True), Wall()
    async with opened(store, "one", wall) as one, opened(store, "two", wall) as two:
        assert one.directory is not None
        assert two.directory is not None
        owner = await one.directory.claim("/a")
        wall.now += 9.999
        assert await two.directory.owner("/a") == owner
        assert await one.directory.renew()
        wall.now += 9.999
        assert await two.directory.claim("/a") == owner
        wall.now += 0.001
        assert await two.directory.owner("/a") is None
        with pytest.raises(NotTheOwner):
            await one.take("/a", 1, token=owner.token)


async def test_a_node_that_claims_a_name_anew_is_given_all_its_tickets_anew() -> None:
    store = MemoryStore(shared=True)
    async with opened(store) as engine:
        assert engine.directory is not None
        await post(engine, "t")
        for _ in range(2):
            token = (await engine.directory.claim("/a")).token
            assert [one.id for one in await engine.take("/a", 9, token=token)] == ["t"]
            assert await engine.take("/a", 9, token=token) == []
            await engine.directory.release("/a")


async def test_take_without_a_token_is_refused_where_names_have_owners() -> None:
    async with opened(MemoryStore(shared=True)) as engine:
        with pytest.raises(NotTheOwner):
            await engine.take("/a", 9)


async def test_a_node_hears_of_others_and_not_of_itself_but_for_what_arrives() -> None:
    store = MemoryStore(shared=True)
    async with opened(store, "one") as one, opened(store, "two") as two, opened(store, "three") as three:
        await post(one, "t", node="one", priority=2)
        await two.get("t")
        await two.write([Moved("t", Move.CANCEL, 1.0)])
        assert await heard(one) == [Arrived("/a", 2), Changed("t", TicketState.CANCELLED)]
        assert await heard(two) == await heard(three) == [Arrived("/a", 2)]


async def test_a_ticket_that_was_moved_and_dropped_in_one_group_is_told_of() -> None:
    store = MemoryStore(shared=True)
    async with opened(store, "one") as one, opened(store, "two") as two:
        await post(one, "t", node="one")
        assert await two.write([Moved("t", Move.CANCEL, 1.0), Drop("t")]) != []
        assert await heard(one) == [Arrived("/a"), Changed("t", TicketState.CANCELLED)]


async def test_signals_that_nobody_takes_become_one_that_says_look_again() -> None:
    store = MemoryStore(shared=True)
    async with opened(store) as engine:
        for number in range(10_001):
            await post(engine, f"t{number}")
        assert await heard(engine) == [Resumed()]
        await post(engine, "new")
        assert await heard(engine) == [Arrived("/a")]


@pytest.mark.parametrize("shared", [False, True])
async def test_nothing_is_kept_of_a_ticket_that_is_gone(shared: bool) -> None:
    """Whoever asks after many tickets, or takes them, pays for those that are there."""
    store = MemoryStore(shared=shared)
    async with opened(store) as engine:
        token = None if engine.directory is None else (await engine.directory.claim("/a")).token
        for number in range(50):
            await post(engine, f"t{number}")
            assert len(await engine.take("/a", 9, token=token)) == 1
            await engine.get(f"t{number}")
            await engine.get("nobody")
            await engine.write([Moved(f"t{number}", Move.CANCEL, 1.0), Drop(f"t{number}")])
        internals = {name: value for name, value in vars(engine).items() if isinstance(value, dict | set)}
        assert {name: len(value) for name, value in internals.items() if value} == {}
