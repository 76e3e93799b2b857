"""Posting between two processes."""

from __future__ import annotations

import signal
from pathlib import Path

import actors
from actors import TicketState
from actors.delivery import SQLiteStore
from tests.remote.host import PATIENCE, Echo, host


async def test_a_message_that_is_kept_here_is_handled_in_another_process_and_in_the_next_one(
    tmp_path: Path,
) -> None:
    """The process is killed between two messages: the second one waits for another of the same name."""
    async with actors.open_system("alpha", store=SQLiteStore(tmp_path / "alpha.db"), lease=1.0) as alpha:
        async with host("beta") as beta:
            peer = await alpha.connect(beta.url)
            first = await alpha.post("/echo", Echo("one"))
            assert await first.wait_reply(PATIENCE) == "one"
            beta.signal(signal.SIGKILL)
            await peer.wait_down()
        second = await alpha.post("/echo", Echo("two"))
        async with host("beta") as beta:
            assert second.state is TicketState.PENDING
            await alpha.connect(beta.url)
            assert await second.wait_reply(PATIENCE) == "two"
        assert (first.attempts, second.attempts) == (1, 1)
