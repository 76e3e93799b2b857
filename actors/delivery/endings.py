"""How a ticket ended, as an error or a message for whoever waits. Pure."""

from __future__ import annotations

from typing import Any

import attrs

from actors.delivery.errors import TicketCancelled, TicketFailed, TicketTimedOut
from actors.delivery.ticket import Entry, Failure, TicketState
from actors.errors import ActorError, Refused, RemoteError
from actors.messages import TicketReply

__all__ = ["Note", "error_of", "note_of", "reply_of"]


def error_of(entry: Entry) -> ActorError | None:
    """The error of a ticket that has ended without a reply; None for RESPONDED, and for one that goes on."""
    last = entry.failures[-1] if entry.failures else None
    match entry.state:
        case TicketState.CANCELLED:
            return TicketCancelled(entry.id, entry.path)
        case TicketState.TIMED_OUT:
            timeout = (entry.due or entry.changed) - entry.posted
            return TicketTimedOut(entry.id, entry.path, timeout, entry.working)
        case TicketState.FAILED if last is not None and last.kind == _REFUSED:
            return Refused(last.text)
        case TicketState.FAILED | TicketState.DEAD:
            why = last.text if last is not None else "its state says so, and no failure is kept"
            is_dead = entry.state is TicketState.DEAD
            failed = TicketFailed(entry.id, entry.path, entry.attempts, why, is_dead)
            if last is not None and last.kind:
                failed.__cause__ = RemoteError(last.kind, last.text, last.traceback)
            return failed
        case _:
            return None


_REFUSED = f"{Refused.__module__}.{Refused.__qualname__}"


@attrs.frozen
class Note:
    """What is posted back to an actor that has posted: how its ticket ended, in the form of a payload."""

    ticket_id: str
    path: str
    state: str
    attempts: int
    timeout: float
    was_delivered: bool
    value: Any = None
    failure: Failure | None = None


def note_of(entry: Entry) -> Note:
    """The note about a ticket that has ended."""
    return Note(
        entry.id,
        entry.path,
        entry.state.value,
        entry.attempts,
        (entry.due or entry.changed) - entry.posted,
        entry.working,
        entry.answer,
        entry.failures[-1] if entry.failures else None,
    )


def reply_of(note: Note, value: Any) -> TicketReply:
    """The message that its recipient gets; `value` is the note's, decoded."""
    entry = Entry(
        note.ticket_id,
        note.path,
        None,
        posted=0.0,
        due=note.timeout,
        state=TicketState(note.state),
        attempts=note.attempts,
        working=note.was_delivered,
        failures=() if note.failure is None else (note.failure,),
    )
    return TicketReply(note.ticket_id, value, error_of(entry))
