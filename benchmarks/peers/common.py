"""What the peers share. It runs under interpreters that have neither `actors` nor more than one peer."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from functools import partial
from typing import Protocol

from benchmarks.case import Side
from benchmarks.shared import check, shares

__all__ = [
    "ASKERS",
    "LIMIT",
    "RECEIVERS",
    "RING",
    "SENDERS",
    "Latch",
    "check",
    "late",
    "shares",
    "version_of",
]

SENDERS = 100
RECEIVERS = 100
ASKERS = 1_000
RING = 100
LIMIT = 5.0
"""Of a request, in seconds."""


class Event(Protocol):
    """That of asyncio, of threading or of trio."""

    def set(self) -> object:
        """It has happened."""


class Latch:
    """Sets an event when it was counted down `left` times, in one thread."""

    def __init__(self, left: int, event: Event) -> None:
        self.left = left
        self._event = event

    def down(self) -> None:
        """One less."""
        self.left -= 1
        if not self.left:
            self._event.set()


def late(peer: str, work: str, *arguments: object, start: int = 1024, most: int | None = None) -> Side:
    """A side whose work, `work(*arguments, count)` in `benchmarks.peers.work`, is imported when it runs."""
    return Side(partial(_run, peer, work, arguments), start, most)


def _run(peer: str, work: str, arguments: tuple[object, ...], count: int) -> float:
    module = importlib.import_module(f"benchmarks.peers.work.{peer}")
    seconds: float = getattr(module, work)(*arguments, count)
    return seconds


def version_of(distribution: str, *modules: str) -> str | None:
    """Its version, "unknown" if one of the modules is there but not installed as a package, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        found = any(importlib.util.find_spec(module) is not None for module in modules)
        return "unknown" if found else None
