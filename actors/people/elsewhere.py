"""Requests of linked nodes: what waits there is shown here, and what is answered here is decided there.

Each desk tells its own requests to all linked nodes, one hop, and hears theirs: a copy that is only shown.
The node that has asked decides. As long as both nodes live nothing of what they tell each other is lost,
doubled or out of order, however often the link breaks; when one is lost, so are the copies of its requests.
"""

from __future__ import annotations

import itertools
import json
import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from actors.asking import Asking
from actors.errors import ActorError, NodeLost, NotSerializable, SystemClosed
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
from actors.people.request import Answer, PersonRequest, check_answer
from actors.people.travel import error_in, error_out, pages, request_in, request_out, text_of
from actors.people.words import WORDS, Anew, Decide, Decided, Extend, Over, Shown

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.kernel import Kernel
    from actors.core.ref import Ref
    from actors.exits import Exit

__all__ = ["HEARD", "Elsewhere", "Home"]

_log = logging.getLogger("actors.people")
_REMEMBERED: Final = 1000
_MOST: Final = 10_000
"""Requests of one other node that are shown here."""
_TOLD: Final[dict[type[PersonEvent], str]] = {
    PersonAsked: "asked",
    PersonWarned: "warned",
    PersonExtended: "extended",
    PersonEscalated: "escalated",
}

Then = Callable[[ActorError | None], object]
"""Hears what came of an answer."""


class Home(Protocol):
    """The desk, as what comes from other nodes needs it."""

    def decided(self, request_id: str, value: Any, by: str | None, then: Then | None, /) -> None:
        """Decide a request. Raises as `Desk.answer`; `then` hears it when the decision stands."""
        ...

    def extend(self, request_id: str, seconds: float, /) -> None:
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


@attrs.frozen
class _Lost:
    """A linked node is lost. It takes its turn behind what that node has said before."""

    neighbour: Neighbour


HEARD = (*WORDS, _Lost)
"""What the desk's actor hands on to `Elsewhere.heard`."""


@attrs.define
class _Sent:
    """An answer on its way."""

    request_id: str
    by: str | None
    then: Then | None


@attrs.define(eq=False)
class _Life:
    """One life of a linked node: which of its requests are shown here, and what was answered to it."""

    neighbour: Neighbour
    shown: dict[str, _Copy] = attrs.field(factory=dict[str, "_Copy"])
    sending: dict[int, _Sent] = attrs.field(factory=dict[int, _Sent])
    has_too_many: bool = False

    @property
    def name(self) -> str:
        """The name of the node."""
        return self.neighbour.name


@attrs.define(eq=False)
class _Copy:
    """A request of a linked node, as it was told last."""

    life: _Life
    request: PersonRequest
    is_answered: bool = False
    """It was answered here; what comes of that is not known yet, and people do not see it meanwhile."""
    by: str | None = None


class Elsewhere:
    """What this desk knows of others', and what it tells them. Plain calls."""

    def __init__(self, kernel: Kernel, home: Home, neighbours: Neighbours, asking: Asking) -> None:
        self._kernel = kernel
        self._home = home
        self._neighbours = neighbours
        self._asking = asking
        self._clerk: Cell | None = None
        """Who hears the words; None before there was one. It may be between two incarnations."""
        self._lives: dict[tuple[str, str], _Life] = {}
        self._shown: dict[str, _Copy] = {}
        self._over: dict[str, Callable[[], DeskError]] = {}
        """Id → what it is to answer it still. The oldest first."""
        self._numbers = itertools.count(1)
        neighbours.follow(self)

    # --- for the desk ---

    @property
    def pending(self) -> list[PersonRequest]:
        """What waits at linked nodes and was not answered here."""
        return [one.request for one in self._shown.values() if not one.is_answered]

    def knows(self, request_id: object) -> bool:
        """Whether it is, or was, a request of a linked node."""
        return isinstance(request_id, str) and (request_id in self._shown or request_id in self._over)

    def answer(self, request_id: str, value: Any, by: str | None, then: Then | None) -> None:
        """Send an answer to where it is decided. Raises what is known here already, and `SystemClosed`."""
        copy = self._open(request_id)
        check_answer(copy.request, value, self._asking.max_answer)
        life, number, text = copy.life, next(self._numbers), text_of(value)
        try:
            self._send(life.neighbour, Decide(number, request_id, text, by))
        except NotSerializable:
            wanted = f"an answer that the link to {life.name} takes"
            raise InvalidAnswer(request_id, wanted, f"{len(text)} characters") from None
        copy.is_answered, copy.by = True, by
        life.sending[number] = _Sent(request_id, by, then)

    def extend(self, request_id: str, seconds: float) -> None:
        """Send it there. Raises as `answer`."""
        self._send(self._open(request_id).life.neighbour, Extend(request_id, seconds))

    def _open(self, request_id: str) -> _Copy:
        copy = self._shown.get(request_id)
        if copy is None:
            raise self._over[request_id]()
        if copy.is_answered:
            raise AlreadyAnswered(request_id, copy.by)
        return copy

    def tell_others(self, event: PersonEvent) -> None:
        """Something has happened to a request of this node."""
        if event.request.node != self._kernel.name:
            return
        neighbours = tuple(self._neighbours.all())
        if not neighbours:
            return
        word = self._word(event)
        for neighbour in neighbours:
            self._tell(neighbour, word)

    def _word(self, event: PersonEvent) -> Shown | Over:
        request = event.request
        match event:
            case PersonAnswered(answer=answer, seconds=seconds):
                return Over(request.id, Ended.ANSWERED.value, seconds, answer.by, text_of(answer.value))
            case PersonTimedOut(seconds=seconds):
                return Over(request.id, Ended.EXPIRED.value, seconds)
            case PersonWithdrawn(at=at):
                return Over(request.id, Ended.WITHDRAWN.value, at - request.asked)
            case _:
                before = event.before if isinstance(event, PersonEscalated) else None
                return Shown((request_out(request, event.at),), _TOLD[type(event)], before)

    def close(self) -> None:
        """The system has ended."""
        self._lives.clear()
        self._shown.clear()

    # --- for the desk's actor ---

    def begin(self, clerk: Cell) -> None:
        """It runs. Another one than before has not heard what was told to that one meanwhile."""
        before, self._clerk = self._clerk, clerk
        if before is clerk:
            return
        self._kernel.follow(clerk, self)
        for life in tuple(self._lives.values()) if before is not None else ():
            if life.neighbour.is_down:
                self._lost(life.neighbour)
            else:
                self._forget(life, "its node tells it again")
                self._missed(life, "the actor of this desk was stopped meanwhile")
                self._tell(life.neighbour, Anew())

    def became_ready(self, cell: Cell) -> None:
        """See `Follower`."""

    def went(self, cell: Cell, exit: Exit) -> None:
        """See `Follower`: somebody has stopped the desk's actor. Linked nodes need one."""
        if self._lives:
            self._home.clerk()

    def heard(self, message: object, sender: Ref | None) -> None:
        """The desk of another node says something. Anybody else has nothing to say. Never raises."""
        if isinstance(message, _Lost):
            self._lost(message.neighbour)
            return
        life = None if sender is None else self._lives.get(sender.identity[:2])
        if life is None:
            _log.warning(
                "%s was told by %r, which is no desk of a linked node", type(message).__name__, sender
            )
            return
        try:
            self._heard(message, life)
        except Exception:  # what one node says must not keep the others from being heard
            _log.exception("a %s of the node %r has failed", type(message).__name__, life.name)

    def _heard(self, word: object, life: _Life) -> None:
        match word:
            case Shown():
                for record in word.records:
                    self._show(record, word, life)
            case Over():
                self._end(word, life)
            case Decide():
                self._decide(word, life)
            case Decided():
                self._came(word, life)
            case Extend():
                self._extend(word, life)
            case Anew():
                self._missed(life, f"the actor of the desk of {life.name} was stopped meanwhile")
                self._tell_all(life.neighbour)
            case _:
                raise TypeError(f"{word!r} is nothing that desks tell each other")

    # --- requests over there ---

    def _show(self, record: str, word: Shown, life: _Life) -> None:
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

    def _show_new(self, request: PersonRequest, life: _Life) -> None:
        if len(life.shown) >= _MOST:
            if not life.has_too_many:
                life.has_too_many = True
                text = "more than %d requests of the node %r wait: the others are not shown here"
                _log.warning(text, _MOST, life.name)
            return
        life.shown[request.id] = self._shown[request.id] = _Copy(life, request)
        self._home.tell(PersonAsked, request)

    def _end(self, word: Over, life: _Life) -> None:
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

    def _forget(self, life: _Life, why: str) -> None:
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

    # --- answers from here ---

    def _came(self, word: Decided, life: _Life) -> None:
        sent = life.sending.pop(word.number, None)
        if sent is None:
            return
        error = error_in(word.error, word.facts, sent.request_id)
        copy = life.shown.get(sent.request_id)
        if copy is not None and error is not None and not isinstance(error, AlreadyAnswered | RequestExpired):
            copy.is_answered, copy.by = False, None  # it waits on; else it is on its way to be over
        self._outcome(sent, error)

    def _outcome(self, sent: _Sent, error: ActorError | None) -> None:
        if error is not None:
            self._home.emit(AnswerRefused(self._kernel.now(), sent.request_id, sent.by, error))
        if sent.then is not None:
            sent.then(error)

    def _missed(self, life: _Life, why: str) -> None:
        """What came of the answers on their way is never heard."""
        lost, life.sending = tuple(life.sending.values()), {}
        for sent in lost:
            copy = life.shown.get(sent.request_id)
            if copy is not None:
                copy.is_answered, copy.by = False, None
            self._outcome(sent, DeskError(f"whether {sent.request_id} was answered is not known: {why}"))

    # --- answers from there ---

    def _decide(self, word: Decide, life: _Life) -> None:
        def came(error: ActorError | None) -> None:
            name, facts = error_out(error)
            self._tell(life.neighbour, Decided(word.number, name, facts))

        try:
            value = json.loads(word.value)
        except (ValueError, RecursionError):
            came(InvalidAnswer(word.id, "JSON", "what is none"))
            return
        try:
            if self.knows(word.id):
                raise UnknownRequest(word.id)  # it is another node's: that one decides, and shows it itself
            self._home.decided(word.id, value, word.by, came)
        except ActorError as error:
            came(error)
        except (TypeError, ValueError) as error:  # no name of a person: whoever decides waits to hear it
            came(DeskError(f"{word.id} was not answered: {error}"))

    def _extend(self, word: Extend, life: _Life) -> None:
        try:
            if not self.knows(word.id):
                self._home.extend(word.id, word.seconds)
        except (ActorError, TypeError, ValueError) as error:  # who has asked for it sees that it did not move
            _log.info("the node %r cannot give %.200r more time: %s", life.name, word.id, error)

    # --- links; see `LinkFollower` ---

    def node_up(self, neighbour: Neighbour) -> None:
        """See `LinkFollower`."""
        self._lives[neighbour.life] = _Life(neighbour)
        self._tell_all(neighbour)

    def node_down(self, neighbour: Neighbour) -> None:
        """See `LinkFollower`. What it has said last may wait in the clerk's mailbox, and comes first."""
        if self._clerk is None or self._clerk.is_final:
            self._lost(neighbour)
        else:
            self._clerk.tell_from(None, _Lost(neighbour))

    def _lost(self, neighbour: Neighbour) -> None:
        life = self._lives.pop(neighbour.life, None)
        if life is None:
            return
        self._forget(life, f"its node {life.name} is lost")
        lost, life.sending = tuple(life.sending.values()), {}
        for sent in lost:
            self._outcome(sent, NodeLost(life.name, neighbour.why_down))

    # --- telling ---

    def _tell_all(self, neighbour: Neighbour) -> None:
        now = self._kernel.now()
        for page in pages([request_out(one, now) for one in self._home.own()]):
            self._tell(neighbour, Shown(page))

    def _tell(self, neighbour: Neighbour, word: object) -> None:
        """As `_send`; what does not pass the link is told in parts, or left out."""
        try:
            self._send(neighbour, word)
        except NotSerializable as error:
            if isinstance(word, Shown) and len(word.records) > 1:
                for record in word.records:
                    self._tell(neighbour, Shown((record,)))
            elif isinstance(word, Over) and word.value != "null":
                self._tell(neighbour, attrs.evolve(word, value="null"))
            else:
                _log.warning("a request is not shown at the node %r: %s", neighbour.name, error)
        except SystemClosed:
            pass  # it hears that the link ends

    def _send(self, neighbour: Neighbour, word: object) -> None:
        """Raises `NotSerializable` and `SystemClosed`, and nothing was sent."""
        clerk = self._home.clerk()
        if clerk is None:
            raise SystemClosed(self._kernel.name)
        neighbour.tell(word, clerk)


def _value(word: Over) -> Any:
    try:
        return json.loads(word.value)
    except (ValueError, RecursionError):
        _log.warning("the answer to %.200r cannot be read", word.id)
        return None
