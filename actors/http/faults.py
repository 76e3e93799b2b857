"""What goes wrong, as HTTP says it: a status and {"error", "text"}."""

from __future__ import annotations

from typing import Final

from actors.delivery.errors import IllegalMove, StoreError, UnknownTicket
from actors.errors import ActorError, NodeLost, SystemClosed, UnknownActor, UnknownNode
from actors.people.errors import AlreadyAnswered, InvalidAnswer, RequestExpired, UnknownRequest

__all__ = ["Fault", "fault_of"]


class Fault(Exception):
    """A request that cannot be served."""

    def __init__(self, status: int, error: str, text: str) -> None:
        self.status = status
        self.error = error
        self.text = text
        super().__init__(text)


_STATUS: Final[tuple[tuple[type[Exception], int], ...]] = (
    (AlreadyAnswered, 409),
    (RequestExpired, 410),
    (InvalidAnswer, 422),
    (IllegalMove, 409),
    (UnknownRequest, 404),
    (UnknownTicket, 404),
    (UnknownActor, 404),
    (UnknownNode, 404),
    (NodeLost, 503),
    (StoreError, 503),
    (SystemClosed, 503),
    (LookupError, 404),
    (ActorError, 409),
    (ValueError, 400),
    (TypeError, 400),
)
"""The first that fits counts."""


def fault_of(error: Exception) -> Fault | None:
    """How an error is told; None for one that is a fault of this side."""
    if isinstance(error, Fault):
        return error
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return Fault(status, type(error).__name__, str(error))
    return None
