"""What another node may not say of streams: the connection is refused, and the link and the actor go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.events import ConnectionRefused
from actors.remote import items
from tests.core.yielders import Count, Named
from tests.remote.folk import link_of, settled
from tests.remote.streamers import reached


def ask_of(window: int) -> Callable[[int], object]:
    return lambda _: items.Ask(
        99, items.Address("/far"), {"$": actors.tag_of(Named), "name": "x"}, window=window
    )


@pytest.mark.parametrize(
    ("said", "by", "words"),
    [
        (lambda number: [items.Chunk(number, 1)] * 5, "beta", "more than 4 chunks without one taken"),
        (lambda number: [items.Chunk(number + 1, 1)], "beta", "not wanted in chunks"),
        (lambda number: [items.Taken(number, 5)], "alpha", "5 chunks taken, and only 4 were waiting"),
        (lambda number: [items.Taken(number, 0)], "alpha", "0 chunks taken"),
        (lambda number: [items.Taken(number, -1)], "alpha", "-1 chunks taken"),
        (lambda number: [items.Taken(number + 1, 1)], "alpha", "of an answer that has none"),
        (lambda _: [ask_of(0)(0)], "alpha", "a window is of 1 chunk or more, not 0"),
        (lambda _: [ask_of(-3)(0)], "alpha", "a window is of 1 chunk or more, not -3"),
    ],
)
async def test_it_is_refused_with_what_is_wrong(
    said: Callable[[int], list[Any]], by: str, words: str, autojump_clock: MockClock
) -> None:
    async with reached("home") as scene:
        world = scene.world
        stream = scene.ref.stream(Count(100, pause=0.0 if by == "alpha" else 100.0), window=4)
        await settled()
        (number,) = link_of(world.alpha, "beta").asks
        ordinary = scene.ref.request(Named())  # waits behind it
        await settled()
        speaker, hearer = (world.alpha, world.beta) if by == "alpha" else (world.beta, world.alpha)
        async with hearer.subscribe(ConnectionRefused) as events:
            link = link_of(speaker, hearer.name)
            for item in said(number):
                link.push("data" if isinstance(item, items.Ask) else "control", link.written(item, item))
            with trio.fail_after(30):
                refused = await anext(events)
            assert isinstance(refused, ConnectionRefused)
            assert refused.reason == "bad-frame"
            assert words in refused.text
        await world.connected()
        await stream.aclose()
        assert await ordinary.wait(timeout=10) == "x"
        await scene.alive()
