"""How loud an event is in a log, and which fields its record has."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final, cast

from actors import events
from actors.events import Event
from actors.observe.fact import Fact

__all__ = ["RESERVED_FIELDS", "extra_fields", "level_of"]

RESERVED_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What a `LogRecord` has itself: no field of ours may have such a name."""

_ERROR: Final = (events.Escalated, events.StoreFailing)
_WARNING: Final = (
    events.Failed,
    events.StartAttemptFailed,
    events.StopFailed,
    events.Unresponsive,
    events.BreakerOpened,
    events.Parked,
    events.BudgetWarning,
    events.DeadLetter,
    events.DeadlinePassed,
    events.HelpNeeded,
    events.StallConfirmed,
    events.PatternMatched,
    events.CheckFailed,
    events.SpawnRejected,
    events.SpawnRolledBack,
    events.SpawnerUnhealthy,
    events.LoopBlocked,
    events.EventsLost,
    events.PostRejected,
    events.NodeSuspected,
    events.NodeDown,
    events.MessageUnread,
    events.ConnectionRefused,
    events.PersonTimedOut,
)
_DEBUG: Final = (
    events.Spawned,
    events.Progressed,
    events.Expired,
    events.LateReply,
    events.LineIgnored,
    events.TicketMoved,
)


def level_of(event: Event) -> int:
    """ERROR for what was given up, WARNING for what failed, DEBUG for what comes often, else INFO."""
    if isinstance(event, _ERROR):
        return logging.ERROR
    if isinstance(event, _WARNING) or (isinstance(event, events.TicketMoved) and event.state == "dead"):
        return logging.WARNING
    return logging.DEBUG if isinstance(event, _DEBUG) else logging.INFO


def extra_fields(fact: Fact, system: str) -> dict[str, Any]:
    """The fields of a record, flat: the kind, the path, and what the event says, none with a name of its own.

    The message in hand is `message_text`; of an exit there are `exit`, `reason` and `error`.
    """
    fields: dict[str, Any] = {"event": fact.kind, "system": system, "path": fact.path}
    for name, value in fact.details.items():
        for key, one in _flat(name, value):
            fields.setdefault(_free(key), one)
    fields.setdefault("node", system)
    return fields


def _flat(name: str, value: Any) -> list[tuple[str, Any]]:
    if name == "message":
        return [("message_text", value)]
    if name == "exit" and isinstance(value, Mapping):
        exit = cast("Mapping[str, Any]", value)
        return [("exit", exit.get("kind")), ("reason", exit.get("reason")), ("error", exit.get("error"))]
    return [(name, value)]


def _free(name: str) -> str:
    return f"{name}_" if name in RESERVED_FIELDS else name
