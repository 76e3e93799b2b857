"""`python -m benchmarks` from its options to its exit code."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import signal
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import App, CycloptsError, Parameter
from rich.console import Console

from benchmarks.harness.catalogue import Contest, UnknownWord, contests, find_peers, own_cases, picked
from benchmarks.harness.noise import cores, load_now
from benchmarks.harness.processes import TIMEOUT, interpreter
from benchmarks.harness.report import Report
from benchmarks.harness.results import CaseResult
from benchmarks.harness.rounds import Plan, in_worker, run_contest
from benchmarks.harness.store import BadResults, load
from benchmarks.harness.tables import list_table

__all__ = ["BAD_INPUT", "INTERRUPTED", "execute"]

BAD_INPUT = 2
"""Exit code: the command line or a file cannot be used."""
INTERRUPTED = 130
"""Exit code: Ctrl-C."""
PIPE_WIDTH = 180
QUICK = Plan(rounds=3, seconds=0.05, lag=False)

Flag = Parameter(negative="")

app = App(
    name="python -m benchmarks",
    help="Measure actors beside raw trio and other libraries, each measurement in a fresh process.",
    version_flags=[],
    result_action="return_value",
)


def execute(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (None: that of the process) and return the exit code."""
    try:
        with _ended_by_sigterm():
            return (
                app(arguments, exit_on_error=False, print_error=True, error_console=Console(stderr=True)) or 0
            )
    except CycloptsError:  # it has been printed
        return BAD_INPUT
    except (UnknownWord, BadResults) as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED


@contextlib.contextmanager
def _ended_by_sigterm() -> Generator[None]:
    """SIGTERM is Ctrl-C here: workers are in sessions of their own, and must be ended."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@app.default
def bench(
    *words: str,
    rounds: int | None = None,
    seconds: float | None = None,
    quick: Annotated[bool, Flag] = False,
    lag: bool | None = None,
    timeout: float = TIMEOUT,
    json: Path | None = None,
    plots: Path | None = None,
    compare: Annotated[list[Path] | None, Parameter(negative="")] = None,
    peers: Annotated[list[str] | None, Parameter(negative="")] = None,
    without_peers: Annotated[bool, Flag] = False,
    cases: Annotated[list[str] | None, Parameter(negative="")] = None,
    list_: Annotated[bool, Parameter(name="--list", negative="")] = False,
) -> int:
    """Measure the cases whose name contains one of WORDS, or all.

    Ctrl-C ends the run at once; what has been measured is printed and saved.

    Parameters
    ----------
    words
        Parts of names of cases.
    rounds
        How often each side is measured, in turn with the others. Default 5, quick 3.
    seconds
        How long one measurement takes at least. Default 0.25, quick 0.05.
    quick
        A first impression: short and few measurements, no lag.
    lag
        Measure the lag of the event loops, too. Default yes, quick no.
    timeout
        Seconds after which a measurement has failed.
    json
        Save the results here, for --compare and for `python -m pyperf`.
    plots
        Draw charts into this folder, as SVG and PNG.
    compare
        Say what differs from this saved run. Given twice: compare the two files, and measure nothing.
    peers
        Another interpreter, in whose environment other libraries are installed.
    without_peers
        Leave other libraries out.
    cases
        Measure the CASES of this module instead, such as `my_package.my_cases`.
    list_
        Show the cases and who competes in each, and measure nothing.
    """
    given = {"rounds": rounds, "seconds": seconds, "lag": lag}
    plan = attrs.evolve(
        QUICK if quick else Plan(), **{key: value for key, value in given.items() if value is not None}
    )
    saved = [load(path) for path in compare or ()]
    faults = [*_faults(plan, timeout, len(saved)), *_unwritable(json, plots)]
    if faults:
        print("\n".join(faults), file=sys.stderr)
        return BAD_INPUT
    report = Report(_console(), Console(stderr=True, highlight=False), json, plots)
    if len(saved) == 2:
        report.compare(*saved)
        return 0
    chosen = _chosen(words, cases or (), () if without_peers else (sys.executable, *(peers or ())))
    if list_:
        report.console.print(list_table(chosen))
        return 0
    return _run(chosen, plan, timeout, report, saved)


def _faults(plan: Plan, timeout: float, saved: int) -> Generator[str]:
    for name, value in (("rounds", plan.rounds), ("seconds", plan.seconds), ("timeout", timeout)):
        if not value > 0:
            yield f"--{name} must be above 0, this is {value:g}"
    if saved > 2:
        yield "--compare is given once, or twice to compare two files"


def _unwritable(json: Path | None, plots: Path | None) -> Generator[str]:
    """Better now than when all has been measured."""
    if json is not None and (json.is_dir() or not os.access(json.absolute().parent, os.W_OK)):
        yield f"cannot write {json}: its folder is not there or not writable"
    if plots is not None and plots.exists() and not plots.is_dir():
        yield f"cannot draw into {plots}: it is no folder"
    if plots is not None and importlib.util.find_spec("matplotlib") is None:
        yield 'charts need matplotlib: pip install "trio-actors[bench]"'


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)


def _chosen(words: Sequence[str], modules: Sequence[str], pythons: Sequence[str]) -> list[Contest]:
    sys.path.append(os.getcwd())
    found, faults = find_peers(interpreter(python) for python in pythons)
    for fault in faults:
        print(fault, file=sys.stderr)
    return contests(picked(own_cases(modules), words), found)


def _run(
    chosen: Sequence[Contest], plan: Plan, timeout: float, report: Report, saved: Sequence[list[CaseResult]]
) -> int:
    code, measure, load_at_start = 0, in_worker(timeout), load_now()
    results: list[CaseResult] = []
    report.begin(_how(plan))
    try:
        with report.progress(chosen, plan) as progress:
            for contest in chosen:
                results.append(CaseResult(contest.case))
                run_contest(contest, plan, measure, results[-1], progress)
                report.case(results[-1])
                report.save(results)
    except KeyboardInterrupt:
        code = INTERRUPTED
        report.interrupted(results)
    report.end(results, load_at_start)
    for earlier in saved:
        report.compare(earlier, results)
    return BAD_INPUT if not report.keep(results) and code == 0 else code


def _how(plan: Plan) -> str:
    rounds = "1 round" if plan.rounds == 1 else f"{plan.rounds} rounds"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"{python}, {cores()} cores; medians of {rounds}, each measurement a process of its own "
        f"and {plan.seconds:g} s long at least"
    )
