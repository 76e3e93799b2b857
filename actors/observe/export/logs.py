"""Events in the standard `logging`. The handlers run in a thread of their own: a slow one slows no actor.

What an event says is taken down in its own step, as text and numbers; the thread makes the record, and
gives it to the logger. So a handler that takes half a second holds up the log alone, and one that raises
ends nothing. What the log is too slow for is lost, oldest first, counted, and said.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from actors.core.kernel import Kernel
from actors.errors import SystemClosed
from actors.events import Event
from actors.observe.export.levels import extra_fields, level_of
from actors.observe.export.reach import root_of
from actors.observe.recorder import Recorder

if TYPE_CHECKING:
    from actors.system import System

__all__ = ["KEPT", "EventLog", "log_events"]

KEPT = 10_000
"""Records that wait for slow handlers before the oldest are lost."""
_JOIN_SECONDS = 1.0
"""How long the end of a system waits for its log."""

_Waiting = tuple[int, float, str, dict[str, Any]]
"""Level, seconds since 1970, text, fields."""


class EventLog:
    """The log of one system, begun by `log_events`. Ends with the system, by `close()`, or with its block."""

    def __init__(self, kernel: Kernel, logger: logging.Logger, kinds: tuple[type[Event], ...]) -> None:
        self._kernel = kernel
        self._logger = logger
        self._kinds = kinds
        self._recorder = Recorder(kernel.wall_at)
        self._waiting: deque[_Waiting] = deque()
        self._news = threading.Event()
        self._closed = False
        self._late = False
        self._lost = self._unsaid = self._broken = 0
        self._thread = threading.Thread(target=self._run, name=f"log of {kernel.name}", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<EventLog to {self._logger.name!r}, {state}, {len(self._waiting)} waiting>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def lost(self) -> int:
        """Events that were lost because the handlers were too slow."""
        return self._lost

    @property
    def broken(self) -> int:
        """Records whose handler or filter raised."""
        return self._broken

    def takes(self, kind: type[Event]) -> bool:
        """See `Subscriber`."""
        return kind in self._kinds or (issubclass(kind, self._kinds) and not kind.by_name_only)

    def put(self, event: Event) -> None:
        """See `Subscriber`: take down what it says, if the logger wants it."""
        level = level_of(event)
        if self._closed or not self._logger.isEnabledFor(level):
            return
        fact = self._recorder.fact(0, event)
        text = f"{fact.path}: {fact.text}" if fact.path else f"{fact.kind}: {fact.text}"
        if len(self._waiting) >= KEPT:
            self._drop_oldest()
        self._waiting.append((level, fact.at, text, extra_fields(fact, self._kernel.name)))
        self._news.set()

    def _drop_oldest(self) -> None:
        try:
            self._waiting.popleft()
        except IndexError:  # the thread has taken it meanwhile
            return
        self._lost += 1
        self._unsaid += 1

    def close(self) -> None:
        """Write what waits, and end. Idempotent. Blocks for a second at most: what is left then is lost."""
        if self._closed:
            return
        self._closed = True
        self._kernel.sink.detach(self)
        self._news.set()
        self._thread.join(_JOIN_SECONDS)
        self._late = True

    # --- in the thread ---

    def _run(self) -> None:
        while not self._closed:
            self._news.wait()
            self._news.clear()
            self._write_all()
        self._write_all()  # what came between the last look and the end

    def _write_all(self) -> None:
        while self._waiting:
            if self._late:
                self._lost += len(self._waiting)
                self._unsaid += len(self._waiting)
                self._waiting.clear()
                break
            if self._unsaid:
                self._say_lost()
            try:
                waiting = self._waiting.popleft()
            except IndexError:  # dropped meanwhile
                continue
            self._write(*waiting)
        if self._unsaid:
            self._say_lost()

    def _say_lost(self) -> None:
        lost, self._unsaid = self._unsaid, 0
        fields = {"event": "EventsLost", "system": self._kernel.name, "path": None, "count": lost}
        self._write(
            logging.WARNING, None, f"{lost} events are not in this log: its handlers are too slow", fields
        )

    def _write(self, level: int, at: float | None, text: str, fields: dict[str, Any]) -> None:
        try:
            record = self._logger.makeRecord(
                self._logger.name, level, "(actors)", 0, "%s", (text,), None, extra=fields
            )
            if at is not None:
                record.created = at
                record.msecs = float(int(at * 1000) % 1000)
            self._logger.handle(record)
        except Exception:  # a broken handler must not end the log
            self._broken += 1


def log_events(
    system: System, *, logger: str = "actors.events", kinds: Iterable[type[Event]] = ()
) -> EventLog:
    """Write the events of a system to standard logging, until it closes: of these kinds, all without any.

    As in `log_events(system)`, or `log_events(system, kinds=(Failed, Escalated), logger="shop.actors")`. What
    was given up is an ERROR, what failed a WARNING, what comes often (spawns, tickets) DEBUG, the rest INFO.
    Each record has the event's fields as attributes: `event`, `system`, `path`, and as the event has them
    `exit`, `reason`, `error`, `attempt`, `delay`, `count` and others, all of them plain.

    Never blocks, and no handler runs in the caller's thread: what 10,000 records do not hold is lost,
    and said in the log. The end of the system waits for them a second at most. Raises TypeError for
    what is no kind of event, `SystemClosed`, and RuntimeError where there is no thread to be had.
    Not promised: that a program which is killed has written everything.
    """
    wanted = tuple(kinds)
    for kind in wanted:
        if not (isinstance(kind, type) and issubclass(kind, Event)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{kind!r} is not a kind of event: pass classes of actors.events")
    root = root_of(system)
    if root.is_gone:
        raise SystemClosed(system.name)
    log = EventLog(root.kernel, logging.getLogger(logger), wanted or (Event,))
    log._kernel.sink.attach(log)  # pyright: ignore[reportPrivateUsage]
    return log
