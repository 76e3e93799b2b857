"""Who hears what happens at the desk: front ends, linked nodes, and whoever listens to events."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from actors.events import Event, PersonEvent

if TYPE_CHECKING:
    from actors.core.kernel import Kernel

__all__ = ["Telling", "Watcher"]

Watcher = Callable[[PersonEvent], object]

_log = logging.getLogger("actors.people")


class Telling:
    """Everybody hears every event in the step in which it happens, and all in the same order.

    A watcher may answer what it hears of. What follows from that is told after everybody has heard of the
    question.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._watchers: list[Watcher] = []
        self._untold: deque[PersonEvent] = deque()
        self._is_telling = False

    def watch(self, watcher: Watcher) -> None:
        """Let it hear of everything from now on. It must not block; what it raises is logged."""
        self._watchers.append(watcher)

    @contextmanager
    def watching(self, watcher: Watcher) -> Generator[None]:
        """The same inside a block."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    def tell(self, kind: type[PersonEvent], *facts: Any) -> None:
        """Report a fact about a request."""
        if not self._watchers and not self._is_wanted(kind):
            return
        self._untold.append(kind(self._kernel.now(), *facts))
        if self._is_telling:
            return
        self._is_telling = True
        try:
            while self._untold:
                self._tell(self._untold.popleft())
        finally:
            self._is_telling = False

    def _tell(self, event: PersonEvent) -> None:
        for watcher in tuple(self._watchers):
            try:
                watcher(event)
            except Exception:  # a front end must not hurt whoever asks
                _log.exception("what was told of the request %s has failed", event.request.id)
        self.emit(event)

    def emit(self, event: Event) -> None:
        """Report a fact to those alone who listen to events."""
        if self._is_wanted(type(event)):
            self._kernel.sink.emit(event)

    def _is_wanted(self, kind: type[Event]) -> bool:
        return bool(self._kernel.listeners) and self._kernel.sink.wants(kind)
