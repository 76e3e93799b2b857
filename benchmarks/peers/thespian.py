"""Thespian on its multiprocTCPBase: an actor is a process, messages are pickled and go over TCP.

What asks for 100 actors or 1,000 askers is left out: that would be as many processes.
"""

from __future__ import annotations

from functools import partial

from benchmarks.case import Side
from benchmarks.peers.common import LIMIT, late, version_of

__all__ = ["NAME", "SIDES", "version"]

NAME = "Thespian"
MOST = 20_000
MOST_PROCESSES = 50

version = partial(version_of, "thespian")

_late = partial(late, "thespian", start=8, most=MOST)

SIDES: dict[str, Side] = {
    "tell-1-1": _late("tell_one"),
    "ask": _late("ask", None),
    "ask-timeout": _late("ask", LIMIT),
    "ping-pong": _late("ping_pong"),
    "spawn": _late("spawn", start=2, most=MOST_PROCESSES),
}
