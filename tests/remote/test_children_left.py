"""Askers of a child on another node who leave before its turn has come."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from tests.core.yielders import Count, Named
from tests.remote.folk import Echo, Hold, Seen, Worker, settled
from tests.remote.stage import linked
from tests.remote.streamers import reached


async def test_who_leaves_is_not_told_before_what_he_asks(autojump_clock: MockClock) -> None:
    """The request and its end go in one frame, as the link was down: nothing of it is begun."""
    async with linked(lease=120, spawnable=(Worker,)) as world:
        child = await world.alpha.start(Worker, name="far", on="beta")
        busy = child.request(Hold(100.0))
        await settled()
        world.cable.deaf("beta")
        left, stays = child.request(Echo("left")), child.request(Echo("stays"))
        await settled()
        left.cancel()
        await settled()
        world.cable.cut()
        world.cable.mend()
        await trio.sleep(30)
        assert await busy.wait() == "held"
        assert await stays.wait() == "stays"
        assert await child.ask(Seen()) == ["stays"]


async def test_a_stream_that_is_left_before_it_began_is_never_begun(autojump_clock: MockClock) -> None:
    async with reached("child") as scene:
        busy = scene.ref.stream(Count(2, pause=5.0))
        await settled()
        scene.world.cable.deaf("beta")
        left = scene.ref.stream(Count(7))
        await settled()
        await left.aclose()
        await settled()
        scene.world.cable.cut()
        scene.world.cable.mend()
        assert [chunk async for chunk in busy] == [0, 1]
        assert await scene.ref.ask(Named("alive")) == "alive"
        assert scene.log == ["begun", 0, 1, "finally"]
