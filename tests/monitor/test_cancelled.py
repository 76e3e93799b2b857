"""Cancelled at any step, a system with watched runs leaves nothing behind."""

from __future__ import annotations

import pytest
import trio

import actors
from actors import Oversight, Stall, Timeout
from tests.cancellation.harness import At, Lives, cut, sweep
from tests.monitor.cast import Doer, do, doing, err, guarded, out, watches_of

POLICY = guarded(
    Stall(confirmations=1), timeout=Timeout(), oversight=Oversight(stuck=10.0, cooldown=1.0), shutdown=0.5
)


async def watched_runs(lives: Lives, step: int) -> At:
    """A pattern, a stall, a nudge, a handler and a monitor that is killed; cancelled at that step."""
    opened: list[actors.System] = []
    with cut(step) as (at, _):
        async with actors.open_system("s") as system:
            opened.append(system)
            system.spawn(doing, out(b"x" * 100), 1e6, policy=POLICY)
            system.spawn(doing, 1.0, err(b"forbidden"), policy=POLICY)
            ref = await system.start(Doer, name="a", policy=POLICY)
            ref.tell(do(15.0))
            await trio.sleep(12.0)
            system.monitor.kill()
            await trio.sleep(120.0)
    for system in opened:
        assert not watches_of(system).guards
    return at


@pytest.mark.row(17)
@pytest.mark.timeout(120)
def test_nothing_is_left_at_any_checkpoint() -> None:
    """Not a record, not a task, not an alarm."""
    assert sweep(watched_runs, seed=1) > 20
