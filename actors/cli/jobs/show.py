"""What people and programs see of a batch: the plan, one line a job, the bar, and the table at the end."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

import attrs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from actors.cli.jobs.batch import Batch, Task
from actors.cli.lines import LONGEST_LINE, error_text, plain, shorten, to_json
from actors.cli.screens import write_all
from actors.outcome import Outcome

__all__ = ["BarBoard", "Board", "Ended", "LineBoard", "board", "outcome_table", "plan_json", "plan_text"]


@attrs.frozen
class Ended:
    """A job that has ended: when (seconds since the beginning), and the how-manieth it is."""

    at: float
    task: Task
    outcome: Outcome
    skipped: bool
    done: int
    total: int

    @property
    def result(self) -> str:
        """In one word."""
        if self.skipped:
            return "skipped"
        return "ok" if self.outcome.ok else str(self.outcome.failure).lower().replace("_", " ")

    @property
    def why(self) -> str:
        """What it failed with, on one line; empty for a success."""
        error = self.outcome.error
        return "" if error is None else shorten(error_text(error), LONGEST_LINE)

    def as_text(self) -> str:
        """One line for people."""
        how = "" if self.skipped else f" in {self.outcome.elapsed:.3g} s{_how(self.outcome)}"
        why = f": {self.why}" if self.why else ""
        return f"{self.at:8.3f} s  [{self.done}/{self.total}]  {self.task.label}  {self.result}{how}{why}"

    def as_json(self) -> str:
        """One line for programs."""
        outcome = self.outcome
        return to_json(
            {
                "at": round(self.at, 6),
                "event": "Job",
                "label": self.task.label,
                "done": self.done,
                "total": self.total,
                "skipped": self.skipped,
                "ok": outcome.ok,
                "failure": plain(outcome.failure),
                "error": plain(outcome.error),
                "attempts": outcome.attempts,
                "extended": outcome.extended,
                "fallback": outcome.fallback,
                "elapsed": round(outcome.elapsed, 6),
                "value": plain(outcome.value),
            }
        )


def _how(outcome: Outcome) -> str:
    said = [f"{outcome.attempts} attempts"] if outcome.attempts != 1 else []
    said += ["by its fallback"] if outcome.fallback else []
    return f" ({', '.join(said)})" if said else ""


# --- while it runs ------------------------------------------------------------------


class Board(Protocol):
    """Where a batch is shown. Runs in a thread and may block; raises OSError when nobody reads."""

    def show(self, ended: Sequence[Ended]) -> None:
        """These jobs have ended."""
        ...


class LineBoard:
    """One line a job: text, or JSON."""

    def __init__(self, stream: TextIO, *, json: bool) -> None:
        self._stream = stream
        self._json = json

    def show(self, ended: Sequence[Ended]) -> None:
        """Write the lines."""
        lines = (one.as_json() if self._json else one.as_text() for one in ended)
        write_all(self._stream, "".join(f"{line}\n" for line in lines))


class BarBoard:
    """A bar of those that have ended; failures scroll away above it."""

    def __init__(self, console: Console, total: int) -> None:
        self.progress = Progress(
            TextColumn("jobs"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
        )
        self._failed = 0
        self._bar = self.progress.add_task("", total=total)

    def show(self, ended: Sequence[Ended]) -> None:
        """Move the bar on."""
        for one in ended:
            if not one.outcome.ok:
                self._failed += 1
                self.progress.console.print(Text(one.as_text(), "red"))
        failed = f"[red]{self._failed} failed" if self._failed else ""
        self.progress.update(self._bar, advance=len(ended), description=failed)


@contextmanager
def board(stream: TextIO, total: int, *, json: bool) -> Generator[Board]:
    """The bar, when the stream is a terminal that can draw it and nobody wants JSON; else lines."""
    console = Console(file=stream)
    if json or not console.is_terminal or console.is_dumb_terminal:
        yield LineBoard(stream, json=json)
        return
    bar = BarBoard(console, total)
    with bar.progress:
        yield bar


# --- before and after ---------------------------------------------------------------


def plan_text(batch: Batch, skipped: Iterable[str], longest: float) -> str:
    """The waves and the order in them; nothing runs."""
    left_out = frozenset(skipped)
    lines: list[str] = []
    for number, wave in enumerate(batch.waves, 1):
        lines.append(f"wave {number}")
        lines.extend(f"  {_plan_line(task, task.label in left_out)}" for task in wave)
    spec = batch.spec
    rules = [f"{spec.limit} at a time"]
    rules += [f"{spec.stagger:g} s between two starts"] if spec.stagger else []
    rules += ["at most " + f"{longest:g} s by the limits of the jobs"] if longest < math.inf else []
    rules += [] if spec.deadline is None else [f"deadline {spec.deadline:g} s"]
    return "\n".join([*lines, ", ".join(rules)]) + "\n"


def _plan_line(task: Task, skipped: bool) -> str:
    after = f", after {', '.join(task.spec.after)}" if task.spec.after else ""
    return (
        f"{task.label}: {shorten(task.what, LONGEST_LINE)}{after}{' (done, is skipped)' if skipped else ''}"
    )


def plan_json(batch: Batch, skipped: Iterable[str], longest: float) -> str:
    """The same for programs."""
    left_out = frozenset(skipped)
    jobs = [
        {
            "label": task.label,
            "name": task.spec.name,
            "what": task.what,
            "after": list(task.spec.after),
            "skipped": task.label in left_out,
        }
        for task in batch.tasks
    ]
    spec = batch.spec
    said: dict[str, Any] = {
        "waves": [[task.label for task in wave] for wave in batch.waves],
        "jobs": jobs,
        "limit": spec.limit,
        "stagger": spec.stagger,
        "deadline": spec.deadline,
        "longest": plain(longest),
    }
    return to_json(said)


def outcome_table(batch: Batch, ended: Iterable[Ended]) -> Table:
    """One row a job, in the order of the file."""
    by_label = {one.task.label: one for one in ended}
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("job", "result", "attempts", "seconds", "why"):
        numeric = name in ("attempts", "seconds")
        table.add_column(name, justify="right" if numeric else "left", no_wrap=name != "why")
    for task in batch.tasks:
        table.add_row(*_cells(task, by_label.get(task.label)))
    return table


def _cells(task: Task, ended: Ended | None) -> tuple[Text | str, ...]:
    if ended is None:
        return Text(task.label), Text("cancelled", "red"), "", "", ""
    outcome = ended.outcome
    style = "dim" if ended.skipped else "green" if outcome.ok else "red"
    result = f"{ended.result}, by fallback" if outcome.fallback else ended.result
    seconds = f"{outcome.elapsed:.3g}"
    return Text(task.label), Text(result, style), str(outcome.attempts), seconds, Text(ended.why)
