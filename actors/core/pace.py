"""How long one actor may go on while others wait: shared by the loops of tasks, inboxes and the dispatcher.

Whoever handles messages without a pause yields after a batch, and after a slice of time. The
dispatcher looks at the clock after each message. A task, whose turns cost more, looks after the
first, then after every `OFTEN` while they are quick, and after each one while they are slow. So
nobody keeps the others waiting for ten milliseconds, but for a handler that does.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BATCH", "OFTEN", "QUICK", "SLICE", "UNRESPONSIVE_EVERY"]

BATCH: Final = 128
"""Messages of one actor between two pauses."""
SLICE: Final = 0.005
"""Seconds between two pauses."""
OFTEN: Final = 16
"""Messages between two looks at the clock, while they are quick."""
QUICK: Final = 0.0005
"""Seconds that so many messages may take to count as quick."""
UNRESPONSIVE_EVERY: Final = 1.0
"""Seconds between two reports that what was cancelled goes on."""
