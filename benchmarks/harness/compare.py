"""Two runs beside each other: each side, and each ratio to raw trio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from benchmarks.case import RAW
from benchmarks.harness.results import CaseResult
from benchmarks.harness.stats import Estimate, differ, estimate

__all__ = ["Change", "changes"]


@attrs.frozen
class Change:
    """One line: a side's value, or its ratio to raw trio."""

    case: str
    what: str
    unit: str
    old: Estimate
    new: Estimate
    is_shown: bool
    """The runs show a difference."""
    is_better: bool

    @property
    def factor(self) -> float:
        """New over old."""
        return self.new.median / self.old.median


def changes(old: Sequence[CaseResult], new: Sequence[CaseResult]) -> Iterator[Change]:
    """All that both runs have, in the order of the new one."""
    before = {result.case.name: result for result in old}
    for result in new:
        earlier = before.get(result.case.name)
        if earlier is None or earlier.case.unit != result.case.unit:
            continue
        for name in result.sides:
            then, now = earlier.measured(name), result.measured(name)
            if then is None or now is None:
                continue
            yield _change(result, name, result.case.unit, then.values(earlier.case), now.values(result.case))
            ratios = earlier.ratios(name, RAW), result.ratios(name, RAW)
            if name != RAW and all(ratios):
                yield _change(result, f"{name} / {RAW}", "", *ratios)


def _change(result: CaseResult, what: str, unit: str, old: Sequence[float], new: Sequence[float]) -> Change:
    then, now = estimate(old), estimate(new)
    better = (now.median > then.median) == (result.case.better == "more")
    return Change(result.case.name, what, unit, then, now, differ(old, new), better)
