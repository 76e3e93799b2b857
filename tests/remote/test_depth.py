"""How deep a message may be that goes to another node: both ends draw the same line."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import actors
from actors import LinkState
from actors.remote.jsontext import DEEPEST
from tests.remote.stage import linked


@actors.message(tag="test.depth.Nest")
class Nest(actors.Request[int]):
    inner: Any


class Counter(actors.Actor):
    @actors.receive
    async def count(self, message: Nest) -> int:
        depth, inner = 0, message.inner
        while inner:
            depth, inner = depth + 1, inner[0]
        return depth


def nested(depth: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


async def test_what_goes_out_can_be_read_and_what_cannot_is_refused_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with linked() as world:
        world.beta.spawn(Counter, name="counter")
        ref = world.peer.ref("/counter")
        depth = 0
        while depth < 2 * DEEPEST:
            try:
                assert await ref.ask(Nest(nested(depth)), timeout=5) == depth
            except actors.NotSerializable:
                break
            depth += 1
        assert DEEPEST - 10 < depth < DEEPEST
        for deeper in (DEEPEST, 500, 5000):
            with pytest.raises(actors.NotSerializable, match="Nest"):
                await ref.ask(Nest(nested(deeper)), timeout=5)
            with pytest.raises(actors.NotSerializable, match="Nest"):
                ref.tell(Nest(nested(deeper)))
        assert await ref.ask(Nest(nested(1)), timeout=5) == 1
        assert world.peer.state is LinkState.UP
