"""Requests of linked nodes: what waits there is shown here, and what is answered here is decided there.

Each desk tells its own requests to all linked nodes, one hop, and hears theirs: a copy that is only shown.
The node that has asked decides. As long as both nodes live nothing of what they tell each other is lost,
doubled or out of order, however often the link breaks; when one is lost, so are the copies of its requests.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import attrs

from actors.asking import Asking
from actors.errors import NotSerializable, SystemClosed
from actors.events import (
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
from actors.people.copies import Copies, Life
from actors.people.errands import Errands
from actors.people.home import Home, Then
from actors.people.neighbours import Neighbour, Neighbours
from actors.people.request import PersonRequest
from actors.people.travel import pages, request_out, text_of
from actors.people.words import WORDS, Anew, Decide, Decided, Extend, Over, Shown

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.kernel import Kernel
    from actors.core.ref import Ref
    from actors.exits import Exit

__all__ = ["HEARD", "Elsewhere", "Home"]

_log = logging.getLogger("actors.people")
_TOLD: Final[dict[type[PersonEvent], str]] = {
    PersonAsked: "asked",
    PersonWarned: "warned",
    PersonExtended: "extended",
    PersonEscalated: "escalated",
}


@attrs.frozen
class _Lost:
    """A linked node is lost. It takes its turn behind what that node has said before."""

    neighbour: Neighbour


HEARD = (*WORDS, _Lost)
"""What the desk's actor hands on to `Elsewhere.heard`."""


class Elsewhere:
    """What this desk knows of others', and what it tells them. Plain calls."""

    def __init__(self, kernel: Kernel, home: Home, neighbours: Neighbours, asking: Asking) -> None:
        self._kernel = kernel
        self._home = home
        self._neighbours = neighbours
        self._copies = Copies(kernel, home, asking)
        self._errands = Errands(kernel, home, self._copies, asking, self._send, self._tell)
        self._clerk: Cell | None = None
        """Who hears the words; None before there was one. It may be between two incarnations."""
        self._lives: dict[tuple[str, str], Life] = {}
        neighbours.follow(self)

    # --- for the desk ---

    @property
    def pending(self) -> list[PersonRequest]:
        """What waits at linked nodes and was not answered here."""
        return self._copies.pending

    def knows(self, request_id: object) -> bool:
        """Whether it is, or was, a request of a linked node."""
        return self._copies.knows(request_id)

    def answer(self, request_id: str, value: Any, by: str | None, then: Then | None) -> None:
        """Send an answer to where it is decided. Raises what is known here already, and `SystemClosed`."""
        self._errands.answer(request_id, value, by, then)

    def extend(self, request_id: str, seconds: float) -> None:
        """Send it there. Raises as `answer`."""
        self._errands.extend(request_id, seconds)

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
        self._copies.close()

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
                self._copies.forget(life, "its node tells it again")
                self._errands.missed(life, "the actor of this desk was stopped meanwhile")
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

    def _heard(self, word: object, life: Life) -> None:
        match word:
            case Shown():
                for record in word.records:
                    self._copies.show(record, word, life)
            case Over():
                self._copies.end(word, life)
            case Decide():
                self._errands.decide(word, life)
            case Decided():
                self._errands.came(word, life)
            case Extend():
                self._errands.give_more(word, life)
            case Anew():
                self._errands.missed(life, f"the actor of the desk of {life.name} was stopped meanwhile")
                self._tell_all(life.neighbour)
            case _:
                raise TypeError(f"{word!r} is nothing that desks tell each other")

    # --- links; see `LinkFollower` ---

    def node_up(self, neighbour: Neighbour) -> None:
        """See `LinkFollower`."""
        self._lives[neighbour.life] = Life(neighbour)
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
        self._copies.forget(life, f"its node {life.name} is lost")
        self._errands.lost(life, neighbour.why_down)

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
