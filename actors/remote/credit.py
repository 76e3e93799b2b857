"""Credit: how many messages one node may have under way to one actor of another. Pure.

The sender has `WINDOW` credits for each actor and pays one a message. The receiver gives
them back when the message is in the actor's mailbox, or has ended otherwise. So a slow
actor stops those who send to it, and nobody else; and the receiver never keeps more than
a window of messages for an actor whose mailbox is full.
"""

from __future__ import annotations

from typing import Final

import attrs

__all__ = ["WINDOW", "Debt", "Window"]

WINDOW: Final = 1000
_GIVE_AFTER: Final = WINDOW // 4


@attrs.define
class Window:
    """The sender's side, for one actor."""

    left: int = WINDOW

    def pay(self) -> bool:
        """Take one credit; False when there is none."""
        if self.left <= 0:
            return False
        self.left -= 1
        return True

    def give(self, count: int) -> None:
        """The receiver gives some back. More than a window raises ValueError."""
        if count < 1 or self.left + count > WINDOW:
            raise ValueError(f"{count} credits given back, and only {WINDOW - self.left} are owed")
        self.left += count


@attrs.define
class Debt:
    """The receiver's side, for one actor."""

    owed: int = 0
    """Paid and not given back."""
    free: int = 0
    """Of these, the ones that may be given back now."""

    def take(self) -> bool:
        """A message came; False when the sender had no credit for it."""
        if self.owed >= WINDOW:
            return False
        self.owed += 1
        return True

    def done(self) -> int:
        """One message is where it belongs; how many credits to give back now, in one item."""
        self.free += 1
        return self.settle() if self.free >= _GIVE_AFTER else 0

    def settle(self) -> int:
        """Give back what may be, however little it is; how many credits."""
        given, self.free = self.free, 0
        self.owed -= given
        return given
