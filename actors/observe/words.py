"""What a fact says on one line. Pure: from its kind and its plain details; each kind of event has words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from actors.budgets import said

__all__ = ["WORDS", "ended_text", "in_words", "number_of", "seconds_text"]

Details = Mapping[str, Any]


def in_words(kind: str, details: Details) -> str:
    """One line; what has no words of its own is told field by field."""
    said = WORDS.get(kind)
    return _fields(details) if said is None else said(details)


def seconds_text(seconds: object) -> str:
    """A time for people."""
    return f"{seconds:.3g} s" if isinstance(seconds, int | float) else f"{seconds} s"


def number_of(count: int, what: str) -> str:
    """A count for people."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def ended_text(exit: Mapping[str, Any]) -> str:
    """An exit: its kind, and its reason where that says more."""
    kind = str(exit.get("kind"))
    reason = exit.get("reason")
    return kind if not reason or reason == kind.lower().replace("_", " ") else f"{kind} ({reason})"


def _fields(details: Details) -> str:
    return ", ".join(f"{key} {_value(value)}" for key, value in details.items() if value is not None)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        known = cast("Mapping[str, Any]", value)
        return ended_text(known) if "reason" in known and "kind" in known else f"({_fields(known)})"
    return str(value)


def _failed(details: Details) -> str:
    said = ended_text(details["exit"])
    return said if details["message"] is None else f"{said}, with {details['message']} in hand"


def _dead_letter(details: Details) -> str:
    sender = details["sender"]
    return f"nobody handled {details['message']}: {details['reason']}" + (
        f", from {sender}" if sender else ""
    )


def _ordered(details: Details) -> str:
    by, because = details["by"], details["because"]
    said = f"ordered to {details['order']}" + (f" by {by}" if by else "")
    return f"{said}, because of {because}" if because else said


def _opened(details: Details) -> str:
    failures, wait = details["failures"], seconds_text(details["retry_after"])
    return f"the breaker opened after {number_of(failures, 'failure')}: tried again in {wait}"


def _ticket(details: Details) -> str:
    said = f"ticket {details['ticket_id']} is {details['state']}"
    tried, why = details["attempts"], details["why"]
    return said + (f", tried {tried} times" if tried > 1 else "") + (f": {why}" if why else "")


def _asked(request: Details) -> str:
    """The request, named as people see it."""
    return f"{request['to'] or 'anybody'} for {request['kind']} {request['id']}: {request['text']}"


def _answered(details: Details) -> str:
    answer, request = details["answer"], details["request"]
    by = "" if answer["by"] is None else f" by {answer['by']}"
    return f"answered{by} after {seconds_text(details['seconds'])} with {answer['value']}: {request['text']}"


def _unread(details: Details) -> str:
    to = "" if details["to"] is None else f" to {details['to']}"
    return f"a message{to} from the node {details['node']} could not be read: {details['why']}"


WORDS: Final[Mapping[str, Callable[[Details], str]]] = {
    "Spawned": lambda _: "spawned",
    "Started": lambda _: "started",
    "StartAttemptFailed": lambda it: f"did not start: {ended_text(it['exit'])}",
    "Failed": _failed,
    "Restarting": lambda it: (
        f"restart {it['attempt']} in {seconds_text(it['delay'])}: {ended_text(it['exit'])}"
    ),
    "Restarted": lambda it: f"started again, restart {it['attempt']}",
    "Stopped": lambda it: f"gone: {ended_text(it['exit'])}",
    "EndOrdered": _ordered,
    "Escalated": lambda it: f"gives up because of {it['child']}: {it['error']}",
    "BreakerOpened": _opened,
    "BreakerHalfOpen": lambda _: "the breaker is half-open: it is tried",
    "BreakerClosed": lambda _: "the breaker closed",
    "Parked": lambda it: f"parked: {it['exit']['reason']}",
    "BudgetWarning": lambda it: f"has spent {said(it['resource'], it['spent'], it['limit'])}",
    "Suspended": lambda _: "suspended: takes no more messages",
    "Resumed": lambda _: "resumed",
    "DeadLetter": _dead_letter,
    "DeadlinePassed": lambda it: f"the limit of {seconds_text(it['limit'])} is used up",
    "DeadlineExtended": lambda it: f"at work: the limit is {seconds_text(it['limit'])} now",
    "DeadlineWarning": lambda it: f"{seconds_text(it['remaining'])} of its limit are left",
    "SilenceNoticed": lambda it: f"silent for {seconds_text(it['idle'])}, of {seconds_text(it['limit'])}",
    "SilenceWarning": lambda it: (
        f"silent for {seconds_text(it['idle'])}: ended in {seconds_text(it['remaining'])}"
    ),
    "StallSuspected": lambda it: f"no sign of life for {seconds_text(it['idle'])}",
    "StallConfirmed": lambda it: f"stalled: no sign of life for {seconds_text(it['idle'])}",
    "PatternMatched": lambda it: f"its output matched {it['pattern']}: {it['line']}",
    "LoopBlocked": lambda it: (
        f"the event loop stood still for {seconds_text(it['seconds'])} in {it['where']}"
    ),
    "NodeUp": lambda it: f"the node {it['node']} is " + ("back" if it["resumed"] else "up"),
    "NodeSuspected": lambda it: f"the node {it['node']} has been silent for {seconds_text(it['seconds'])}",
    "NodeReconnecting": lambda it: f"no connection to the node {it['node']}: {it['reason']}",
    "NodeDown": lambda it: f"the node {it['node']} is gone: {it['reason']}",
    "MessageUnread": _unread,
    "ConnectionRefused": lambda it: f"turned {it['address']} away ({it['reason']}): {it['text']}",
    "NameElsewhere": lambda it: f"the node {it['owner']} owns its name: that gets the posted messages",
    "StopFailed": lambda it: f"its on_stop failed: {it['error']}",
    "Unresponsive": lambda it: f"cancelled, and goes on since {seconds_text(it['seconds'])}",
    "Expired": lambda it: f"skipped {it['message']}: nobody waits for the answer any more",
    "LateReply": lambda it: f"its reply to {it['message']} came too late",
    "LineIgnored": lambda it: f"wrote a line that {it['why']}: {it['line']!r}",
    "Progressed": lambda it: f"got on: {number_of(it['n_bytes'], 'byte')} of {it['stream']}",
    "Nudged": lambda it: (
        f"nudge {it['attempt']}, in trouble for {seconds_text(it['seconds'])}: {it['reason']}"
    ),
    "HelpNeeded": lambda it: f"needs help ({it['reason']}): {number_of(it['attempts'], 'nudge')} in vain",
    "Recovered": lambda it: f"out of trouble ({it['reason']})",
    "CheckFailed": lambda it: f"the check {it['what']} raised, and is dropped: {it['error']}",
    "SpawnRejected": lambda it: f"did not spawn {it['template']}: {it['error']}",
    "SpawnRolledBack": lambda it: "never became ready" + (f": {it['error']}" if it["error"] else ""),
    "SpawnerUnhealthy": lambda it: f"its spawner is unhealthy ({it['rule']}): {it['text']}",
    "PoolGrew": lambda it: (
        f"{it['worker']} was started, {number_of(it['workers'], 'worker')} now: {it['trigger']}, "
        f"{it['waiting']} waiting, the oldest for {seconds_text(it['oldest'])}"
    ),
    "PoolShrank": lambda it: (
        f"{it['worker']} is let go after {seconds_text(it['idle'])} without work, "
        f"{number_of(it['workers'], 'worker')} left"
    ),
    "EventsLost": lambda it: f"{number_of(it['count'], 'event')} lost: whoever listened was too slow",
    "TicketMoved": _ticket,
    "PostRejected": lambda it: f"a posted message was refused: {it['error']}",
    "StoreFailing": lambda it: (
        f"the store {it['where']} cannot be written: {it['error']}; "
        f"tried again in {seconds_text(it['seconds'])}"
    ),
    "StoreRecovered": lambda it: f"the store {it['where']} can be written again",
    "PersonAsked": lambda it: f"asked {_asked(it['request'])}",
    "PersonWarned": lambda it: f"{seconds_text(it['remaining'])} left to {_asked(it['request'])}",
    "PersonExtended": lambda it: f"more time for {_asked(it['request'])}",
    "PersonEscalated": lambda it: f"from {it['before'] or 'anybody'} on to {_asked(it['request'])}",
    "PersonAnswered": _answered,
    "PersonTimedOut": lambda it: f"no answer in {seconds_text(it['seconds'])} from {_asked(it['request'])}",
    "PersonWithdrawn": lambda it: f"no longer asked: {_asked(it['request'])}",
    "AnswerRefused": lambda it: f"an answer{' by ' + it['by'] if it['by'] else ''} is refused: {it['error']}",
}
