"""Answers on their way to the node that decides: those given here, and those that come from there."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors.asking import Asking
from actors.errors import ActorError, NodeLost, NotSerializable
from actors.events import AnswerRefused
from actors.people.copies import Copies, Life, Sent
from actors.people.errors import AlreadyAnswered, DeskError, InvalidAnswer, RequestExpired, UnknownRequest
from actors.people.home import Home, Then
from actors.people.neighbours import Neighbour
from actors.people.request import check_answer
from actors.people.travel import error_in, error_out, text_of
from actors.people.words import Decide, Decided, Extend

if TYPE_CHECKING:
    from actors.core.kernel import Kernel

__all__ = ["Errands"]

_log = logging.getLogger("actors.people")

_Tell = Callable[[Neighbour, object], None]


class Errands:
    """Carries answers, and what came of them. Plain calls.

    `send` raises `NotSerializable` and `SystemClosed`, and then nothing was sent; `tell` never raises those.
    """

    def __init__(
        self, kernel: Kernel, home: Home, copies: Copies, asking: Asking, send: _Tell, tell: _Tell
    ) -> None:
        self._kernel = kernel
        self._home = home
        self._copies = copies
        self._asking = asking
        self._send = send
        self._tell = tell
        self._numbers = itertools.count(1)

    # --- from here ---

    def answer(self, request_id: str, value: Any, by: str | None, then: Then | None) -> None:
        """Send an answer to where it is decided. Raises what is known here already, and `SystemClosed`."""
        copy = self._copies.open(request_id)
        check_answer(copy.request, value, self._asking.max_answer)
        life, number, text = copy.life, next(self._numbers), text_of(value)
        try:
            self._send(life.neighbour, Decide(number, request_id, text, by))
        except NotSerializable:
            wanted = f"an answer that the link to {life.name} takes"
            raise InvalidAnswer(request_id, wanted, f"{len(text)} characters") from None
        copy.is_answered, copy.by = True, by
        life.sending[number] = Sent(request_id, by, then)

    def extend(self, request_id: str, seconds: float) -> None:
        """Send it there. Raises as `answer`."""
        self._send(self._copies.open(request_id).life.neighbour, Extend(request_id, seconds))

    def came(self, word: Decided, life: Life) -> None:
        """The node that decides tells what came of an answer."""
        sent = life.sending.pop(word.number, None)
        if sent is None:
            return
        error = error_in(word.error, word.facts, sent.request_id)
        copy = life.shown.get(sent.request_id)
        if copy is not None and error is not None and not isinstance(error, AlreadyAnswered | RequestExpired):
            copy.is_answered, copy.by = False, None  # it waits on; else it is on its way to be over
        self._outcome(sent, error)

    def _outcome(self, sent: Sent, error: ActorError | None) -> None:
        if error is not None:
            self._home.emit(AnswerRefused(self._kernel.now(), sent.request_id, sent.by, error))
        if sent.then is not None:
            sent.then(error)

    def missed(self, life: Life, why: str) -> None:
        """What came of the answers on their way is never heard."""
        lost, life.sending = tuple(life.sending.values()), {}
        for sent in lost:
            copy = life.shown.get(sent.request_id)
            if copy is not None:
                copy.is_answered, copy.by = False, None
            self._outcome(sent, DeskError(f"whether {sent.request_id} was answered is not known: {why}"))

    def lost(self, life: Life, why: str) -> None:
        """Its node is lost, and the answers on their way with it."""
        lost, life.sending = tuple(life.sending.values()), {}
        for sent in lost:
            self._outcome(sent, NodeLost(life.name, why))

    # --- from there ---

    def decide(self, word: Decide, life: Life) -> None:
        """Somebody there answers a request of this node, and hears what came of it."""

        def came(error: ActorError | None) -> None:
            name, facts = error_out(error)
            self._tell(life.neighbour, Decided(word.number, name, facts))

        try:
            value = json.loads(word.value)
        except (ValueError, RecursionError):
            came(InvalidAnswer(word.id, "JSON", "what is none"))
            return
        try:
            if self._copies.knows(word.id):
                raise UnknownRequest(word.id)  # it is another node's: that one decides, and shows it itself
            self._home.decided(word.id, value, word.by, came)
        except ActorError as error:
            came(error)
        except (TypeError, ValueError) as error:  # no name of a person: whoever decides waits to hear it
            came(DeskError(f"{word.id} was not answered: {error}"))

    def give_more(self, word: Extend, life: Life) -> None:
        """Somebody there gives a request of this node more time."""
        try:
            if not self._copies.knows(word.id):
                self._home.extend(word.id, word.seconds)
        except (ActorError, TypeError, ValueError) as error:  # who has asked for it sees that it did not move
            _log.info("the node %r cannot give %.200r more time: %s", life.name, word.id, error)
