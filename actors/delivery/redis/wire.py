"""How operations become arguments of the Redis scripts, and their answers what the port speaks of.

An optional argument is "", or "+" and the text. What is text has a checksum beside it, or before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs

from actors.delivery.checksum import checksum
from actors.delivery.errors import (
    IllegalMove,
    KeyConflict,
    NotTheOwner,
    RecipientFull,
    StoreDamaged,
    UnknownTicket,
)
from actors.delivery.operations import (
    Append,
    Change,
    Drop,
    Handled,
    Moved,
    Operation,
    Prune,
    Redeliver,
    Result,
    Save,
    Saved,
)
from actors.delivery.store import Arrived, Changed, Signal
from actors.delivery.ticket import Entry, Failure, Standing, TicketState

__all__ = [
    "arguments",
    "change",
    "condemned",
    "entry",
    "entry_without_damage",
    "handled",
    "result",
    "saved_state",
    "signal",
    "text",
]

_DIGITS: Final = 16


def text(raw: Any) -> str:
    """What the server says, as text; damaged bytes are some other text, which no checksum fits."""
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


# --- there -----------------------------------------------------------------------


def arguments(operation: Operation) -> Iterator[str]:
    """An operation as the arguments of `WRITE`."""
    match operation:
        case Append(new, capacity):
            yield "append"
            yield from _entry(new)
            yield str(capacity)
        case Moved():
            yield from _moved(operation)
        case Save(saved, token):
            yield "save"
            yield from _saved(saved)
            yield _optional(token)
        case Drop(ticket_id):
            yield from ("drop", ticket_id)
        case Redeliver(ticket_id, new):
            yield from ("redeliver", ticket_id, new.id, repr(new.posted))
        case Handled():
            yield from _handled(operation)
        case Prune(before, states, limit):
            yield from ("prune", repr(before), str(limit), str(len(states)))
            yield from sorted(state.value for state in states)


def _entry(new: Entry) -> Iterator[str]:
    yield from (new.id, new.path, new.payload, checksum(new.path, new.payload), repr(new.posted))
    yield from (str(new.priority), _optional(new.key), str(int(new.reply)), str(new.max_attempts))
    yield from (_optional(new.sender), new.node, str(new.hops), _optional(new.answers))
    yield "" if new.due is None else f"+{new.due!r}"


def _moved(said: Moved) -> Iterator[str]:
    yield from ("moved", said.id, said.move.value, repr(said.at), _optional(said.attempt))
    yield _optional(said.answer)
    yield "" if said.answer is None else f"+{checksum(said.id, said.answer)}"
    yield _failure(said.failure)
    yield from _saved(said.saved)
    yield _optional(said.token)
    yield str(int(said.follow is not None))
    if said.follow is not None:
        yield from _entry(said.follow)


def _handled(done: Handled) -> Iterator[str]:
    failure = _failure(done.failure)
    yield from ("handled", done.id, done.path, repr(done.at), _optional(done.answer), failure)
    yield checksum(done.id, _optional(done.answer), failure)
    yield from _saved(done.saved)


def _saved(saved: Saved | None) -> Iterator[str]:
    yield _optional(None if saved is None else saved.path)
    if saved is None or saved.state is None:
        yield ""
    else:
        yield f"+{checksum(saved.path, saved.state)}{saved.state}"


def _failure(failure: Failure | None) -> str:
    return "" if failure is None else f"+{_json(failure)}"


def _json(failure: Failure) -> str:
    return json.dumps(attrs.asdict(failure))


def condemned(one: Entry, at: float, error: StoreDamaged) -> tuple[str, str, str]:
    """A ticket that nobody can read, as the arguments of `CONDEMN`."""
    kind = f"{StoreDamaged.__module__}.{StoreDamaged.__qualname__}"
    return one.id, repr(at), _json(Failure(at, one.attempts, kind, str(error)))


def _optional(value: Any) -> str:
    return "" if value is None else f"+{value}"


# --- and back --------------------------------------------------------------------


def result(operation: Operation, answer: Sequence[Any]) -> Result:
    """What came of an operation. Raises `StoreDamaged` for an entry that is there already."""
    kind, *rest = answer
    match kind.decode():
        case "new" if isinstance(operation, Append):
            return attrs.evolve(operation.entry, seq=int(rest[0]), changed=operation.entry.posted)
        case "entry":
            return entry_without_damage(text(rest[0]), rest[1])
        case "standing":
            return Standing(TicketState(text(rest[0])), rest[1], rest[2], bool(rest[3]))
        case "count":
            return int(rest[0])
        case "unknown":
            return UnknownTicket(text(rest[0]))
        case "illegal":
            return IllegalMove(*map(text, rest))
        case "stranger":
            return NotTheOwner(text(rest[0]))
        case "full":
            return RecipientFull(text(rest[0]), int(rest[1]))
        case "conflict":
            return KeyConflict(*map(text, rest))
        case _:
            return None


def entry(where: str, ticket_id: str, fields: Sequence[Any]) -> Entry:
    """A ticket as it is kept. Raises `StoreDamaged`."""
    one, damage = _read(ticket_id, fields)
    if damage:
        raise StoreDamaged(where, f"the {damage} of the ticket {ticket_id} is not what was written")
    return one


def entry_without_damage(ticket_id: str, fields: Sequence[Any]) -> Entry:
    """A ticket as it is kept; None in place of what is damaged."""
    one, _ = _read(ticket_id, fields)
    return one


def _read(ticket_id: str, flat: Sequence[Any]) -> tuple[Entry, str]:
    known = {text(flat[index]): text(flat[index + 1]) for index in range(0, len(flat), 2)}
    path, payload, answer = known["path"], known.get("payload"), known.get("answer")
    damage = ""
    if answer is not None and known.get("answer_sum") != checksum(ticket_id, answer):
        damage, answer = "answer", None
    if payload is None or known.get("sum") != checksum(path, payload):
        damage, payload = "payload", None
    due = known.get("due")
    one = Entry(
        id=ticket_id,
        path=path,
        payload=payload,
        posted=float(known["posted"]),
        priority=int(known["priority"]),
        key=known.get("key"),
        reply=known["reply"] == "1",
        max_attempts=int(known["max"]),
        sender=known.get("sender"),
        node=known["node"],
        hops=int(known["hops"]),
        answers=known.get("answers"),
        due=None if due is None else float(due),
        seq=int(known["seq"]),
        state=TicketState(known["state"]),
        attempts=int(known["attempts"]),
        working=known["working"] == "1",
        answer=answer,
        failures=_failures(known.get("failures", "[]")),
        changed=float(known["changed"]),
    )
    return one, damage


def _failures(known: str) -> tuple[Failure, ...]:
    return tuple(Failure(**one) for one in json.loads(known))


def handled(where: str, ticket_id: str, flat: Sequence[Any]) -> Handled | None:
    """A ticket of another node as it was handled here. Raises `StoreDamaged`."""
    if not flat:
        return None
    known = {text(flat[index]): text(flat[index + 1]) for index in range(0, len(flat), 2)}
    answer, failure = known.get("answer"), known.get("failure")
    if known["sum"] != checksum(ticket_id, _optional(answer), _optional(failure)):
        raise StoreDamaged(where, f"what came of the ticket {ticket_id} is not what was written")
    what = None if failure is None else Failure(**json.loads(failure))
    return Handled(ticket_id, known["path"], float(known["at"]), answer, what)


def saved_state(where: str, path: str, raw: Any) -> str | None:
    """The saved state of an actor. Raises `StoreDamaged`."""
    if raw is None:
        return None
    sealed = text(raw)
    if sealed[:_DIGITS] != checksum(path, sealed[_DIGITS:]):
        raise StoreDamaged(where, f"the saved state of {path} is not what was written")
    return sealed[_DIGITS:]


def change(stream_entry: Sequence[Any]) -> Change:
    """A line of the feed."""
    number, flat = stream_entry
    known = {text(flat[index]): text(flat[index + 1]) for index in range(0, len(flat), 2)}
    return Change(
        number=int(number.partition(b"-")[0]),
        id=known["i"],
        path=known["p"],
        state=TicketState(known["s"]),
        attempts=int(known["n"]),
        at=float(known["t"]),
    )


def signal(fields: dict[str, str]) -> Signal | None:
    """What another node has done; None for the first entry, which says nothing."""
    if "arrived" in fields:
        return Arrived(fields["arrived"], int(fields["priority"]))
    if "changed" in fields:
        return Changed(fields["changed"], TicketState(fields["state"]))
    return None
