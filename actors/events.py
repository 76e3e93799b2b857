"""The frozen facts a system reports. They are built only while somebody listens.

Every event has `at`, seconds on trio's clock; where it is about an actor, `ref`.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from actors.core.ref import Ref
    from actors.exits import Exit

__all__ = [
    "ActorEvent",
    "BreakerClosed",
    "BreakerHalfOpen",
    "BreakerOpened",
    "DeadLetter",
    "DeadLetterReason",
    "Escalated",
    "Event",
    "EventsLost",
    "Expired",
    "Failed",
    "LateReply",
    "Restarted",
    "Restarting",
    "Resumed",
    "Spawned",
    "StartAttemptFailed",
    "Started",
    "StopFailed",
    "Stopped",
    "Suspended",
    "Unresponsive",
]


class DeadLetterReason(enum.StrEnum):
    """Why a message was not handled."""

    STOPPED = "stopped"
    CRASHED = "crashed"
    UNHANDLED = "unhandled"
    FULL = "full"
    DROPPED_OLDEST = "dropped_oldest"
    DROPPED_NEWEST = "dropped_newest"
    INTERRUPTED = "interrupted"
    RETRIES_EXHAUSTED = "retries_exhausted"


@attrs.frozen
class Event:
    """The base of every fact."""

    at: float


@attrs.frozen
class ActorEvent(Event):
    """A fact about one actor."""

    ref: Ref


@attrs.frozen
class Spawned(ActorEvent):
    """The actor exists; it is not ready yet."""


@attrs.frozen
class Started(ActorEvent):
    """The first incarnation is ready."""


@attrs.frozen
class StartAttemptFailed(ActorEvent):
    """An incarnation did not become ready."""

    exit: Exit


@attrs.frozen
class Failed(ActorEvent):
    """A running incarnation failed; `message` is what it had in hand, or None."""

    exit: Exit
    message: Any = None


@attrs.frozen
class Restarting(ActorEvent):
    """The actor will start again in `delay` seconds; `attempt` counts restarts from 1."""

    attempt: int
    delay: float
    exit: Exit


@attrs.frozen
class Restarted(ActorEvent):
    """A later incarnation is ready."""

    attempt: int


@attrs.frozen
class Stopped(ActorEvent):
    """The actor is finally gone."""

    exit: Exit


@attrs.frozen
class StopFailed(ActorEvent):
    """`on_stop` raised or ran out of its time."""

    error: BaseException


@attrs.frozen
class Unresponsive(ActorEvent):
    """The actor was cancelled `seconds` ago and has not ended: it blocks or swallows cancellation."""

    seconds: float


@attrs.frozen
class Suspended(ActorEvent):
    """The actor takes no more messages until it is resumed."""


@attrs.frozen
class Resumed(ActorEvent):
    """The actor takes messages again."""


@attrs.frozen
class Escalated(ActorEvent):
    """The supervisor `ref` gives up because of `child`, and fails itself."""

    child: Ref
    error: BaseException


@attrs.frozen
class BreakerOpened(ActorEvent):
    """The breaker opened after `failures`; the probe comes in `retry_after` seconds."""

    failures: int
    retry_after: float


@attrs.frozen
class BreakerHalfOpen(ActorEvent):
    """The actor starts again as a probe."""


@attrs.frozen
class BreakerClosed(ActorEvent):
    """The probe succeeded, or the breaker was reset."""


@attrs.frozen
class DeadLetter(ActorEvent):
    """A told message that was not handled; `ref` is whom it was for, `sender` may be None."""

    message: Any
    sender: Ref | None
    reason: DeadLetterReason


@attrs.frozen
class Expired(ActorEvent):
    """A request was skipped: its asker had gone, or its deadline had passed."""

    message: Any


@attrs.frozen
class LateReply(ActorEvent):
    """A reply that nobody waits for any more was dropped; `message` is the request."""

    message: Any


@attrs.frozen
class EventsLost(Event):
    """This subscriber was too slow: `count` older events stood here."""

    count: int
