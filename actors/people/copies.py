"""What of linked nodes' requests is shown here: a copy of each, as its node has told it last. Plain calls."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import attrs

from actors.asking import Asking
from actors.events import (
    PersonAnswered,
    PersonAsked,
    PersonEscalated,
    PersonExtended,
    PersonTimedOut,
    PersonWarned,
    PersonWithdrawn,
)
from actors.people.book import Ended
from actors.people.errors import AlreadyAnswered, DeskError, RequestExpired, RequestWithdrawn
from actors.people.home import Home, Then
from actors.people.neighbours import Neighbour
from actors.people.request import Answer, PersonRequest
from actors.people.travel import request_in
from actors.people.words import Over, Shown

if TYPE_CHECKING:
    from actors.core.kernel import Kernel

__all__ = ["Copies", "Copy", "Life", "Sent"]

_log = logging.getLogger("actors.people")
_REMEMBERED: Final = 1000
_MOST: Final = 10_000
"""Requests of one other node that are shown here."""


@attrs.define
class Sent:
    """An answer on its way."""

    request_id: str
    by: str | None
    then: Then | None


@attrs.define(eq=False)
class Life:
    """One life of a linked node: which of its requests are shown here, and what was answered to it."""

    neighbour: Neighbour
    shown: dict[str, Copy] = attrs.field(factory=dict[str, "Copy"])
    sending: dict[int, Sent] = attrs.field(factory=dict[int, Sent])
    has_too_many: bool = False

    @property
    def name(self) -> str:
        """The name of the node."""
        return self.neighbour.name


@attrs.define(eq=False)
class Copy:
    """A request of a linked node, as it was told last."""

    life: Life
    request: PersonRequest
    is_answered: bool = False
    """It was answered here; what comes of that is not known yet, and people do not see it meanwhile."""
    by: str | None = None


class Copies:
    """The requests of all linked nodes, and what those that are over have come to."""

    def __init__(self, kernel: Kernel, home: Home, asking: Asking) -> None:
        self._kernel = kernel
        self._home = home
        self._asking = asking
        self._shown: dict[str, Copy] = {}
        self._over: dict[str, Callable[[], DeskError]] = {}
        """Id → what it is to answer it still. The oldest first."""

    @property
    def pending(self) -> list[PersonRequest]:
        """What waits at linked nodes and was not answered here."""
        return [one.request for one in self._shown.values() if not one.is_answered]

    def knows(self, request_id: object) -> bool:
        """Whether it is, or was, a request of a linked node."""
        return isinstance(request_id, str) and (request_id in self._shown or request_id in self._over)

    def open(self, request_id: str) -> Copy:
        """The one to be answered. Raises what is known here already."""
        copy = self._shown.get(request_id)
        if copy is None:
            raise self._over[request_id]()
        if copy.is_answered:
            raise AlreadyAnswered(request_id, copy.by)
        return copy

    def show(self, record: str, word: Shown, life: Life) -> None:
        """A node tells of a request of its own, or of a change to it."""
        now = self._kernel.now()
        try:
            request = request_in(record, now, life.name, self._asking.max_text)
            known = self._shown.get(request.id)
            if request.id.rpartition(":")[0] == self._kernel.name or (known and known.life is not life):
                raise ValueError(f"the id {request.id!r} is that of another node's request")
        except ValueError as error:
            _log.warning("a request of the node %r is not shown here: %s", life.name, error)
            return
        if known is None:
            self._show_new(request, life)
            return
        known.request = request
        match word.event:
            case "warned":
                self._home.tell(PersonWarned, request, request.deadline - now)
            case "extended":
                self._home.tell(PersonExtended, request)
            case "escalated":
                self._home.tell(PersonEscalated, request, word.before)
            case _:  # told again: whoever looks has it already
                pass

    def _show_new(self, request: PersonRequest, life: Life) -> None:
        if len(life.shown) >= _MOST:
            if not life.has_too_many:
                life.has_too_many = True
                text = "more than %d requests of the node %r wait: the others are not shown here"
                _log.warning(text, _MOST, life.name)
            return
        life.shown[request.id] = self._shown[request.id] = Copy(life, request)
        self._home.tell(PersonAsked, request)

    def end(self, word: Over, life: Life) -> None:
        """A node tells that a request of its own waits no longer."""
        copy = life.shown.pop(word.id, None)
        if copy is None:
            return
        del self._shown[word.id]
        request, by = copy.request, word.by
        seconds = word.seconds if math.isfinite(word.seconds) else 0.0
        match word.how:
            case Ended.ANSWERED.value:
                self._is_over(request, lambda: AlreadyAnswered(request.id, by))
                answer = Answer(request.id, request.kind, _value(word), by, self._kernel.now())
                self._home.tell(PersonAnswered, request, answer, seconds)
            case Ended.EXPIRED.value:
                self._is_over(request, lambda: RequestExpired(request.id))
                self._home.tell(PersonTimedOut, request, seconds)
            case _:
                self._is_over(request, lambda: RequestWithdrawn(request.id))
                self._home.tell(PersonWithdrawn, request)

    def _is_over(self, request: PersonRequest, error: Callable[[], DeskError]) -> None:
        self._over[request.id] = error
        if len(self._over) > _REMEMBERED:
            del self._over[next(iter(self._over))]

    def forget(self, life: Life, why: str) -> None:
        """Its requests are not shown any more."""
        copies = tuple(life.shown.values())
        life.shown.clear()
        life.has_too_many = False
        for copy in copies:
            request_id = copy.request.id
            del self._shown[request_id]
            self._is_over(copy.request, lambda name=request_id: RequestExpired(name, why))
        for copy in copies:
            self._home.tell(PersonWithdrawn, copy.request)

    def close(self) -> None:
        """The system has ended."""
        self._shown.clear()


def _value(word: Over) -> Any:
    try:
        return json.loads(word.value)
    except (ValueError, RecursionError):
        _log.warning("the answer to %.200r cannot be read", word.id)
        return None
