"""Askers of a child on another node who leave before its turn has come."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from tests.remote.folk import Echo, Hold, Seen, Worker, settled
from tests.remote.stage import linked


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
