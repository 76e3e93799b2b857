"""What is written to a store: operations, each a fact that happened, and what comes of each. Pure.

A group of operations is written at once. Each is atomic by itself; when the write returns all
are as safe as the store can make them. Written twice, an operation changes nothing the second time:
who does not know whether a write has arrived writes it again.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from actors.delivery.errors import TicketError
from actors.delivery.ticket import Entry, Failure, Move, Standing, TicketState

__all__ = [
    "Append",
    "Change",
    "Drop",
    "Handled",
    "Moved",
    "Operation",
    "Prune",
    "Redeliver",
    "Result",
    "Save",
    "Saved",
]


_OF_NO_DELIVERY: Final = frozenset({Move.CANCEL, Move.TIME_OUT})


@attrs.frozen
class Saved:
    """The state of an actor, to be kept with what changed it."""

    path: str
    state: Any
    """In the form of a payload; None: forget it."""


@attrs.frozen
class Append:
    """A message is posted. Comes of it: the `Entry` as it is kept, with its place; for an id or a key
    (of the same recipient) that is there already, the one that is there.

    Refused with `KeyConflict` where the key is there with another payload, with `RecipientFull` where
    `capacity` live tickets of the recipient are.
    """

    entry: Entry
    capacity: int


@attrs.frozen
class Moved:
    """A ticket moves. Comes of it: its new `Standing`.

    Refused with `UnknownTicket`, `IllegalMove`, and `NotTheOwner` where `token` is not that of the
    recipient's owner any more. `attempt` is the number of the delivery that is meant: a move that has been
    made by this very delivery comes to the same again, one of an older delivery is an `IllegalMove`.

    `saved` is kept with the move, in one step; also where the move is illegal because the ticket has
    been cancelled meanwhile, during this delivery, but not where the token is an old one. `follow` is
    posted with it, in the same step, when the move is made; it is never refused, and where its id or
    key is there already nothing is posted.
    """

    id: str
    move: Move
    at: float
    """Seconds since 1970."""
    attempt: int | None = None
    """For DELIVER the number that it is to have; None for CANCEL and TIME_OUT, and only for those:
    anything else is a ValueError."""
    answer: Any = None
    failure: Failure | None = None
    saved: Saved | None = None
    follow: Entry | None = None
    token: int | None = None
    """The fencing token of whoever delivers; None where the store has one owner."""

    def __attrs_post_init__(self) -> None:
        if (self.attempt is None) != (self.move in _OF_NO_DELIVERY):
            raise ValueError(
                f"{self.move.value} of the ticket {self.id} with attempt={self.attempt}: each move names "
                f"the delivery that is meant, but for cancel and time_out, which are of the ticket"
            )


@attrs.frozen
class Save:
    """An actor keeps its state without a posted message in hand. Comes of it: None.

    Refused with `NotTheOwner` for an old token. Without a token it is kept, whoever owns the name.
    """

    saved: Saved
    token: int | None = None


@attrs.frozen
class Drop:
    """An ended ticket is removed. Comes of it: None.

    Refused with `UnknownTicket`, and `IllegalMove` for a live one.
    """

    id: str


@attrs.frozen
class Redeliver:
    """A dead letter is posted anew, as `entry`, and removed. Comes of it: the new `Entry`.

    Refused with `UnknownTicket`, and `IllegalMove` for one that is not DEAD. Of `entry` its id and `posted`
    count; all else is that of the dead one, its key too, but without `due`, attempts and failures. It goes
    to the end of the line.
    """

    id: str
    entry: Entry


@attrs.frozen
class Handled:
    """A ticket that is kept by another node was handled here. Comes of it: None.

    Kept, with its answer or failure, until `Prune`: delivered once more, it is not handled again.
    """

    id: str
    path: str
    at: float
    answer: Any = None
    failure: Failure | None = None
    saved: Saved | None = None


@attrs.frozen
class Prune:
    """Remove what ended before: tickets of these states, and `Handled` ones. Comes of it: how many (int).

    At most `limit` of them, both kinds together. Never one that somebody works on, and no live one.
    """

    before: float
    states: frozenset[TicketState]
    limit: int = 1000


Operation = Append | Moved | Save | Drop | Redeliver | Handled | Prune
Result = Entry | Standing | int | TicketError | None


@attrs.frozen
class Change:
    """One line of the feed: a ticket came into a state."""

    number: int
    """One more with each change of the store: who has seen this one asks for those after it."""
    id: str
    path: str
    state: TicketState
    attempts: int
    at: float
