"""What a look at a system says beside the one before: messages a second; and the order of the tree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

__all__ = ["Rates", "in_tree_order"]

Row = Mapping[str, Any]


@attrs.define
class Rates:
    """How fast counts grow from look to look."""

    _at: float | None = None
    _handled: dict[str, int] = attrs.field(factory=dict[str, int])
    _of: dict[str, float] = attrs.field(factory=dict[str, float])
    _all: int = 0
    total: float | None = None
    """Messages a second of the whole system; None after the first look."""

    def look(self, summary: Mapping[str, Any], actors: Sequence[Row]) -> None:
        """One more look."""
        at: float = summary["at"]
        handled: int = summary["statistics"]["handled"]
        span = None if self._at is None else at - self._at
        if span is not None and span > 0:
            self.total = max(0, handled - self._all) / span
            self._of = {
                row["path"]: max(0, row["handled"] - self._handled[row["path"]]) / span
                for row in actors
                if row["path"] in self._handled
            }
        self._at, self._all = at, handled
        self._handled = {row["path"]: row["handled"] for row in actors}

    def of(self, path: str) -> float | None:
        """Messages a second of one actor; None where it was not seen twice."""
        return self._of.get(path)


def in_tree_order(actors: Sequence[Row]) -> Iterator[tuple[int, Row]]:
    """Each with how deep it is, parents before their children; one whose parent is left out is on top."""
    known = {row["path"]: row for row in actors}
    below: dict[str, list[Row]] = {}
    tops: list[Row] = []
    for row in actors:
        above = row["path"].rpartition("/")[0] or "/"
        if row["path"] != "/" and above in known:
            below.setdefault(above, []).append(row)
        else:
            tops.append(row)
    waiting = [(0, row) for row in reversed(tops)]
    while waiting:
        deep, row = waiting.pop()
        yield deep, row
        waiting.extend((deep + 1, child) for child in reversed(below.get(row["path"], ())))
