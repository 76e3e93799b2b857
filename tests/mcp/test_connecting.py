"""A client that connects is an actor with a parent, and ends with its connection."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

import actors
from actors.mcp import build_server
from tests.mcp.world import a_gate, talking


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_is_an_actor_below_agents_while_it_is_connected(
    autojump_clock: MockClock, mode: str
) -> None:
    """By the name that it gives itself; afterwards it is gone, with all that it has spawned."""
    async with actors.open_system("town") as system:
        server = build_server(system, a_gate())
        async with talking(server, mode=mode) as talk:
            await talk("spawn", template="worker", name="w")
            assert system.find("/agents/coder") is not None
            worker = system.find("/agents/coder/w")
            assert worker is not None
        assert system.find("/agents/coder") is None
        assert worker.state is actors.ActorState.STOPPED
        assert system.find("/agents") is not None
