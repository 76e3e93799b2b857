"""The orders an actor's loop looks at between two messages, as bits of one number.

Plain integers: the loop tests them for every message, and an `enum.Flag` costs a
hundred times as much.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "CANCELS",
    "DRAIN",
    "EXPIRED",
    "FAIL",
    "FALLEN",
    "FINAL",
    "HALT",
    "INTERRUPT",
    "KILL",
    "LEAVES",
    "OF_INCARNATION",
    "ONCE",
    "OVERDUE",
    "PROBE",
    "QUIT",
    "RENEWED",
    "ROUTES",
    "SENDERS",
    "STOP",
    "SUSPEND",
]

STOP: Final = 1
"""End for good after the message in hand."""
DRAIN: Final = 2
"""End for good when the queue is empty."""
QUIT: Final = 4
"""The actor asked for its own end."""
HALT: Final = 8
"""End this incarnation; the supervisor starts the next one."""
KILL: Final = 16
"""End now: cancelled, with all children."""
EXPIRED: Final = 32
"""`shutdown` seconds ran out: cancelled."""
FAIL: Final = 64
"""A supervisor gave up: cancelled, and failed."""
INTERRUPT: Final = 128
"""The handler at work is cancelled, nothing else."""
SUSPEND: Final = 256
"""Take nothing."""
ONCE: Final = 512
"""With SUSPEND: until a message comes."""
PROBE: Final = 1024
"""Half-open: the next message taken is the probe."""
SENDERS: Final = 2048
"""Somebody waits for room."""
OVERDUE: Final = 4096
"""A guard has condemned the run: cancelled, with its verdict as the exit."""

FALLEN: Final = 8192
"""It fell in a turn that an asker gave it; `cell.exit` says how. It ends at the dispatcher."""

ROUTES: Final = 16384
"""It handles nothing itself: `cell.route()` hands its messages on."""

RENEWED: Final = 32768
"""Its recipe is another one: its loop looks at it anew."""

FINAL: Final = STOP | DRAIN | KILL
"""Ordered by somebody else: final for every restart type."""
CANCELS: Final = KILL | EXPIRED | FAIL | OVERDUE
"""The incarnation's scope is cancelled."""
OF_INCARNATION: Final = HALT | QUIT | EXPIRED | FAIL | INTERRUPT | PROBE | OVERDUE | FALLEN
"""Ends with the incarnation it was given to."""
LEAVES: Final = STOP | QUIT | HALT | KILL | EXPIRED | FAIL | INTERRUPT | OVERDUE | FALLEN
"""The loop is left before the next message."""
