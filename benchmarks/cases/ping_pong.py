"""How many messages a second do two actors exchange? It is a ring of two. Raw: two tasks with channels."""

from __future__ import annotations

from functools import partial

from benchmarks.case import RAW, Case, Side
from benchmarks.cases.common import both
from benchmarks.cases.ring import AsyncNode, Node, ours, raw

CASES = [
    Case(
        name="ping-pong",
        title="ping-pong",
        question="How many messages a second do two actors exchange, one at a time?",
        unit="messages/s",
        sides={**both(partial(ours, 2), AsyncNode, Node), RAW: Side(partial(raw, 2), 1024)},
    )
]
