"""What the courier can be asked, by whoever looks after posted messages from another process.

Requests and replies are messages that travel. What users have posted and replied is in them as JSON text,
since who asks need not have its classes.
"""

from __future__ import annotations

from actors.messages import Request, message

__all__ = [
    "REQUESTS",
    "AwaitTicket",
    "ChangeFacts",
    "ChangePage",
    "DropDead",
    "FailureFacts",
    "FindTickets",
    "ForgetState",
    "NextChanges",
    "PostJson",
    "RedeliverDead",
    "TellStory",
    "TicketFacts",
    "TicketPage",
    "TicketStory",
]


@message(tag="actors.FailureFacts")
class FailureFacts:
    """See `Failure`."""

    at: float
    attempt: int
    kind: str
    text: str
    traceback: str


@message(tag="actors.ChangeFacts")
class ChangeFacts:
    """See `Change`."""

    number: int
    id: str
    path: str
    state: str
    attempts: int
    at: float


@message(tag="actors.TicketFacts")
class TicketFacts:
    """See `Entry`; `payload` and `answer` are JSON text, or None where they are none, or damaged."""

    id: str
    path: str
    state: str
    attempts: int
    max_attempts: int
    posted: float
    changed: float
    due: float | None
    priority: int
    key: str | None
    reply: bool
    sender: str | None
    node: str
    hops: int
    answers: str | None
    seq: int
    payload: str | None
    answer: str | None
    failures: tuple[FailureFacts, ...]


@message(tag="actors.TicketPage")
class TicketPage:
    """Some tickets; `more` says that others come after the last one."""

    tickets: tuple[TicketFacts, ...]
    more: bool


@message(tag="actors.TicketStory")
class TicketStory:
    """A ticket, and those of its changes that the feed still has, the oldest first."""

    ticket: TicketFacts
    changes: tuple[ChangeFacts, ...]


@message(tag="actors.ChangePage")
class ChangePage:
    """Changes; the next ones come after the number `after`. `missed` of them were kept no more."""

    changes: tuple[ChangeFacts, ...]
    after: int
    missed: int = 0


@message(tag="actors.PostJson")
class PostJson(Request[TicketFacts]):
    """Post a message that is given as JSON text; what else is as in `System.post`."""

    path: str
    payload: str
    key: str | None = None
    reply: bool = True
    timeout: float | None = None
    priority: int = 0
    max_attempts: int = 5


@message(tag="actors.AwaitTicket")
class AwaitTicket(Request[TicketFacts]):
    """The ticket when it has ended, or as it is after `seconds`, 30 at most."""

    id: str
    seconds: float = 30.0


@message(tag="actors.TellStory")
class TellStory(Request[TicketStory]):
    """All about one ticket."""

    id: str


@message(tag="actors.FindTickets")
class FindTickets(Request[TicketPage]):
    """Tickets in the order of their receipts, at most `limit`; fewer where they are large."""

    states: tuple[str, ...] = ()
    path: str | None = None
    after: int = 0
    limit: int = 100


@message(tag="actors.RedeliverDead")
class RedeliverDead(Request[TicketFacts]):
    """Post a dead letter anew."""

    id: str


@message(tag="actors.DropDead")
class DropDead(Request[None]):
    """Remove a dead letter for good."""

    id: str


@message(tag="actors.ForgetState")
class ForgetState(Request[None]):
    """Forget the state that the actor at a path has saved."""

    path: str


@message(tag="actors.NextChanges")
class NextChanges(Request[ChangePage]):
    """The changes after a number (None: those from now on), as soon as there are some, after `seconds` at
    the latest, 30 at most.
    """

    after: int | None = None
    path: str | None = None
    states: tuple[str, ...] = ()
    seconds: float = 30.0


REQUESTS = (
    PostJson,
    AwaitTicket,
    TellStory,
    FindTickets,
    RedeliverDead,
    DropDead,
    ForgetState,
    NextChanges,
)
"""All that can be asked."""
