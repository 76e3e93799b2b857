"""The demo: real files, real processes, real crashes; then what came of it, measured and not promised."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import TextIO

import attrs
import trio

from actors.cli.demo.index import Index, draw, load, merge
from actors.cli.demo.left import living_tasks, marked_processes, noted, still_runs
from actors.cli.demo.worker import CHILDREN, NOTES, PAGES, PROCESSES, text_files
from actors.cli.ends import all_settled
from actors.cli.load import load as load_team
from actors.cli.report import live_screen, print_console, screen_maker
from actors.cli.run import Verdict, run_team
from actors.cli.screens import LiveScreen, write_all
from actors.cli.show import status_table
from actors.cli.team import Team
from actors.cli.what import Surroundings
from actors.events import Event, Stopped
from actors.process import Completed
from actors.supervision.breaker import CircuitState
from actors.system import System

__all__ = ["run_demo"]

BAD_FOLDER = 2
LEFT_BEHIND = 1


@attrs.define
class _Result:
    """What came of a run of the demo."""

    verdict: Verdict
    shares: list[Index]
    tasks: int


@attrs.frozen
class _Places:
    """The folders of one demo."""

    pages: Path
    notes: Path

    @property
    def variables(self) -> dict[str, str]:
        return {PAGES: str(self.pages), NOTES: str(self.notes)}

    @property
    def pids(self) -> frozenset[int]:
        return noted(self.notes / PROCESSES) | self.children

    @property
    def children(self) -> frozenset[int]:
        return noted(self.notes / CHILDREN)

    def processes_left(self) -> int:
        """Workers and their descendants that run still, found by their note or by their environment."""
        known = frozenset(pid for pid in self.pids if still_runs(pid))
        return len(known | marked_processes(f"{NOTES}={self.notes}"))


def run_demo(folder: Path | None, surroundings: Surroundings, stdout: TextIO, stderr: TextIO) -> int:
    """Run the demo on a folder (None: the pages that come along) and return the exit code."""
    with _demo_files() as own, tempfile.TemporaryDirectory(prefix="actors-demo-") as notes:
        places = _Places((folder or own / "pages").absolute(), Path(notes))
        if not text_files(places.pages):
            write_all(stderr, f"there are no .md, .rst or .txt files under {places.pages}: name another\n")
            return BAD_FOLDER
        team = load_team(own / "demo.toml")
        around = attrs.evolve(surroundings, environ={**surroundings.environ, **places.variables})
        with live_screen(stdout, json=False) as live:
            result = trio.run(_run, team, around, stdout, live)
        return _tell(result, places, stdout)


@contextmanager
def _demo_files() -> Generator[Path]:
    """The folder of this package as files, wherever it is installed."""
    with as_file(files("actors.cli.demo")) as folder:
        yield folder


async def _run(team: Team, surroundings: Surroundings, stdout: TextIO, live: LiveScreen | None) -> _Result:
    before = living_tasks()
    shares: list[Index] = []
    screen = screen_maker(stdout, live, json=False)
    verdict = await run_team(
        team, surroundings, screen, over=_is_settled, on_event=functools.partial(_collect, shares)
    )
    return _Result(verdict, shares, len(living_tasks() - before))


def _is_settled(system: System, team: Team) -> bool:
    """All have ended, or wait for a probe that is far away."""
    return all_settled(
        system.tree(), team.crews, lambda path: system.breaker(path).state is CircuitState.OPEN
    )


def _collect(shares: list[Index], event: Event) -> None:
    """The share of an indexer is what its process wrote."""
    if not isinstance(event, Stopped) or not event.ref.path.startswith("/indexers/"):
        return
    completed = event.exit.value
    if isinstance(completed, Completed) and completed.returncode == 0:
        shares.append(load(completed.stdout))


def _tell(result: _Result, places: _Places, stdout: TextIO) -> int:
    """Print the index, who met what, and what is left. 1 when anything is left."""
    found = len(text_files(places.pages))
    write_all(stdout, f"\n{draw(merge(result.shares), found)}\n\n")
    print_console(stdout).print(status_table(result.verdict.rows))
    processes, tasks = places.processes_left(), result.tasks
    ended = sum(not still_runs(pid) for pid in places.children)
    text = (
        f"\n{len(places.children)} child left behind by its worker, {ended} ended with its group\n"
        f"{len(places.pids)} processes in {result.verdict.took:.1f} s\n"
        f"{tasks} tasks, {processes} processes left\n"
    )
    write_all(stdout, text)
    return result.verdict.code or (LEFT_BEHIND if tasks or processes else 0)
