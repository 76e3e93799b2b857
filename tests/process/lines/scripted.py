"""What tests of `Lines` have in common: their child, and what they ask it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import trio

import actors
from actors.events import Progressed
from actors.process import Call, Lines

__all__ = ["QUICK", "ask", "begin", "child", "progress", "shell", "taken"]

SCRIPT = Path(__file__).with_name("child.py")
QUICK = actors.Policy(backoff=actors.Backoff(initial=0.0, maximum=0.0), breaker=None)
"""Restarts at once."""


def child(*options: str, **arguments: Any) -> Lines:
    """The child of `child.py`, which does what it is asked."""
    return Lines([sys.executable, "-I", "-S", SCRIPT, *options], **arguments)


def shell(script: str, **arguments: Any) -> Lines:
    """A child in shell."""
    return Lines(["sh", "-c", script], **arguments)


async def ask(ref: actors.Ref, verb: str, given: Any = None, timeout: float | None = 20) -> Any:
    """Let it do something, and return its answer."""
    return await ref.ask(Call([verb, given]), timeout=timeout)


async def progress(events: Any) -> None:
    """Wait for a sign of life that a child gives on purpose."""
    with trio.fail_after(20):
        while (await anext(events)).stream != "progress":
            pass


async def begin(system: actors.System, ref: actors.Ref, *verbs: list[Any]) -> list[actors.Pending[Any]]:
    """Ask all of these, and return when the child has each in hand: it says so by a sign of life."""
    async with system.subscribe(Progressed) as events:
        begun = [ref.request(Call(verb)) for verb in verbs]
        for _ in begun:
            await progress(events)
    return begun


def taken(events: Any) -> list[Any]:
    """The events that have come so far."""
    found: list[Any] = []
    while (event := events.next_nowait()) is not None:
        found.append(event)
    return found
