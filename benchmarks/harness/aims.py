"""Whether an aim is reached, missed, or lies inside the spread."""

from __future__ import annotations

from typing import Literal

import attrs

from benchmarks.case import ACTORS, PLAIN, RAW, Aim
from benchmarks.harness.results import CaseResult
from benchmarks.harness.stats import Estimate, estimate

__all__ = ["FASTEST_PEER", "LEAST_ROUNDS", "Verdict", "fastest_peer", "judge", "word_of"]

FASTEST_PEER = "fastest peer"
LEAST_ROUNDS = 2
"""One value has no spread."""
_NO_PEERS = (ACTORS, PLAIN, RAW, "Erlang")

Word = Literal["reached", "MISSED", "too noisy to tell", "too few rounds to tell", "not measured"]


@attrs.frozen
class Verdict:
    """What came of an aim; `against` is the side that it was held against."""

    aim: Aim
    word: Word
    found: Estimate | None = None
    against: str | None = None


def fastest_peer(result: CaseResult) -> str | None:
    """The best median among the sides that are not ours, raw trio or Erlang."""
    peers = [side for side in result.sides.values() if side.is_measured and _is_peer(side.name)]
    best = max if result.case.better == "more" else min
    return best(peers, key=lambda side: side.median(result.case)).name if peers else None


def _is_peer(name: str) -> bool:
    """Neither one of these nor a variant of it, as "raw trio, buffered" is."""
    return not any(name == other or name.startswith(f"{other}, ") for other in _NO_PEERS)


def judge(aim: Aim, result: CaseResult) -> Verdict:
    """Hold an aim against what was measured."""
    against = fastest_peer(result) if aim.against == FASTEST_PEER else aim.against
    if aim.against is None:
        side = result.measured(aim.side)
        values = [] if side is None else side.values(result.case)
    else:
        values = [] if against is None else result.ratios(aim.side, against)
    if not values:
        return Verdict(aim, "not measured", against=against)
    found = estimate(values)
    if len(values) < LEAST_ROUNDS:
        return Verdict(aim, "too few rounds to tell", found, against)
    return Verdict(aim, word_of(found, aim.limit, result.case.better), found, against)


def word_of(found: Estimate, limit: float, better: Literal["more", "less"]) -> Word:
    """Whether all of the interval is on one side of the limit."""
    if better == "less":
        found, limit = Estimate(-found.median, -found.high, -found.low), -limit
    if found.low >= limit:
        return "reached"
    return "MISSED" if found.high < limit else "too noisy to tell"
