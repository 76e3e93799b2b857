"""What the couriers of linked nodes tell each other, so that a post finds its recipient on any of them.

    A: Seek(paths)            B: Here(places), at once and each time an actor with such a path is ready
    A: Carry(ticket)          B: Carried(how it ended)

The ticket stays with A, which counts its deliveries. What users have posted and replied is in them as JSON
text: it is kept and handed on as it is, whether or not a class for it is loaded.
"""

from __future__ import annotations

import enum

from actors.delivery.service import FailureFacts
from actors.messages import message
from actors.policy import Delivery

__all__ = ["WORDS", "Carried", "Carry", "End", "Here", "Place", "Recall", "Seek"]


@message(tag="actors.Seek")
class Seek:
    """Say when actors with these paths are ready at your node, and not any more for those of `forget`.

    Answered with `Here`, the last of which `answers`: then the next page of paths may follow.
    """

    paths: tuple[str, ...] = ()
    forget: tuple[str, ...] = ()


@message(tag="actors.Place")
class Place:
    """A recipient that is ready, and how it wants to be served."""

    path: str
    delivery: Delivery


@message(tag="actors.Here")
class Here:
    """Who is ready now of those that are sought, and who has gone."""

    places: tuple[Place, ...] = ()
    gone: tuple[str, ...] = ()
    answers: bool = False
    anew: bool = False
    """The courier was made anew: it may have missed what it was told."""


@message(tag="actors.Carry")
class Carry:
    """One delivery of one ticket. Told twice, it is handled once. See `Entry` for what is not said here."""

    ticket: str
    attempt: int
    """The number of this delivery."""
    path: str
    payload: str
    is_kept: bool
    """Whether the payload is from a store, and the reply goes into it: then no refs may be in them."""
    posted: float
    priority: int
    reply: bool
    max_attempts: int
    sender: str | None
    node: str
    hops: int
    answers: str | None
    again: bool = False
    """This very delivery may have been told, and made, before."""
    trace: str | None = None
    """Its place in a trace, as W3C's `traceparent`."""


@message(tag="actors.Recall")
class Recall:
    """The ticket was cancelled: it is not handled, unless that has begun."""

    ticket: str


class End(enum.StrEnum):
    """How a delivery ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    FAILED = "failed"
    RETURNED = "returned"
    """nothing of it was begun"""
    LATER = "later"
    """it has not ended, but its handler has returned: the next may follow"""


@message(tag="actors.Carried")
class Carried:
    """What came of a delivery."""

    ticket: str
    attempt: int
    end: str
    """One of `End`."""
    answer: str | None = None
    failure: FailureFacts | None = None


WORDS = (Seek, Here, Carry, Recall, Carried)
"""All that couriers tell each other."""
