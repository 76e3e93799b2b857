"""Results as a suite of pyperf, and back: its own commands work on the file.

pyperf knows seconds, bytes and numbers, and less is better. So a rate is stored as the
seconds of one unit of work; what we know beside that is in the metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyperf

from benchmarks.case import Case
from benchmarks.harness.results import LEAST, CaseResult, Lag, Measurement, SideResult

__all__ = ["BadResults", "from_suite", "load", "machine", "save", "to_suite"]

_UNITS = {"s": ("second", 1.0), "ms": ("second", 1e-3), "µs": ("second", 1e-6), "bytes": ("byte", 1.0)}
_NOT_SHARED = ("python_", "mem_", "command_", "runnable", "load_", "hostname", "name", "unit", "uptime")

Metadata = Mapping[str, str | int | float]


class BadResults(Exception):
    """A file of results cannot be used; the text says why."""


def machine() -> dict[str, Any]:
    """What pyperf finds out about this machine, and when."""
    found = pyperf.Run((1.0,), collect_metadata=True).get_metadata()
    return {key: value for key, value in found.items() if not key.startswith(_NOT_SHARED)}


def to_suite(results: Iterable[CaseResult], shared: Metadata | None = None) -> pyperf.BenchmarkSuite | None:
    """All sides that have values; None when none has."""
    benchmarks = [
        pyperf.Benchmark([_run(result, side, number, shared or {}) for number in sorted(side.rounds)])
        for result in results
        for side in result.sides.values()
        if side.rounds
    ]
    return pyperf.BenchmarkSuite(benchmarks) if benchmarks else None


def _run(result: CaseResult, side: SideResult, number: int, shared: Metadata) -> pyperf.Run:
    case, one = result.case, side.rounds[number]
    unit, scale = _UNITS.get(case.unit, ("integer", 1.0))
    if case.kind == "rate":
        unit, scale = "second", 1 / one.count
    metadata: dict[str, Any] = {
        **shared,
        "name": f"{case.name}: {side.name}",
        "unit": unit,
        "loops": one.count,
        "duration": one.elapsed,
        "date": one.date,
        "case": case.name,
        "case_title": case.title,
        "case_unit": case.unit,
        "case_kind": case.kind,
        "case_better": case.better,
        "side": side.name,
        "round": number,
        "spin_before": one.spins[0],
        "spin_after": one.spins[1],
        "python": one.python,
        "versions": json.dumps(dict(one.versions)),
    }
    if side.lag is not None:
        metadata |= {"lag_p99_ms": side.lag.p99, "lag_max_ms": side.lag.max}
    if side.failure is not None:
        metadata["failed"] = side.failure
    sides = result.sides.values()
    others = {other.name: other.failure for other in sides if other.failure and not other.rounds}
    if others:  # they have no benchmark of their own
        metadata["failed_sides"] = json.dumps(others)
    return pyperf.Run((max(one.value, LEAST) * scale,), metadata=metadata, collect_metadata=False)


def save(path: Path, suite: pyperf.BenchmarkSuite) -> None:
    """Replace the file. Raises OSError."""
    suite.dump(str(path), compact=False, replace=True)


def load(path: Path) -> list[CaseResult]:
    """The results of a file; raises `BadResults`."""
    try:
        return from_suite(pyperf.BenchmarkSuite.load(str(path)))
    except OSError as error:
        raise BadResults(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError) as error:
        text = f"{path} holds no results of these benchmarks: {type(error).__name__}: {error}"
        raise BadResults(text) from None


def from_suite(suite: pyperf.BenchmarkSuite) -> list[CaseResult]:
    """The results of a suite, cases and sides in its order."""
    found: dict[str, CaseResult] = {}
    for benchmark in suite:
        for run in benchmark.get_runs():
            said = run.get_metadata()
            result = found.setdefault(said["case"], CaseResult(_case(said)))
            side = result.sides.setdefault(said["side"], SideResult(said["side"]))
            side.count, side.failure = said["loops"], said.get("failed")
            if "lag_max_ms" in said:
                side.lag = Lag(said["lag_p99_ms"], said["lag_max_ms"])
            for name, failure in _failures(said):
                result.sides.setdefault(name, SideResult(name, failure=failure))
            side.rounds[said["round"]] = _measurement(run.values[0], said)
    return list(found.values())


def _failures(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from json.loads(said.get("failed_sides", "{}")).items()


def _case(said: Mapping[str, Any]) -> Case:
    return Case(
        name=said["case"],
        title=said["case_title"],
        question="",
        unit=said["case_unit"],
        sides={},
        kind=said["case_kind"],
        better=said["case_better"],
    )


def _measurement(value: float, said: Mapping[str, Any]) -> Measurement:
    scale = 1 / said["loops"] if said["case_kind"] == "rate" else _UNITS.get(said["case_unit"], ("", 1.0))[1]
    return Measurement(
        value=value / scale,
        count=said["loops"],
        elapsed=said["duration"],
        spins=(said["spin_before"], said["spin_after"]),
        python=said["python"],
        date=said["date"],
        versions=json.loads(said["versions"]),
    )
