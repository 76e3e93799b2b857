"""What a run tells: tables as soon as a case is done, and at its end the noise, the file and the charts."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.harness.aims import judge
from benchmarks.harness.catalogue import Contest
from benchmarks.harness.compare import changes
from benchmarks.harness.noise import case_noise, cores, run_noise
from benchmarks.harness.results import CaseResult
from benchmarks.harness.rounds import Plan
from benchmarks.harness.store import machine, save, to_suite
from benchmarks.harness.tables import aim_line, case_table, change_table, heading

__all__ = ["Report"]


@attrs.frozen
class Report:
    """Where a run is told, and where it is kept."""

    console: Console
    errors: Console
    json: Path | None = None
    plots: Path | None = None

    def begin(self, line: str) -> None:
        """What is going to be measured, and how."""
        self.console.print(line)

    @contextmanager
    def progress(self, chosen: Sequence[Contest], plan: Plan) -> Generator[Callable[[str], object]]:
        """A bar on a terminal that can draw one; elsewhere nothing."""
        if not self.console.is_terminal or self.console.is_dumb_terminal:
            yield lambda _: None
            return
        steps = sum(len(contest.contenders) for contest in chosen) * (1 + plan.rounds + plan.lag)
        columns = (BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
        # redrawn only between measurements: a bar that moves by itself is noise
        with Progress(*columns, console=self.console, transient=True, auto_refresh=False) as bar:
            task = bar.add_task("", total=steps)

            def step(what: str) -> None:
                bar.update(task, description=what, advance=1, refresh=True)

            yield step

    def case(self, result: CaseResult) -> None:
        """Its table, its aims, and what was wrong."""
        self.console.print()
        self.console.print(heading(result.case))
        self.console.print(case_table(result))
        for aim in result.case.aims:
            self.console.print(aim_line(judge(aim, result), result.case))
        noise = case_noise(result)
        if noise:
            self.console.print(f"too noisy: {', '.join(noise)}", style="yellow", markup=False)

    def interrupted(self, results: Sequence[CaseResult]) -> None:
        """The case that was at work has its part."""
        self.console.print("\ninterrupted: this is what was measured so far")
        if results and any(side.rounds for side in results[-1].sides.values()):
            self.case(results[-1])

    def end(self, results: Sequence[CaseResult], load: float) -> None:
        """Whether all that can be trusted."""
        self.console.print()
        if any(side.rounds for result in results for side in result.sides.values()):
            for line in run_noise(results, load, cores()):
                self.console.print(line, markup=False, soft_wrap=True)

    def compare(self, old: Sequence[CaseResult], new: Sequence[CaseResult]) -> None:
        """What differs."""
        found = list(changes(old, new))
        self.console.print()
        self.console.print(change_table(found) if found else "the two runs have no case and side in common")

    def save(self, results: Sequence[CaseResult]) -> bool:
        """Write what there is, so that nothing is lost if the machine fails. False when there is nothing."""
        suite = None if self.json is None else to_suite(results, machine())
        if self.json is None or suite is None:
            return False
        save(self.json, suite)
        return True

    def keep(self, results: Sequence[CaseResult]) -> bool:
        """Save and draw what was asked for. False when that failed, which was printed."""
        try:
            if self.save(results):
                self.console.print(f"saved: {self.json}", markup=False, soft_wrap=True)
            elif self.json is not None:
                self.errors.print(f"nothing was measured: {self.json} is not written", markup=False)
            self._draw(results)
        except OSError as error:
            self.errors.print(f"cannot write: {error}", markup=False, soft_wrap=True)
            return False
        return True

    def _draw(self, results: Sequence[CaseResult]) -> None:
        if self.plots is None:
            return
        from benchmarks.harness.plots import draw_all

        drawn = draw_all(results, self.plots)
        self.console.print(f"{len(drawn)} charts in {self.plots}", markup=False, soft_wrap=True)
