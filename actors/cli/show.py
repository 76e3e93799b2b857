"""What people see of a run, in rich: the live tree, and the table at the end. Picture in, renderable out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from actors.cli.feed import Picture
from actors.cli.ledger import Row
from actors.cli.lines import exit_text, shorten
from actors.supervision.breaker import BreakerState, CircuitState
from actors.tree import TreeNode

__all__ = ["live_tree", "status_table"]

_STATES = {
    "STARTING": "yellow",
    "IDLE": "green",
    "BUSY": "bold green",
    "BACKING_OFF": "yellow",
    "CIRCUIT_OPEN": "bold red",
    "SUSPENDED": "cyan",
    "STOPPING": "dim",
}
_RISKS = {"low": "green", "medium": "yellow", "high": "magenta", "critical": "bold red"}
_REASON = 100
"""Characters of an exit."""


def live_tree(picture: Picture) -> Tree:
    """Every living actor: its state, restarts, breaker and last exit."""
    rows = {row.path: row for row in picture.rows}
    tree = Tree(_label(picture.tree, None))
    _grow(tree, picture.tree.children, rows)
    return tree


def _grow(tree: Tree, nodes: Iterable[TreeNode], rows: Mapping[str, Row]) -> None:
    for node in nodes:
        _grow(tree.add(_label(node, rows.get(node.path))), node.children, rows)


def _label(node: TreeNode, row: Row | None) -> Text:
    name = node.name or node.path.rpartition("/")[2]
    text = Text(no_wrap=True, overflow="ellipsis")  # one line each: the tree stays a tree
    text.append(name, "bold")
    text.append(f" [{node.state.lower()}]", _STATES.get(node.state, ""))
    text.append(f" ({node.kind})", "dim")
    if node.parked:
        text.append(f" parked: {node.parked}", _STATES["SUSPENDED"])
    if row is None:
        return text
    if row.restarts:
        text.append(f" {_restarts(row.restarts)}", "yellow")
    if row.breaker is not None and row.breaker.failures:
        text.append(f" breaker {_health(row.breaker)}", _RISKS[row.breaker.risk])
    if row.exit is not None:
        text.append(f" last exit {shorten(exit_text(row.exit), _REASON)}", "dim")
    return text


def _restarts(count: int) -> str:
    return f"{count} restart{'' if count == 1 else 's'}"


def _health(breaker: BreakerState) -> str:
    state = breaker.state.lower().replace("_", "-")
    failures = f"{breaker.failures} failure{'' if breaker.failures == 1 else 's'}"
    return f"{state}, {failures}, {breaker.velocity:.3g} per minute, risk {breaker.risk}"


def status_table(rows: Iterable[Row]) -> Table:
    """One row a path: what became of it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("path", "restarts", "breaker", "failures", "per minute", "risk", "last exit"):
        table.add_column(name, justify="right" if name in _NUMBERS else "left", no_wrap=name != "last exit")
    for row in rows:
        table.add_row(row.path, str(row.restarts), *_breaker_cells(row.breaker), _exit_cell(row))
    return table


_NUMBERS = frozenset({"restarts", "failures", "per minute"})


def _breaker_cells(breaker: BreakerState | None) -> tuple[Text | str, ...]:
    if breaker is None:
        return "none", "", "", ""
    style = "" if breaker.state is CircuitState.CLOSED else _RISKS[breaker.risk]
    return (
        Text(breaker.state.lower(), style),
        str(breaker.failures),
        f"{breaker.velocity:.3g}",
        Text(breaker.risk, _RISKS[breaker.risk]),
    )


def _exit_cell(row: Row) -> Text:
    if row.exit is None:
        return Text("none yet", "dim")
    return Text(shorten(exit_text(row.exit), _REASON), "red" if row.exit.is_failure else "")
