"""Counts over everything that a system reports, for those who look from time to time. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Final

from actors import events
from actors.events import Event
from actors.exits import Exit
from actors.histogram import Histogram
from actors.monitor.tally import Tally
from actors.outcome import FailureKind, kind_of_exit

__all__ = ["COUNTED", "LABELS", "OTHERS", "EventTally", "Labels"]

LABELS: Final = 100
"""Values of one label, the first ones that came; what comes later is counted together."""
OTHERS: Final = "(others)"

COUNTED: Final[frozenset[type[Event]]] = frozenset(
    {
        events.Started,
        events.Restarted,
        events.Failed,
        events.StartAttemptFailed,
        events.Restarting,
        events.Stopped,
        events.StopFailed,
        events.Unresponsive,
        events.Escalated,
        events.BreakerOpened,
        events.DeadlineExtended,
        events.DeadlinePassed,
        events.StallSuspected,
        events.StallConfirmed,
        events.PatternMatched,
        events.DeadLetter,
        events.Expired,
        events.LateReply,
        events.LoopBlocked,
        events.TicketMoved,
        events.PostRejected,
        events.StoreFailing,
        events.NodeUp,
        events.NodeSuspected,
        events.NodeReconnecting,
        events.NodeDown,
        events.MessageUnread,
        events.ConnectionRefused,
    }
)
"""The kinds that an `EventTally` counts."""


class Labels:
    """Which values a label may have: a bound, so that what stores figures is not flooded by names."""

    __slots__ = ("_known", "_most")

    def __init__(self, most: int = LABELS) -> None:
        self._known: set[str] = set()
        self._most = most

    def admit(self, value: str) -> str:
        """The value itself, or `OTHERS` when there are too many already."""
        if value in self._known:
            return value
        if len(self._known) >= self._most:
            return OTHERS
        self._known.add(value)
        return value


class EventTally:
    """Counts by events: `tally.add(event)` for each of a system, in order, of the kinds in `COUNTED`."""

    def __init__(self) -> None:
        self.runs = Tally()
        """Of all actors of the program: how soon a bad run was known."""
        self.jobs = Tally("/jobs")
        """Of jobs alone: how much ran at once."""
        self.seen: Counter[type[Event]] = Counter()
        """How many of each kind."""
        self.failures: Counter[tuple[str, str, str]] = Counter()
        """By the kind of the exit, the kind of the failure, and the class of the error."""
        self.dead_letters: Counter[str] = Counter()
        """By reason."""
        self.tickets: Counter[str] = Counter()
        """How many posted messages came into a state."""
        self.blocked = Histogram()
        """Seconds for which the event loop stood still."""
        self._errors = Labels()

    def add(self, event: Event) -> None:
        """Count it."""
        self.seen[type(event)] += 1
        self.runs.add(event)
        self.jobs.add(event)
        match event:
            case events.Failed() | events.StartAttemptFailed():
                self.failures[self._sort_of(event.exit)] += 1
            case events.DeadLetter():
                self.dead_letters[str(event.reason)] += 1
            case events.TicketMoved():
                self.tickets[event.state] += 1
            case events.LoopBlocked():
                self.blocked.observe(event.seconds)
            case _:
                pass

    def _sort_of(self, exit: Exit) -> tuple[str, str, str]:
        error = "" if exit.error is None else type(exit.error).__qualname__
        return str(exit.kind), str(kind_of_exit(exit) or FailureKind.ERROR), self._errors.admit(error)
