"""What the desk can be asked, by front ends in other processes. Requests and values are JSON text."""

from __future__ import annotations

from actors.messages import Request, message

__all__ = [
    "DESK_PATH",
    "REQUESTS",
    "ChangeFacts",
    "ChangePage",
    "ExtendRequest",
    "GiveAnswer",
    "NextRequests",
    "PendingPage",
    "TellPending",
]

DESK_PATH = "/system/desk"


@message(tag="actors.desk.PendingPage")
class PendingPage:
    """Requests that wait, as `travel.request_out` has them; so many `more` come after the last one."""

    records: tuple[str, ...]
    more: int = 0


@message(tag="actors.desk.ChangeFacts")
class ChangeFacts:
    """What has happened to a request, `ago` seconds before; see `travel.request_out` for its `record`.

    `event` is "asked", "warned", "extended", "escalated", "answered", "expired" or "withdrawn". `by` is who
    has answered, and `value` with what, as JSON; `before` who was asked until then.
    """

    number: int
    event: str
    ago: float
    record: str
    by: str | None = None
    value: str | None = None
    before: str | None = None


@message(tag="actors.desk.ChangePage")
class ChangePage:
    """Changes; the next ones come after the number `after`. `is_missing`: some before are kept no more, and
    what waits is to be asked for anew.
    """

    changes: tuple[ChangeFacts, ...]
    after: int
    is_missing: bool = False


@message(tag="actors.desk.TellPending")
class TellPending(Request[PendingPage]):
    """The requests that wait, for this person alone where one is named: by priority, then by age.

    The first `skip` of them are left out.
    """

    to: str | None = None
    skip: int = 0


@message(tag="actors.desk.NextRequests")
class NextRequests(Request[ChangePage]):
    """The changes after a number (None: those from now on), for one person's requests where one is named.

    As soon as there are some, after `seconds` at the latest, 30 at most.
    """

    after: int | None = None
    to: str | None = None
    seconds: float = 30.0


@message(tag="actors.desk.GiveAnswer")
class GiveAnswer(Request[str]):
    """Decide a request, and reply with the answer as JSON. Refused in words where it has no effect.

    `value` is JSON text; `typed`: it is what a person has typed, see `typed.typed_answer`.
    """

    id: str
    value: str
    by: str | None = None
    typed: bool = False


@message(tag="actors.desk.ExtendRequest")
class ExtendRequest(Request[None]):
    """Give a request so many seconds more."""

    id: str
    seconds: float


REQUESTS = (TellPending, NextRequests, GiveAnswer, ExtendRequest)
"""All that can be asked."""
