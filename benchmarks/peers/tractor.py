"""tractor: an actor is a process with a trio run of its own; messages go over TCP.

What asks for 100 actors is left out: that would be as many processes. 100 senders are tasks of
the root actor, 1,000 askers too.
"""

from __future__ import annotations

from functools import partial

from benchmarks.case import Side
from benchmarks.peers.common import LIMIT, late, version_of

__all__ = ["NAME", "SIDES", "version"]

NAME = "tractor"
MOST = 50_000
MOST_CALLS = 2_000
MOST_PROCESSES = 10

version = partial(version_of, "tractor", "tractor")

_late = partial(late, "tractor", start=8)

SIDES: dict[str, Side] = {
    "tell-1-1": _late("tell_one", most=MOST),
    "tell-100-1": _late("tell_from_many", start=1024, most=MOST),
    "ask": _late("ask", None, most=MOST),
    "ask-timeout": _late("ask", LIMIT, most=MOST),
    "ask-1000": _late("ask_at_once", start=1000, most=MOST_CALLS),
    "ping-pong": _late("ping_pong", most=MOST),
    "spawn": _late("spawn", start=2, most=MOST_PROCESSES),
}
