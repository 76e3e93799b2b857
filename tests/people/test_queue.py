"""What a front end reads: all that waits, then every change."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import Escalate
from actors.events import (
    EventsLost,
    PersonAsked,
)
from tests.people.scene import ask, asking, sizes


async def read(queue: actors.Queue) -> list[tuple[str, str]]:
    """All that waits in a queue: what, and of which request."""
    found: list[tuple[str, str]] = []
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def take() -> None:
                async for event in queue:
                    text = event.request.text if not isinstance(event, EventsLost) else str(event.count)
                    found.append((type(event).__name__, text))

            nursery.start_soon(take)
            await wait_all_tasks_blocked()
            scope.cancel()
    return found


async def test_a_queue_begins_with_all_that_waits_and_goes_on_with_every_change(
    autojump_clock: MockClock,
) -> None:
    """In the order of urgency; whoever was away opens it again and has missed nothing."""
    async with asking() as (system, nursery):
        await ask(nursery, system.desk.approval, "a")
        await ask(nursery, system.desk.approval, "b", priority=1)
        async with system.desk.queue() as queue:
            assert await read(queue) == [("PersonAsked", "b"), ("PersonAsked", "a")]
            await ask(nursery, system.desk.approval, "c", timeout=10.0)
            system.desk.answer(system.desk.pending()[0].id, True)
            system.desk.extend(system.desk.pending()[0].id, 100.0)
            assert await read(queue) == [
                ("PersonAsked", "c"),
                ("PersonAnswered", "b"),
                ("PersonExtended", "a"),
            ]
            await trio.sleep(11.0)
        async with system.desk.queue() as queue:
            assert await read(queue) == [("PersonAsked", "a")]
        assert sizes(system)["queues"] == 0
        nursery.cancel_scope.cancel()


async def test_a_person_s_queue_shows_their_requests_and_never_another_s(autojump_clock: MockClock) -> None:
    """It tells of those that come to them, and of those that go on to another."""
    async with asking() as (system, nursery):
        async with system.desk.queue("ada") as ada, system.desk.queue("bo") as bo:
            await ask(
                nursery, system.desk.approval, "for ada", to="ada", timeout=10.0, default=Escalate("bo", 10.0)
            )
            await ask(nursery, system.desk.approval, "for bo", to="bo")
            await ask(nursery, system.desk.approval, "for anybody")
            await trio.sleep(10.5)
            assert await read(ada) == [
                ("PersonAsked", "for ada"),
                ("PersonWarned", "for ada"),
                ("PersonEscalated", "for ada"),
            ]
            assert await read(bo) == [("PersonAsked", "for bo"), ("PersonEscalated", "for ada")]
            await trio.sleep(10.0)
            assert await read(ada) == []
            assert await read(bo) == [("PersonWarned", "for ada"), ("PersonTimedOut", "for ada")]
        nursery.cancel_scope.cancel()


async def test_a_queue_ends_when_the_system_does(autojump_clock: MockClock) -> None:
    """What waits in it can be read; one that is opened afterwards ends at once."""
    async with asking() as (system, nursery):
        opened = system.desk.queue()
        queue = await opened.__aenter__()
        await ask(nursery, system.desk.approval, "a")
        nursery.cancel_scope.cancel()
    assert [type(event).__name__ async for event in queue] == ["PersonAsked", "PersonWithdrawn"]
    await opened.__aexit__(None, None, None)
    async with system.desk.queue() as queue:
        assert [event async for event in queue] == []


async def test_whoever_reads_while_the_system_ends_is_woken(autojump_clock: MockClock) -> None:
    """And every one of several who read one queue."""
    async with trio.open_nursery() as nursery, actors.open_system("alpha") as system:
        ended: list[int] = []

        async def read_all() -> None:
            async for _ in queue:
                pass
            ended.append(1)

        opened = system.desk.queue()
        queue = await opened.__aenter__()
        nursery.start_soon(read_all)
        nursery.start_soon(read_all)
        await wait_all_tasks_blocked()
        await opened.__aexit__(None, None, None)
        await wait_all_tasks_blocked()
        assert ended == [1, 1]


async def test_several_readers_share_a_queue(autojump_clock: MockClock) -> None:
    """Each event goes to one of them."""
    async with asking() as (system, nursery), system.desk.queue() as queue:
        seen: list[tuple[int, str]] = []

        async def take(n: int) -> None:
            async for event in queue:
                assert isinstance(event, PersonAsked)
                seen.append((n, event.request.text))

        for n in range(3):
            nursery.start_soon(take, n)
        await wait_all_tasks_blocked()
        for n in range(6):
            nursery.start_soon(system.desk.approval, str(n))
        await wait_all_tasks_blocked()
        assert sorted(text for _, text in seen) == [str(n) for n in range(6)]
        nursery.cancel_scope.cancel()


async def test_a_reader_that_lags_hears_that_it_has_lost_some_and_then_all_anew(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes are counted, not what waited at the beginning: that may be any number."""
    monkeypatch.setattr("actors.people.queue._KEPT", 5)
    async with asking() as (system, nursery):
        for n in range(10):
            await ask(nursery, system.desk.approval, f"old {n}")
        async with system.desk.queue() as queue:
            for n in range(5):
                await ask(nursery, system.desk.approval, f"new {n}")
            assert len(await read(queue)) == 15
            for request in system.desk.pending()[:6]:
                system.desk.extend(request.id, 1.0)
            found = await read(queue)
            assert found[0] == ("EventsLost", "6")
            assert found[1:] == [("PersonAsked", f"old {n}") for n in range(10)] + [
                ("PersonAsked", f"new {n}") for n in range(5)
            ]
            system.desk.answer(system.desk.pending()[0].id, True)
            assert await read(queue) == [("PersonAnswered", "old 0")]
        nursery.cancel_scope.cancel()


async def test_a_front_end_that_begins_while_much_waits_does_not_lag(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Things go on happening: it comes to its end all the same."""
    monkeypatch.setattr("actors.people.queue._KEPT", 20)
    async with asking() as (system, nursery):
        for n in range(100):
            nursery.start_soon(system.desk.approval, str(n))
        await wait_all_tasks_blocked()
        async with system.desk.queue() as queue:
            for request in system.desk.pending()[:20]:
                system.desk.extend(request.id, 1.0)
            found = await read(queue)
            assert len(found) == 120
            assert {kind for kind, _ in found} == {"PersonAsked", "PersonExtended"}
        nursery.cancel_scope.cancel()


async def test_no_event_of_a_queue_is_lost_by_a_cancellation(autojump_clock: MockClock) -> None:
    """What was not handed out comes next."""
    async with asking() as (system, nursery), system.desk.queue() as queue:
        seen: list[Any] = []
        for n in range(20):
            with trio.CancelScope() as scope:
                if n % 2:
                    scope.cancel()
                else:
                    await ask(nursery, system.desk.approval, str(n))
                seen.append((await anext(queue)).request.text)  # type: ignore[union-attr]
        seen += [text for _, text in await read(queue)]
        assert seen == [str(n) for n in range(0, 20, 2)]
        nursery.cancel_scope.cancel()


async def test_what_waited_comes_before_what_has_changed_since(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However late it is read; of what is lost nothing comes twice."""
    monkeypatch.setattr("actors.people.queue._KEPT", 2)
    async with asking() as (system, nursery):
        await ask(nursery, system.desk.approval, "a")
        async with system.desk.queue() as queue:
            for _ in range(2):
                system.desk.extend(system.desk.pending()[0].id, 1.0)
            assert await read(queue) == [
                ("PersonAsked", "a"),
                ("PersonExtended", "a"),
                ("PersonExtended", "a"),
            ]
        async with system.desk.queue() as queue:
            for _ in range(3):
                system.desk.extend(system.desk.pending()[0].id, 1.0)
            assert await read(queue) == [("EventsLost", "4"), ("PersonAsked", "a")]
        nursery.cancel_scope.cancel()


async def test_whoever_goes_in_the_middle_of_a_telling_takes_nothing_from_the_next(
    autojump_clock: MockClock,
) -> None:
    """The one behind them hears of it all the same."""
    shown: list[str] = []
    async with actors.open_system("alpha") as system:
        with ExitStack() as first, system.desk.notify(lambda request: None):
            first.enter_context(system.desk.notify(lambda request: first.close()))
            with system.desk.notify(lambda request: shown.append(request.text)):
                await system.desk.approval("Deploy?")
    assert shown == ["Deploy?"]
