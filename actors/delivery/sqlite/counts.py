"""What is known of the store in a file without looking: who waits, and how far its numbers have come."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from typing import Final

import attrs

from actors.delivery.sqlite.rows import Row
from actors.delivery.ticket import TicketState

__all__ = ["Counts"]

_LIVE: Final = (
    "INDEXED BY tickets_pending WHERE state = 0 AND indexed = 1",
    "INDEXED BY tickets_in_hand WHERE working = 1 AND state = 1",
    "NOT INDEXED WHERE state = 0 AND indexed = 0 "
    "AND seq > ifnull((SELECT value FROM counters WHERE name = 'indexed'), 0)",
)
"""Live tickets, in three parts that an index or a range serves."""


@attrs.define
class Counts:
    """What is known of a store without looking: as it is on the disk."""

    live: dict[str, int]
    """Live tickets of each recipient."""
    seq: int
    number: int
    """The newest change."""
    oldest: int
    """The oldest change that is kept."""
    indexed: int
    """Pending tickets up to this place are in the index of their recipient; later ones in `young`."""
    young: dict[str, list[tuple[int, int]]] = attrs.Factory(dict[str, list[tuple[int, int]]])
    """The order (`Entry.order`) of pending tickets by recipient. Most are delivered before they are so many
    that they have to go to the index, which costs more than all else that is written of a ticket."""

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> Counts:
        """Count; takes some 0.15 s for a million tickets."""
        live: dict[str, int] = {}
        for which in _LIVE:
            for path, count in connection.execute(
                f"SELECT path, count(*) FROM tickets {which} GROUP BY path"
            ):
                live[path] = live.get(path, 0) + count
        [seq] = connection.execute(
            "SELECT max(ifnull((SELECT max(seq) FROM tickets), 0), "
            "ifnull((SELECT value FROM counters WHERE name = 'seq'), 0))"
        ).fetchone()
        [number, oldest] = connection.execute(
            "SELECT ifnull((SELECT max(number) FROM feed), 0), ifnull((SELECT min(number) FROM feed), 1)"
        ).fetchone()
        [indexed] = connection.execute(
            "SELECT ifnull((SELECT value FROM counters WHERE name = 'indexed'), 0)"
        ).fetchone()
        return cls(live, seq, number, oldest, indexed)

    def keep(self, row: Row) -> None:
        """Know of a young ticket whether it is pending."""
        order = (-row.priority, row.seq)
        line = self.young.get(row.path)
        at = 0 if line is None else bisect_left(line, order)
        if line is not None and at < len(line) and line[at] == order:
            if row.state is not TicketState.PENDING:
                del line[at]
                if not line:
                    del self.young[row.path]
        elif row.state is TicketState.PENDING:
            self.young.setdefault(row.path, []).insert(at, order)

    def forget_young(self, indexed: int) -> None:
        """Those up to this place are in the index."""
        self.indexed = indexed
        self.young = {
            path: left
            for path, line in self.young.items()
            if (left := [order for order in line if order[1] > indexed])
        }
