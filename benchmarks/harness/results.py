"""What has been measured: plain records, filled round by round, so that an interrupted run has its part."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

import attrs

from benchmarks.case import Case

__all__ = ["LEAST", "CaseResult", "Lag", "Measurement", "SideResult"]


LEAST = 1e-12
"""Stands for 0."""


@attrs.frozen
class Lag:
    """The lag of an event loop, in ms."""

    p99: float
    max: float


@attrs.frozen
class Measurement:
    """One process: seconds for a rate, else the value; and how busy the machine was before and after."""

    value: float
    count: int
    elapsed: float
    spins: tuple[float, float]
    python: str
    date: str
    versions: Mapping[str, str] = attrs.field(factory=dict[str, str])
    lag: Lag | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Measurement:
        """From what a worker printed."""
        lag = answer["lag"]
        known = {**answer, "spins": tuple(answer["spins"]), "lag": None if lag is None else Lag(**lag)}
        return cls(**known)

    def shown(self, case: Case) -> float:
        """What the table shows: in the unit of the case. Above 0, so that ratios to it can be had."""
        return self.count / self.value if case.kind == "rate" else max(self.value, LEAST)


@attrs.define
class SideResult:
    """One side of a case: its measurements by round, and why it failed if it did."""

    name: str
    count: int = 0
    rounds: dict[int, Measurement] = attrs.field(factory=dict[int, Measurement])
    failure: str | None = None
    lag: Lag | None = None

    @property
    def is_measured(self) -> bool:
        """It has values, and did not fail."""
        return self.failure is None and bool(self.rounds)

    def values(self, case: Case) -> list[float]:
        """In the unit of the case, in the order of the rounds."""
        return [self.rounds[number].shown(case) for number in sorted(self.rounds)]

    def median(self, case: Case) -> float:
        """Of the values."""
        return statistics.median(self.values(case))


@attrs.define
class CaseResult:
    """A case with all its sides, in the order of the table."""

    case: Case
    sides: dict[str, SideResult] = attrs.field(factory=dict[str, SideResult])

    def measured(self, name: str) -> SideResult | None:
        """A side, if it has been measured."""
        side = self.sides.get(name)
        return side if side is not None and side.is_measured else None

    def ratios(self, side: str, against: str) -> list[float]:
        """Of the values inside each round that has both."""
        ours, theirs = self.measured(side), self.measured(against)
        if ours is None or theirs is None:
            return []
        return [
            ours.rounds[number].shown(self.case) / theirs.rounds[number].shown(self.case)
            for number in sorted(ours.rounds.keys() & theirs.rounds.keys())
        ]
