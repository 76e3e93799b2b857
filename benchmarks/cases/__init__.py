"""The cases: one module a question, each with its `CASES`. Nothing is imported before somebody asks."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.case import Case

__all__ = ["MODULES", "every", "find"]

MODULES = (
    "tell",
    "fan_in",
    "fan_out",
    "ask",
    "ask_many",
    "ring",
    "ping_pong",
    "spawn",
    "stop",
    "stop_family",
    "growth",
    "skynet",
    "savina.counting",
    "savina.fork_join_create",
    "savina.fork_join_throughput",
    "savina.thread_ring",
    "savina.big",
    "savina.chameneos",
    "savina.philosophers",
    "savina.bank",
    "savina.bounded_buffer",
    "restart_storm",
    "crash_to_answer",
    "idle_memory",
    "idle",
    "bystander",
)
"""In the order of the table."""


def _each() -> Iterator[Case]:
    for module in MODULES:
        yield from importlib.import_module(f"{__name__}.{module}").CASES


def every() -> list[Case]:
    """All cases, in the order of the table."""
    return list(_each())


def find(name: str) -> Case:
    """The case of this name. Raises LookupError, with all names, when there is none."""
    for case in _each():
        if case.name == name:
            return case
    raise LookupError(f"no case {name!r}: there are {', '.join(case.name for case in _each())}")
