"""What handlers keep with `ctx.save` is kept once for each message that was answered, whatever breaks."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from actors import TicketState
from actors.coding import JsonCoder
from actors.delivery.errors import StoreUnavailable
from actors.errors import Refused
from tests.delivery.keepers import Failing, TextStore

IMMEDIATE = actors.Backoff.immediate()
POLICY = actors.Policy(backoff=IMMEDIATE, breaker=None, delivery=actors.Delivery(backoff=IMMEDIATE))
MANY = actors.OneForOne(max_restarts=100_000, within=1.0)


@actors.message
class Mark(actors.Request[int]):
    """Counted once; `plan` says what happens in each of its deliveries."""

    n: int
    plan: tuple[str, ...] = ()


@actors.message
class Marks:
    """Which were counted, and how often."""

    counts: dict[int, int]


class World:
    """What outlives every system, and is no part of what is tested."""

    def __init__(self) -> None:
        self.deliveries: dict[int, int] = {}


class Counter(actors.Actor):
    """Counts each message that it has handled."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.counts: dict[int, int] = {}

    def on_restore(self, state: Marks) -> None:
        self.counts = dict(state.counts)

    @actors.receive
    async def mark(self, message: Mark) -> int:
        seen = self.world.deliveries.get(message.n, 0)
        self.world.deliveries[message.n] = seen + 1
        what = message.plan[seen] if seen < len(message.plan) else "well"
        if what == "fail before":
            raise ValueError("before saving")
        self.counts[message.n] = self.counts.get(message.n, 0) + 1
        if what == "late":
            await trio.sleep(0.7)
        await self.ctx.save(Marks(dict(self.counts)))
        match what:
            case "fail after":
                raise ValueError("after saving")
            case "reply, then fail":
                self.ctx.reply(1)
                raise ValueError("after answering")
            case "refuse":
                raise Refused("but counted")
            case "long":
                await trio.sleep(1.3)
            case "twice":
                await self.ctx.save(Marks(dict(self.counts)))
            case _:
                pass
        return sum(self.counts.values())


PLANS = st.lists(
    st.sampled_from(
        ["well", "fail before", "fail after", "reply, then fail", "refuse", "late", "long", "twice"]
    ),
    max_size=3,
).map(tuple)
STRIKES = ("kill courier", "kill counter", "stop counter", "suspend", "store", "restart", "crash")
FAULTS = st.tuples(st.floats(0.05, 8.0), st.sampled_from(STRIKES))


class Chaos:
    """Breaks something each time its moment comes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.is_away = False

    def gate(self, name: str) -> BaseException | None:
        return StoreUnavailable("here", "it is away") if self.is_away and name != "open" else None

    async def strike(self, system: actors.System, what: str) -> None:
        if what == "kill courier":
            courier = system.find("/system/courier")
            if courier is not None:
                courier.kill()
        elif what == "store":
            self.is_away = True
            try:
                await trio.sleep(1.0)
            finally:
                self.is_away = False
        else:
            await self.strike_counter(system, what)

    async def strike_counter(self, system: actors.System, what: str) -> None:
        counter = system.find("/counter")
        if counter is None:
            return
        if what == "suspend":
            counter.suspend()
            await trio.sleep(0.5)
            counter.resume()
            return
        if what == "kill counter":
            counter.kill()
        else:
            counter.stop()
        await counter.wait_stopped()
        await self.start(system)

    async def start(self, system: actors.System) -> None:
        if system.find("/counter") is None:
            system.spawn(Counter, self.world, name="counter", policy=POLICY)


async def run(messages: list[tuple[float, Mark]], faults: list[tuple[float, str]], shared: TextStore) -> None:
    """Post each at its time and strike at the others, in as many systems as it takes."""
    chaos = Chaos(World())
    store = Failing(shared, chaos.gate)
    due: list[tuple[float, Mark | str]] = sorted([*messages, *faults], key=lambda one: one[0])
    is_done = False
    while not is_done:  # once more after a last restart
        async with (
            actors.open_system("a", store=store, strategy=MANY) as system,
            trio.open_nursery() as tasks,
        ):
            await chaos.start(system)
            while due:
                at, what = due[0]
                await trio.sleep_until(at)
                if isinstance(what, Mark):
                    await post(system, what)
                due.pop(0)
                if what == "crash":
                    system._root.kill()  # all at once, as with Ctrl-C
                if what in ("crash", "restart"):
                    break
                if isinstance(what, str):
                    tasks.start_soon(chaos.strike, system, what)
            else:
                await trio.sleep(60.0)
                is_done = True
            tasks.cancel_scope.cancel()


async def post(system: actors.System, mark: Mark) -> None:
    while True:
        try:
            await system.post("/counter", mark, key=str(mark.n), max_attempts=50)
        except StoreUnavailable:
            await trio.sleep(0.3)
        else:
            return


@pytest.mark.row(95)
@settings(max_examples=60)
@given(
    messages=st.lists(st.tuples(st.floats(0.0, 5.0), PLANS), min_size=1, max_size=6),
    faults=st.lists(FAULTS, max_size=5),
)
def test_each_answered_message_is_counted_once_whatever_breaks(
    messages: list[tuple[float, tuple[str, ...]]], faults: list[tuple[float, str]]
) -> None:
    marks = [(at, Mark(number, plan)) for number, (at, plan) in enumerate(messages)]
    store = TextStore()

    async def main() -> None:
        with trio.fail_after(10_000):
            await run(marks, faults, store)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    ended = [entry.state for entry in store.shelf.entries.values()]
    assert len(ended) == len(marks), "one was lost"
    assert set(ended) <= {TicketState.RESPONDED, TicketState.FAILED}, ended
    counts = counted(store)
    assert counts == {mark.n: 1 for _, mark in marks}


def counted(store: TextStore) -> dict[int, int]:
    return dict(JsonCoder().back(store.shelf.states["/counter"]).counts)
