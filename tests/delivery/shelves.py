"""A shelf and what is done to it, in few words."""

from __future__ import annotations

from typing import Any

from actors.delivery.operations import (
    Append,
    Moved,
    Result,
)
from actors.delivery.shelf import Shelf
from actors.delivery.ticket import Entry, Failure, Move, TicketState

P, D, T = TicketState.PENDING, TicketState.DELIVERED, TicketState.TIMED_OUT
MOST = 10_000_000


def entry(
    ticket_id: str = "t", path: str = "/a", payload: Any = "1", posted: float = 1.0, **more: Any
) -> Entry:
    return Entry(ticket_id, path, payload, posted, **more)


def post(shelf: Shelf, ticket_id: str = "t", path: str = "/a", capacity: int = MOST, **more: Any) -> Entry:
    result = shelf.apply(Append(entry(ticket_id, path, **more), capacity))
    assert isinstance(result, Entry), result
    return result


def make(shelf: Shelf, what: Move, ticket_id: str = "t", attempt: int | None = 1, **more: Any) -> Result:
    number = None if what in {Move.CANCEL, Move.TIME_OUT} else attempt
    return shelf.apply(Moved(ticket_id, what, more.pop("at", 2.0), number, **more))


def kept(shelf: Shelf) -> tuple[Any, ...]:
    """All that can be read, to see that nothing has changed."""
    return (
        dict(shelf.entries),
        dict(shelf.states),
        dict(shelf.remembered),
        shelf.number,
        list(shelf.feed),
        shelf.live(),
        shelf.due(float("inf"), 1000),
        [shelf.pending(path, 1000) for path in ("/a", "/b")],
    )


def dead(shelf: Shelf, ticket_id: str = "t", **more: Any) -> Entry:
    post(shelf, ticket_id, max_attempts=1, **more)
    make(shelf, Move.DELIVER, ticket_id)
    make(shelf, Move.FAIL, ticket_id, failure=Failure(2.0, 1, "E", "ouch"))
    return shelf.entries[ticket_id]
