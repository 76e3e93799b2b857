"""Tickets in memory: what every engine does with an operation, said once and plainly. Pure.

`MemoryStore` is a thin shell around it, and the other engines are compared with it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Any, Final

from actors.delivery.errors import (
    IllegalMove,
    KeyConflict,
    NotTheOwner,
    RecipientFull,
    TicketError,
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
from actors.delivery.ticket import ENDED, LIVE, Entry, Failure, Move, Standing, TicketState, move

__all__ = [
    "CHANGES_KEPT",
    "NODE_ENDED",
    "OUTCOMES",
    "Shelf",
    "check_attempt",
    "saves_anyway",
    "settled_already",
]

CHANGES_KEPT: Final = 10_000
NODE_ENDED: Final = "its node ended with it in hand"
"""What is told of a delivery that nobody will finish."""
_WITH_FAILURE: Final = frozenset({Move.FAIL, Move.REFUSE})
OUTCOMES: Final = {
    Move.DELIVER: frozenset({TicketState.DELIVERED, TicketState.TIMED_OUT}),
    Move.ANSWER: frozenset({TicketState.RESPONDED}),
    Move.REFUSE: frozenset({TicketState.FAILED, TicketState.TIMED_OUT}),
    Move.FAIL: frozenset({TicketState.PENDING, TicketState.DEAD, TicketState.TIMED_OUT}),
    Move.RETURN: frozenset({TicketState.PENDING, TicketState.TIMED_OUT}),
    Move.CANCEL: frozenset({TicketState.CANCELLED}),
    Move.TIME_OUT: frozenset({TicketState.TIMED_OUT}),
}
"""Where a ticket is once a move was made: there it can be the same move, said again."""


def settled_already(entry: Entry | Standing, said: Moved) -> bool:
    """Whether this very move has been made before: whoever did not hear of it says it again."""
    if entry.state not in OUTCOMES[said.move]:
        return False
    if said.attempt is None:  # it is of the ticket, whichever delivery is under way
        return True
    if said.move is Move.DELIVER:
        return entry.working and entry.attempts == said.attempt
    attempts = entry.attempts + (1 if said.move is Move.RETURN else 0)
    return not entry.working and attempts == said.attempt


def check_attempt(entry: Entry | Standing, said: Moved) -> None:
    """Raise where another delivery is meant than the one at hand, or the next."""
    wanted = entry.attempts + (1 if said.move is Move.DELIVER else 0)
    if said.attempt != wanted:
        raise IllegalMove(said.id, entry.state.value, f"{said.move.value} of delivery {said.attempt}")


def saves_anyway(entry: Entry | Standing, said: Moved) -> bool:
    """Whether the state that comes with an illegal move is kept: the ticket was cancelled meanwhile."""
    return entry.state is TicketState.CANCELLED and entry.attempts == said.attempt


class Shelf:
    """The tickets, saved states and changes of one store, in memory."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.states: dict[str, Any] = {}
        self.remembered: dict[str, Handled] = {}
        self.feed: deque[Change] = deque(maxlen=CHANGES_KEPT)
        self.number = 0
        self.is_owner: Callable[[str, int | None], bool] = lambda path, token: True
        """Whether what holds this token may write about that recipient."""
        self._keys: dict[tuple[str, str], str] = {}
        self._pending: dict[str, list[tuple[tuple[int, int], str]]] = {}
        self._live: dict[str, int] = {}
        self._dues: list[tuple[float, str]] = []
        self._seq = 0

    # --- writing ---

    def apply(self, operation: Operation) -> Result:
        """What comes of an operation; a refusal is a result too."""
        try:
            return self._apply(operation)
        except TicketError as error:
            return error

    def _apply(self, operation: Operation) -> Result:
        match operation:
            case Append():
                return self._append(operation)
            case Moved():
                return self._moved(operation)
            case Save(saved, token):
                self._check_owner(saved.path, token)
                self._save(saved)
            case Drop(ticket_id):
                entry = self._ended(ticket_id, "dropping it", ENDED)
                self._remove(entry)
            case Redeliver():
                return self._redeliver(operation)
            case Handled():
                if operation.id not in self.remembered:
                    self.remembered[operation.id] = operation
                    self._save(operation.saved)
            case _:
                return self._prune(operation)

    def _append(self, operation: Append) -> Entry:
        entry = operation.entry
        known = self.entries.get(entry.id)
        if known is not None:
            return known
        known = self._of_key(entry)
        if known is not None:
            if known.payload != entry.payload:
                raise KeyConflict(entry.path, str(entry.key), known.id)
            return known
        if self._live.get(entry.path, 0) >= operation.capacity:
            raise RecipientFull(entry.path, operation.capacity)
        return self._put(entry)

    def _of_key(self, entry: Entry) -> Entry | None:
        """The ticket that has its key already."""
        if entry.key is None:
            return None
        known = self._keys.get((entry.path, entry.key))
        return None if known is None else self.entries[known]

    def _put(self, entry: Entry) -> Entry:
        self._seq += 1
        entry = entry.placed(self._seq)
        if entry.key is not None:
            self._keys[entry.path, entry.key] = entry.id
        self._replace(None, entry)
        return entry

    def _moved(self, said: Moved) -> Result:
        entry = self.entries.get(said.id)
        if entry is None:
            raise UnknownTicket(said.id)
        self._check_owner(entry.path, said.token)
        if settled_already(entry, said):
            return entry.standing
        try:
            if said.attempt is not None:
                check_attempt(entry, said)
            standing = move(said.id, entry.standing, said.move)
        except IllegalMove:
            if saves_anyway(entry, said):
                self._save(said.saved)
            raise
        more: dict[str, Any] = {}
        if said.move is Move.ANSWER:
            more["answer"] = said.answer
        if said.move in _WITH_FAILURE and said.failure is not None:
            more["failures"] = (*entry.failures, said.failure)
        self._replace(entry, entry.at(standing, changed=said.at, **more))
        self._save(said.saved)
        if said.follow is not None:
            self._follow(said.follow)
        return standing

    def _follow(self, entry: Entry) -> None:
        """Post it, if it is not there already; there is nobody to whom a refusal could be said."""
        if entry.id not in self.entries and self._of_key(entry) is None:
            self._put(entry)

    def _redeliver(self, operation: Redeliver) -> Entry:
        known = self.entries.get(operation.entry.id)
        if known is not None:
            return known
        dead = self._ended(operation.id, "redelivering it", frozenset({TicketState.DEAD}))
        self._remove(dead)
        return self._put(dead.anew(operation.entry))

    def _ended(self, ticket_id: str, what: str, states: Collection[TicketState]) -> Entry:
        entry = self.entries.get(ticket_id)
        if entry is None:
            raise UnknownTicket(ticket_id)
        if entry.state not in states or entry.working:
            raise IllegalMove(ticket_id, entry.state.value, what)
        return entry

    def _check_owner(self, path: str, token: int | None) -> None:
        if token is not None and not self.is_owner(path, token):
            raise NotTheOwner(path)

    def _save(self, saved: Saved | None) -> None:
        if saved is None:
            return
        if saved.state is None:
            self.states.pop(saved.path, None)
        else:
            self.states[saved.path] = saved.state

    def _prune(self, operation: Prune) -> int:
        states = operation.states & ENDED
        before = operation.before
        old = (
            entry
            for entry in self.entries.values()
            if entry.state in states and entry.changed < before and not entry.working
        )
        entries = list(islice(old, operation.limit))
        for entry in entries:
            self._remove(entry)
        gone = (one.id for one in self.remembered.values() if one.at < before)
        ids = list(islice(gone, operation.limit - len(entries)))
        for ticket_id in ids:
            del self.remembered[ticket_id]
        return len(entries) + len(ids)

    def abandon(self, wanted: Callable[[Entry], bool], at: float) -> list[Entry]:
        """Whoever had these in hand is no more: each has failed once. As they are now."""
        lost = [entry for entry in self.entries.values() if entry.working and wanted(entry)]
        for entry in lost:
            failure = Failure(at, entry.attempts, "", NODE_ENDED)
            standing = move(entry.id, entry.standing, Move.FAIL)
            self._replace(entry, entry.at(standing, failures=(*entry.failures, failure), changed=at))
        return [self.entries[entry.id] for entry in lost]

    def _remove(self, entry: Entry) -> None:
        del self.entries[entry.id]
        if entry.key is not None:
            del self._keys[entry.path, entry.key]

    def _replace(self, before: Entry | None, entry: Entry) -> None:
        """Keep it, and what is looked up by its state."""
        self.entries[entry.id] = entry
        was_live = before is not None and before.state in LIVE
        if before is not None and before.state is TicketState.PENDING:
            line = self._pending[entry.path]
            del line[bisect_left(line, (before.order, before.id))]
            if not line:
                del self._pending[entry.path]
        if entry.state is TicketState.PENDING:
            insort(self._pending.setdefault(entry.path, []), (entry.order, entry.id))
        is_live = entry.state in LIVE
        if is_live != was_live:
            left = self._live.get(entry.path, 0) + (1 if is_live else -1)
            self._live[entry.path] = left
            if not left:
                del self._live[entry.path]
            if entry.due is not None:
                if is_live:
                    insort(self._dues, (entry.due, entry.id))
                else:
                    del self._dues[bisect_left(self._dues, (entry.due, entry.id))]
        if before is None or before.state is not entry.state:
            self.number += 1
            self.feed.append(
                Change(self.number, entry.id, entry.path, entry.state, entry.attempts, entry.changed)
            )

    # --- reading ---

    def states_below(self, below: str) -> list[Saved]:
        """The saved states whose paths begin so."""
        return [Saved(path, self.states[path]) for path in sorted(self.states) if path.startswith(below)]

    def pending(self, path: str, limit: int) -> list[Entry]:
        """The first of those that wait for a recipient."""
        return list(islice(self.waiting_for(path), limit))

    def waiting_for(self, path: str) -> Iterator[Entry]:
        """Those that wait for a recipient, in the order of their delivery."""
        return (self.entries[ticket_id] for _, ticket_id in self._pending.get(path, ()))

    def live(self) -> dict[str, int]:
        """How many live tickets each recipient has."""
        return dict(self._live)

    def due(self, before: float, limit: int) -> list[Entry]:
        """Live ones that time out until then."""
        end = bisect_left(self._dues, (before, "\U0010ffff"))
        return [self.entries[ticket_id] for _, ticket_id in self._dues[: min(end, limit)]]

    def next_due(self) -> float | None:
        """When the next one times out."""
        return self._dues[0][0] if self._dues else None

    def find(self, states: Collection[TicketState], path: str | None, after: int, limit: int) -> list[Entry]:
        """Tickets by their place: `entries` is in that order, as each is put at its end."""
        wanted = (
            entry
            for entry in self.entries.values()
            if entry.seq > after
            and (not states or entry.state in states)
            and (path is None or entry.path == path)
        )
        return list(islice(wanted, limit))

    def changes(self, after: int, limit: int) -> list[Change]:
        """The feed behind a change."""
        first = self.feed[0].number if self.feed else 0
        start = max(0, after + 1 - first)
        return list(islice(self.feed, start, start + limit))
