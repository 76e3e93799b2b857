"""triotp: OTP for trio; a process is a task that receives from a mailbox, requests go to a generic server."""

from __future__ import annotations

from functools import partial

from benchmarks.case import Side
from benchmarks.peers.common import LIMIT, RING, late, version_of

__all__ = ["NAME", "SIDES", "version"]

NAME = "triotp"
MOST = 500_000
MOST_ACTORS = 20_000

version = partial(version_of, "triotp")

_late = partial(late, "triotp", start=256)

SIDES: dict[str, Side] = {
    "tell-1-1": _late("tell_one", most=MOST),
    "tell-100-1": _late("tell_from_many", most=MOST),
    "tell-1-100": _late("tell_many", most=MOST),
    "ask": _late("ask", None),
    "ask-timeout": _late("ask", LIMIT),
    "ask-1000": _late("ask_at_once", start=1024),
    "ring": _late("ring", RING),
    "ping-pong": _late("ring", 2),
    "spawn": _late("spawn", most=MOST_ACTORS),
}
