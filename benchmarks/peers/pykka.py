"""pykka: an actor is a thread with a queue."""

from __future__ import annotations

from functools import partial

from benchmarks.case import Side
from benchmarks.peers.common import LIMIT, RING, late, version_of

__all__ = ["NAME", "SIDES", "version"]

NAME = "pykka"
MOST = 1_000_000
MOST_THREADS = 2_000

version = partial(version_of, "pykka")

_late = partial(late, "pykka")

SIDES: dict[str, Side] = {
    "tell-1-1": _late("tell_one", most=MOST),
    "tell-100-1": _late("tell_from_many", most=MOST),
    "tell-1-100": _late("tell_many", most=MOST),
    "ask": _late("ask", None),
    "ask-timeout": _late("ask", LIMIT),
    "ask-1000": _late("ask_at_once"),
    "ring": _late("ring", RING),
    "ping-pong": _late("ring", 2),
    "spawn": _late("spawn", start=64, most=MOST_THREADS),
}
