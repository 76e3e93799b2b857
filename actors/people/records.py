"""Requests as records of plain data, with times that another process understands. Pure.

Times in records are seconds since 1970; `shift` is what that is more than the clock at the same moment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from actors.people.book import Grant, GrantState, Kept, Matter, Wait
from actors.people.request import Answer, PersonRequest, Rung

__all__ = ["is_open", "kept_of", "kept_record", "matter_record", "parked_of", "request_of", "request_record"]


def request_record(request: PersonRequest, shift: float) -> dict[str, Any]:
    """A request, as it is kept and as it travels."""
    return {
        "id": request.id,
        "kind": request.kind,
        "text": request.text,
        "options": list(request.options),
        "to": request.to,
        "due": None if request.deadline == math.inf else request.deadline + shift,
        "priority": request.priority,
        "asked": request.asked + shift,
        "sender": request.sender,
        "node": request.node,
        "key": request.key,
        "digest": request.digest,
    }


def request_of(record: Mapping[str, Any], shift: float) -> PersonRequest:
    """The request again. Raises KeyError and TypeError for what is none."""
    due = record["due"]
    return PersonRequest(
        id=str(record["id"]),
        kind=str(record["kind"]),
        text=str(record["text"]),
        options=tuple(record["options"]),
        to=record["to"],
        deadline=math.inf if due is None else float(due) - shift,
        priority=int(record["priority"]),
        asked=float(record["asked"]) - shift,
        sender=record["sender"],
        node=str(record["node"]),
        key=record["key"],
        digest=record["digest"],
    )


def matter_record(matter: Matter, shift: float) -> dict[str, Any]:
    """An open request, with who is asked after the one who is asked now, and how far it has come."""
    last = max(matter.waits, key=lambda wait: wait.deadline)
    return request_record(matter.request, shift) | {
        "state": "open",
        "rungs": [[rung.to, rung.timeout] for rung in last.rungs],
        "limit": None if last.limit == math.inf else last.limit,
        "base": matter.base + shift,
        "warned": matter.has_warned,
    }


def parked_of(record: Mapping[str, Any], shift: float) -> Matter:
    """An open request again, with the wait that keeps it until somebody comes back for it."""
    request = request_of(record, shift)
    rungs = tuple(Rung(str(to), float(timeout)) for to, timeout in record["rungs"])
    limit = math.inf if record["limit"] is None else float(record["limit"])
    wait = Wait(request.deadline, rungs, request.asked, limit)
    base, has_warned = float(record["base"]) - shift, bool(record["warned"])
    return Matter(request, [wait], is_shown=True, base=base, has_warned=has_warned, is_parked=True)


def kept_record(kept: Kept, shift: float) -> dict[str, Any]:
    """An answered request."""
    answer = kept.answer
    return request_record(kept.request, shift) | {
        "state": "answered",
        "value": answer.value,
        "by": answer.by,
        "at": answer.at + shift,
        "until": kept.until + shift,
        "grant": kept.grant.state.value,
    }


def kept_of(record: Mapping[str, Any], shift: float) -> Kept:
    """An answered request again."""
    request = request_of(record, shift)
    answer = Answer(request.id, request.kind, record["value"], record["by"], float(record["at"]) - shift)
    grant = Grant(GrantState(record["grant"]))
    return Kept(request, answer, float(record["until"]) - shift, grant)


def is_open(record: Mapping[str, Any]) -> bool:
    """Whether it is the record of an open request."""
    return cast("object", record.get("state")) == "open"
