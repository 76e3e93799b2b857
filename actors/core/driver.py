"""The port of what runs in an actor in place of its own code: a process of the operating system, say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from actors.core.mailbox import Item
    from actors.exits import Exit

__all__ = ["Cancellable", "Driver"]


class Driver(Protocol):
    """Who is told in the step itself what becomes of the incarnation. Must not block or raise."""

    def in_hand(self) -> Sequence[Item]:
        """The messages in hand, oldest first, where there may be several; else none: the cell knows."""
        ...

    def obey(self) -> None:
        """An order came: the bits in the cell say which."""
        ...

    def fell(self, exit: Exit) -> None:
        """The incarnation has ended and is judged; nobody has been told of its messages yet."""
        ...


class Cancellable(Protocol):
    """The handling at hand: a cancel scope, or what can end it in another way."""

    def cancel(self) -> None:
        """End it. Returns at once."""
        ...
