"""The SQL of the store: few statements, each for many rows, because each step of one costs the thread
that takes it the interpreter's lock, for up to 5 ms where the loop is busy. Pure.

Lists are read as one JSON text in one row. What may be damaged is cast to the type that it had.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = [
    "DUE",
    "ENTRIES",
    "INSERTS",
    "PENDING",
    "REMOVALS",
    "ROWS_BY_ID",
    "ROWS_BY_KEY",
    "ROWS_BY_SEQ",
    "UPDATE_TICKETS",
    "chunked",
    "entries",
    "past",
]

_KINDS: Final = {"I": "INTEGER", "T": "TEXT"}
_ROW: Final = (
    "I:seq T:id T:path I:priority T:key I:max_attempts I:due "
    "I:state I:attempts I:working I:changed T:checksum"
)
_MESSAGE: Final = "I:seq I:posted I:reply T:sender T:node I:hops T:answers T:payload T:checksum"
_NO_PAYLOAD: Final = "I:seq I:posted I:reply T:sender T:node I:hops T:answers"
_ANSWER: Final = "T:text T:checksum"


def _columns(table: str, columns: str) -> str:
    pairs = (column.split(":") for column in columns.split())
    return ", ".join(f"CAST({table}.{name} AS {_KINDS[kind]})" for kind, name in pairs)


ROWS_BY_ID: Final = (
    f"SELECT json_group_array(json_array({_columns('t', _ROW)})) "
    "FROM json_each(?) AS w CROSS JOIN tickets AS t ON t.id = w.value"
)
ROWS_BY_SEQ: Final = ROWS_BY_ID.replace("t.id = w.value", "t.seq = w.value")
ROWS_BY_KEY: Final = ROWS_BY_ID.replace(
    "t.id = w.value", "t.path = json_extract(w.value, '$[0]') AND t.key = json_extract(w.value, '$[1]')"
)

_FAILURES: Final = (
    "(SELECT json_group_array(json_array(CAST(f.text AS TEXT), CAST(f.checksum AS TEXT))) "
    "FROM failures AS f WHERE f.seq = t.seq)"
)


def entries(which: str, *, with_payload: bool = True) -> str:
    """The statement that reads whole tickets; `which` selects their `seq`."""
    message = _columns("m", _MESSAGE) if with_payload else f"{_columns('m', _NO_PAYLOAD)}, NULL, NULL"
    return (
        f"SELECT json_group_array(json_array({_columns('t', _ROW)}, {message}, "
        f"{_columns('a', _ANSWER)}, {_FAILURES})) "
        f"FROM ({which}) AS w CROSS JOIN tickets AS t ON t.seq = w.seq "
        "LEFT JOIN messages AS m ON m.seq = t.seq LEFT JOIN answers AS a ON a.seq = t.seq"
    )


ENTRIES: Final = entries("SELECT value AS seq FROM json_each(?)")
PENDING: Final = entries(
    "SELECT seq FROM (SELECT seq FROM tickets INDEXED BY tickets_pending "
    "WHERE path = ? AND state = 0 AND indexed = 1 ORDER BY priority DESC, seq LIMIT ?) "
    "UNION SELECT value AS seq FROM json_each(?)"
)

DUE: Final = entries(
    "SELECT seq FROM tickets INDEXED BY tickets_due WHERE due <= ? AND due IS NOT NULL AND state <= 1 "
    "ORDER BY due LIMIT ?",
    with_payload=False,
)

_CHUNKS: Final = (64, 16, 4, 1)


def chunked(count: int) -> list[int]:
    """How many rows to write at a time: few sizes, so that their statements are prepared once."""
    sizes: list[int] = []
    for size in _CHUNKS:
        times, count = divmod(count, size)
        sizes += [size] * times
    return sizes


def _places(columns: int, rows: int) -> str:
    return ", ".join([f"({', '.join('?' * columns)})"] * rows)


def _per_chunk(before: str, columns: int, after: str = "") -> dict[int, str]:
    return {rows: f"{before} VALUES {_places(columns, rows)}{after}" for rows in _CHUNKS}


INSERTS: Final = {
    "tickets": _per_chunk("INSERT INTO tickets", 13),
    "messages": _per_chunk("INSERT INTO messages", 9),
    "answers": _per_chunk("INSERT OR REPLACE INTO answers", 3),
    "failures": _per_chunk("INSERT INTO failures (seq, text, checksum)", 3),
    "states": _per_chunk("INSERT OR REPLACE INTO states", 3),
    "handled": _per_chunk("INSERT OR IGNORE INTO handled", 6),
    "feed": _per_chunk("INSERT INTO feed", 6),
}
"""For each table, and for each number of rows written at once."""

UPDATE_TICKETS: Final = {
    rows: "UPDATE tickets SET state = v.column2, attempts = v.column3, working = v.column4, "
    f"changed = v.column5, checksum = v.column6, indexed = v.column7 "
    f"FROM (VALUES {_places(7, rows)}) AS v "
    "WHERE tickets.seq = v.column1"
    for rows in _CHUNKS
}

REMOVALS: Final[Sequence[str]] = tuple(
    f"DELETE FROM {table} WHERE seq IN (SELECT value FROM json_each(?))"
    for table in ("tickets", "messages", "answers", "failures")
)


def past(prefix: str) -> str | None:
    """The first text behind all that begin with `prefix`, as SQLite orders them; None where there is none."""
    while prefix and prefix[-1] == "\U0010ffff":
        prefix = prefix[:-1]
    if not prefix:
        return None
    following = ord(prefix[-1]) + 1
    return prefix[:-1] + chr(0xE000 if following == 0xD800 else following)  # no text has what is between
