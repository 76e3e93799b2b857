"""Results without a process, and the program as its users run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.case import Aim, Case
from benchmarks.harness.results import CaseResult, Lag, Measurement, SideResult

ROOT = Path(__file__).parents[2]
TINY = ("--cases", "tests.benchmarks.tiny")


def case(name: str = "bytes", *, aims: Sequence[Aim] = (), **changed: Any) -> Case:
    """A case of values; of rates with `kind="rate"`."""
    said: dict[str, Any] = {"kind": "value", "unit": "bytes", "title": name, "question": "", "sides": {}}
    return Case(name=name, aims=tuple(aims), **(said | changed))


def measured(value: float, count: int = 1, spins: tuple[float, float] = (1.0, 1.0)) -> Measurement:
    return Measurement(value, count, value, spins, "CPython 3", "2026-01-01 00:00:00", {"trio": "0.30"})


def result(of: Case, sides: Mapping[str, Sequence[float]], lag: Lag | None = None) -> CaseResult:
    """Each side with these values, one a round."""
    done = CaseResult(of)
    for name, values in sides.items():
        rounds = {number: measured(value) for number, value in enumerate(values)}
        done.sides[name] = SideResult(name, 1, rounds, lag=lag)
    return done


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "180"}


def benchmarks(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The program in a process, to its end."""
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=cwd)
