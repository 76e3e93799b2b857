"""Subscribing to events: which come, in which order, and what a slow reader loses (contract §11)."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

import actors
from actors import events as facts_of
from actors.events import (
    ActorEvent,
    DeadLetter,
    Event,
    EventsLost,
    Failed,
    Restarting,
    Spawned,
    Started,
    Stopped,
)
from tests.core.cast import AT_ONCE, Die, Echo, Note, Worker, drained, facts, settled


async def test_the_events_of_a_life_come_in_order(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system, system.subscribe() as events:
        worker = await system.start(Worker, name="worker", policy=AT_ONCE)
        worker.tell(Die("boom"))
        await settled()
        worker.stop()
        exit = await worker.wait_stopped()
        kinds = [(kind, path) for kind, path, *_ in facts(events)]
        assert kinds == [
            ("Spawned", "/worker"),
            ("Started", "/worker"),
            ("Failed", "/worker"),
            ("Restarting", "/worker"),
            ("DeadLetter", "/worker"),
            ("Restarted", "/worker"),
            ("Stopped", "/worker"),
        ]
        assert exit.kind is actors.ExitKind.SHUTDOWN


async def test_each_event_has_its_time_and_its_ref(autojump_clock: MockClock) -> None:
    policy = actors.Policy(backoff=actors.Backoff(initial=2.0, jitter=0.0), breaker=None)
    async with actors.open_system("alpha") as system, system.subscribe(ActorEvent) as events:
        start = trio.current_time()
        worker = await system.start(Worker, name="worker", policy=policy)
        await trio.sleep(1)
        worker.tell(Die())
        await trio.sleep(10)
        read = drained(events)
        assert {event.ref for event in read if isinstance(event, ActorEvent)} == {worker}
        assert [(type(event).__name__, event.at - start) for event in read] == [
            ("Spawned", 0.0),
            ("Started", 0.0),
            ("Failed", pytest.approx(1.0)),
            ("Restarting", pytest.approx(1.0)),
            ("DeadLetter", pytest.approx(1.0)),
            ("Restarted", pytest.approx(3.0)),
        ]
        (restarting,) = [event for event in read if isinstance(event, Restarting)]
        assert (restarting.attempt, restarting.delay) == (1, 2.0)
        assert restarting.exit.kind is actors.ExitKind.FAILED


async def test_only_the_kinds_that_were_asked_for_come(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system, system.subscribe(Started, DeadLetter) as events:
        worker = await system.start(Worker, name="worker")
        worker.tell("what?")
        await settled()
        assert facts(events) == [
            ("Started", "/worker"),
            ("DeadLetter", "/worker", "what?", None, "unhandled"),
        ]


async def test_every_subscriber_gets_every_event(autojump_clock: MockClock) -> None:
    """From its own beginning on, until its block ends."""
    async with actors.open_system("alpha") as system:
        async with system.subscribe(Spawned) as first:
            system.spawn(Worker, name="one")
            async with system.subscribe(Spawned) as second:
                system.spawn(Worker, name="two")
            system.spawn(Worker, name="three")
            assert [path for _, path in facts(first)] == ["/one", "/two", "/three"]
        system.spawn(Worker, name="four")
        assert [path for _, path in facts(second)] == ["/two"]
        assert facts(first) == []


async def test_reading_waits_for_the_next_event(autojump_clock: MockClock) -> None:
    read: list[float] = []

    async def reader(events: actors.Subscription) -> None:
        async for event in events:
            read.append(event.at)

    async with actors.open_system("alpha") as system, system.subscribe(Spawned) as events:
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reader, events)
            for _ in range(3):
                await trio.sleep(2)
                system.spawn(Worker)
            await settled()
            nursery.cancel_scope.cancel()
        assert [at - start for at in read] == [pytest.approx(2.0), pytest.approx(4.0), pytest.approx(6.0)]


async def test_reading_ends_when_the_system_has_closed(autojump_clock: MockClock) -> None:
    """The last events come first; a subscription to a closed system ends at once."""
    read: list[tuple[str, str]] = []

    async def reader(system: actors.System, task_status: Any) -> None:
        async with system.subscribe(Stopped) as events:
            task_status.started()
            async for event in events:
                assert isinstance(event, Stopped)
                read.append((type(event).__name__, event.ref.path))
        read.append(("end", ""))

    async with trio.open_nursery() as nursery, actors.open_system("alpha") as system:
        await nursery.start(reader, system)
        await system.start(Worker, name="worker")
    assert read == [("Stopped", "/worker"), ("Stopped", "/"), ("end", "")]
    async with system.subscribe() as events:
        assert [event async for event in events] == []


async def test_a_cancelled_reader_loses_nothing(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system, system.subscribe(Spawned) as events:
        system.spawn(Worker, name="one")
        with trio.CancelScope() as scope:
            scope.cancel()
            await events.__anext__()
        assert scope.cancelled_caught
        assert facts(events) == [("Spawned", "/one")]
        with trio.move_on_after(1) as scope:
            await events.__anext__()
        assert scope.cancelled_caught


async def test_a_slow_subscriber_loses_the_oldest_and_is_told(autojump_clock: MockClock) -> None:
    """10,000 wait; `EventsLost` with the count stands in place of the older ones. Others lose nothing."""
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, name="worker")
        worker.stop()
        await worker.wait_stopped()
        async with system.subscribe(DeadLetter) as slow, system.subscribe(DeadLetter) as quick:
            seen = 0
            for n in range(12_345):
                worker.tell(n)
                if n % 1000 == 0:
                    seen += len(drained(quick))
            read = drained(slow)
            assert seen + len(drained(quick)) == 12_345
        lost, *kept = read
        assert isinstance(lost, EventsLost)
        assert (lost.count, len(kept)) == (2_345, 10_000)
        assert [letter.message for letter in kept if isinstance(letter, DeadLetter)] == list(
            range(2_345, 12_345)
        )


async def test_events_lost_twice_are_told_twice(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, name="worker")
        worker.stop()
        async with system.subscribe(DeadLetter) as events:
            for _ in range(2):
                for n in range(10_001):
                    worker.tell(n)
                first, *rest = drained(events)
                assert isinstance(first, EventsLost)
                assert (first.count, len(rest)) == (1, 10_000)


async def test_a_subscriber_never_slows_an_actor(autojump_clock: MockClock) -> None:
    """Nobody reads, and the asks are answered all the same, without time passing."""
    async with actors.open_system("alpha") as system, system.subscribe():
        worker = await system.start(Worker, name="worker")
        for n in range(1000):
            worker.tell("unhandled")
            assert await worker.ask(Echo(str(n))) == str(n)
        assert trio.current_time() == pytest.approx(0.0)


@pytest.mark.parametrize("kind", ["Started", Note, Worker, Exception, 5, None, Spawned(0.0, None)])  # type: ignore[arg-type]
async def test_what_is_no_kind_of_event_is_refused(autojump_clock: MockClock, kind: Any) -> None:
    async with actors.open_system("alpha") as system:
        with pytest.raises(TypeError, match="is not a kind of event"):
            async with system.subscribe(kind):
                pass


def kinds() -> list[type[Event]]:
    return [getattr(facts_of, name) for name in facts_of.__all__]


@pytest.mark.parametrize(
    "kind", [kind for kind in kinds() if issubclass(kind, Event)], ids=lambda k: k.__name__
)
def test_every_event_is_a_frozen_fact_with_a_time(kind: type[Event]) -> None:
    fields = [field.name for field in attrs.fields(kind)]
    assert fields[0] == "at"
    assert issubclass(kind, ActorEvent) == ("ref" in fields)
    event = kind(*(None for _ in fields))
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.at = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("Spawned", ""),
        ("Started", ""),
        ("StartAttemptFailed", "exit"),
        ("Failed", "exit message"),
        ("Restarting", "attempt delay exit"),
        ("Restarted", "attempt"),
        ("Stopped", "exit"),
        ("StopFailed", "error"),
        ("Unresponsive", "seconds"),
        ("Escalated", "child error"),
        ("BreakerOpened", "failures retry_after"),
        ("BreakerHalfOpen", ""),
        ("BreakerClosed", ""),
        ("DeadLetter", "message sender reason"),
        ("Expired", "message"),
        ("LateReply", "message"),
    ],
)
def test_events_have_the_fields_of_the_contract(name: str, fields: str) -> None:
    kind = getattr(facts_of, name)
    assert [field.name for field in attrs.fields(kind)] == ["at", "ref", *fields.split()]


def test_events_live_in_their_module_alone() -> None:
    """The package itself does not export them."""
    assert [kind.__name__ for kind in kinds() if kind.__name__ in actors.__all__] == []
    assert Failed is facts_of.Failed
