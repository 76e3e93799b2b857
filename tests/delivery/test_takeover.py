"""A name that goes from one node to another: its actor goes on with the state that was saved last."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

import pytest
import trio

import actors
from actors.delivery import Entry, MemoryStore, Opening
from actors.delivery.errors import NotTheOwner, StoreUnavailable
from actors.delivery.operations import Append, Moved, Operation, Result
from actors.delivery.ticket import Move, TicketState
from tests.delivery.broken import Broken, BrokenStore, broken
from tests.delivery.redis_server import RedisServer, redis_server

__all__ = ["redis_server"]

PATIENT = actors.OneForOne(max_restarts=100_000)


@actors.message(tag="takeover.Add")
class Add(actors.Request[int]):
    n: int


@actors.message(tag="takeover.Sum")
class Sum:
    n: int


class Adder(actors.Actor):
    """Its sum is what it has saved; `begun` has what each incarnation began with."""

    def __init__(self, begun: list[int]) -> None:
        self.sum = 0
        self.begun = begun

    async def on_restore(self, state: Sum) -> None:
        self.sum = state.n

    async def on_start(self) -> None:
        self.begun.append(self.sum)

    @actors.receive
    async def add(self, message: Add) -> int:
        self.sum += message.n
        await self.ctx.save(Sum(self.sum))
        return self.sum


def node(name: str, store: MemoryStore | BrokenStore) -> AbstractAsyncContextManager[actors.System]:
    return actors.open_system(name, store=store, lease=1.0, strategy=PATIENT)


async def added(system: actors.System, n: int) -> int:
    ticket = await system.post("/adder", Add(n))
    return await ticket.wait_reply(timeout=60)


@pytest.mark.parametrize("strategy", [PATIENT, actors.OneForAll(), actors.RestForOne()])
async def test_who_takes_a_name_over_begins_anew_with_what_the_other_has_saved(
    strategy: actors.OneForOne, autojump_clock: object
) -> None:
    store = MemoryStore(shared=True)
    begun: list[int] = []
    neighbours: list[int] = []
    async with actors.open_system("two", store=store, lease=1.0, strategy=strategy) as two:
        async with node("one", store) as one:
            one.spawn(Adder, list[int](), name="adder")
            assert await added(one, 1) == 1
            standby = two.spawn(Adder, begun, name="adder")
            two.spawn(Adder, neighbours, name="neighbour")
            await standby.wait_started()
            assert begun == [1]
            assert await added(two, 10) == 11  # by the first one
        assert await added(two, 100) == 111
    assert begun == [1, 11]
    assert neighbours == [0], "nobody else begins anew with it"


async def test_who_owns_a_name_that_nobody_else_has_had_goes_on(autojump_clock: object) -> None:
    begun: list[int] = []
    async with node("one", MemoryStore(shared=True)) as one:
        one.spawn(Adder, begun, name="adder")
        assert [await added(one, 1), await added(one, 1)] == [1, 2]
        await trio.sleep(10)
        assert await added(one, 1) == 3
    assert begun == [0]


class Lapses(Broken):
    """While the first message is in hand the lease lapses, and is taken again by the same node."""

    count = 0

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        ends = any(isinstance(one, Moved) and one.move is Move.ANSWER for one in group)
        if ends and not self.count:
            self.count += 1
            directory = self.engine.directory
            assert directory is not None
            self.store.claims["/adder"].lease.until = 0.0
            await directory.claim("/adder")
        return await super().write(group)


async def test_what_was_in_hand_when_the_lease_lapsed_is_done_again_from_the_saved_state(
    autojump_clock: object,
) -> None:
    begun: list[int] = []
    async with node("one", broken(Lapses, shared=True)) as one:
        one.spawn(Adder, begun, name="adder")
        ticket = await one.post("/adder", Add(1))
        assert await ticket.wait_reply(timeout=60) == 1
        assert await added(one, 1) == 2
        assert ticket.attempts == 2
    assert begun == [0, 0]


class LosesATake(Broken):
    """What was given the first time does not come."""

    count = 0

    async def take(
        self, path: str, limit: int, *, again: bool = False, token: int | None = None
    ) -> list[Entry]:
        found = await super().take(path, limit, again=again, token=token)
        self.count += bool(found)
        if found and self.count == 1:
            raise StoreUnavailable("broken", "the server is away")
        return found


async def test_messages_whose_taking_was_not_heard_of_are_delivered(autojump_clock: object) -> None:
    async with node("one", broken(LosesATake, shared=True)) as one:
        for _ in range(3):
            await one.post("/adder", Add(1))
        one.spawn(Adder, list[int](), name="adder")
        assert await added(one, 1) == 4


async def test_on_redis_a_node_that_claims_a_lapsed_name_anew_has_nothing_in_hand(
    redis_server: RedisServer,
) -> None:
    async with redis_server.store().open(Opening("one", "one life", lambda: 1.0, 0.5)) as engine:
        directory = engine.directory
        assert directory is not None
        first = await directory.claim("/a")
        [_] = await engine.write([Append(Entry("t", "/a", "1", 1.0), 10)])
        await engine.write([Moved("t", Move.DELIVER, 1.0, 1, token=first.token)])
        with trio.fail_after(10):
            while await directory.owner("/a") is not None:  # noqa: ASYNC110 - nobody is told
                await trio.sleep(0.05)
        second = await directory.claim("/a")
        assert second.token > first.token
        entry = await engine.get("t")
        assert entry is not None
        assert (entry.state, entry.working, entry.attempts) == (TicketState.PENDING, False, 1)
        late = Moved("t", Move.ANSWER, 1.0, 1, answer="1", token=first.token)
        [refused] = await engine.write([late])
        assert isinstance(refused, NotTheOwner)
        assert [one.id for one in await engine.take("/a", 10, token=second.token)] == ["t"]
