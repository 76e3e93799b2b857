"""What stands at the end of a run: the status of every path, and why the root gave up."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TextIO

import attrs
from rich.console import Console

from actors.cli.feed import Screen
from actors.cli.ledger import Row
from actors.cli.lines import causes, plain, to_json
from actors.cli.run import Verdict
from actors.cli.screens import LineScreen, LiveScreen, write_all
from actors.cli.show import status_table
from actors.cli.strict import Fault

__all__ = [
    "fault_lines",
    "live_screen",
    "print_console",
    "screen_maker",
    "status_json",
    "tell_end",
    "tell_faults",
]

PIPE_WIDTH = 180
"""Columns of a table that no terminal limits."""


@contextmanager
def live_screen(stream: TextIO, *, json: bool) -> Generator[LiveScreen | None]:
    """The live tree, when the stream is a terminal that can draw it and nobody wants JSON; else None."""
    console = Console(file=stream)
    if json or not console.is_terminal or console.is_dumb_terminal:
        yield None
        return
    with LiveScreen(console) as live:
        yield live


def screen_maker(stream: TextIO, live: LiveScreen | None, *, json: bool) -> Callable[[float], Screen]:
    """The screen for a run that begins at the time it is called with."""
    return lambda since: live or LineScreen(stream, since, json=json)


def print_console(stream: TextIO) -> Console:
    """A console for the final table: as wide as the terminal, or wide enough."""
    return Console(file=stream, width=None if stream.isatty() else PIPE_WIDTH, highlight=False)


def tell_end(verdict: Verdict, system: str, stdout: TextIO, stderr: TextIO, *, json: bool) -> None:
    """The status of every path, and the causes one line each when the root gave up."""
    if verdict.error is not None:
        first, *rest = causes(verdict.error)
        write_all(stderr, "".join([f"{first}\n", *(f"because: {line}\n" for line in rest)]))
    if json:
        write_all(stdout, status_json(verdict, system) + "\n")
        return
    console = print_console(stdout)
    console.print(status_table(verdict.rows))


def status_json(verdict: Verdict, system: str) -> str:
    """The last line of `--json`."""
    error = verdict.error
    return to_json(
        {
            "at": round(verdict.took, 6),
            "event": "Status",
            "path": "/",
            "system": system,
            "code": verdict.code,
            "causes": [] if error is None else list(causes(error)),
            "agents": [_row(row) for row in verdict.rows],
        }
    )


def _row(row: Row) -> dict[str, Any]:
    exit = row.exit
    last = None if exit is None else {"kind": str(exit.kind), "reason": plain(exit.reason)}
    return row.as_dict() | {"breaker": plain(row.breaker), "exit": last}


def tell_faults(faults: tuple[Fault, ...], path: str, stdout: TextIO, stderr: TextIO, *, json: bool) -> None:
    """Every mistake: lines on stderr, or one JSON object on stdout."""
    if json:
        write_all(stdout, to_json({"faults": [attrs.asdict(one) for one in faults]}) + "\n")
    else:
        write_all(stderr, fault_lines(faults, path))


def fault_lines(faults: tuple[Fault, ...], path: str) -> str:
    """Every mistake on a line of its own, under the file that has it."""
    lines: list[str] = []
    file = ""
    for fault in faults:
        if fault.file != file:
            file = fault.file or path
            lines.append(f"{file}:")
        lines.append(f"  {fault}")
    return "\n".join(lines) + "\n"
