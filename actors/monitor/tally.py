"""Figures over many runs, made of events: what failed, how soon it was known, how much ran at once. Pure."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs

from actors.errors import Stalled
from actors.events import (
    ActorEvent,
    DeadlinePassed,
    Event,
    Failed,
    PatternMatched,
    Restarted,
    Restarting,
    StartAttemptFailed,
    Started,
    Stopped,
)
from actors.exits import ExitKind
from actors.histogram import Histogram
from actors.names import RESERVED, ROOT, split
from actors.outcome import FailureKind, kind_of_exit

if TYPE_CHECKING:
    from actors.core.ref import Ref

__all__ = ["LATENCIES", "Figures", "Latency", "Tally"]

LATENCIES = 10_000
"""Latencies remembered, the last ones."""


@attrs.frozen(kw_only=True)
class Latency:
    """Seconds from the evidence to the end of the run that was ended for it, by nearest rank."""

    count: int
    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Latency | None:
        """None without any."""
        ranked = sorted(seconds)
        if not ranked:
            return None
        p50, p95, p99 = (ranked[math.ceil(share * len(ranked) / 100) - 1] for share in (50, 95, 99))
        return cls(count=len(ranked), p50=p50, p95=p95, p99=p99)


@attrs.frozen(kw_only=True)
class Figures:
    """What a tally came to. Times are seconds."""

    runs: int
    """Incarnations that have ended."""
    failures: Mapping[FailureKind, int]
    """How many of them failed, failed starts too, by kind; kinds that did not occur are left out."""
    latency: Latency | None
    """How soon a bad run was ended; None without one. From the arrival of the pattern, from the limit,
    or from the moment at which the silence had lasted as long as it may, its confirmations included."""
    worked: float
    """Sum of the times of all runs, those not ended up to the last event."""
    wall: float
    """From the first start to the last event."""

    @property
    def parallelism(self) -> float:
        """How many ran at once on average: `worked / wall`."""
        return self.worked / self.wall if self.wall > 0 else 0.0

    @property
    def failure_rate(self) -> float:
        """The share of the ended runs that failed."""
        return sum(self.failures.values()) / self.runs if self.runs else 0.0


class Tally:
    """Counts by events: `tally.add(event)` for each, in order, then `tally.figures()`.

    `under` is the path of a supervisor: only what is below it counts, `/jobs` for jobs
    alone. The framework's own actors never count. A run is an incarnation from the moment
    at which it was ready: an idle actor runs, too.
    """

    def __init__(self, under: str = ROOT) -> None:
        self._under = split(under)
        self._running: dict[Ref, float] = {}
        self._evidence: dict[Ref, float] = {}
        self._latencies: deque[float] = deque(maxlen=LATENCIES)
        self.detection = Histogram()
        """All latencies; `figures().latency` is of the last ones."""
        self._failures: Counter[FailureKind] = Counter()
        self._runs = 0
        self._worked = 0.0
        self._first: float | None = None
        self._last = 0.0

    def add(self, event: Event) -> None:
        """Count it, if it says anything. All kinds may be given, of one system."""
        if not isinstance(event, ActorEvent) or not self._counts(event.ref):
            return
        self._last = max(self._last, event.at)
        match event:
            case Started() | Restarted():
                self._first = event.at if self._first is None else self._first
                self._running[event.ref] = event.at
            case DeadlinePassed() | PatternMatched():
                self._evidence.setdefault(event.ref, event.at)
            case Failed() | StartAttemptFailed():
                self._failures[kind_of_exit(event.exit) or FailureKind.ERROR] += 1
                self._runs += isinstance(event, StartAttemptFailed)
                self._note_latency(event)
                self._end(event.ref, event.at)
            case Restarting() | Stopped():
                self._end(event.ref, event.at)
            case _:
                pass

    def _counts(self, ref: Ref) -> bool:
        parts = split(ref.path)
        below = len(parts) > len(self._under) and parts[: len(self._under)] == self._under
        return below and not (parts[0] == "system" or (len(parts) == 1 and parts[0] in RESERVED))

    def _note_latency(self, event: Failed | StartAttemptFailed) -> None:
        """Of what was ended early; what was found but did not end the run has none."""
        since: float | None = None
        if isinstance(event.exit.error, Stalled):
            since = event.exit.error.since
        elif event.exit.kind in (ExitKind.PATTERN, ExitKind.TIMED_OUT):
            since = self._evidence.get(event.ref)
        if since is not None:
            self._latencies.append(event.at - since)
            self.detection.observe(event.at - since)

    def _end(self, ref: Ref, at: float) -> None:
        self._evidence.pop(ref, None)
        began = self._running.pop(ref, None)
        if began is not None:
            self._runs += 1
            self._worked += at - began

    def figures(self) -> Figures:
        """What it comes to so far."""
        return Figures(
            runs=self._runs,
            failures=MappingProxyType(dict(self._failures)),
            latency=Latency.of(self._latencies),
            worked=self._worked + sum(self._last - began for began in self._running.values()),
            wall=0.0 if self._first is None else self._last - self._first,
        )
