"""Whoever looks ends nobody: odd events, listeners that raise, logs that are broken."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from trio.testing import MockClock

import actors
from actors.events import Event, Failed
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
