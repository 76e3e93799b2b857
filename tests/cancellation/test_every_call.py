"""Single calls cancelled at every step: done or not done, and the system goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import actors
from actors import Backoff, Mailbox, Policy, System
from actors.events import Suspended
from tests.cancellation.harness import Act, At, Lives, Player, cut, sweep

POLICY = Policy(
    backoff=Backoff(initial=2.0, maximum=2.0, jitter=0.0), breaker=None, mailbox=Mailbox(capacity=2)
)
Check = Callable[[bool], Awaitable[None]]
Call = Callable[[System, Lives], Awaitable[tuple[Callable[[], Awaitable[object]], Check]]]
"""Prepares; the call to cut; and what must be true after it, told whether it was cut."""


async def start(system: System, lives: Lives) -> tuple[Callable[[], Awaitable[object]], Check]:
    """Cut, nothing of the child is left and the name is free; else it is there."""

    async def call() -> None:
        await system.start(Player, lives, "x", "y", name="a", policy=POLICY)

    async def check(was_cut: bool) -> None:
        assert (system.find("/a") is None) is was_cut
        if was_cut:
            assert system.tree().children == ()
            await system.start(Player, lives, name="a", policy=POLICY)

    return call, check


async def player(system: System, lives: Lives) -> actors.Ref:
    return await system.start(Player, lives, name="a", policy=POLICY)


async def ask(system: System, lives: Lives) -> tuple[Callable[[], Awaitable[object]], Check]:
    """Cut or not, the actor serves the next one, and nothing waits behind it."""
    ref = await player(system, lives)

    async def call() -> None:
        assert await ref.ask(Act(1.0), timeout=50.0) == "/a"

    async def check(was_cut: bool) -> None:
        assert await ref.ask(Act(0.0)) == "/a"

    return call, check


async def ask_through_a_restart(
    system: System, lives: Lives
) -> tuple[Callable[[], Awaitable[object]], Check]:
    """A cut ask that waited through a backoff is never handled."""
    ref = await player(system, lives)
    ref.tell(Act(0.5, then="fail"))

    async def call() -> None:
        assert await ref.ask(Act(0.0, key=7)) == "/a"

    async def check(was_cut: bool) -> None:
        assert await ref.ask(Act(0.0)) == "/a"
        if not was_cut:
            assert lives.handled == [7]
        assert lives.handled.count(7) <= 1

    return call, check


async def send_with_room(system: System, lives: Lives) -> tuple[Callable[[], Awaitable[object]], Check]:
    """Cut means not sent; not cut means handled once."""
    ref = await player(system, lives)
    return lambda: ref.send(Act(0.0, key=7)), sent_or_not(ref, lives)


async def send_waiting(system: System, lives: Lives) -> tuple[Callable[[], Awaitable[object]], Check]:
    """The same while it waits for room."""
    ref = await player(system, lives)
    ref.tell(Act(1.0))
    await wait_all_tasks_blocked()
    for _ in range(2):
        ref.tell(Act(1.0))
    return lambda: ref.send(Act(0.0, key=7)), sent_or_not(ref, lives)


def sent_or_not(ref: actors.Ref, lives: Lives) -> Check:
    async def check(was_cut: bool) -> None:
        await trio.sleep(20)
        assert lives.handled == ([] if was_cut else [7])
        await ref.send(Act(0.0, key=8))
        await trio.sleep(20)
        assert lives.handled[-1] == 8

    return check


async def wait_started(system: System, lives: Lives) -> tuple[Callable[[], Awaitable[object]], Check]:
    """Waiting leaves no trace: the actor becomes ready all the same."""
    ref = system.spawn(Player, lives, "x", name="a", policy=POLICY)

    async def check(was_cut: bool) -> None:
        await ref.wait_started()
        assert ref.statistics().restarts == 0

    return ref.wait_started, check


async def wait_stopped(system: System, lives: Lives) -> tuple[Callable[[], Awaitable[object]], Check]:
    """Waiting leaves no trace: the exit is the same for the next one who waits."""
    ref = await player(system, lives)
    ref.stop()

    async def check(was_cut: bool) -> None:
        assert (await ref.wait_stopped()).kind is actors.ExitKind.SHUTDOWN

    return ref.wait_stopped, check


async def interrupt(system: System, lives: Lives) -> tuple[Callable[[], Awaitable[object]], Check]:
    """The handler ends in any case once the interrupt has begun; the actor goes on."""
    ref = await player(system, lives)
    pending = ref.request(Act(30.0))
    await wait_all_tasks_blocked()

    async def check(was_cut: bool) -> None:
        assert await ref.ask(Act(0.0), timeout=40.0) == "/a"
        assert pending.done

    return ref.interrupt, check


async def pending_wait(system: System, lives: Lives) -> tuple[Callable[[], Awaitable[object]], Check]:
    """A cut wait does not withdraw the request."""
    ref = await player(system, lives)
    pending = ref.request(Act(1.0))

    async def check(was_cut: bool) -> None:
        assert await pending.wait() == "/a"

    return lambda: pending.wait(timeout=50.0), check


class Asker(Player):
    """Broadcasts a request to its children."""

    @actors.receive
    async def text(self, message: str) -> None:
        await self.broadcast(Act(1.0), timeout=9.0)


async def broadcast(system: System, lives: Lives) -> tuple[Callable[[], Awaitable[object]], Check]:
    """An interrupted broadcast leaves no request with any child."""
    ref = await system.start(Asker, lives, "x", "y", name="a", policy=POLICY)
    ref.tell("go")

    async def call() -> None:
        await trio.sleep(0.5)
        await ref.interrupt()

    async def check(was_cut: bool) -> None:
        for child in system.children(ref):
            assert await child.ask(Act(0.0)) == child.path

    return call, check


async def next_event(system: System, lives: Lives) -> tuple[Callable[[], Awaitable[object]], Check]:
    """No event is lost by a cut: what was not returned comes next."""
    ref = await player(system, lives)
    made: list[float] = []
    seen: list[float] = []
    subscription = system.subscribe(Suspended)
    events = await subscription.__aenter__()

    async def make() -> None:
        for _ in range(4):
            await trio.sleep(1)
            made.append(trio.current_time())
            ref.suspend()
            ref.resume()

    async def call() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(make)
            while len(seen) < 4:
                event = await anext(events)
                seen.append(event.at)

    async def check(was_cut: bool) -> None:
        while (event := events.next_nowait()) is not None:
            seen.append(event.at)
        assert seen == made
        await subscription.__aexit__(None, None, None)

    return call, check


CALLS: list[Call] = [
    start,
    ask,
    ask_through_a_restart,
    send_with_room,
    send_waiting,
    wait_started,
    wait_stopped,
    interrupt,
    pending_wait,
    broadcast,
    next_event,
]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("prepare", CALLS, ids=lambda call: call.__name__)
def test_a_call_that_is_cancelled_anywhere_is_done_or_not_done(prepare: Call, seed: int) -> None:
    """A single call is cut at each of its steps; the system is sound after it and closes in order."""

    async def scenario(lives: Lives, step: int) -> At:
        async with actors.open_system("s") as system:
            call, check = await prepare(system, lives)
            with cut(step) as (at, scope):
                await call()
            await check(scope.cancelled_caught)
        return at

    assert sweep(scenario, seed) >= 2


# --- orders at every step ------------------------------------------------------------------


def orders(system: System, paths: tuple[str, ...], order: str) -> Callable[[], None]:
    """Give the order to the actors of these paths that live."""

    def give() -> None:
        for path in paths:
            ref = system.find(path)
            if ref is None:
                continue
            if order == "crash":
                ref.tell(Act(0.0, then="fail"), urgent=True)
            else:
                getattr(ref, order)()

    return give


@pytest.mark.parametrize("strategy", [actors.OneForAll(), actors.RestForOne()], ids=repr)
@pytest.mark.parametrize("order", ["stop", "kill", "drain", "crash", "suspend"])
@pytest.mark.parametrize("paths", [("/m",), ("/m/b",), ("/m/a", "/m/c")], ids=str)
def test_an_order_at_any_step_of_a_group_leaves_it_sound(
    strategy: actors.OneForAll, order: str, paths: tuple[str, ...]
) -> None:
    """While a group starts, fails, restarts and stops, an order at any moment breaks nothing."""

    class Group(Player):
        async def on_start(self) -> None:
            for name in ("a", "b", "c"):
                self.spawn(Player, self.lives, name=name, policy=POLICY)
            self.spawn(Player, self.lives)
            await super().on_start()

    Group.strategy = strategy

    async def scenario(lives: Lives, step: int) -> At:
        async with actors.open_system("s") as system:
            with At(step, orders(system, paths, order)) as at:
                ref = await start_anyway(system, Group, lives)
                ref.tell(Act(0.5))
                b = system.find("/m/b")
                if b is not None:
                    b.tell(Act(0.25, then="fail"))
                await trio.sleep(4)
                ref.stop()
                await ref.wait_stopped()
        return at

    assert sweep(scenario, 0) > 50


async def start_anyway(system: System, group: type[Player], lives: Lives) -> actors.Ref:
    """Spawn it and wait until it has started, or cannot any more."""
    ref = system.spawn(group, lives, name="m", policy=POLICY)
    try:
        await ref.wait_started()
    except actors.ActorStopped:
        await ref.wait_stopped()
    return ref
