"""Requests as people and programs see them. Facts in, text or tables out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import attrs
from rich.table import Table
from rich.text import Text

from actors.cli.lines import shorten
from actors.people.request import APPROVAL, CLARIFICATION
from actors.people.service import ChangeFacts

__all__ = ["Asked", "change_json", "change_line", "request_json", "request_table"]

_QUESTION = 500
_LINE = 120
_SOON = 60.0


@attrs.frozen
class Asked:
    """A request; `asked` and `due` are in seconds since 1970, the rest is as in `PersonRequest`."""

    id: str
    kind: str
    text: str
    options: list[Any]
    to: str | None
    due: float | None
    priority: int
    asked: float
    sender: str | None
    node: str
    key: str | None
    digest: str | None

    @classmethod
    def of(cls, record: str, now: float) -> Asked:
        """From what the desk has told."""
        facts: dict[str, Any] = json.loads(record)
        facts["asked"] += now
        facts["due"] = None if facts["due"] is None else facts["due"] + now
        return cls(**{field.name: facts[field.name] for field in attrs.fields(cls)})

    @property
    def takes(self) -> str:
        """What may be answered."""
        if self.kind == APPROVAL:
            return "yes or no"
        if self.kind == CLARIFICATION:
            return "text"
        return ", ".join(json.dumps(one, ensure_ascii=False) for one in self.options) or "anything"

    @property
    def asker(self) -> str:
        """Who asks."""
        return self.node if self.sender is None else f"{self.sender} of {self.node}"


def _clean(text: str, longest: int) -> str:
    """On one line, and without what would steer a terminal."""
    return shorten("".join(one if one.isprintable() else "?" for one in " ".join(text.split())), longest)


def _left(seconds: float | None) -> str:
    if seconds is None:
        return "no limit"
    if seconds < 2 * _SOON:
        return f"{max(0.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} m" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def request_table(requests: Sequence[Asked], now: float) -> Table:
    """One row a request; `now` is in seconds since 1970."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "for", "left", "priority", "asked by", "question", "answer"):
        numeric = name in ("left", "priority")
        table.add_column(
            name, justify="right" if numeric else "left", no_wrap=name in ("id", "left"), overflow="fold"
        )
    for one in requests:
        left = None if one.due is None else one.due - now
        table.add_row(
            Text(_clean(one.id, _LINE)),
            Text("anybody" if one.to is None else _clean(one.to, _LINE)),
            Text(_left(left), "bold red" if left is not None and left < _SOON else ""),
            str(one.priority),
            Text(_clean(one.asker, _LINE)),
            Text(_clean(one.text, _QUESTION)),
            Text(_clean(one.takes, _LINE)),
        )
    return table


def request_json(request: Asked) -> str:
    """One line."""
    return json.dumps(attrs.asdict(request))


def change_json(change: ChangeFacts, now: float) -> str:
    """One line: the change, with the request as it was then."""
    value = None if change.value is None else json.loads(change.value)
    facts = {"event": change.event, "at": now - change.ago, "by": change.by, "value": value}
    request = attrs.asdict(Asked.of(change.record, now))
    return json.dumps({**facts, "before": change.before, "request": request})


def change_line(change: ChangeFacts, now: float) -> str:
    """One line, for people."""
    one = Asked.of(change.record, now)
    at = datetime.fromtimestamp(now - change.ago).astimezone().isoformat(" ", "seconds")
    head = f"{at}  {_clean(one.id, _LINE)}  {change.event}"
    match change.event:
        case "answered":
            by = "" if change.by is None else f" by {_clean(change.by, _LINE)}"
            return f"{head}{by}: {_clean(change.value or '', _LINE)}"
        case "expired" | "withdrawn":
            return head
        case _:
            whom = "anybody" if one.to is None else _clean(one.to, _LINE)
            left = _left(None if one.due is None else one.due - now)
            return f"{head}  {whom}: {_clean(one.text, _QUESTION)} ({_clean(one.takes, _LINE)}; {left})"
