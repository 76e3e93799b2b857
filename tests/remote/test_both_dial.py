"""Two nodes that dial each other at once."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio

import actors
from actors import LinkState
from actors.events import ConnectionRefused, NodeDown
from tests.remote.stage import Cable, cables, linked


@pytest.mark.parametrize("later", [None, "alpha", "beta"])
@pytest.mark.parametrize("checkpoints", range(12))
async def test_one_link_is_left_and_nobody_was_down(
    autojump_clock: trio.testing.MockClock, later: str | None, checkpoints: int
) -> None:
    """One of them begins some steps later; the link survives a cut, whoever dials again."""
    with cables() as made:
        async with actors.open_system("beta") as beta, actors.open_system("alpha") as alpha:
            cable = Cable()
            downs: list[Any] = []

            async def connect(system: actors.System, url: str) -> None:
                for _ in range(checkpoints if system.name == later else 0):
                    await trio.lowlevel.checkpoint()
                await system.connect(url)

            async def listen(system: actors.System) -> None:
                async with system.subscribe(NodeDown) as events:
                    async for event in events:
                        downs.append(event)

            async with trio.open_nursery() as listening:
                listening.start_soon(listen, alpha)
                listening.start_soon(listen, beta)
                await trio.testing.wait_all_tasks_blocked()
                async with trio.open_nursery() as dialling:
                    dialling.start_soon(connect, alpha, made.door(beta, cable))
                    dialling.start_soon(connect, beta, made.door(alpha, cable))
                await trio.sleep(3)
                assert alpha.node("beta").state is beta.node("alpha").state is LinkState.UP
                assert len([wire for wire in cable.wires if wire.open]) == 2  # both ends of one
                cable.cut()
                await trio.sleep(2)
                cable.mend()
                await trio.sleep(5)
                assert alpha.node("beta").state is beta.node("alpha").state is LinkState.UP
                assert len([wire for wire in cable.wires if wire.open]) == 2
                listening.cancel_scope.cancel()
            assert downs == []


async def test_a_node_that_is_linked_already_is_nothing_to_warn_of(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Who connects again gets the link that is there; the event is for those who want to know."""
    async with linked() as world:
        async with world.beta.subscribe(ConnectionRefused) as events:
            again = await world.alpha.connect(next(iter(world.cables.doors)))
            refused = await anext(events)
        assert (again.name, again.state) == ("beta", LinkState.UP)
        assert isinstance(refused, ConnectionRefused)
        assert refused.reason == "already-linked"
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
