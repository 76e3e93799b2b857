"""The port of tracing: what the roads of messages ask of whoever follows them, while somebody does.

A trace goes with a message. Inside a system it needs no field of its own: the time at which a message
came in, its stamp, is taken in the sender's step, and a tracer's stamp knows the sender's context too. So
a tell costs the same whether or not there is tracing to be had. And so does an ask: each cell says what its
open requests are, and a tracer gives it another class. To other nodes it goes as text, as W3C's
`traceparent` writes it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from actors.core.ask import Pending
    from actors.core.cell import Cell

__all__ = ["Tracer", "arriving"]

_NO_BLOCK = nullcontext()
P = TypeVar("P", bound="Pending[Any]")


class Tracer(Protocol):
    """Follows the messages of one system. Must not block or raise."""

    def spawned(self, cell: Cell, /) -> None:
        """Here is another one: it may be given another stamp, recipe and kind of request."""
        ...

    def pending(self, kind: type[P], /) -> type[P]:
        """What an open request is, that is begun in the step of its asker."""
        ...

    def outgoing(self, asked: Pending[Any] | None = None, since: float | None = None, /) -> str | None:
        """The trace that a message goes on with to another node: of its request, its stamp, or this step."""
        ...

    def arriving(self, trace: str, /) -> AbstractContextManager[object]:
        """A block in which what is put into mailboxes belongs to this trace."""
        ...

    def posted(self, ticket_id: str, /) -> None:
        """A message is posted in this step."""
        ...

    def posting(self, ticket_id: str, /) -> str | None:
        """The trace in which it was posted, where that is known here."""
        ...


def arriving(tracer: Tracer | None, trace: str | None) -> AbstractContextManager[object]:
    """A block in which what is put into mailboxes belongs to this trace, if there is one."""
    return _NO_BLOCK if tracer is None or trace is None else tracer.arriving(trace)
