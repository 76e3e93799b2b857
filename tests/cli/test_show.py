"""What people see: the live tree, and the table at the end."""

from __future__ import annotations

import io

import pytest
from rich.console import Console, RenderableType

from actors.cli.feed import Picture
from actors.cli.ledger import Row
from actors.cli.report import PIPE_WIDTH, live_screen
from actors.cli.show import live_tree, status_table
from actors.exits import Exit, ExitKind
from actors.supervision.breaker import BreakerState, CircuitState
from actors.tree import TreeNode

OPEN = BreakerState(state=CircuitState.OPEN, failures=3, retry_after=9.0, velocity=12.5, risk="critical")
FAILED = Exit(ExitKind.FAILED, error=ValueError("[bold]x[/bold]\ny"))
ROWS = (
    Row(path="/s/bad", restarts=2, breaker=OPEN, exit=FAILED),
    Row(path="/s/good", breaker=BreakerState()),
    Row(path="/s/~3", exit=Exit(ExitKind.NORMAL)),
)


def drawn(what: RenderableType, width: int = PIPE_WIDTH) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as capture:
        console.print(what)
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.row(34)
def test_the_table_has_one_line_a_path() -> None:
    """Restarts, breaker, failures, velocity, risk and last exit of each."""
    assert [" ".join(line.split()) for line in drawn(status_table(ROWS))] == [
        "path restarts breaker failures per minute risk last exit",
        "/s/bad 2 open 3 12.5 critical FAILED (ValueError: [bold]x[/bold] y)",
        "/s/good 0 closed 0 0 low none yet",
        "/s/~3 0 none NORMAL",
    ]


@pytest.mark.row(34)
def test_the_live_tree_shows_state_restarts_health_and_exit() -> None:
    """One line an actor, and what is not worth knowing is left out."""
    bad = TreeNode(name="bad", path="/s/bad", kind="process", state="CIRCUIT_OPEN")
    good = TreeNode(name="good", path="/s/good", kind="actor", state="BUSY")
    adhoc = TreeNode(name=None, path="/s/~3", kind="function", state="IDLE")
    crew = TreeNode(name="s", path="/s", kind="supervisor", state="IDLE", children=(bad, good, adhoc))
    root = TreeNode(name="alpha", path="/", kind="system", state="IDLE", children=(crew,))
    assert drawn(live_tree(Picture(root, ROWS))) == [
        "alpha [idle] (system)",
        "└── s [idle] (supervisor)",
        "    ├── bad [circuit_open] (process) 2 restarts breaker open, 3 failures, 12.5 per minute, "
        "risk critical last exit FAILED (ValueError: [bold]x[/bold] y)",
        "    ├── good [busy] (actor)",
        "    └── ~3 [idle] (function) last exit NORMAL",
    ]


def test_a_narrow_terminal_keeps_one_line_an_actor() -> None:
    """What does not fit is cut."""
    bad = TreeNode(name="bad", path="/s/bad", kind="process", state="CIRCUIT_OPEN")
    root = TreeNode(name="alpha", path="/", kind="system", state="IDLE", children=(bad,))
    assert len(drawn(live_tree(Picture(root, ROWS)), width=40)) == 2


def test_only_a_terminal_is_live() -> None:
    """A pipe gets lines."""
    with live_screen(io.StringIO(), json=False) as live:
        assert live is None
