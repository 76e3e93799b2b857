"""What the desk can be asked, by front ends in other processes. Requests and values are JSON text."""

from __future__ import annotations

from actors.messages import Request, message

__all__ = ["REQUESTS", "ExtendRequest", "GiveAnswer", "PendingPage", "TellPending"]


@message(tag="actors.desk.PendingPage")
class PendingPage:
    """Requests that wait, as `records.request_record` has them, with times from now; `more` were left out."""

    records: tuple[str, ...]
    more: int = 0


@message(tag="actors.desk.TellPending")
class TellPending(Request[PendingPage]):
    """The requests that wait, for this person alone where one is named: by priority, then by age."""

    to: str | None = None


@message(tag="actors.desk.GiveAnswer")
class GiveAnswer(Request[None]):
    """Decide a request; `value` is JSON text. Refused in words where it has no effect."""

    id: str
    value: str
    by: str | None = None


@message(tag="actors.desk.ExtendRequest")
class ExtendRequest(Request[None]):
    """Give a request so many seconds more."""

    id: str
    seconds: float


REQUESTS = (TellPending, GiveAnswer, ExtendRequest)
"""All that can be asked."""
