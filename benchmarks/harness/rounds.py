"""Run a contest: calibrate each side, measure them in turn, round by round, and once more for the lag."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

import attrs

from benchmarks.case import Case
from benchmarks.harness.calibrate import calibrate
from benchmarks.harness.catalogue import Contender, Contest
from benchmarks.harness.processes import TIMEOUT, SideFailed, ask_worker
from benchmarks.harness.results import CaseResult, Measurement, SideResult

__all__ = ["Measure", "Plan", "in_worker", "order", "run_contest"]

T = TypeVar("T")


@attrs.frozen
class Plan:
    """How much is measured."""

    rounds: int = 5
    seconds: float = 0.25
    lag: bool = True


class Measure(Protocol):
    """Does one measurement; raises `SideFailed`."""

    def __call__(self, case: Case, contender: Contender, count: int, *, lag: bool = False) -> Measurement:
        """In a process of its own."""
        ...


Progress = Callable[[str], object]
"""Told in words what runs now."""


def in_worker(timeout: float = TIMEOUT) -> Measure:
    """Measure in fresh processes."""

    def measure(case: Case, contender: Contender, count: int, *, lag: bool = False) -> Measurement:
        arguments = [case.name, contender.name, str(count), "--module", contender.module]
        answer = ask_worker(contender.python, arguments + ["--lag"] * lag, timeout)
        if case.kind == "rate" and answer["value"] <= 0:
            raise SideFailed(f"it says that {count} took {answer['value']:g} s")
        return Measurement.of(answer)

    return measure


def order(sides: Sequence[T], number: int) -> list[T]:
    """Who is measured after whom in a round: each round begins with the next one."""
    first = number % len(sides) if sides else 0
    return [*sides[first:], *sides[:first]]


def run_contest(
    contest: Contest, plan: Plan, measure: Measure, result: CaseResult, progress: Progress = lambda _: None
) -> None:
    """Fill the result. A side that fails is left out from then on, and ends nothing else."""
    case = contest.case
    for contender in contest.contenders:
        result.sides[contender.name] = SideResult(contender.name)
    for contender in contest.contenders:
        side = result.sides[contender.name]
        progress(f"{case.name}: calibrate {contender.name}")
        with _failure_noted(side):
            side.count = _count(case, contender, plan, measure)
    for number in range(plan.rounds):
        for contender, side in _running(contest, result, number):
            progress(f"{case.name}: round {number + 1} of {plan.rounds}, {contender.name}")
            with _failure_noted(side):
                side.rounds[number] = measure(case, contender, side.count)
    for contender, side in _running(contest, result, 0):
        if plan.lag:
            progress(f"{case.name}: lag of {contender.name}")
            with _failure_noted(side):
                side.lag = measure(case, contender, side.count, lag=True).lag


def _running(contest: Contest, result: CaseResult, number: int) -> Iterator[tuple[Contender, SideResult]]:
    for contender in order(contest.contenders, number):
        side = result.sides[contender.name]
        if side.failure is None:
            yield contender, side


def _count(case: Case, contender: Contender, plan: Plan, measure: Measure) -> int:
    if case.count is not None:
        return case.count

    def took(count: int) -> float:
        found = measure(case, contender, count)
        return found.value if case.kind == "rate" else found.elapsed

    return calibrate(took, contender.start, contender.most, plan.seconds)


@contextmanager
def _failure_noted(side: SideResult) -> Generator[None]:
    try:
        yield
    except SideFailed as error:
        side.failure = str(error)
