"""The frozen facts a system reports. They are built only while somebody listens.

Every event has `at`, seconds on trio's clock; where it is about an actor, `ref`.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

if TYPE_CHECKING:
    from actors.core.ref import Ref
    from actors.exits import Exit
    from actors.people.request import Answer, PersonRequest

__all__ = [
    "ActorEvent",
    "AnswerRefused",
    "BreakerClosed",
    "BreakerHalfOpen",
    "BreakerOpened",
    "BudgetWarning",
    "CheckFailed",
    "ConnectionRefused",
    "DeadLetter",
    "DeadLetterReason",
    "DeadlineExtended",
    "DeadlinePassed",
    "DeadlineWarning",
    "EndOrdered",
    "Escalated",
    "Event",
    "EventsLost",
    "Expired",
    "Failed",
    "HelpNeeded",
    "LateReply",
    "LineIgnored",
    "LoopBlocked",
    "MessageUnread",
    "NameElsewhere",
    "NodeDown",
    "NodeEvent",
    "NodeReconnecting",
    "NodeSuspected",
    "NodeUp",
    "Nudged",
    "Parked",
    "PatternMatched",
    "PersonAnswered",
    "PersonAsked",
    "PersonEscalated",
    "PersonEvent",
    "PersonExtended",
    "PersonTimedOut",
    "PersonWarned",
    "PersonWithdrawn",
    "PoolGrew",
    "PoolShrank",
    "PostRejected",
    "Progressed",
    "Recovered",
    "Restarted",
    "Restarting",
    "Resumed",
    "SilenceNoticed",
    "SilenceWarning",
    "SpawnRejected",
    "SpawnRolledBack",
    "Spawned",
    "SpawnerUnhealthy",
    "StallConfirmed",
    "StallSuspected",
    "StartAttemptFailed",
    "Started",
    "StopFailed",
    "Stopped",
    "StoreFailing",
    "StoreRecovered",
    "Suspended",
    "TicketMoved",
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
    BUDGET = "budget"


@attrs.frozen
class Event:
    """The base of every fact."""

    by_name_only: ClassVar[bool] = False
    """True for what comes so often that only those get it who subscribe to this very kind."""

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
class EndOrdered(ActorEvent):
    """The actor was told to end: `order` is "stop", "drain", "kill", "quit" (by itself) or "restart".

    `by` is the path of the actor in whose code that was, None outside of actors; `because` that of
    another actor, whose end it follows. Sent only to those who subscribe to it by name.
    """

    by_name_only = True

    order: str
    by: str | None
    because: str | None = None


@attrs.frozen
class StopFailed(ActorEvent):
    """`on_stop` raised or ran out of its time."""

    error: BaseException


@attrs.frozen
class Unresponsive(ActorEvent):
    """The actor, or a handling whose asker has left, was cancelled `seconds` ago and has not ended.

    It blocks, swallows cancellation, or shields what takes long.
    """

    seconds: float


@attrs.frozen
class Suspended(ActorEvent):
    """The actor takes no more messages until it is resumed."""


@attrs.frozen
class Resumed(ActorEvent):
    """The actor takes messages again."""


@attrs.frozen
class Parked(ActorEvent):
    """The actor does nothing until it is resumed, as a budget is spent; idle, until a message comes.

    `exit` is of kind BUDGET. It is no failure, and the actor is not gone.
    """

    exit: Exit


@attrs.frozen
class BudgetWarning(ActorEvent):
    """80 % of a limit of the actor's own budget is spent, by it or by those below it. Once a limit.

    `resource` is "tokens", "money", "tool_calls" or "spawns".
    """

    resource: str
    spent: float
    limit: float


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
class LineIgnored(ActorEvent):
    """A child that is spoken to in lines wrote one that `why`: it begins with `line`, and changed nothing."""

    line: str
    why: str


@attrs.frozen
class Progressed(ActorEvent):
    """A sign of life: output to `stream` ("stdout" or "stderr"), or a call of `progress()` ("progress").

    Sent only to those who subscribe to it by name.
    """

    by_name_only = True

    stream: str
    n_bytes: int = 0


@attrs.frozen
class DeadlineExtended(ActorEvent):
    """The limit was used up by an actor at work: it is `limit` seconds from the start now."""

    limit: float
    extensions: int


@attrs.frozen
class DeadlineWarning(ActorEvent):
    """0.8 of the limit is used up; `remaining` seconds are left of it."""

    remaining: float


@attrs.frozen
class DeadlinePassed(ActorEvent):
    """The limit of `limit` seconds is used up, and ends the run."""

    limit: float


@attrs.frozen
class SilenceNoticed(ActorEvent):
    """No sign of life for `idle` seconds, the first rung to the limit of `limit` seconds."""

    idle: float
    limit: float


@attrs.frozen
class SilenceWarning(ActorEvent):
    """No sign of life: in `remaining` seconds the run is ended for it."""

    idle: float
    remaining: float


@attrs.frozen
class Nudged(ActorEvent):
    """The agent was sent a `Nudge`; `attempt` counts from 1."""

    reason: str
    seconds: float
    attempt: int


@attrs.frozen
class HelpNeeded(ActorEvent):
    """The agent was nudged `attempts` times and is still in trouble."""

    reason: str
    attempts: int


@attrs.frozen
class Recovered(ActorEvent):
    """The agent is out of the trouble that it was nudged for."""

    reason: str


@attrs.frozen
class StallSuspected(ActorEvent):
    """A look found no sign of life for `idle` seconds; `checks` looks in a row have."""

    idle: float
    checks: int


@attrs.frozen
class StallConfirmed(ActorEvent):
    """Enough looks in a row found it: the run is stalled, and ended if its policy says so."""

    idle: float


@attrs.frozen
class PatternMatched(ActorEvent):
    """The output matched an error pattern, or a predicate: the run is ended."""

    pattern: str
    line: str


@attrs.frozen
class CheckFailed(ActorEvent):
    """A predicate or a look of the monitor raised; `what` is dropped, the rest goes on."""

    what: str
    error: BaseException


@attrs.frozen
class SpawnRejected(ActorEvent):
    """The spawner over this supervisor has refused `template`; `error` says why and what would help."""

    template: str
    error: BaseException


@attrs.frozen
class SpawnRolledBack(ActorEvent):
    """What a spawner had spawned never became ready: its slot is free.

    It counts as failed, if its start was not only given up.
    """

    error: BaseException | None


@attrs.frozen
class SpawnerUnhealthy(ActorEvent):
    """The spawner over this supervisor breaks a rule of health: `rule` is "failures" or "limit"."""

    rule: str
    text: str


@attrs.frozen
class PoolGrew(ActorEvent):
    """The pool has started `worker`; `workers` live now. `trigger` is a `SpawnTrigger`.

    `waiting` messages were queued then, the oldest for `oldest` seconds.
    """

    worker: Ref
    workers: int
    trigger: str
    waiting: int
    oldest: float


@attrs.frozen
class PoolShrank(ActorEvent):
    """The pool lets `worker`, idle for `idle` seconds, finish what it has and end. `workers` are left."""

    worker: Ref
    workers: int
    idle: float


@attrs.frozen
class LoopBlocked(Event):
    """The event loop stood still for `seconds`, in `where`: something did not await."""

    seconds: float
    where: str


@attrs.frozen
class EventsLost(Event):
    """This subscriber was too slow: `count` older events stood here."""

    count: int


# --- posted messages ----------------------------------------------------------------


@attrs.frozen
class TicketMoved(Event):
    """A ticket to `path` came into a state; `why` is what went wrong, where something did."""

    ticket_id: str
    path: str
    state: str
    attempts: int
    why: str


@attrs.frozen
class PostRejected(Event):
    """A message to `path` was refused at the door, and `error` says why: a loop, a rate, a full recipient."""

    path: str
    sender: str | None
    error: Exception


@attrs.frozen
class StoreFailing(Event):
    """The store cannot be written: it is tried again in so many `seconds`, and nothing is forgotten."""

    where: str
    error: Exception
    seconds: float


@attrs.frozen
class StoreRecovered(Event):
    """The store can be written again, and what had to wait is in it."""

    where: str


@attrs.frozen
class NameElsewhere(Event):
    """Another node owns the name of an actor of this one: it gets the posted messages."""

    path: str
    owner: str


# --- people ---------------------------------------------------------------------------


@attrs.frozen
class PersonEvent(Event):
    """A fact about a request to a person, as it is now; `request.node` says where it was made."""

    request: PersonRequest


@attrs.frozen
class PersonAsked(PersonEvent):
    """The request can be answered now."""


@attrs.frozen
class PersonWarned(PersonEvent):
    """The request expires in `remaining` seconds, if nobody answers."""

    remaining: float


@attrs.frozen
class PersonExtended(PersonEvent):
    """Its deadline has moved, by a call of `extend` or since one more waits for it."""


@attrs.frozen
class PersonEscalated(PersonEvent):
    """Its time has passed, and `request.to` is asked now in place of `before`."""

    before: str | None


@attrs.frozen
class PersonAnswered(PersonEvent):
    """The request was decided, `seconds` after it was asked."""

    answer: Answer
    seconds: float


@attrs.frozen
class PersonTimedOut(PersonEvent):
    """Nobody has answered in the `seconds` since it was asked: its default is taken, or `NoAnswer` raised."""

    seconds: float


@attrs.frozen
class PersonWithdrawn(PersonEvent):
    """Nobody waits for the answer any more: whoever asked was cancelled, or has taken it back."""


@attrs.frozen
class AnswerRefused(Event):
    """Somebody has answered the request with the id `request_id`, in vain; `error` says why."""

    request_id: str
    by: str | None
    error: Exception


# --- nodes ---------------------------------------------------------------------------


@attrs.frozen
class NodeEvent(Event):
    """A fact about another node."""

    node: str


@attrs.frozen
class NodeUp(NodeEvent):
    """The link to the node stands; `resumed`: again, and nothing was lost."""

    resumed: bool


@attrs.frozen
class NodeSuspected(NodeEvent):
    """The node has been silent for so many `seconds` that it is probably gone."""

    seconds: float


@attrs.frozen
class NodeReconnecting(NodeEvent):
    """The connection to the node has ended; what is sent waits for the next one."""

    reason: str


@attrs.frozen
class NodeDown(NodeEvent):
    """The node is gone for good; whoever comes back under its name is another one."""

    reason: str


@attrs.frozen
class MessageUnread(NodeEvent):
    """A message for the path `to` could not be read where it came, or an order was not allowed, and `why`."""

    to: str
    why: str


@attrs.frozen
class ConnectionRefused(Event):
    """Somebody was turned away, or broke the rules: `address` is where they came from."""

    address: str
    reason: str
    text: str
