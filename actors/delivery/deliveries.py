"""One delivery: it is written, made, and comes to one of five ends.

A delivery is written before it is made, and its end when it has ended: in one group with the next delivery
to the same recipient, so that one commit serves both.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from actors.core.tracing import arriving
from actors.delivery.abroad import FailedThere
from actors.delivery.coder import Coder
from actors.delivery.endings import reply_of
from actors.delivery.errors import NotTheOwner, StoreError
from actors.delivery.handed import Handed, cause_of
from actors.delivery.operations import Moved, Result, Save
from actors.delivery.recipient import Recipient
from actors.delivery.ticket import Entry, Failure, Move, Standing, TicketState, move
from actors.errors import NotSerializable
from actors.events import LateReply
from actors.supervision.backoff import delay

if TYPE_CHECKING:
    from actors.delivery.office import Office
    from actors.delivery.rounds import Rounds

__all__ = ["Deliveries"]

_SOON: Final = 0.05
"""Seconds before a recipient that would not have a message is offered it again."""
_TRACEBACK: Final = 8_000
"""Characters of a traceback that are kept: the end of it, where the error is."""
_TEXT: Final = 32_000
"""Characters of an error's text that are kept: its beginning."""


class Deliveries:
    """All deliveries at hand."""

    def __init__(self, office: Office, rounds: Rounds) -> None:
        self._office = office
        self._kernel = office.kernel
        self._rounds = rounds
        self._hands: dict[str, Handed] = {}
        self._giving: dict[str, bool] = {}
        """Deliveries that are being written; False: not wanted any more."""

    def give(self, one: Recipient, entry: Entry) -> None:
        """Write that it is delivered, then deliver it."""
        one.line.gave(entry)
        self._giving[entry.id] = True
        attempt = entry.attempts + 1
        said = Moved(entry.id, Move.DELIVER, self._office.wall(), attempt, token=one.token)
        self._office.move(entry, said, lambda result: self._given(one, entry, said.token, result))

    def _given(self, one: Recipient, entry: Entry, token: int | None, result: Result | StoreError) -> None:
        """The delivery is written: make it."""
        is_wanted = self._giving.pop(entry.id, False)
        if isinstance(result, NotTheOwner):
            one.line.ended(entry.id, self._kernel.now())
            self._rounds.claims.lost(one, token)
            self._rounds.look(one.path)
            return
        if not isinstance(result, Standing):  # it was cancelled, or has timed out
            one.line.ended(entry.id, self._kernel.now())
            one.line.more()  # what is known of it here is old
            self._rounds.look(one.path)
            return
        delivered = entry.at(result)
        if not is_wanted or token != one.token:  # if it has timed out, or was lost, nobody works on it
            self._office.move(
                entry, Moved(entry.id, Move.RETURN, self._office.wall(), delivered.attempts, token=token)
            )
            one.line.ended(entry.id, self._kernel.now())
            self._rounds.look(one.path)
            return
        if one.node is not None:
            self._carry(one, delivered)
            return
        if one.cell is None or not one.is_ready:
            self._return(one, delivered)
            return
        if delivered.answers is not None and self._office.knows_already(delivered.answers, one.cell):
            self._pass_over(one, delivered)
            return
        try:
            message: Any = self.message(delivered, self._office.coder)
        except Exception as error:
            self._fail(one, delivered, error, None)
            return
        handed = self._hands[entry.id] = Handed(one.cell, self, delivered, message, one.token)
        sender, tracer = self._rounds.settling.sender(entry), self._kernel.tracer
        with arriving(tracer, None if tracer is None else tracer.posting(entry.id)):
            one.cell.hand(handed, message, sender)

    def _pass_over(self, one: Recipient, delivered: Entry) -> None:
        """A reply whose recipient has it already."""
        at = self._office.wall()
        self._office.move(
            delivered, Moved(delivered.id, Move.ANSWER, at, delivered.attempts, token=one.token), ends=True
        )
        one.line.ended(delivered.id, self._kernel.now())
        self._rounds.look(one.path)

    def _carry(self, one: Recipient, delivered: Entry) -> None:
        """A linked node has the recipient."""
        abroad = self._rounds.exchange.abroad
        carriage = abroad.carriage(one, delivered)
        if carriage is None:
            self._return(one, delivered)
        else:
            self._hands[delivered.id] = carriage
            abroad.carry(carriage)

    def message(self, entry: Entry, coder: Coder) -> Any:
        """What its recipient gets. Raises what is wrong with the payload."""
        if entry.answers is None:
            return coder.back(entry.payload)
        note = coder.note_back(entry.payload)
        return reply_of(note, None if note.value is None else coder.value_back(note.value))

    def withdraw(self, entry: Entry) -> None:
        """The ticket was cancelled, or timed out before it was delivered."""
        one = self._rounds.known.get(entry.path)
        if one is None:
            return
        one.line.withdrawn(entry.id)
        if entry.id in self._giving:
            self._giving[entry.id] = False
        handed = self._hands.get(entry.id)
        if handed is not None:
            handed.withdraw()
        self._rounds.look(entry.path)

    def disown(self, path: str, token: int | None) -> None:
        """What is in hand there by any other token is delivered anew: how it ends does not count."""
        for handed in tuple(self._hands.values()):
            if handed.entry.path == path and handed.token != token:
                del self._hands[handed.entry.id]
                handed.withdraw()

    def timed_out(self, entry: Entry) -> None:
        """The ticket has timed out: withdrawn, unless it was handed over. It is not delivered again."""
        handed = self._hands.get(entry.id)
        if handed is None:
            self.withdraw(entry)
        elif handed.entry.state is TicketState.DELIVERED:
            handed.entry = handed.entry.at(move(entry.id, handed.entry.standing, Move.TIME_OUT))

    # --- how it ended; see `Courier` in `handed` ---

    def handled(self, handed: Handed, value: Any) -> None:
        """See `handed.Courier`."""
        self._end(handed, lambda: self._answer(handed, value))

    def answered(self, handed: Handed, answer: Any, values: list[Any] | None) -> None:
        """As `handled`: the reply is in the form of a payload, `values` has it as an object if it is here."""
        self._end(handed, lambda: self._write_answer(handed, answer, values))

    def _end(self, handed: Handed, give: Callable[[], None]) -> None:
        one = self._let_go(handed)
        if handed.cancelled:
            self._save(handed)
            self._kernel.emit(LateReply, handed.cell.ref, handed.message)
        else:
            give()
        self._rounds.look(one.path)

    def _save(self, handed: Handed) -> None:
        """Keep what its handler has saved, though its ticket does not end with that."""
        saved, handed.saved = handed.saved, None
        if saved is not None:
            self._office.pump.put(Save(saved, handed.token), _ignored)

    def _answer(self, handed: Handed, value: Any) -> None:
        entry = handed.entry
        try:
            answer = self._office.coder.value_out(value) if entry.reply else None
        except NotSerializable as error:
            self._refuse(handed, error)
        else:
            self._write_answer(handed, answer, [value if entry.reply else None])

    def _write_answer(self, handed: Handed, answer: Any, values: list[Any] | None) -> None:
        entry, at = handed.entry, self._office.wall()
        said = Moved(
            entry.id, Move.ANSWER, at, entry.attempts, answer=answer, saved=handed.saved, token=handed.token
        )
        self._rounds.settling.settle(entry, said, values)

    def refused(self, handed: Handed, error: Exception) -> None:
        """See `handed.Courier`."""
        one = self._let_go(handed)
        if handed.cancelled:
            self._save(handed)
        else:
            self._refuse(handed, error)
        self._rounds.look(one.path)

    def _refuse(self, handed: Handed, error: Exception) -> None:
        entry = handed.entry
        failure = self.failure(entry.attempts, error)
        said = Moved(
            entry.id,
            Move.REFUSE,
            failure.at,
            entry.attempts,
            failure=failure,
            saved=handed.saved,
            token=handed.token,
        )
        self._rounds.settling.settle(entry, said)

    def failed(self, handed: Handed, error: BaseException) -> None:
        """See `handed.Courier`."""
        one = self._let_go(handed, ended=handed.cancelled)
        if not handed.cancelled:
            self._fail(one, handed.entry, error, handed)
        self._rounds.look(one.path)

    def _fail(self, one: Recipient, entry: Entry, error: BaseException, handed: Handed | None) -> None:
        now = self._kernel.now()
        failure = self.failure(entry.attempts, cause_of(error))
        standing = move(entry.id, entry.standing, Move.FAIL)
        if standing.state is TicketState.PENDING:
            wait = delay(one.line.policy.backoff, entry.attempts - 1, self._kernel.random.random())
            again = entry.at(standing, failures=(*entry.failures, failure))
            one.line.came_back(again, now, now + wait)
        else:
            one.line.ended(entry.id, now)
        said = Moved(entry.id, Move.FAIL, failure.at, entry.attempts, failure=failure, token=one.token)
        self._rounds.settling.settle(entry, said, then=lambda result: self._waits_again(one, result))
        if handed is None:
            self._rounds.look(one.path)

    def failure(self, attempt: int, error: BaseException) -> Failure:
        """What is kept of an error."""
        if isinstance(error, FailedThere):
            return error.failure
        kind = f"{type(error).__module__}.{type(error).__qualname__}"
        text = "".join(traceback.format_exception(error))[-_TRACEBACK:]
        return Failure(self._office.wall(), attempt, kind, _text_of(error), text)

    def came_back(self, handed: Handed) -> None:
        """See `handed.Courier`."""
        one = self._let_go(handed, ended=handed.cancelled)
        if not handed.cancelled:
            self._return(one, handed.entry)
        self._rounds.look(one.path)

    def _return(self, one: Recipient, delivered: Entry) -> None:
        now = self._kernel.now()
        said = Moved(delivered.id, Move.RETURN, self._office.wall(), delivered.attempts, token=one.token)
        before = delivered.at(move(delivered.id, delivered.standing, Move.RETURN))
        if before.state is TicketState.PENDING:
            one.line.came_back(before, now, now + _SOON)
        else:
            one.line.ended(delivered.id, now)
        self._office.move(delivered, said, lambda result: self._waits_again(one, result))
        self._rounds.look(one.path)

    def _waits_again(self, one: Recipient, result: Result | StoreError) -> None:
        """The store has it again. Who has come to know the recipient anew meanwhile may not have seen it."""
        if isinstance(result, Standing) and self._rounds.known.get(one.path) is not one:
            self._rounds.more(one.path)

    def put_off(self, handed: Handed) -> None:
        """See `handed.Courier`. What it saved is kept now: a later handler may save before it answers."""
        self._save(handed)
        one = self._rounds.known.get(handed.entry.path)
        if one is not None and self._hands.get(handed.entry.id) is handed:
            one.line.ended(handed.entry.id, self._kernel.now())
            self._rounds.look(one.path)

    def _let_go(self, handed: Handed, ended: bool = True) -> Recipient:
        entry = handed.entry
        is_known = self._hands.get(entry.id) is handed  # else it was disowned, and may be delivered anew
        if is_known:
            del self._hands[entry.id]
        one = self._rounds.known.get(entry.path)
        if one is None:
            one = self._rounds.open(entry.path)
            one.token = handed.token
        if is_known and (ended or handed.cancelled):
            one.line.ended(entry.id, self._kernel.now())
        return one


def _text_of(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # of a class of users'
        text = ""
    text = text or type(error).__name__
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}…"


def _ignored(result: object) -> None: ...
