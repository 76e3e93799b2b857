"""A ticket as a table: which move leads from which state to which. Pure.

A ticket is one posted message, from its receipt to its end. Every engine decides by this table,
so that none can know a move that the others do not.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final

import attrs

from actors.delivery.errors import IllegalMove

__all__ = [
    "ENDED",
    "LIVE",
    "MOVES",
    "Entry",
    "Failure",
    "Move",
    "Standing",
    "TicketState",
    "move",
]


class TicketState(enum.Enum):
    """Where a posted message is."""

    PENDING = "pending"
    """it waits for its recipient"""
    DELIVERED = "delivered"
    """the recipient has it"""
    RESPONDED = "responded"
    """it was answered; or handled, where no reply was wanted"""
    FAILED = "failed"
    """the handler refused it"""
    DEAD = "dead"
    """each of its deliveries failed"""
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"

    __hash__ = object.__hash__  # each is the only one of its kind; that of enums takes a call, 20 a message


LIVE: Final = frozenset({TicketState.PENDING, TicketState.DELIVERED})
ENDED: Final = frozenset(TicketState) - LIVE


class Move(enum.Enum):
    """What can happen to a ticket."""

    DELIVER = "deliver"
    """it is handed to its recipient: one more attempt"""
    RETURN = "return"
    """the recipient went before it had begun with it: the attempt does not count"""
    FAIL = "fail"
    """the recipient failed over it, or vanished with it in hand"""
    ANSWER = "answer"
    REFUSE = "refuse"
    CANCEL = "cancel"
    TIME_OUT = "time_out"

    __hash__ = object.__hash__  # as above


_P, _D, _T = TicketState.PENDING, TicketState.DELIVERED, TicketState.TIMED_OUT

MOVES: Final[Mapping[tuple[TicketState, bool, Move], tuple[TicketState, bool]]] = {
    (_P, False, Move.DELIVER): (_D, True),
    (_P, False, Move.CANCEL): (TicketState.CANCELLED, False),
    (_P, False, Move.TIME_OUT): (_T, False),
    (_D, True, Move.RETURN): (_P, False),
    (_D, True, Move.FAIL): (_P, False),  # DEAD after the last attempt
    (_D, True, Move.ANSWER): (TicketState.RESPONDED, False),
    (_D, True, Move.REFUSE): (TicketState.FAILED, False),
    (_D, True, Move.CANCEL): (TicketState.CANCELLED, False),
    (_D, True, Move.TIME_OUT): (_T, True),
    (_T, True, Move.ANSWER): (TicketState.RESPONDED, False),
    (_T, True, Move.REFUSE): (_T, False),
    (_T, True, Move.FAIL): (_T, False),
    (_T, True, Move.RETURN): (_T, False),
}
"""From (state, whether somebody works on it) by a move to the same two. Nothing else can happen."""


@attrs.frozen
class Standing:
    """What a move depends on, and changes."""

    state: TicketState = TicketState.PENDING
    attempts: int = 0
    """Deliveries so far."""
    max_attempts: int = 5
    working: bool = False
    """Whether somebody has it in hand; also of one that has timed out meanwhile."""


def move(ticket_id: str, standing: Standing, what: Move) -> Standing:
    """What comes of a move; raises `IllegalMove`."""
    try:
        state, working = MOVES[standing.state, standing.working, what]
    except KeyError:
        raise IllegalMove(ticket_id, standing.state.value, what.value) from None
    attempts = standing.attempts
    if what is Move.DELIVER:
        attempts += 1
    elif what is Move.RETURN:
        attempts -= 1
    elif what is Move.FAIL and state is _P and attempts >= standing.max_attempts:
        state = TicketState.DEAD
    return Standing(state, attempts, standing.max_attempts, working)


@attrs.frozen
class Failure:
    """What went wrong in one delivery."""

    at: float
    """Seconds since 1970."""
    attempt: int
    kind: str
    """The type of the error, as `module.Class`; "" where its process ended."""
    text: str
    traceback: str = ""


@attrs.frozen
class Entry:
    """A ticket as it is kept. Times are seconds since 1970: they are read by other processes, later."""

    id: str
    path: str
    """Its recipient."""
    payload: Any
    """The message: JSON text in a durable store, the object itself in one that keeps objects."""
    posted: float
    priority: int = 0
    """The higher, the sooner."""
    key: str | None = None
    reply: bool = True
    """Whether a reply is wanted."""
    max_attempts: int = 5
    sender: str | None = None
    """The path of the actor that posted it."""
    node: str = ""
    """The node where it was posted."""
    hops: int = 0
    """How many messages came before it in its chain."""
    answers: str | None = None
    """The ticket whose reply this is."""
    due: float | None = None
    """When it times out."""
    seq: int = 0
    """Its place in the order of receipts, given by the store; 0: it has none yet."""
    state: TicketState = TicketState.PENDING
    attempts: int = 0
    working: bool = False
    answer: Any = None
    """The reply, in the form of the payload."""
    failures: tuple[Failure, ...] = ()
    """What went wrong so far, the oldest first; for FAILED the refusal is the last."""
    changed: float = 0.0
    """When it last moved."""

    @property
    def standing(self) -> Standing:
        """The part that moves."""
        return Standing(self.state, self.attempts, self.max_attempts, self.working)

    @property
    def order(self) -> tuple[int, int]:
        """Its place among those of its recipient: what is smaller comes first."""
        return -self.priority, self.seq

    def placed(self, seq: int) -> Entry:
        """The same ticket as it is kept, with its place."""
        return Entry(
            self.id,
            self.path,
            self.payload,
            self.posted,
            self.priority,
            self.key,
            self.reply,
            self.max_attempts,
            self.sender,
            self.node,
            self.hops,
            self.answers,
            self.due,
            seq,
            self.state,
            self.attempts,
            self.working,
            self.answer,
            self.failures,
            self.posted,
        )

    def anew(self, new: Entry) -> Entry:
        """What a dead letter is posted as again: `new` says under which id, and when."""
        return attrs.evolve(
            self,
            id=new.id,
            posted=new.posted,
            due=None,
            state=TicketState.PENDING,
            attempts=0,
            failures=(),
        )

    def at(
        self,
        standing: Standing,
        *,
        answer: Any = None,
        failures: tuple[Failure, ...] | None = None,
        changed: float | None = None,
    ) -> Entry:
        """The same ticket, moved, with what else is new in it.

        Written out: three are made for every message, and `evolve` costs five times as much.
        """
        return Entry(
            self.id,
            self.path,
            self.payload,
            self.posted,
            self.priority,
            self.key,
            self.reply,
            self.max_attempts,
            self.sender,
            self.node,
            self.hops,
            self.answers,
            self.due,
            self.seq,
            standing.state,
            standing.attempts,
            standing.working,
            self.answer if answer is None else answer,
            self.failures if failures is None else failures,
            self.changed if changed is None else changed,
        )
