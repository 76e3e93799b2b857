"""What can go wrong with posted messages and with what keeps them, grouped by what the caller can do."""

from __future__ import annotations

from typing import Final

from actors.errors import ActorError, AskTimeout

__all__ = [
    "FeedGap",
    "HopLimitReached",
    "IllegalMove",
    "KeyConflict",
    "NoReplyYet",
    "NotTheOwner",
    "PayloadTooLarge",
    "PostRateExceeded",
    "PostRefused",
    "RecipientFull",
    "StateUnreadable",
    "StoreDamaged",
    "StoreError",
    "StoreInUse",
    "StoreInvalid",
    "StoreTooNew",
    "StoreUnavailable",
    "TicketCancelled",
    "TicketError",
    "TicketFailed",
    "TicketTimedOut",
    "UnknownTicket",
    "Unreadable",
]


class TicketError(ActorError):
    """The base of what concerns one posted message."""


# --- the post was refused: nothing is stored ----------------------------------


class PostRefused(TicketError):
    """The base of refusals at the door: nothing was stored, and nothing will be delivered."""


class RecipientFull(PostRefused):
    """As many messages wait for the recipient as may."""

    def __init__(self, path: str, capacity: int) -> None:
        self.path = path
        self.capacity = capacity
        super().__init__(
            f"{capacity} messages wait for {path} already: start or repair it, post later, "
            f"or allow more with Posting(capacity=...)"
        )


class KeyConflict(PostRefused, ValueError):
    """The key was used for another message to the same recipient."""

    def __init__(self, path: str, key: str, ticket_id: str) -> None:
        self.path = path
        self.key = key
        self.ticket_id = ticket_id
        super().__init__(
            f"the key {key!r} was used for another message to {path} (ticket {ticket_id}): "
            f"a key stands for one message, choose another"
        )


class PayloadTooLarge(PostRefused, ValueError):
    """The message is larger, in its stored form, than one may be."""

    def __init__(self, path: str, size: int, limit: int) -> None:
        self.path = path
        self.size = size
        self.limit = limit
        super().__init__(
            f"the message to {path} has {size} characters, and may have {limit}: "
            f"post where it is kept instead, or allow more with Posting(max_payload=...)"
        )


class HopLimitReached(PostRefused):
    """Each message of a chain was posted while the one before was handled, and the chain is too long."""

    def __init__(self, sender: str | None, path: str, hops: int) -> None:
        self.sender = sender
        self.path = path
        self.hops = hops
        super().__init__(
            f"{sender or 'somebody'} posts to {path} at the end of a chain of {hops} messages, each posted "
            f"while the one before was handled: let the two stop answering each other, or allow more with "
            f"Posting(hops=...)"
        )


class PostRateExceeded(PostRefused):
    """One actor has posted to another as often as it may within a minute; `.retry_after` is in seconds."""

    def __init__(self, sender: str, path: str, per_minute: int, retry_after: float) -> None:
        self.sender = sender
        self.path = path
        self.per_minute = per_minute
        self.retry_after = retry_after
        super().__init__(
            f"{sender} has posted {per_minute} messages to {path} within a minute: post again in "
            f"{retry_after:.3g} s, or allow more with Posting(per_minute=...)"
        )


# --- how a ticket ended --------------------------------------------------------


class UnknownTicket(TicketError, LookupError):
    """No ticket of this id is kept: it never was, or it ended long ago and was removed."""

    def __init__(self, ticket_id: str) -> None:
        self.ticket_id = ticket_id
        super().__init__(f"no ticket {ticket_id!r} is kept here: check the id; ended ones go in time")


class IllegalMove(TicketError):
    """The ticket is in a state from which this cannot happen."""

    def __init__(self, ticket_id: str, state: str, move: str) -> None:
        self.ticket_id = ticket_id
        self.state = state
        self.move = move
        cure = next((cure for start, cure in _CURES.items() if move.startswith(start)), "it stays so")
        super().__init__(f"the ticket {ticket_id} is {state}: {move} is not possible, {cure}")


_CURES: Final = {
    "dropping it as a dead letter": "it is none; what has ended otherwise goes by itself, in time",
    "dropping": "only what has ended is dropped; cancel the ticket, or wait for its end",
    "redelivering": "only a whole dead letter is; post its message anew",
}
"""By how the move begins."""


class NotTheOwner(TicketError):
    """Another node owns the recipient's name by now: what this one says of its tickets does not count."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} belongs to another node by now: this node's lease of it has lapsed")


class NoReplyYet(TicketError, AskTimeout):
    """The wait for a reply has ended, and not the ticket: `.limit` is in seconds, `.state` what it is now."""

    def __init__(self, ticket_id: str, path: str, limit: float, state: str) -> None:
        self.ticket_id = ticket_id
        self.path = path
        self.limit = limit
        self.state = state
        ActorError.__init__(
            self,
            f"{path} has not answered the ticket {ticket_id} within {limit:g} s; it is {state}, and goes on",
        )


class TicketTimedOut(TicketError):
    """No reply came within the ticket's own timeout, in seconds after posting."""

    def __init__(self, ticket_id: str, path: str, timeout: float, was_delivered: bool) -> None:
        self.ticket_id = ticket_id
        self.path = path
        self.timeout = timeout
        self.was_delivered = was_delivered
        rest = "it has it in hand: a late reply still comes" if was_delivered else "nobody took it: withdrawn"
        super().__init__(f"{path} has not answered the ticket {ticket_id} within {timeout:g} s; {rest}")


class TicketCancelled(TicketError):
    """Somebody has cancelled the ticket."""

    def __init__(self, ticket_id: str, path: str) -> None:
        self.ticket_id = ticket_id
        self.path = path
        super().__init__(f"the ticket {ticket_id} to {path} was cancelled")


class TicketFailed(TicketError):
    """All deliveries have failed: the message is in the dead-letter list, with the last error as cause.

    Where `is_dead` is False the ticket is FAILED, and no dead letter: nobody can handle the message, or its
    reply cannot be kept, and trying again would not help.
    """

    def __init__(self, ticket_id: str, path: str, attempts: int, why: str, is_dead: bool = True) -> None:
        self.ticket_id = ticket_id
        self.path = path
        self.attempts = attempts
        self.why = why
        self.is_dead = is_dead
        if not is_dead:
            text = f"{path} has not handled the ticket {ticket_id}, and it is not tried again: {why}"
        else:
            text = (
                f"{path} failed over the ticket {ticket_id} {_in_all(attempts)}: {why}; it is kept as a "
                f"dead letter, to be redelivered or dropped"
            )
        super().__init__(text)


def _in_all(attempts: int) -> str:
    if not attempts:
        return "before it was delivered"
    if attempts == 1:
        return "in its only delivery"
    return f"in each of {attempts} deliveries, last"


# --- the store -----------------------------------------------------------------


class StoreError(ActorError):
    """The base of what concerns the store; `.where` is its file or address."""

    def __init__(self, where: str, text: str) -> None:
        self.where = where
        super().__init__(f"{where}: {text}")


class StoreInvalid(StoreError):
    """This is no store of ours, or cannot be used as one: another file or address is needed."""


class StoreInUse(StoreError):
    """Another process has the file open for writing."""


class StoreTooNew(StoreError):
    """A newer version has written the file."""


class StoreDamaged(StoreError):
    """What was read is not what was written. Nothing of it is delivered."""


class StoreUnavailable(StoreError):
    """It cannot be written or reached now: a full disk, a server that is away.

    Whether what was to be written is in the store is not known, unless the text says so.
    """


class FeedGap(ActorError):
    """The feed does not reach back so far: the changes from `.first` to before `.next` are kept no more.

    Iterating on goes on with `.next`.
    """

    def __init__(self, first: int, next: int) -> None:
        self.first = first
        self.next = next
        super().__init__(
            f"the changes {first} to {next - 1} are kept no more: look at the tickets anew, then go on"
        )


class Unreadable(ActorError):
    """What is kept cannot be read into an object of this program: its class is not loaded, or has changed."""


class StateUnreadable(ActorError):
    """The state that an actor has saved cannot be read into a class of this program."""

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        super().__init__(
            f"the saved state of {path} cannot be read: {why}; import its class, give fields that it lacks a "
            f"default, or forget the state with `actors tickets FILE --forget {path}`"
        )
