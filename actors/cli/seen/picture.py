"""What `actors top` shows: a look at a system in, something for rich out. No text of users is markup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from actors.cli.lines import shorten
from actors.cli.posted.show import age
from actors.cli.seen.rates import Rates, in_tree_order
from actors.observe.fact import Fact
from actors.observe.service import Sight
from actors.observe.words import number_of

__all__ = ["picture"]

_STATES: Final = {
    "STARTING": "yellow",
    "IDLE": "green",
    "BUSY": "bold green",
    "BACKING_OFF": "yellow",
    "CIRCUIT_OPEN": "bold red",
    "SUSPENDED": "cyan",
    "STOPPING": "dim",
}
_LINKS: Final = {"UP": "green", "SUSPECT": "yellow", "RECONNECTING": "yellow", "DOWN": "bold red"}
_TEXT: Final = 100
_PEOPLE: Final = 5
_FACTS: Final = 6
_NUMBERS: Final = frozenset({"waiting", "msg/s", "handled", "failed", "restarts"})
_COLUMNS: Final = ("actor", "state", "waiting", "msg/s", "handled", "failed", "restarts", "since", "notes")


def picture(
    sight: Sight, rates: Rates, facts: Sequence[Fact], *, as_tree: bool, height: int | None = None
) -> Group:
    """The head, the actors, and what else there is; at most `height` lines of actors."""
    parts: list[Any] = [Text(_head(sight.summary, rates), "bold"), Text("")]
    rows = list(in_tree_order(sight.actors)) if as_tree else [(0, row) for row in sight.actors]
    shown = rows if height is None else rows[: max(1, height)]
    parts.append(_table(sight.summary["at"], shown, rates, as_tree=as_tree))
    left = sight.more + len(rows) - len(shown)
    if left:
        parts.append(Text(f"… {number_of(left, 'actor')} more", "dim"))
    below = list(_below(sight.summary, facts))
    return Group(*parts, *([Text("")] if below else []), *below)


def _head(summary: Mapping[str, Any], rates: Rates) -> str:
    counts, desk, dead = summary["statistics"], summary["desk"], summary["dead"]
    said = [
        f"{summary['system']}, up {age(summary['uptime'])}",
        number_of(counts["actors"], "actor"),
        f"{counts['waiting']} waiting",
        f"{counts['handled']} handled" + ("" if rates.total is None else f", {rates.total:.3g}/s"),
        number_of(counts["restarts"], "restart"),
        number_of(dead["count"] + (dead["posted"] or 0), "dead letter"),
    ]
    asked = len(desk["pending"]) + desk["more"]
    return "  ".join(said) + (f"  {number_of(asked, 'request')} to people" if asked else "")


def _table(at: float, rows: Sequence[tuple[int, Any]], rates: Rates, *, as_tree: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in _COLUMNS:
        table.add_column(name, justify="right" if name in _NUMBERS else "left", no_wrap=True)
    for deep, row in rows:
        path, rate = row["path"], rates.of(row["path"])
        name = "  " * deep + (path.rpartition("/")[2] or row["name"]) if as_tree else path
        table.add_row(
            Text(name if len(name) <= _TEXT else name[: _TEXT - 1] + "…"),
            Text(row["state"].lower(), _STATES.get(row["state"], "")),
            str(row["depth"] or ""),
            "" if rate is None else f"{rate:.3g}",
            str(row["handled"]),
            Text(str(row["failed"] or ""), "red"),
            Text(str(row["restarts"] or ""), "yellow"),
            age(row["uptime"]),
            Text(", ".join(_notes(at, row)), overflow="ellipsis"),
        )
    return table


def _notes(at: float, row: Mapping[str, Any]) -> Iterator[str]:
    """What is not usual."""
    if "parked" in row:
        yield f"parked: {row['parked']}"
    breaker = row.get("breaker")
    if breaker is not None and (breaker["state"] != "CLOSED" or breaker["failures"]):
        state = breaker["state"].lower().replace("_", "-")
        said = f"breaker {state}, {number_of(breaker['failures'], 'failure')}"
        yield said + (f", {breaker['retry_after']:.3g} s left" if breaker["retry_after"] else "")
    if "deadline" in row:
        yield f"{max(0.0, row['deadline'] - at):.3g} s of {row['limit']:.3g} s left"
    for what in row.get("waiting_for", ()):
        yield f"waits for {shorten(str(what), _TEXT)}"
    if "node" in row:
        yield f"on {row['node']}"


def _below(summary: Mapping[str, Any], facts: Sequence[Fact]) -> Iterator[Text]:
    for node in summary["nodes"]:
        trip = node["round_trip"]
        line = Text(f"node {node['name']} ")
        line.append(node["state"].lower(), _LINKS.get(node["state"], ""))
        yield line.append("" if trip is None else f", round trip {trip * 1000:.3g} ms")
    for request in summary["desk"]["pending"][:_PEOPLE]:
        deadline = request["deadline"]
        to = f" to {request['to']}" if request["to"] else ""
        left = "" if deadline is None else f", {max(0.0, deadline - summary['at']):.0f} s left"
        yield Text(f"asked{to}: {shorten(request['text'], _TEXT)}{left} ({request['id']})", "cyan")
    for fact in facts[-_FACTS:]:
        yield Text(shorten(f"{fact.path or ''} {fact.text}", _TEXT), "dim")
