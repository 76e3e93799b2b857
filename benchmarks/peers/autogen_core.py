"""autogen-core: an agent is an object; its SingleThreadedAgentRuntime makes an asyncio task of each message.

To tell is to publish to a topic of one subscriber: `send_message` always waits for the answer.
"""

from __future__ import annotations

from functools import partial

from benchmarks.case import Side
from benchmarks.peers.common import LIMIT, RING, late, version_of

__all__ = ["NAME", "SIDES", "version"]

NAME = "autogen-core"
MOST = 100_000

version = partial(version_of, "autogen-core")

_late = partial(late, "autogen_core", start=64, most=MOST)

SIDES: dict[str, Side] = {
    "tell-1-1": _late("tell_one"),
    "tell-100-1": _late("tell_from_many"),
    "tell-1-100": _late("tell_many"),
    "ask": _late("ask", None),
    "ask-timeout": _late("ask", LIMIT),
    "ask-1000": _late("ask_at_once", start=1024),
    "ring": _late("ring", RING),
    "ping-pong": _late("ring", 2),
    "spawn": _late("spawn"),
}
