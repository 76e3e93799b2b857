"""The desk, as far as what comes from linked nodes needs it: a port."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from actors.errors import ActorError
from actors.events import Event, PersonEvent
from actors.people.request import PersonRequest

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["Home", "Then"]

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
