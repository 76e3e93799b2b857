"""One transaction of the SQLite store: what comes of each operation, and what is written for all of them.

The rows that a group concerns are read at once, the operations are decided on them in memory, and what has
changed is written at once (`texts` says why). Operations that are rare work on the tables
themselves, after what was decided before them is written.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import attrs

from actors.delivery.errors import IllegalMove, KeyConflict, RecipientFull, TicketError, UnknownTicket
from actors.delivery.operations import (
    Append,
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
from actors.delivery.shelf import CHANGES_KEPT, check_attempt, saves_anyway, settled_already
from actors.delivery.sqlite.counts import Counts
from actors.delivery.sqlite.rows import (
    CODES,
    Found,
    Row,
    answer_sum,
    damage,
    failure_text,
    handled_values,
    message_values,
    new_row,
    read_entry,
    read_row,
    to_ns,
)
from actors.delivery.sqlite.texts import (
    ENTRIES,
    INSERTS,
    REMOVALS,
    ROWS_BY_ID,
    ROWS_BY_KEY,
    ROWS_BY_SEQ,
    UPDATE_TICKETS,
    chunked,
)
from actors.delivery.ticket import ENDED, LIVE, Entry, Failure, Move, Standing, TicketState, move

__all__ = ["Batch", "Mend"]

_WITH_FAILURE: Final = frozenset({Move.FAIL, Move.REFUSE})
_DEAD: Final = frozenset({TicketState.DEAD})
_YOUNG: Final = 1024
_PRUNED_AT_ONCE: Final = 1000  # of the feed: more is a write that takes longer than others


@attrs.frozen
class Mend:
    """What cannot be read back becomes DEAD, and says so; indexes are made anew where they are wrong."""

    damaged: dict[int, str]
    """What is damaged, by the place of each ticket."""
    at: float
    reindex: bool = False


class Batch:
    """What is done within one transaction; `counts` is left as it is until `count`."""

    def __init__(self, connection: sqlite3.Connection, counts: Counts) -> None:
        self._connection = connection
        self._counts = counts
        self._seq = counts.seq
        self._number = counts.number
        self._oldest = counts.oldest
        self._live: dict[str, int] = {}
        self._rows: dict[str, Row] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self._new: dict[int, Row] = {}
        self._changed: dict[int, Row] = {}
        self._lines: dict[str, list[tuple[Any, ...]]] = {table: [] for table in INSERTS}
        self._states: dict[str, Any] = {}
        self._touched: dict[int, Row] = {}
        self._indexed = counts.indexed
        self._recount = False

    # --- reading ---

    def load(self, operations: Iterable[Operation | Mend]) -> None:
        """Read the rows that these operations concern."""
        ids: set[str] = set()
        keys: set[tuple[str, str]] = set()
        for operation in operations:
            match operation:
                case Append(entry):
                    self._mention(entry, ids, keys)
                case Moved():
                    ids.add(operation.id)
                    if operation.follow is not None:
                        self._mention(operation.follow, ids, keys)
                case Redeliver():
                    ids |= {operation.id, operation.entry.id}
                case Drop(ticket_id):
                    ids.add(ticket_id)
                case Mend():
                    self._read_rows(ROWS_BY_SEQ, list(operation.damaged))
                case _:
                    pass
        if ids:
            self._read_rows(ROWS_BY_ID, list(ids))
        if keys:
            self._read_rows(ROWS_BY_KEY, list(keys))

    def _mention(self, entry: Entry, ids: set[str], keys: set[tuple[str, str]]) -> None:
        ids.add(entry.id)
        if entry.key is not None:
            keys.add((entry.path, entry.key))

    def _read_rows(self, statement: str, wanted: Sequence[Any]) -> None:
        for values in self._json(statement, json.dumps(wanted)):
            row = read_row(values)
            self._rows.setdefault(row.id, row)
            if row.key is not None:
                self._keys[row.path, row.key] = row.id

    def load_in_hand(self) -> list[str]:
        """Read the rows of those that somebody works on; their ids."""
        ids = self._json(
            "SELECT json_group_array(id) FROM (SELECT id FROM tickets WHERE working = 1 ORDER BY seq)"
        )
        self._read_rows(ROWS_BY_ID, ids)
        return ids

    def _json(self, statement: str, *arguments: Any) -> list[Any]:
        [text] = self._connection.execute(statement, arguments).fetchone()
        return json.loads(text)

    def _whole(self, row: Row) -> Found:
        """The ticket with everything that is kept of it."""
        self.flush()
        [values] = self._json(ENTRIES, json.dumps([row.seq]))
        return read_entry(values)

    # --- deciding ---

    def apply(self, operation: Operation | Mend) -> Result:
        """What comes of an operation; a refusal is a result too."""
        try:
            return self._apply(operation)
        except TicketError as error:
            return error

    def _apply(self, operation: Operation | Mend) -> Result:
        match operation:
            case Append():
                return self._append(operation)
            case Moved():
                return self._moved(operation)
            case Save(saved):
                self._save(saved)
            case Drop(ticket_id):
                self._remove([self._ended(ticket_id, "dropping it", ENDED)])
            case Redeliver():
                return self._redeliver(operation)
            case Handled():
                self._handled(operation)
            case Prune():
                return self._prune(operation)
            case Mend():
                self._mend(operation)

    def _append(self, operation: Append) -> Entry:
        entry = operation.entry
        known = self._rows.get(entry.id)
        if known is not None:
            return self._whole(known).entry
        known = self._of_key(entry)
        if known is not None:
            found = self._whole(known)
            if found.damage is None and found.entry.payload != entry.payload:
                raise KeyConflict(entry.path, str(entry.key), known.id)
            return found.entry
        if self._counts.live.get(entry.path, 0) + self._live.get(entry.path, 0) >= operation.capacity:
            raise RecipientFull(entry.path, operation.capacity)
        return self._put(entry)

    def _of_key(self, entry: Entry) -> Row | None:
        """The ticket that has its key already."""
        if entry.key is None:
            return None
        known = self._keys.get((entry.path, entry.key))
        return None if known is None else self._rows.get(known)

    def _put(self, entry: Entry) -> Entry:
        self._seq += 1
        entry = entry.placed(self._seq)
        posted = to_ns(entry.posted)
        message = message_values(entry, posted)
        row = new_row(entry, posted)
        self._rows[row.id] = self._new[row.seq] = row
        if row.key is not None:
            self._keys[row.path, row.key] = row.id
        self._lines["messages"].append(message)
        self._tell(row, was_live=False)
        return entry

    def _moved(self, said: Moved) -> Standing:
        row = self._rows.get(said.id)
        if row is None:
            raise UnknownTicket(said.id)
        if row.is_damaged:
            self._bury(row, "its row", said.at)
            raise IllegalMove(said.id, row.state.value, said.move.value)
        standing = row.standing
        if settled_already(standing, said):
            return standing
        try:
            if said.attempt is not None:
                check_attempt(standing, said)
            standing = move(said.id, standing, said.move)
        except IllegalMove:
            if saves_anyway(standing, said):
                self._save(said.saved)
            raise
        self._change(row, standing, said.at)
        if said.move is Move.ANSWER and said.answer is not None:
            self._lines["answers"].append((row.seq, said.answer, answer_sum(row.id, said.answer)))
        if said.move in _WITH_FAILURE and said.failure is not None:
            self._failed(row, said.failure)
        self._save(said.saved)
        follow = said.follow
        if follow is not None and follow.id not in self._rows and self._of_key(follow) is None:
            self._put(follow)
        return standing

    def _change(self, row: Row, standing: Standing, at: float) -> None:
        was = row.state
        row.move(standing, to_ns(at))
        if row.seq not in self._new:
            self._changed[row.seq] = row
        if was is not row.state:
            self._tell(row, was_live=was in LIVE)

    def _tell(self, row: Row, was_live: bool) -> None:
        """Count it, and put it in the feed."""
        is_live = row.state in LIVE
        if is_live is not was_live:
            self._live[row.path] = self._live.get(row.path, 0) + (1 if is_live else -1)
        self._number += 1
        self._lines["feed"].append(
            (self._number, row.id, row.path, CODES[row.state], row.attempts, row.changed)
        )

    def _failed(self, row: Row, failure: Failure) -> None:
        text = failure_text(failure)
        self._lines["failures"].append((row.seq, text, answer_sum(row.id, text)))

    def _save(self, saved: Saved | None) -> None:
        if saved is not None:
            self._states[saved.path] = saved.state

    def fail(self, ticket_id: str, failure: Failure) -> None:
        """Whoever had it in hand is no more."""
        row = self._rows.get(ticket_id)
        if row is not None and row.is_damaged:
            self._bury(row, "its row", failure.at)
        elif row is not None:
            self._change(row, move(ticket_id, row.standing, Move.FAIL), failure.at)
            self._failed(row, attrs.evolve(failure, attempt=row.attempts))

    def _mend(self, operation: Mend) -> None:
        if operation.reindex:
            self._reindex()
        for row in [row for row in self._rows.values() if row.seq in operation.damaged]:
            if row.is_damaged or row.state in LIVE:
                self._bury(row, operation.damaged[row.seq], operation.at)

    def _bury(self, row: Row, what: str, at: float) -> None:
        """Make DEAD what cannot be read back."""
        if row.is_damaged:
            self._reindex()  # an index has still what the row had
        self._failed(row, damage(row, what, at))
        row.is_damaged = False
        self._change(row, Standing(TicketState.DEAD, row.attempts, row.max_attempts, working=False), at)
        self._changed[row.seq] = row

    def _reindex(self) -> None:
        self.flush()
        self._connection.execute("REINDEX tickets")
        self.index_until(self._seq)  # where a damaged row stood among the young is not known
        self._recount = True

    # --- what is rare ---

    def _redeliver(self, operation: Redeliver) -> Entry:
        new = operation.entry
        known = self._rows.get(new.id)
        if known is not None:
            return self._whole(known).entry
        row = self._ended(operation.id, "redelivering it", _DEAD)
        dead = self._whole(row)
        if dead.damage is not None:
            raise IllegalMove(operation.id, row.state.value, f"redelivering it, with {dead.damage} damaged,")
        self._remove([row])
        return self._put(dead.entry.anew(new))

    def _ended(self, ticket_id: str, what: str, states: Collection[TicketState]) -> Row:
        row = self._rows.get(ticket_id)
        if row is None:
            raise UnknownTicket(ticket_id)
        if row.state not in states or row.working:
            raise IllegalMove(ticket_id, row.state.value, what)
        return row

    def _handled(self, operation: Handled) -> None:
        self.flush()
        found = self._connection.execute("SELECT 1 FROM handled WHERE id = ?", (operation.id,)).fetchone()
        if found is None:
            self._lines["handled"].append(handled_values(operation))
            self._save(operation.saved)

    def _prune(self, operation: Prune) -> int:
        self.flush()
        before = to_ns(operation.before)
        seqs: list[int] = []
        for state in operation.states & ENDED:
            seqs += self._json(
                "SELECT json_group_array(seq) FROM (SELECT seq FROM tickets INDEXED BY tickets_ended "
                "WHERE state = ? AND state >= 2 AND changed < ? AND working = 0 ORDER BY changed LIMIT ?)",
                CODES[state],
                before,
                operation.limit - len(seqs),
            )
        removed = set(seqs)
        for row in [row for row in self._rows.values() if row.seq in removed]:
            self._forget(row)
        self._delete(seqs)
        gone = self._connection.execute(
            "DELETE FROM handled WHERE id IN (SELECT id FROM handled WHERE at < ? ORDER BY at LIMIT ?)",
            (before, operation.limit - len(seqs)),
        )
        return len(seqs) + gone.rowcount

    def _remove(self, rows: Sequence[Row]) -> None:
        self.flush()
        for row in rows:
            self._forget(row)
        self._delete([row.seq for row in rows])

    def _forget(self, row: Row) -> None:
        del self._rows[row.id]
        if row.key is not None and self._keys.get((row.path, row.key)) == row.id:
            del self._keys[row.path, row.key]

    def _delete(self, seqs: list[int]) -> None:
        if not seqs:
            return
        for statement in REMOVALS:
            self._connection.execute(statement, (json.dumps(seqs),))
        # the next place is higher than any that was given, also when the newest tickets are gone
        self._connection.execute("INSERT OR REPLACE INTO counters VALUES ('seq', ?)", (self._seq,))

    # --- writing ---

    def flush(self) -> None:
        """Write what was decided."""
        if self._changed:
            # seq, state, attempts, working, changed, checksum, indexed
            lines = [
                (row.seq, *row.values()[7:], int(row.seq <= self._indexed)) for row in self._changed.values()
            ]
            self._write(UPDATE_TICKETS, lines)
            self._touched |= self._changed
            self._changed = {}
        if self._new:
            self._lines["tickets"] = [(*row.values(), 0) for row in self._new.values()]
            self._touched |= self._new
            self._new = {}
        if self._states:
            self._save_states()
        for table, lines in self._lines.items():
            if lines:
                self._write(INSERTS[table], lines)
                self._lines[table] = []

    def _save_states(self) -> None:
        forgotten = [path for path, state in self._states.items() if state is None]
        if forgotten:
            self._connection.execute(
                "DELETE FROM states WHERE path IN (SELECT value FROM json_each(?))", (json.dumps(forgotten),)
            )
        self._lines["states"] = [
            (path, state, answer_sum(path, state))
            for path, state in self._states.items()
            if state is not None
        ]
        self._states = {}

    def _write(self, statements: dict[int, str], lines: Sequence[tuple[Any, ...]]) -> None:
        start = 0
        for size in chunked(len(lines)):
            values = [value for line in lines[start : start + size] for value in line]
            self._connection.execute(statements[size], values)
            start += size

    def close(self) -> None:
        """Write everything, and shorten the feed; what follows is the commit."""
        self.flush()
        oldest = self._number - CHANGES_KEPT + 1
        if oldest - self._oldest >= _PRUNED_AT_ONCE:
            self._connection.execute("DELETE FROM feed WHERE number < ?", (oldest,))
            self._oldest = oldest
        if self._seq - self._indexed >= 2 * _YOUNG:
            self.index_until(self._seq - _YOUNG)

    def index_until(self, seq: int, since: int | None = None) -> None:
        """Put pending tickets up to this place in the index."""
        self._connection.execute(
            "UPDATE tickets SET indexed = 1 WHERE seq > ? AND seq <= ? AND state = 0 AND indexed = 0",
            (self._indexed if since is None else since, seq),
        )
        self._indexed = seq
        self._connection.execute("INSERT OR REPLACE INTO counters VALUES ('indexed', ?)", (seq,))

    def count(self) -> None:
        """The commit is on the disk: so are the counts."""
        counts = self._counts
        if self._recount:
            counts.live = Counts.read(self._connection).live
        else:
            for path, more in self._live.items():
                left = counts.live.get(path, 0) + more
                counts.live[path] = left
                if not left:
                    del counts.live[path]
        counts.seq, counts.number, counts.oldest = self._seq, self._number, self._oldest
        for row in self._touched.values():
            if row.seq > self._indexed:
                counts.keep(row)
        if counts.indexed != self._indexed:
            counts.forget_young(self._indexed)
