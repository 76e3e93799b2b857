"""Rows of the SQLite store and the tickets they stand for. Pure.

A ticket is two rows: what never changes (`messages`, written once) and what its moves change
(`tickets`, small). Each has a checksum over all of its columns, so that a damaged byte, and a row
in the place of another, show when it is read. Times are whole nanoseconds since 1970: that is exact
for every clock, and a number of whole digits survives any way of reading it.
"""

from __future__ import annotations

import json
from typing import Any, Final

import attrs

from actors.delivery.checksum import checksum
from actors.delivery.operations import Handled
from actors.delivery.ticket import Entry, Failure, Standing, TicketState

__all__ = [
    "CODES",
    "DAMAGED",
    "STATES",
    "Found",
    "Row",
    "answer_sum",
    "damage",
    "failure_text",
    "from_ns",
    "handled_values",
    "message_values",
    "new_row",
    "read_entry",
    "read_failure",
    "read_handled",
    "read_row",
    "to_ns",
]

CODES: Final = {
    TicketState.PENDING: 0,
    TicketState.DELIVERED: 1,
    TicketState.RESPONDED: 2,
    TicketState.FAILED: 3,
    TicketState.DEAD: 4,
    TicketState.CANCELLED: 5,
    TicketState.TIMED_OUT: 6,
}
"""How states are written. Never to be renumbered: files have them, and their indexes."""

STATES: Final = {code: state for state, code in CODES.items()}

DAMAGED: Final = "actors.delivery.errors.StoreDamaged"
"""The kind of the failure of a ticket that cannot be read back."""

_SECOND: Final = 1_000_000_000
_FAR: Final = 9_000_000_000.0  # in the year 2255; the largest that fits is in 2262


def to_ns(seconds: float) -> int:
    """Seconds since 1970 as whole nanoseconds; what is too far away comes near enough to be kept."""
    seconds = min(max(seconds, -_FAR), _FAR)
    whole = int(seconds)
    return whole * _SECOND + round((seconds - whole) * _SECOND)


def from_ns(nanoseconds: int) -> float:
    """The very seconds that `to_ns` was given, for any time that is not within weeks of 1970."""
    return nanoseconds / _SECOND


@attrs.define
class Row:
    """A row of `tickets`: what the moves of a ticket depend on, and change. In the order of the columns."""

    seq: int
    id: str
    path: str
    priority: int
    key: str | None
    max_attempts: int
    due: int | None
    state: TicketState
    attempts: int
    working: bool
    changed: int
    is_damaged: bool = False

    @property
    def standing(self) -> Standing:
        """The part that moves."""
        return Standing(self.state, self.attempts, self.max_attempts, self.working)

    def move(self, standing: Standing, changed: int) -> None:
        """Take what came of a move."""
        self.state = standing.state
        self.attempts = standing.attempts
        self.working = standing.working
        self.changed = changed

    def values(self) -> tuple[int | str | None, ...]:
        """As it is written, with its checksum."""
        values = (
            self.seq,
            self.id,
            self.path,
            self.priority,
            self.key,
            self.max_attempts,
            self.due,
            CODES[self.state],
            self.attempts,
            1 if self.working else 0,
            self.changed,
        )
        return *values, checksum(repr(values))


def new_row(entry: Entry, posted: int) -> Row:
    """The row of a ticket that is new; `posted` is in nanoseconds."""
    return Row(
        entry.seq,
        entry.id,
        entry.path,
        entry.priority,
        entry.key,
        entry.max_attempts,
        None if entry.due is None else to_ns(entry.due),
        entry.state,
        entry.attempts,
        entry.working,
        posted,
    )


def read_row(values: list[Any]) -> Row:
    """The row, from its columns and its checksum; a damaged one says so, and has something in every field."""
    *fields, found = values
    seq, ticket_id, path, priority, key, max_attempts, due, code, attempts, working, changed = fields
    is_damaged = found != checksum(repr(tuple(fields))) or code not in STATES
    return Row(
        seq,
        ticket_id or "",
        path or "",
        priority or 0,
        key,
        max_attempts or 0,
        due,
        STATES.get(code, TicketState.DEAD),
        attempts or 0,
        bool(working),
        changed or 0,
        is_damaged,
    )


def _message_sum(ticket_id: str, path: str, head: tuple[Any, ...], payload: str | None) -> str:
    front = f"{ticket_id}\0{path}\0{head!r}"
    return checksum(front if payload is None else f"{front}\0{payload}")


def message_values(entry: Entry, posted: int) -> tuple[int | str | None, ...]:
    """The row of `messages`, with its checksum; `posted` is in nanoseconds."""
    if not isinstance(entry.payload, str | None):
        raise TypeError(f"a payload in a file is JSON text, not {type(entry.payload).__name__}")
    head = (
        posted,
        1 if entry.reply else 0,
        entry.sender,
        entry.node,
        entry.hops,
        entry.answers,
    )
    return entry.seq, *head, entry.payload, _message_sum(entry.id, entry.path, head, entry.payload)


def answer_sum(ticket_id: str, text: str) -> str:
    """The checksum of an answer, a failure, or (with its path) a saved state."""
    return checksum(ticket_id, text)


def failure_text(failure: Failure) -> str:
    """How a failure is written."""
    return json.dumps([failure.at, failure.attempt, failure.kind, failure.text, failure.traceback])


def read_failure(owner: str, text: str | None, found: str | None) -> Failure:
    """A failure as it was written; a damaged one says so."""
    if text is None or found != answer_sum(owner, text):
        return Failure(0.0, 0, DAMAGED, "what is kept of this failure is damaged")
    return Failure(*json.loads(text))


def handled_values(handled: Handled) -> tuple[int | str | None, ...]:
    """The row of `handled`, with its checksum."""
    failure = None if handled.failure is None else failure_text(handled.failure)
    values = (handled.id, handled.path, to_ns(handled.at), handled.answer, failure)
    return *values, checksum(repr(values))


def read_handled(values: list[Any]) -> Handled | None:
    """What was handled here, from its row; None where that is damaged."""
    ticket_id, path, at, answer, failure = values[:5]
    if values[5] != checksum(repr(tuple(values[:5]))):
        return None
    return Handled(
        ticket_id,
        path,
        from_ns(at),
        answer,
        None if failure is None else Failure(*json.loads(failure)),
    )


@attrs.frozen
class Found:
    """A ticket as it was read."""

    row: Row
    entry: Entry
    """Its payload and its answer are None where they are damaged."""
    damage: str | None
    """What of it is damaged."""


def read_entry(values: list[Any], with_payload: bool = True) -> Found:
    """A ticket from the columns of its row, its message, its answer, and its failures."""
    row = read_row(values[:12])
    seq, posted, reply, sender, node, hops, answers, payload, found = values[12:21]
    answer, answer_found, failures = values[21:]
    head = (posted, reply, sender, node, hops, answers)
    what = "its row" if row.is_damaged else None
    if with_payload and (seq is None or found != _message_sum(row.id, row.path, head, payload)):
        what, payload = what or "its message", None
    if answer is not None and answer_found != answer_sum(row.id, answer):
        what, answer = what or "its answer", None
    entry = Entry(
        row.id,
        row.path,
        payload,
        from_ns(posted or 0),
        row.priority,
        row.key,
        bool(reply),
        row.max_attempts,
        sender,
        node or "",
        hops or 0,
        answers,
        None if row.due is None else from_ns(row.due),
        row.seq,
        row.state,
        row.attempts,
        row.working,
        answer,
        tuple(read_failure(row.id, *failure) for failure in _listed(failures)),
        from_ns(row.changed),
    )
    return Found(row, entry, what)


def _listed(texts: Any) -> list[list[str | None]]:
    """A list within a list may come as its text, depending on the version of SQLite."""
    return json.loads(texts) if isinstance(texts, str) else texts


def damage(row: Row, what: str, at: float) -> Failure:
    """What is told of a ticket that cannot be read back."""
    return Failure(
        at, row.attempts, DAMAGED, f"{what} is damaged in the file, and is not delivered: post it again"
    )
