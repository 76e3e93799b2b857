"""What the desks of linked nodes tell each other. Requests and values are in them as JSON text."""

from __future__ import annotations

from actors.messages import message

__all__ = ["WORDS", "Anew", "Decide", "Decided", "Extend", "Over", "Shown"]


@message(tag="actors.desk.Shown")
class Shown:
    """Requests that wait at the sender's, or have changed; see `travel.request_out`.

    `event` is why: "asked", "warned", "extended" or "escalated", then with who was asked `before`.
    """

    records: tuple[str, ...]
    event: str = "asked"
    before: str | None = None


@message(tag="actors.desk.Over")
class Over:
    """A request of the sender's waits no longer, `seconds` after it was asked; `how` is as in `Ended`."""

    id: str
    how: str
    seconds: float
    by: str | None = None
    value: str = "null"


@message(tag="actors.desk.Decide")
class Decide:
    """Answer a request of yours."""

    number: int
    id: str
    value: str
    by: str | None


@message(tag="actors.desk.Decided")
class Decided:
    """What came of the answer with this number: `error` is the name of one, `facts` what it is made with."""

    number: int
    error: str | None = None
    facts: tuple[str | None, ...] = ()


@message(tag="actors.desk.Extend")
class Extend:
    """Give a request of yours so many seconds more."""

    id: str
    seconds: float


@message(tag="actors.desk.Anew")
class Anew:
    """My desk's actor is another one than before, and may not have heard all: tell me again."""


WORDS = (Shown, Over, Decide, Decided, Extend, Anew)
"""All that is told."""
