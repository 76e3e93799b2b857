"""Names of several nodes that share a store: each is one node's at a time, and any of them may post to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import NotTheOwner, TicketReply, TicketState
from actors.delivery import MemoryStore, Opening, Owner
from actors.delivery.store import Directory, Engine, Signal
from tests.delivery.broken import Broken, BrokenStore
from tests.delivery.post_cast import AT_ONCE, PATIENT, Boom, Desk, Do, Poster, Send, settled
from tests.delivery.redis_server import RedisServer, redis_server

__all__ = ["redis_server"]

COURIER = "/system/courier"


class Standing(Broken):
    """The node stands still while it is among `still`: nothing of it reaches the store."""

    def __init__(self, store: MemoryStore, engine: Engine, opening: Opening, stage: Stage) -> None:
        super().__init__(store, engine, opening)
        self.stage = stage

    async def goes(self) -> None:
        while self.opening.node in self.stage.still:
            await self.stage.go.park()

    async def write(self, group: Any) -> Any:
        await self.goes()
        return await super().write(group)

    async def signals(self) -> AsyncIterator[Signal]:
        async for signal in self.engine.signals():
            await self.goes()
            yield signal

    @property
    def directory(self) -> Any:
        return Registrar(self)


class Registrar:
    def __init__(self, node: Standing) -> None:
        assert node.engine.directory is not None
        self.node = node
        self.inner: Directory = node.engine.directory

    async def claim(self, path: str) -> Owner:
        await self.node.goes()
        owner = await self.inner.claim(path)
        await trio.sleep(self.node.stage.seconds)
        return owner

    async def release(self, path: str) -> None:
        await trio.sleep(self.node.stage.seconds)
        await self.inner.release(path)

    async def owner(self, path: str) -> Owner | None:
        return await self.inner.owner(path)

    async def renew(self) -> bool:
        await self.node.goes()
        return await self.inner.renew()


class Stage(BrokenStore):
    """A shared store whose nodes can be made to stand still; asked about names it answers after `seconds`."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(lambda *given: Standing(*given, stage=self), True)  # type: ignore[arg-type]
        self.still: set[str] = set()
        self.go = trio.lowlevel.ParkingLot()
        self.seconds = seconds

    def stop(self, node: str) -> None:
        self.still.add(node)

    def go_on(self, node: str) -> None:
        self.still.discard(node)
        self.go.unpark_all()


def node(name: str, store: Any, lease: float = 1.0) -> AbstractAsyncContextManager[actors.System]:
    return actors.open_system(name, store=store, lease=lease, strategy=PATIENT)


async def done(system: actors.System, n: int, path: str = "/desk", **options: Any) -> Any:
    ticket = await system.post(path, Do(n), **options)
    return await ticket.wait_reply(timeout=60)


@pytest.mark.row(99)
async def test_of_three_nodes_with_a_name_one_serves_it_and_when_it_leaves_another(
    autojump_clock: MockClock,
) -> None:
    store = MemoryStore(shared=True)
    books: dict[str, list[int]] = {name: [] for name in ("one", "two", "three")}
    async with node("three", store) as three:
        async with node("two", store) as two:
            async with node("one", store) as one:
                for system in (one, two, three):
                    system.spawn(Desk, books[system.name], name="desk")
                    await settled()
                for n, system in enumerate((one, two, three)):
                    assert await done(system, n) == n
                assert books == {"one": [0, 1, 2], "two": [], "three": []}
            begun = trio.current_time()
            for n, system in enumerate((two, three)):
                assert await done(system, 10 + n) == 10 + n
            assert trio.current_time() == begun, "no lease has to lapse"
            assert sorted(map(len, books.values())) == [0, 2, 3]
        assert await done(three, 20) == 20
    assert books["three"][-1] == 20


@pytest.mark.row(99)
async def test_a_name_that_was_given_up_by_its_actor_goes_to_the_node_that_waits_for_it(
    autojump_clock: MockClock,
) -> None:
    store = MemoryStore(shared=True)
    async with node("one", store) as one, node("two", store) as two:
        first = one.spawn(Desk, name="desk")
        await settled()
        book: list[int] = []
        two.spawn(Desk, book, name="desk")
        await settled()
        token = store.claims["/desk"].token
        first.stop()
        await first.wait_stopped()
        assert await done(one, 1) == 1
        assert book == [1]
        assert store.claims["/desk"].token > token


@pytest.mark.row(99)
async def test_when_the_courier_is_started_again_actors_are_there_again_without_doing_anything(
    autojump_clock: MockClock,
) -> None:
    """Also those that became ready while there was none."""
    store = MemoryStore(shared=True)
    async with node("one", store, 15.0) as one, node("two", store, 15.0) as two:
        old, young = list[int](), list[int]()
        one.spawn(Desk, old, name="old")
        assert await done(two, 1, "/old") == 1
        token = store.claims["/old"].token
        courier = one.find(COURIER)
        assert courier is not None
        courier.kill()
        await courier.wait_stopped()
        one.spawn(Desk, young, name="young")
        begun = trio.current_time()
        assert await done(two, 2, "/young") == 2
        assert await done(two, 3, "/old") == 3
        assert trio.current_time() - begun < 1.0, "nothing waited for a renewal"
        assert (old, young) == ([1, 3], [2])
        assert store.claims["/old"].token > token


@pytest.mark.row(99)
async def test_who_stands_still_longer_than_its_lease_loses_its_names_and_what_it_still_says_of_them(
    autojump_clock: MockClock,
) -> None:
    store = Stage()
    books: dict[str, list[int]] = {"one": [], "two": []}
    async with node("one", store) as one, node("two", store) as two, node("three", store) as three:
        for system in (one, two):
            system.spawn(Desk, books[system.name], name="desk", policy=AT_ONCE)
            await settled()
        token = store.inner.claims["/desk"].token
        ticket = await three.post("/desk", Do(7, seconds=3.0))
        await settled()
        assert books["one"] == [7]
        store.stop("one")
        await trio.sleep(2.0)
        assert books["two"] == [7]
        assert store.inner.claims["/desk"].token > token
        await trio.sleep(1.5)  # the first has ended, and says so
        store.go_on("one")
        await settled()
        assert ticket.state is TicketState.DELIVERED, "by the second one, who is not done"
        assert await ticket.wait_reply(timeout=60) == 7
        assert ticket.attempts == 2
        assert await done(one, 8) == 8
        assert books == {"one": [7], "two": [7, 8]}


async def test_a_node_that_has_lost_its_lease_and_nobody_else_took_its_names_has_them_again(
    autojump_clock: MockClock,
) -> None:
    store = Stage()
    async with node("one", store) as one, node("two", store) as two:
        one.spawn(Desk, name="desk")
        assert await done(two, 1) == 1
        store.stop("one")
        await trio.sleep(5.0)
        ticket = await two.post("/desk", Do(2))
        store.go_on("one")
        assert await ticket.wait_reply(timeout=5.0) == 2
        assert ticket.attempts == 1


@pytest.mark.parametrize("fails", [False, True])
async def test_each_delivery_is_made_once_though_the_lease_lapses_with_some_in_hand(
    fails: bool, autojump_clock: MockClock
) -> None:
    """What is in hand is failed for whoever claims, and is delivered anew: its first end does not count."""
    store = Stage()
    book: list[int] = []
    async with node("one", store) as one:
        one.spawn(Desk, book, name="desk", policy=AT_ONCE)
        ticket = await one.post("/desk", Do(1, seconds=4.0, error=Boom() if fails else None), max_attempts=2)
        behind = await one.post("/desk", Do(2))
        await settled()
        store.stop("one")
        await trio.sleep(2.0)
        store.go_on("one")
        await trio.sleep(60.0)
        assert ticket.attempts == 2
        assert ticket.state is (TicketState.DEAD if fails else TicketState.RESPONDED)
        assert behind.state is TicketState.RESPONDED
        assert book == [1, 1, 2]


@pytest.mark.parametrize("seconds", [0.0, 0.01])
@pytest.mark.parametrize("pause", [0.0, 0.005, 0.015, 0.025])
async def test_a_name_whose_actor_goes_and_comes_again_is_never_nobodys_in_the_end(
    seconds: float, pause: float, autojump_clock: MockClock
) -> None:
    store = Stage(seconds)
    async with node("one", store, 15.0) as one, node("two", store, 15.0) as two:
        for _ in range(4):
            first = one.spawn(Desk, name="desk")
            await trio.sleep(pause)
            first.stop()
            await first.wait_stopped()
        one.spawn(Desk, name="desk")
        await trio.sleep(1.0)
        owner = await store.inner.engines[next(iter(store.inner.engines))].directory.owner("/desk")  # type: ignore[union-attr]
        assert owner is not None
        assert owner.node == "one"
        begun = trio.current_time()
        assert await done(two, 1) == 1
        assert trio.current_time() - begun < 1.0
        two.spawn(Desk, name="desk")
        await trio.sleep(1.0)
        last = one.find("/desk")
        assert last is not None
        last.stop()
        await last.wait_stopped()
        begun = trio.current_time()
        assert await done(one, 2) == 2
        assert trio.current_time() - begun < 1.0


async def test_a_name_whose_release_was_not_heard_is_given_up_later(autojump_clock: MockClock) -> None:
    class Deaf(Standing):
        count = 0

        @property
        def directory(self) -> Any:
            return DeafRegistrar(self)

    class DeafRegistrar(Registrar):
        async def release(self, path: str) -> None:
            Deaf.count += 1
            if Deaf.count == 1:
                raise actors.StoreUnavailable("stage", "it is away")
            await super().release(path)

    store = Stage()
    store.kind = lambda *given: Deaf(*given, stage=store)  # type: ignore[assignment]
    async with node("one", store) as one, node("two", store) as two:
        first = one.spawn(Desk, name="desk")
        await settled()
        two.spawn(Desk, name="desk")
        await settled()
        first.stop()
        ticket = await one.post("/desk", Do(1))
        assert await ticket.wait_reply(timeout=1.0) == 1
        assert one.find(COURIER) is not None


@actors.message(tag="registry.Keep")
class Keep(actors.Request[str]):
    text: str


class Keeper(actors.Actor):
    @actors.receive
    async def keep(self, message: Keep) -> str:
        try:
            await self.ctx.save(message)
        except NotTheOwner:
            return "refused"
        return "kept"


async def test_what_an_actor_saves_whose_name_is_another_nodes_is_refused(autojump_clock: MockClock) -> None:
    store = Stage()
    async with node("one", store) as one, node("two", store) as two:
        owner = one.spawn(Keeper, name="keeper")
        assert await owner.ask(Keep("at once")) == "kept"
        standby = two.spawn(Keeper, name="keeper")
        assert await standby.ask(Keep("a stranger's")) == "refused"
        assert store.inner.shelf.states == {"/keeper": Keep("at once")}
        store.stop("one")
        await trio.sleep(2.0)
        assert await standby.ask(Keep("the new owner's")) == "kept"
        store.go_on("one")
        await trio.sleep(1.0)
        assert await owner.ask(Keep("the old owner's")) == "refused"
        assert store.inner.shelf.states == {"/keeper": Keep("the new owner's")}


async def test_the_later_one_of_two_nodes_of_one_name_has_the_names(autojump_clock: MockClock) -> None:
    store = MemoryStore(shared=True)
    books: list[list[int]] = [[], []]
    async with node("one", store) as older:
        older.spawn(Desk, books[0], name="desk")
        assert await done(older, 1) == 1
        async with node("one", store) as later:
            later.spawn(Desk, books[1], name="desk")
            await settled()
            for n in range(2, 6):
                assert await done(older if n % 2 else later, n) == n
                await trio.sleep(1.0)
        assert books == [[1], [2, 3, 4, 5]]
        assert await done(older, 6) == 6


async def test_a_ticket_times_out_though_the_node_that_posted_it_is_gone(autojump_clock: MockClock) -> None:
    store = MemoryStore(shared=True)
    async with node("two", store) as two:
        async with node("one", store) as one:
            ticket = await one.post("/nobody", Do(1), timeout=10.0)
        found = await two.ticket(ticket.id)
        with pytest.raises(actors.TicketTimedOut):
            await found.wait_reply(timeout=60)
        assert trio.current_time() == pytest.approx(10.0, abs=0.5)


@pytest.mark.row(99)
async def test_posts_tickets_and_what_waits_are_found_from_any_node(autojump_clock: MockClock) -> None:
    store = MemoryStore(shared=True)
    async with node("one", store) as one, node("two", store) as two, node("three", store) as three:
        ticket = await one.post("/desk", Do(1))
        assert dict(await three.posted.waiting()) == {"/desk": 1}
        found = await three.ticket(ticket.id)
        two.spawn(Desk, name="desk")
        assert await found.wait_reply(timeout=1.0) == 1
        assert await ticket.wait_reply(timeout=1.0) == 1
        assert dict(await one.posted.waiting()) == {}
        other = await one.post("/absent", Do(2))
        assert (await three.ticket(other.id)).cancel()
        await settled()
        assert other.state is TicketState.CANCELLED


async def test_the_reply_reaches_the_actor_that_posted_on_another_node_as_a_message(
    autojump_clock: MockClock,
) -> None:
    store = MemoryStore(shared=True)
    async with node("one", store) as one, node("two", store) as two:
        book: list[TicketReply] = []
        poster = one.spawn(Poster, book, name="poster")
        two.spawn(Desk, name="desk")
        ticket = await poster.ask(Send("/desk", Do(5)))
        await settled()
        assert [(one.ticket_id, one.value) for one in book] == [(ticket.id, 5)]


async def test_who_waits_for_a_reply_from_another_node_gets_no_message_besides(
    autojump_clock: MockClock,
) -> None:
    store = MemoryStore(shared=True)
    async with node("one", store) as one, node("two", store) as two:
        book: list[TicketReply] = []
        poster = one.spawn(Poster, book, name="poster")
        two.spawn(Desk, name="desk")
        assert await poster.ask(Send("/desk", Do(5, seconds=1.0), wait=True)) == 5
        await settled()
        assert book == []
        assert dict(await one.posted.waiting()) == {}


class Teller(actors.Actor):
    @actors.receive
    async def keep(self, message: Keep) -> str:
        return f"{message.text} at {self.ctx.system.name}"


@pytest.mark.row(99)
async def test_on_redis_names_are_found_again_after_each_end_of_a_courier_and_of_an_actor(
    redis_server: RedisServer,
) -> None:
    async def told(system: actors.System, text: str) -> str:
        ticket = await system.post("/teller", Keep(text))
        return await ticket.wait_reply(timeout=5.0)

    store = redis_server.store
    async with node("one", store("registry"), 15.0) as one, node("two", store("registry"), 15.0) as two:
        one.spawn(Teller, name="teller")
        assert await told(two, "first") == "first at one"
        courier = one.find(COURIER)
        assert courier is not None
        courier.kill()
        await courier.wait_stopped()
        assert await told(two, "again") == "again at one"
        for _ in range(5):
            teller = one.find("/teller")
            assert teller is not None
            teller.stop()
            await teller.wait_stopped()
            one.spawn(Teller, name="teller")
        assert await told(two, "anew") == "anew at one"
        two.spawn(Teller, name="teller")
        last = one.find("/teller")
        assert last is not None
        last.stop()
        assert await told(one, "taken over") == "taken over at two"
