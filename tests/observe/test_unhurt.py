"""Whoever looks ends nobody: odd events, listeners that raise, logs that are broken."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from difflib import get_close_matches
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.events import Event, Failed
from actors.observe.brief import raised_at
from actors.observe.bus import Bus
from tests.core.cast import AT_ONCE, Worker, settled

TAKES_NO_ROAD = True


class Shy(Exception):
    """A `node` of its own, which is not there yet."""

    @property
    def node(self) -> str:
        raise RuntimeError("not linked")


class Careless(Exception):
    """Knows every attribute, or thinks so."""

    def __getattr__(self, name: str) -> Any:
        raise KeyError(name)


@actors.message
class Raise:
    kind: type[Exception]


class Raiser(actors.Actor):
    @actors.receive
    def fail(self, message: Raise) -> None:
        raise message.kind("odd")


@pytest.mark.parametrize("kind", [Shy, Careless])
async def test_an_error_with_odd_attributes_is_a_fact_like_others(
    autojump_clock: MockClock, kind: type[Exception]
) -> None:
    async with actors.open_system("alpha") as system:
        journal = system.journal
        ref = await system.start(Raiser, name="raiser", policy=AT_ONCE)
        ref.tell(Raise(kind))
        await settled()
        assert ref.state is actors.ActorState.IDLE
        [fact] = journal.after(0, kinds=["Failed"]).facts
        assert fact.details["exit"]["error"] == f"{kind.__name__}: odd"


class Broken:
    """A listener that cannot take what it is given."""

    def __init__(self) -> None:
        self.given = 0

    def takes(self, kind: type[Event]) -> bool:
        return kind is Failed

    def put(self, event: Event) -> None:
        self.given += 1
        raise ValueError("full")

    def close(self) -> None: ...


def fail(record: logging.LogRecord) -> bool:
    raise OSError("no space")


@pytest.mark.parametrize("filter", [None, fail], ids=["a log", "a broken log"])
async def test_a_listener_that_raises_ends_no_actor_and_the_others_hear_all_the_same(
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    filter: Callable[[logging.LogRecord], bool] | None,
) -> None:
    logger, broken = logging.getLogger("actors.bus"), Broken()
    if filter is not None:
        logger.addFilter(filter)
    try:
        async with actors.open_system("alpha") as system, system.subscribe(Failed) as before:
            bus = system._kernel.sink  # pyright: ignore[reportPrivateUsage]
            assert isinstance(bus, Bus)
            bus.attach(broken)
            async with system.subscribe(Failed) as behind:
                ref = await system.start(Raiser, name="raiser", policy=AT_ONCE)
                ref.tell(Raise(ValueError))
                await settled()
                assert ref.state is actors.ActorState.IDLE
                assert broken.given == 1
                assert [type(one.next_nowait()) for one in (before, behind)] == [Failed, Failed]
    finally:
        if filter is not None:
            logger.removeFilter(filter)
    assert ("could not take a Failed" in caplog.text) == (filter is None)


class Telling:
    """A message whose `repr` tells somebody who has gone."""

    def __init__(self, gone: actors.Ref) -> None:
        self.gone = gone

    def __repr__(self) -> str:
        self.gone.tell("as it is shown")
        return "Telling"


async def test_a_repr_that_reports_something_itself_takes_no_number_away(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        journal = system.journal
        gone = await system.start(Worker)
        gone.stop()
        await gone.wait_stopped()
        before = journal.last
        gone.tell(Telling(gone))
        await settled()
        page = journal.after(before)
        assert [fact.number for fact in page.facts] == [before + 1, before + 2]
        assert {fact.details["message"] for fact in page.facts} == {"Telling", "'as it is shown'"}


async def test_an_unknown_path_is_compared_with_some_of_many(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[int] = []

    def close(path: str, known: Collection[str], n: int) -> list[str]:
        compared.append(len(known))
        return get_close_matches(path, known, n)

    monkeypatch.setattr("actors.observe.journal.get_close_matches", close)
    async with actors.open_system("alpha") as system:
        for number in range(500):
            system.spawn(Worker, name=f"worker-{number}")
        with pytest.raises(actors.UnknownActor, match="did you mean /worker-250"):
            system.journal.why("/worker-250x")
        system.spawn(Worker, name="till")
        with pytest.raises(actors.UnknownActor, match="did you mean /till"):
            system.journal.why("/a/till")
    assert max(compared) <= 150


class Guarded(actors.Actor):
    @actors.receive
    async def wait(self, message: Raise) -> None:
        with trio.fail_after(1):
            await trio.sleep_forever()


async def test_a_failure_is_told_with_the_place_in_the_program_not_in_a_library_below_it(
    autojump_clock: MockClock,
) -> None:
    async with actors.open_system("alpha") as system:
        journal = system.journal
        ref = await system.start(Guarded, name="guarded", policy=AT_ONCE)
        ref.tell(Raise(ValueError))
        await trio.sleep(2)
        [fact] = journal.after(0, kinds=["Failed"]).facts
        assert fact.details["exit"]["where"].startswith("Guarded.wait (")
        assert raised_at(trio.TooSlowError()) is None
