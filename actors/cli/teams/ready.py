"""Whether a team is ready: read from the events of its agents alone. Time comes with the events.

An agent is ready when its start has succeeded, at whatever attempt; what happens to it
later is told by its own events. It is missing when it is gone before that, or when its
breaker holds it back. Once nobody is on the way any more the team is ready, or not; it
is asked again when somebody missing is on the way again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

from actors.cli.lines import Notice, error_text, exit_text, shorten
from actors.events import (
    ActorEvent,
    BreakerHalfOpen,
    BreakerOpened,
    Event,
    Restarted,
    Spawned,
    StartAttemptFailed,
    Started,
    Stopped,
)
from actors.exits import Exit

__all__ = ["TeamNotReady", "TeamProgress", "TeamReadiness", "TeamReady"]

LONGEST_REASON = 200
"""Characters of why an agent did not start."""


@attrs.frozen
class TeamProgress(Notice):
    """One more agent of the team at `path` is ready, or failed to start; `reason` says why, or is None."""

    agent: str
    ready: int
    total: int
    reason: str | None = None

    @property
    def lasting(self) -> bool:
        """A failure is."""
        return self.reason is not None

    def __str__(self) -> str:
        why = "" if self.reason is None else f", {_name(self.agent)} failed to start: {self.reason}"
        return f"{_name(self.path)}: {self.ready} of {self.total} ready{why}"


@attrs.frozen
class TeamReady(Notice):
    """All agents of the team at `path` are ready, `elapsed` seconds after the beginning of the run."""

    ready: int
    total: int
    elapsed: float

    def __str__(self) -> str:
        return f"{_name(self.path)}: {self.ready} of {self.total} ready after {self.elapsed:.2f} s"


@attrs.frozen
class TeamNotReady(Notice):
    """Nobody is on the way any more, and these are `missing`: path → why."""

    ready: int
    total: int
    elapsed: float
    missing: Mapping[str, str]

    def __str__(self) -> str:
        those = "; ".join(f"{_name(path)} ({reason})" for path, reason in self.missing.items())
        count = f"{_name(self.path)}: {self.ready} of {self.total} ready after {self.elapsed:.2f} s"
        return f"{count}, not ready: {those}"


def _name(path: str) -> str:
    return path.rpartition("/")[2]


class TeamReadiness:
    """Counts the ready agents of the team at `path`; `since` is when its run began."""

    def __init__(self, path: str, agents: Iterable[str], since: float) -> None:
        self._path = path
        self._since = since
        self._agents = frozenset(agents)
        self._ready: set[str] = set()
        self._missing: set[str] = set()
        self._reasons: dict[str, str] = {}
        self._last: TeamNotReady | None = None

    def note(self, event: Event) -> Iterator[Notice]:
        """What is to be said after this event."""
        if not isinstance(event, ActorEvent):
            return
        path = event.ref.path
        if path in self._agents and path not in self._ready:
            yield from self._count(path, event)
            yield from self._end(event.at)

    def _count(self, path: str, event: ActorEvent) -> Iterator[Notice]:
        match event:
            case Started() | Restarted():
                self._ready.add(path)
                self._missing.discard(path)
                if len(self._ready) < len(self._agents):
                    yield self._progress(path, event.at)
            case StartAttemptFailed():
                first, self._reasons[path] = path not in self._reasons, _reason(event.exit)
                if first:
                    yield self._progress(path, event.at, self._reasons[path])
            case Stopped():
                self._reasons.setdefault(path, _reason(event.exit))
                self._missing.add(path)
            case BreakerOpened():
                self._missing.add(path)
            case Spawned() | BreakerHalfOpen():
                self._missing.discard(path)
            case _:
                pass

    def _progress(self, agent: str, at: float, reason: str | None = None) -> TeamProgress:
        return TeamProgress(at, self._path, agent, len(self._ready), len(self._agents), reason)

    def _end(self, at: float) -> Iterator[Notice]:
        """All are ready, or nobody is on the way any more and this has not been said yet."""
        count, elapsed = len(self._ready), round(at - self._since, 6)
        if count == len(self._agents):
            yield TeamReady(at, self._path, count, count, elapsed)
        elif count + len(self._missing) == len(self._agents):
            missing = {path: self._reasons.get(path, "down") for path in sorted(self._missing)}
            found = TeamNotReady(at, self._path, count, len(self._agents), elapsed, missing)
            if self._last is None or self._last.missing.keys() != missing.keys():
                self._last = found
                yield found


def _reason(exit: Exit) -> str:
    return shorten(exit_text(exit) if exit.error is None else error_text(exit.error), LONGEST_REASON)
