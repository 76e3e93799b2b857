"""Requests of linked nodes: what waits there is shown here, and what is answered here is decided there."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from actors.errors import ActorError, NodeLost
from actors.events import (
    AnswerRefused,
    Event,
    PersonAnswered,
    PersonAsked,
    PersonEscalated,
    PersonEvent,
    PersonExtended,
    PersonTimedOut,
    PersonWarned,
    PersonWithdrawn,
)
from actors.people import errors
from actors.people.book import Ended
from actors.people.errors import (
    AlreadyAnswered,
    DeskError,
    InvalidAnswer,
    RequestExpired,
    RequestWithdrawn,
    UnknownRequest,
)
from actors.people.neighbours import Neighbour, Neighbours
from actors.people.records import request_of, request_record
from actors.people.request import Answer, PersonRequest, check_answer
from actors.people.words import Decide, Decided, Extend, Over, Shown

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.kernel import Kernel

__all__ = ["Elsewhere", "Home"]

_REMEMBERED: Final = 1000
_MOST: Final = 10_000
"""Requests of one other node that are shown here."""
_PAGE: Final = 100
_TOLD: Final[dict[type[PersonEvent], str]] = {
    PersonAsked: "asked",
    PersonWarned: "warned",
    PersonExtended: "extended",
    PersonEscalated: "escalated",
}


class Home(Protocol):
    """The desk, as what comes from other nodes needs it."""

    def decided(
        self,
        request_id: str,
        value: Any,
        by: str | None,
        then: Callable[[ActorError | None], object] | None,
        /,
    ) -> None:
        """Decide a request. Raises as `Desk.answer`; `then` hears it when the decision stands."""
        ...

    def extend(self, request_id: str, seconds: float) -> None:
        """See `Desk.extend`."""
        ...

    def own(self) -> list[PersonRequest]:
        """The requests of this node that wait."""
        ...

    def tell(self, kind: type[PersonEvent], *facts: Any) -> None:
        """Report a fact about a request."""
        ...

    def emit(self, event: Event, /) -> None:
        """Report a fact."""
        ...

    def clerk(self) -> Cell | None:
        """The desk's actor, made where it is not there; None while the system closes."""
        ...


@attrs.define
class _Sent:
    """An answer on its way."""

    node: str
    request_id: str
    by: str | None
    then: Callable[[ActorError | None], object] | None


class Elsewhere:
    """What this desk knows of others', and what it tells them. Plain calls."""

    def __init__(self, kernel: Kernel, home: Home, neighbours: Neighbours, max_answer: int) -> None:
        self._kernel = kernel
        self._home = home
        self._neighbours = neighbours
        self._max_answer = max_answer
        self._shown: dict[str, PersonRequest] = {}
        self._sending: dict[int, _Sent] = {}
        self._decided: dict[str, str | None] = {}
        """Requests that were answered here, until it is heard what came of it: by whom."""
        self._over: dict[str, tuple[Ended, str | None]] = {}
        self._numbers = itertools.count(1)
        neighbours.follow(self)

    # --- for the desk ---

    @property
    def pending(self) -> list[PersonRequest]:
        """What waits at linked nodes and was not answered here."""
        return [one for one in self._shown.values() if one.id not in self._decided]

    def knows(self, request_id: object) -> bool:
        """Whether it is, or was, a request of a linked node."""
        return request_id in self._shown or request_id in self._over

    def answer(
        self,
        request_id: str,
        value: Any,
        by: str | None,
        then: Callable[[ActorError | None], object] | None,
    ) -> None:
        """Send an answer to where it is decided. Raises what is known here already."""
        request = self._open(request_id)
        if request_id in self._decided:
            raise AlreadyAnswered(request_id, self._decided[request_id])
        check_answer(request, value, self._max_answer)
        number = next(self._numbers)
        self._decided[request_id] = by
        self._sending[number] = _Sent(request.node, request_id, by, then)
        self._send(request.node, Decide(number, request_id, json.dumps(value), by))

    def extend(self, request_id: str, seconds: float) -> None:
        """Send it there."""
        self._send(self._open(request_id).node, Extend(request_id, seconds))

    def _open(self, request_id: str) -> PersonRequest:
        request = self._shown.get(request_id)
        if request is not None:
            return request
        how, by = self._over[request_id]
        if how is Ended.ANSWERED:
            raise AlreadyAnswered(request_id, by)
        raise RequestWithdrawn(request_id) if how is Ended.WITHDRAWN else RequestExpired(request_id)

    def tell_others(self, event: PersonEvent) -> None:
        """Something has happened to a request of this node."""
        neighbours = tuple(self._neighbours.all())
        if not neighbours or event.request.node != self._kernel.name:
            return
        word = self._word(event)
        for neighbour in neighbours:
            self._tell(neighbour, word)

    def _word(self, event: PersonEvent) -> Shown | Over:
        request = event.request
        match event:
            case PersonAnswered(answer=answer, seconds=seconds):
                return Over(request.id, Ended.ANSWERED.value, seconds, answer.by, json.dumps(answer.value))
            case PersonTimedOut(seconds=seconds):
                return Over(request.id, Ended.EXPIRED.value, seconds)
            case PersonWithdrawn(at=at):
                return Over(request.id, Ended.WITHDRAWN.value, at - request.asked)
            case _:
                before = event.before if isinstance(event, PersonEscalated) else None
                return Shown((self._record(request),), _TOLD[type(event)], before)

    def _record(self, request: PersonRequest) -> str:
        return json.dumps(request_record(request, -self._kernel.now()))

    def close(self) -> None:
        """The system has ended."""
        self._sending.clear()

    # --- for linked nodes ---

    def heard(self, word: object, node: str) -> None:
        """A linked node's desk says this."""
        match word:
            case Shown():
                for record in word.records:
                    self._show(record, word, node)
            case Over():
                self._end(word, node)
            case Decide():
                self._decide(word, node)
            case Decided():
                self._came(word)
            case Extend():
                with suppress(DeskError, ValueError):  # whoever has asked for it sees that it did not move
                    self._home.extend(word.id, word.seconds)
            case _:
                raise TypeError(f"{word!r} is nothing that desks tell each other")

    def _show(self, record: str, word: Shown, node: str) -> None:
        request = request_of(json.loads(record), -self._kernel.now())
        if request.node != node or (request.id not in self._shown and self._count(node) >= _MOST):
            return
        self._shown[request.id] = request
        match word.event:
            case "warned":
                self._home.tell(PersonWarned, request, request.deadline - self._kernel.now())
            case "extended":
                self._home.tell(PersonExtended, request)
            case "escalated":
                self._home.tell(PersonEscalated, request, word.before)
            case _:
                self._home.tell(PersonAsked, request)

    def _count(self, node: str) -> int:
        return sum(one.node == node for one in self._shown.values())

    def _end(self, word: Over, node: str) -> None:
        request = self._shown.get(word.id)
        if request is None or request.node != node:
            return
        del self._shown[word.id]
        how = Ended(word.how)
        self._over[word.id] = (how, word.by)
        if len(self._over) > _REMEMBERED:
            del self._over[next(iter(self._over))]
        self._decided.pop(word.id, None)
        if how is Ended.ANSWERED:
            answer = Answer(request.id, request.kind, json.loads(word.value), word.by, self._kernel.now())
            self._home.tell(PersonAnswered, request, answer, word.seconds)
        elif how is Ended.EXPIRED:
            self._home.tell(PersonTimedOut, request, word.seconds)
        else:
            self._home.tell(PersonWithdrawn, request)

    def _decide(self, word: Decide, node: str) -> None:
        def came(error: ActorError | None) -> None:
            name, facts = _facts(error)
            self._send(node, Decided(word.number, name, facts))

        try:
            self._home.decided(word.id, json.loads(word.value), word.by, came)
        except ActorError as error:
            came(error)

    def _came(self, word: Decided) -> None:
        sent = self._sending.pop(word.number, None)
        if sent is None:
            return
        error = _error(word, sent)
        if error is not None:
            self._decided.pop(sent.request_id, None)
            self._home.emit(AnswerRefused(self._kernel.now(), sent.request_id, sent.by, error))
        if sent.then is not None:
            sent.then(error)

    # --- links ---

    def node_up(self, neighbour: Neighbour) -> None:
        """See `LinkFollower`."""
        own = self._home.own()
        for at in range(0, len(own), _PAGE):
            self._tell(neighbour, Shown(tuple(map(self._record, own[at : at + _PAGE]))))

    def node_down(self, neighbour: Neighbour) -> None:
        """See `LinkFollower`."""
        error = NodeLost(neighbour.name, neighbour.why_down)
        for number, sent in tuple(self._sending.items()):
            if sent.node == neighbour.name:
                del self._sending[number]
                self._home.emit(AnswerRefused(self._kernel.now(), sent.request_id, sent.by, error))
                if sent.then is not None:
                    sent.then(error)
        for request in [one for one in self._shown.values() if one.node == neighbour.name]:
            del self._shown[request.id]
            self._decided.pop(request.id, None)
            self._home.tell(PersonWithdrawn, request)

    def _send(self, node: str, word: object) -> None:
        neighbour = self._neighbours.get(node)
        if neighbour is not None:
            self._tell(neighbour, word)

    def _tell(self, neighbour: Neighbour, word: object) -> None:
        clerk = self._home.clerk()
        if clerk is not None:
            neighbour.tell(word, clerk)


def _facts(error: ActorError | None) -> tuple[str | None, tuple[str | None, ...]]:
    """An error as it travels."""
    match error:
        case None:
            return None, ()
        case AlreadyAnswered():
            return type(error).__name__, (error.by,)
        case InvalidAnswer():
            return type(error).__name__, (error.wanted, "that")
        case RequestExpired() | UnknownRequest():
            return type(error).__name__, ()
        case _:
            return "DeskError", (str(error),)


def _error(word: Decided, sent: _Sent) -> ActorError | None:
    """The error again."""
    match word.error:
        case None:
            return None
        case "AlreadyAnswered" | "InvalidAnswer" | "RequestExpired" | "RequestWithdrawn" | "UnknownRequest":
            made: type[DeskError] = getattr(errors, word.error)
            return made(sent.request_id, *word.facts)
        case _:
            return DeskError(*word.facts)
