"""Deliveries for linked nodes: the side where the recipient is. Plain calls, but for one look into the store.

The ticket is the other node's. What is in hand here is known by its id, and what was handled is remembered in
this node's store, in one step with what the handler has saved: so the same ticket, told again after that node
has started anew or the link was lost, is handled once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from actors.core.tracing import arriving
from actors.delivery.coder import Coder
from actors.delivery.errors import StoreDamaged, StoreError
from actors.delivery.handed import Handed, cause_of
from actors.delivery.neighbours import Neighbour, Neighbours
from actors.delivery.operations import Handled, Save
from actors.delivery.service import FailureFacts
from actors.delivery.showing import Showing, is_sound
from actors.delivery.ticket import Entry, Failure, TicketState
from actors.delivery.words import Carried, Carry, End, Recall
from actors.errors import NotSerializable

if TYPE_CHECKING:
    from actors.delivery.office import Office
    from actors.delivery.rounds import Rounds

__all__ = ["Carrying"]

_AGAIN: Final = 1.0
"""Seconds until a store that could not be read is read again."""
_SHORT: Final = 300
"""Characters of an error for a node that takes no more."""


@attrs.define(eq=False)
class _Hand:
    """A ticket of another node that is in hand here."""

    said: Carry
    neighbour: Neighbour
    """Who is to hear of its end: whoever has told it last."""
    handed: Handed | None = None
    is_later: bool = False
    is_recalled: bool = False

    @property
    def ticket(self) -> str:
        """Its id."""
        return self.said.ticket


class Carrying:
    """What is handled here for other nodes."""

    def __init__(self, office: Office, rounds: Rounds, neighbours: Neighbours) -> None:
        self._office = office
        self._rounds = rounds
        self._neighbours = neighbours
        self._hands: dict[str, _Hand] = {}
        self.showing = Showing(office, rounds, neighbours)

    def carry(self, neighbour: Neighbour, said: Carry) -> None:
        """Make a delivery, unless it is being made, or was made before."""
        hand = self._hands.get(said.ticket)
        if hand is not None:
            hand.said, hand.neighbour = said, neighbour
            if hand.is_later:
                self._tell(hand, End.LATER)
            return
        hand = self._hands[said.ticket] = _Hand(said, neighbour)
        if said.attempt == 1 and not said.again:
            self._begin(hand)
        elif self._rounds.nursery is not None:
            self._rounds.nursery.start_soon(self._look, hand)

    async def _look(self, hand: _Hand) -> None:
        """It may have been handled before: deliver it if not."""
        is_known = False
        try:
            known = await self._known(hand.ticket)
            is_known = True
        except StoreDamaged as error:
            self._over(hand, End.FAILED, failure=self._failure(hand, error))
            is_known = True
            return
        finally:
            if not is_known:
                self._over(hand, End.RETURNED)
        if known is None:
            self._begin(hand)
        else:
            self._remembered(hand, known)

    async def _known(self, ticket: str) -> Handled | None:
        """What is remembered of it, as soon as the store can say so."""
        while True:
            engine = await self._office.present()
            try:
                return await engine.handled(ticket)
            except StoreDamaged:
                raise
            except StoreError as error:
                self._office.trouble(error)
                await trio.sleep(_AGAIN)

    def _remembered(self, hand: _Hand, known: Handled) -> None:
        end = End.ANSWERED if known.failure is None else End.REFUSED
        self._over(hand, end, known.answer, known.failure)

    def _begin(self, hand: _Hand) -> None:
        said = hand.said
        cell = self.showing.taker(said.path) if is_sound(said.path) else None
        if cell is None or hand.is_recalled:
            self._over(hand, End.RETURNED)
            return
        entry = _entry_of(said)
        try:
            message: Any = self._rounds.deliveries.message(entry, self._coder(hand))
        except Exception as error:
            self._over(hand, End.FAILED, failure=self._failure(hand, error))
            return
        home = self._neighbours.get(said.node)
        sender = None if home is None or said.sender is None else home.actor(said.sender)
        hand.handed = handed = Handed(cell, self, entry, message)
        with arriving(self._office.kernel.tracer, said.trace):
            cell.hand(handed, message, sender)

    def _coder(self, hand: _Hand) -> Coder:
        """How the payload is read, and the reply written: for a store no refs may be in it."""
        return self._office.coder.words if hand.said.is_kept else hand.neighbour.coder

    def recall(self, said: Recall) -> None:
        """The ticket was cancelled."""
        hand = self._hands.get(said.ticket)
        if hand is not None:
            hand.is_recalled = True
            if hand.handed is not None:
                hand.handed.withdraw()

    # --- how it ended; see `Courier` in `handed` ---

    def handled(self, handed: Handed, value: Any) -> None:
        """See `handed.Courier`."""
        hand = self._hands[handed.entry.id]
        answer = None
        try:
            if hand.said.reply:
                answer = self._coder(hand).value_out(value)
        except NotSerializable as error:
            self.refused(handed, error)
        else:
            self._remember(hand, handed, answer, None)

    def refused(self, handed: Handed, error: Exception) -> None:
        """See `handed.Courier`."""
        hand = self._hands[handed.entry.id]
        self._remember(hand, handed, None, self._failure(hand, error))

    def _remember(self, hand: _Hand, handed: Handed, answer: str | None, failure: Failure | None) -> None:
        """Write that it was handled; then the other node may hear so."""
        known = Handled(hand.ticket, hand.said.path, self._office.wall(), answer, failure, saved=handed.saved)
        self._rounds.timing.tidy_later()
        self._office.pump.put(known, lambda _: self._remembered(hand, known))

    def failed(self, handed: Handed, error: BaseException) -> None:
        """See `handed.Courier`."""
        hand = self._hands[handed.entry.id]
        self._over(hand, End.FAILED, failure=self._failure(hand, cause_of(error)))

    def came_back(self, handed: Handed) -> None:
        """See `handed.Courier`."""
        self._over(self._hands[handed.entry.id], End.RETURNED)

    def put_off(self, handed: Handed) -> None:
        """See `handed.Courier`."""
        saved, handed.saved = handed.saved, None
        if saved is not None:
            self._office.pump.put(Save(saved), _ignored)
        hand = self._hands[handed.entry.id]
        hand.is_later = True
        self._tell(hand, End.LATER)

    def _failure(self, hand: _Hand, error: BaseException) -> Failure:
        return self._rounds.deliveries.failure(hand.said.attempt, error)

    def _over(self, hand: _Hand, end: End, answer: str | None = None, failure: Failure | None = None) -> None:
        del self._hands[hand.ticket]
        self._tell(hand, end, answer, failure)
        if end is End.RETURNED:
            self.showing.look(hand.said.path)  # who was there all the same gets it again

    def _tell(self, hand: _Hand, end: End, answer: str | None = None, failure: Failure | None = None) -> None:
        facts = None
        if failure is not None:
            facts = FailureFacts(**attrs.asdict(attrs.evolve(failure, attempt=hand.said.attempt)))
        said = Carried(hand.ticket, hand.said.attempt, end, answer, facts)
        try:
            self._rounds.exchange.tell(hand.neighbour, said)
        except NotSerializable as error:  # that node does not take as much
            self._rounds.exchange.tell(hand.neighbour, self._shorter(hand, said, error))

    def _shorter(self, hand: _Hand, said: Carried, error: NotSerializable) -> Carried:
        if said.failure is None:
            facts = FailureFacts(**attrs.asdict(self._failure(hand, error)))
            said = attrs.evolve(said, end=End.REFUSED, answer=None, failure=facts)
        assert said.failure is not None
        facts = attrs.evolve(said.failure, text=said.failure.text[:_SHORT], traceback="")
        return attrs.evolve(said, failure=facts)


def _entry_of(said: Carry) -> Entry:
    """The ticket as this node needs to know it."""
    return Entry(
        said.ticket,
        said.path,
        said.payload,
        said.posted,
        priority=said.priority,
        reply=said.reply,
        max_attempts=said.max_attempts,
        sender=said.sender,
        node=said.node,
        hops=said.hops,
        answers=said.answers,
        state=TicketState.DELIVERED,
        attempts=said.attempt,
        working=True,
    )


def _ignored(result: object) -> None: ...
