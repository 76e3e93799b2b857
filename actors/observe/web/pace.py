"""Those who look get their share of the loop when the actors leave it alone.

Looking goes in slices of a tenth of a millisecond. A checkpoint between two of them would be fair, and too
much: an ask takes some rounds of the loop, and would have a slice in each. So the next slice waits until
nobody else has anything to do, and where that never happens, some milliseconds.
"""

from __future__ import annotations

from typing import Final

import trio
from trio.testing import wait_all_tasks_blocked

__all__ = ["idle"]

_LONGEST: Final = 0.02
"""Seconds, so that a loop which is never idle can be looked at too."""


async def idle() -> None:
    """Return when no other task can run, or after twenty milliseconds. A checkpoint."""
    with trio.move_on_after(_LONGEST):
        await wait_all_tasks_blocked()
