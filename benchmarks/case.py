"""What a benchmark is: one question, answered by several sides that do the same work.

A side does its work `count` times and returns the seconds that this took, measured inside
it, start and stop of its system excluded. The harness chooses the count for each side so
that one measurement takes long enough, and runs every measurement in a process of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

import attrs

__all__ = ["ACTORS", "PLAIN", "RAW", "Aim", "Case", "Side"]

ACTORS = "actors"
"""Our side with `async` handlers: a task an actor."""
PLAIN = "actors, plain"
"""Our side with plain handlers: no task at all."""
RAW = "raw trio"
"""The same work by trio's own tasks and memory channels."""

Work = Callable[[int], float] | Callable[[int], Awaitable[float]]


@attrs.frozen
class Side:
    """One way to do the work. `work(count)` returns seconds; for a case that is no rate, the value itself.

    An `async` one is run by `trio.run`, a plain one is called: it brings its own loop or threads.
    `start` is the first count that calibration tries; `most` is the largest one that makes sense.
    """

    work: Work
    start: int = 1
    most: int | None = None


@attrs.frozen
class Aim:
    """What is to be reached: a ratio of `side` to `against`, or without `against` the side's own value.

    `against` is the name of a side, or "fastest peer": the best side of another library for Python.
    """

    side: str
    limit: float
    against: str | None = None


@attrs.frozen(kw_only=True)
class Case:
    """One question. `name` is what the command line takes, `title` what the table shows."""

    name: str
    title: str
    question: str
    unit: str
    """Of the value: "messages/s" for rates, "bytes", "ms" or "s" for others."""
    sides: dict[str, Side]
    aims: tuple[Aim, ...] = ()
    kind: Literal["rate", "value"] = "rate"
    """A "rate" is count / seconds; a "value" is what the side returned."""
    better: Literal["more", "less"] = "more"
    count: int | None = None
    """A fixed count, where the size is part of the question (100,000 leaves); else it is calibrated."""
