"""What the observer can be asked, by whoever looks at a running system from another process."""

from __future__ import annotations

from typing import Any

from actors.messages import Request, message
from actors.observe.fact import Fact
from actors.observe.why import Why

__all__ = [
    "OBSERVER_PATH",
    "REQUESTS",
    "FactPage",
    "NextFacts",
    "RedeliverLetter",
    "Sight",
    "TellDead",
    "TellHistory",
    "TellSnapshot",
    "TellWhy",
]

OBSERVER_PATH = "/system/observer"


@message(tag="actors.observe.FactPage")
class FactPage:
    """Facts; the next ones come after the number `after`, and `missed` were kept no more.

    `session` is another one after each restart of the system: the numbers begin anew then.
    """

    facts: tuple[Fact, ...]
    after: int
    missed: int
    session: str


@message(tag="actors.observe.Sight")
class Sight:
    """A system at one moment: `summary` as in `snapshot`, and `actors`, of which `more` are left out."""

    summary: dict[str, Any]
    actors: list[dict[str, Any]]
    more: int = 0


@message(tag="actors.observe.TellSnapshot")
class TellSnapshot(Request[Sight]):
    """How the system stands: at most `most` actors, those on top first.

    `by` is "path" (level by level), or a number that each has: "depth", "restarts", "handled", "failed",
    "uptime".
    """

    most: int = 500
    by: str = "path"


@message(tag="actors.observe.TellWhy")
class TellWhy(Request[Why]):
    """Why the actor at a path ended, or is there. Refused in words for one never heard of."""

    path: str


@message(tag="actors.observe.TellHistory")
class TellHistory(Request[FactPage]):
    """The last facts of one path."""

    path: str


@message(tag="actors.observe.NextFacts")
class NextFacts(Request[FactPage]):
    """The facts after a number (None: those from now on), as soon as there are some, after `seconds` at the
    latest, 30 at most.

    `kinds` are names of event classes, `path` is that of an actor: its facts and those of all below it.
    """

    after: int | None = None
    kinds: tuple[str, ...] = ()
    path: str | None = None
    seconds: float = 30.0


@message(tag="actors.observe.TellDead")
class TellDead(Request[dict[str, Any]]):
    """The told messages that nobody handled, as in a summary."""


@message(tag="actors.observe.RedeliverLetter")
class RedeliverLetter(Request[str]):
    """Tell a dead letter of this number to whoever lives at its path now; the path."""

    number: int


REQUESTS = (TellSnapshot, TellWhy, TellHistory, NextFacts, TellDead, RedeliverLetter)
"""All that can be asked."""
