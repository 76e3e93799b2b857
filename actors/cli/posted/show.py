"""Tickets as people and programs see them. Facts in, text or tables out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import attrs
from rich.table import Table
from rich.text import Text

from actors.cli.lines import LONGEST_LINE, shorten
from actors.delivery.endings import error_of
from actors.delivery.service import ChangeFacts, FailureFacts, TicketFacts, TicketStory
from actors.delivery.ticket import Entry, Failure, TicketState

__all__ = [
    "age",
    "change_json",
    "change_line",
    "failure_of",
    "story_json",
    "story_text",
    "ticket_json",
    "ticket_table",
]

_STYLES: Final = {
    "pending": "yellow",
    "delivered": "cyan",
    "responded": "green",
    "cancelled": "dim",
}
_TICK: Final = 0.001
"""Seconds between two writings of one time."""
_AGES: Final = ((86_400, "d"), (3600, "h"), (60, "m"))


def failure_of(ticket: TicketFacts) -> str | None:
    """Why an ended ticket has no reply, in one line; None for one that has."""
    entry = Entry(
        ticket.id,
        ticket.path,
        None,
        ticket.posted,
        due=ticket.due,
        state=TicketState(ticket.state),
        attempts=ticket.attempts,
        changed=ticket.changed,
        failures=tuple(Failure(**attrs.asdict(one)) for one in ticket.failures),
    )
    error = error_of(entry)
    return None if error is None else str(error)


def age(seconds: float) -> str:
    """How long ago, for people."""
    for size, unit in _AGES:
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def ticket_table(tickets: Sequence[TicketFacts], now: float) -> Table:
    """One row a ticket; `now` is in seconds since 1970."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "recipient", "state", "attempts", "age", "last failure"):
        numeric = name in ("attempts", "age")
        fold = "fold" if name == "recipient" else "ellipsis"
        table.add_column(
            name, justify="right" if numeric else "left", no_wrap=name in ("id", "state"), overflow=fold
        )
    for one in tickets:
        failure = shorten(_why(one.failures[-1]), LONGEST_LINE) if one.failures else ""
        table.add_row(
            one.id,
            Text(one.path),
            Text(one.state, _STYLES.get(one.state, "red")),
            f"{one.attempts} of {one.max_attempts}",
            age(now - one.posted),
            Text(failure),
        )
    return table


def _why(failure: FailureFacts) -> str:
    text = " ".join(failure.text.split())
    kind = failure.kind.rpartition(".")[2]
    return f"{kind}: {text}" if kind else text


# --- for programs -------------------------------------------------------------------


def _plain(ticket: TicketFacts) -> dict[str, Any]:
    facts = attrs.asdict(ticket)
    payload, answer, failures = facts.pop("payload"), facts.pop("answer"), facts.pop("failures")
    wants_reply = facts.pop("reply")
    return facts | {
        "message": None if payload is None else json.loads(payload),
        "wants_reply": wants_reply,
        "reply": None if answer is None else json.loads(answer),
        "failures": list(failures),
    }


def ticket_json(ticket: TicketFacts) -> str:
    """One line; times are seconds since 1970."""
    return json.dumps(_plain(ticket))


def story_json(story: TicketStory) -> str:
    """One line: the ticket, and its changes."""
    return json.dumps(_plain(story.ticket) | {"changes": [attrs.asdict(one) for one in story.changes]})


def change_json(change: ChangeFacts) -> str:
    """One line of the feed."""
    return json.dumps(attrs.asdict(change))


# --- one ticket, and the feed -------------------------------------------------------------


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(" ", "milliseconds")


def change_line(change: ChangeFacts) -> str:
    """One line of the feed, for people."""
    return f"{_clock(change.at)}  {change.id}  {change.path}  {_moved(change)}"


def _moved(change: ChangeFacts) -> str:
    attempts = change.attempts
    return f"{change.state}{f' (attempt {attempts})' if attempts else ''}"


def story_text(story: TicketStory) -> str:
    """Everything about one ticket."""
    lines = [f"{name:<10}{value}" for name, value in _facts(story.ticket)]
    lines += ["history"]
    lines += [f"  {_clock(at)}  {text}" for at, text in _history(story)]
    for failure in story.ticket.failures:
        if failure.traceback:
            lines += [f"failure of attempt {failure.attempt}"]
            lines += [f"  {line}" for line in failure.traceback.rstrip().splitlines()]
    return "\n".join(lines) + "\n"


def _facts(ticket: TicketFacts) -> Iterator[tuple[str, str]]:
    yield "ticket", ticket.id
    yield "to", ticket.path
    yield "state", f"{ticket.state}, {ticket.attempts} of {ticket.max_attempts} attempts"
    yield "message", "it is damaged, or no JSON" if ticket.payload is None else ticket.payload
    if ticket.answer is not None:
        yield "reply", ticket.answer
    if ticket.sender is not None:
        yield "from", f"{ticket.sender} of {ticket.node}"
    if ticket.answers is not None:
        yield "answers", ticket.answers
    if ticket.key is not None:
        yield "key", ticket.key
    if ticket.priority:
        yield "priority", str(ticket.priority)
    if ticket.due is not None:
        yield "due", _clock(ticket.due)


def _history(story: TicketStory) -> list[tuple[float, str]]:
    """What the feed still has, in its order, each failure beside what came of it."""
    ticket = story.ticket
    left = list(ticket.failures)
    moves: list[tuple[float, str]] = []
    for change in story.changes:
        if change.state == TicketState.PENDING.value and not moves and not change.attempts:
            continue  # that is the receipt
        failure = next((one for one in left if abs(one.at - change.at) < _TICK), None)
        why = ""
        if failure is not None and change.state != TicketState.DELIVERED.value:
            left.remove(failure)
            why = f": {_why(failure)}"
        moves.append((change.at, f"{_moved(change)}{why}"))
    told = [(ticket.posted, "posted")]
    told += [(one.at, f"attempt {one.attempt} failed: {_why(one)}") for one in left]
    if not moves and ticket.changed > ticket.posted:
        moves.append((ticket.changed, ticket.state))
    return told + moves
