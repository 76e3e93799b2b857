"""Every call of a store fails once, at its n-th call for every n; each run ends as if it had not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import attrs
import pytest
import trio
from trio.testing import MockClock

import actors
from actors import TicketState
from actors.delivery.errors import StoreUnavailable, UnknownTicket
from actors.events import Event, StoreFailing, StoreRecovered
from tests.core.cast import drained
from tests.delivery.keepers import Failing, TextStore
from tests.delivery.test_saved_state import POLICY, Add, Adder, Read, Total
from tests.leftovers import TaskWatch

T = TypeVar("T")
MANY = actors.OneForOne(max_restarts=1000, within=1.0)
STEADY = attrs.evolve(POLICY, restart="permanent")
LIMIT = 2_000
"""More calls than any run has."""


@attrs.define(eq=False)
class Fault:
    """What happens at the n-th call of the store."""

    n: int
    kind: str
    count: int = 0
    until: float = -1.0
    name: str = ""
    system: actors.System | None = None

    def gate(self, name: str) -> BaseException | None:
        self.count += 1
        if self.count == self.n:
            self.name = name
            return self.strike()
        return StoreUnavailable("here", "it is away") if trio.current_time() < self.until else None

    def strike(self) -> BaseException | None:
        if self.kind == "odd":
            return OSError("nobody has thought of this")
        if self.kind == "kill":
            courier = None if self.system is None else self.system.find("/system/courier")
            if courier is not None:
                courier.kill()
            return None
        if self.kind == "away":
            self.until = trio.current_time() + 3.0
        return StoreUnavailable("here", "it is away")

    @property
    def too_late(self) -> bool:
        return self.count < self.n


async def again(call: Callable[[], Awaitable[T]], gone: T | None = None) -> T:
    """What a careful program does: the same once more."""
    for _ in range(20):
        try:
            return await call()
        except UnknownTicket:
            if gone is None:
                raise
            return gone  # it was done, and that was not heard
        except (StoreUnavailable, OSError):
            await trio.sleep(0.4)
    raise AssertionError("the store does not come back")


async def scenario(fault: Fault, store: TextStore) -> list[Event]:
    """Tickets that end in every way, states that are saved, and people who look."""
    while True:
        try:
            async with actors.open_system(
                "a", store=Failing(store, fault.gate, fault.kind == "after"), strategy=MANY
            ) as system:
                fault.system = system
                async with system.subscribe(StoreFailing, StoreRecovered) as events:
                    await talk(system)
                    return drained(events)
        except (StoreUnavailable, OSError):
            assert fault.system is None, "it was open"
            await trio.sleep(0.5)


async def talk(system: actors.System) -> None:
    def post(key: str, message: Any, path: str = "/adder", **more: Any) -> Awaitable[Any]:
        return again(lambda: system.post(path, message, key=key, **more))

    system.spawn(Adder, name="adder", policy=STEADY)
    well = await post("well", Add(1))
    refused = await post("refused", Add(2, "refuse"))
    dead = await post("dead", Add(4, "fail"), max_attempts=2)
    behind = await post("behind", Add(8))
    unclaimed = await post("unclaimed", Add(16), "/nobody", timeout=5.0)
    cancelled = await post("cancelled", Add(16), "/nobody")
    early = await post("early", Add(32), "/late")
    assert cancelled.cancel()
    assert await well.wait_reply() == 1
    assert await behind.wait_reply() in (11, 15)
    await trio.sleep(3.0)
    system.spawn(Adder, name="late", policy=STEADY)
    assert await early.wait_reply() == 32
    found = await again(lambda: system.ticket(well.id))
    assert found.state is TicketState.RESPONDED
    await trio.sleep(10.0)
    adder = system.find("/adder")
    assert adder is not None
    adder.stop()
    await adder.wait_stopped()
    adder = system.spawn(Adder, name="adder", policy=STEADY)
    assert await adder.ask(Read()) == 11
    letters = await again(lambda: system.posted.find(states={TicketState.DEAD}))
    assert [letter.key for letter in letters] == ["dead"]
    await again(lambda: system.posted.redeliver(dead.id), gone=dead)
    await trio.sleep(10.0)
    await again(lambda: system.posted.drop(refused.id), gone=True)  # type: ignore[func-returns-value, arg-type]
    assert (await again(system.posted.waiting)) == {}
    assert await again(system.posted.last_change) > 0
    assert unclaimed.state is TicketState.TIMED_OUT


EXPECTED = {
    "well": TicketState.RESPONDED,
    "dead": TicketState.DEAD,
    "behind": TicketState.RESPONDED,
    "unclaimed": TicketState.TIMED_OUT,
    "cancelled": TicketState.CANCELLED,
    "early": TicketState.RESPONDED,
}


async def one_run(fault: Fault) -> bool:
    store = TextStore()
    with trio.fail_after(100_000), TaskWatch() as watch:
        events = await scenario(fault, store)
    assert not watch.left_behind(trio.lowlevel.current_task())
    entries = store.shelf.entries.values()
    assert {entry.key: entry.state for entry in entries} == EXPECTED
    assert [entry.attempts for entry in entries if entry.key == "dead"] == [2]
    assert store.shelf.states.keys() == {"/adder", "/late"}
    assert '"n":11' in store.shelf.states["/adder"]
    if fault.name == "write" and fault.kind in ("before", "after", "away"):
        assert isinstance(events[0], StoreFailing)
        assert isinstance(events[-1], StoreRecovered)
        assert events[0].where == "memory"
    return fault.too_late


@pytest.mark.parametrize("kind", ["before", "after", "away", "odd", "kill"])
def test_each_call_of_the_store_may_fail_once(kind: str) -> None:
    """The error is told where somebody waits for it, and nothing that was acknowledged is lost."""
    names: set[str] = set()
    for n in range(1, LIMIT):
        fault = Fault(n, kind)
        trio._core._run._r.seed(7)  # type: ignore[attr-defined]  # the order of tasks in a batch
        try:
            is_clean = trio.run(one_run, fault, clock=MockClock(autojump_threshold=0))
        except BaseException as error:
            error.add_note(f"at call {n}, {fault.name}, {kind}")
            raise
        if is_clean:
            break
        names.add(fault.name)
    assert names >= {"open", "write", "take", "get", "load", "find", "due", "next_due", "waiting"}


async def test_a_courier_that_was_stopped_is_made_anew_for_what_is_in_hand(
    autojump_clock: MockClock,
) -> None:
    """Nobody posts or asks meanwhile."""
    async with actors.open_system("a", store=TextStore(), strategy=MANY) as system:
        await system.start(Adder, name="adder", policy=STEADY)
        slow = await system.post("/adder", Add(1, "slow"))
        behind = await system.post("/adder", Add(2))
        await trio.sleep(1.0)
        courier = system.find("/system/courier")
        assert courier is not None
        courier.kill()
        await courier.wait_stopped()
        assert await slow.wait_reply() == 1
        assert await behind.wait_reply() == 3
        assert (slow.attempts, behind.attempts) == (1, 1)
        assert trio.current_time() == 10.0


async def test_an_actor_waits_for_its_state_until_the_store_can_be_read(autojump_clock: MockClock) -> None:
    store, fault = TextStore(), Fault(0, "away")
    store.shelf.states["/adder"] = f'{{"$":"{Total.__module__}.{Total.__qualname__}","n":5}}'
    async with actors.open_system("a", store=Failing(store, fault.gate)) as system:
        fault.until = 4.5
        async with system.subscribe(StoreFailing) as events:
            adder = await system.start(Adder, name="adder")
            assert trio.current_time() == 5.0
            assert await adder.ask(Read()) == 5
            assert len(drained(events)) == 5
            assert adder.statistics().restarts == 0


async def test_a_system_ends_while_its_store_is_away(autojump_clock: MockClock) -> None:
    """In the time that the courier has for it; who waits hears it."""
    store, fault = TextStore(), Fault(0, "away")
    heard: list[type[BaseException]] = []

    async def post(system: actors.System, how: str) -> None:
        try:
            await system.post("/adder", Add(1, how))
        except actors.ActorError as error:
            heard.append(type(error))

    async with trio.open_nursery() as nursery:
        async with actors.open_system("a", store=Failing(store, fault.gate)) as system:
            await system.start(Adder, name="adder")
            await (await system.post("/adder", Add(1))).wait_reply()
            fault.until = 1e9
            nursery.start_soon(post, system, "")
            await trio.sleep(1.0)
        assert trio.current_time() < 10.0
    assert heard == [StoreUnavailable]
    assert [entry.state for entry in store.shelf.entries.values()] == [TicketState.RESPONDED]


@pytest.mark.parametrize("name", ["open", "waiting", "next_due", "last_change"])
@pytest.mark.parametrize("error", [StoreUnavailable("here", "it is away"), OSError("odd")])
async def test_a_store_that_cannot_be_opened_is_told_as_one_plain_error(
    name: str, error: Exception, autojump_clock: MockClock
) -> None:
    store = Failing(TextStore(), lambda called: error if called == name else None)
    with pytest.raises(type(error)) as caught:
        async with actors.open_system("a", store=store):
            raise AssertionError("it must not open")
    assert caught.value is error
