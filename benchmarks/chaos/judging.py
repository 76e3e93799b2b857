"""What a lane of a campaign found, and what all lanes come to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

import attrs

from actors.testing import History, Noted, Record, Verdict, check_history
from benchmarks.chaos.cast import LOOSE, MOST

__all__ = ["Found", "judged", "summed"]


@attrs.define
class Found:
    """Of one lane, or of all."""

    kills: int = 0
    takeovers: int = 0
    posted: int = 0
    unknown: int = 0
    handled: int = 0
    """How often a handler has begun."""
    effects: int = 0
    torn: int = 0
    states: dict[str, int] = attrs.Factory(dict[str, int])
    verdicts: dict[str, list[str]] = attrs.Factory(dict[str, list[str]])
    """What the judge has found, by its name."""
    crashes: int = 0
    """Processes that have ended by themselves, and wrongly."""
    seconds: float = 0.0

    @property
    def bad(self) -> dict[str, list[str]]:
        """What must not be."""
        return {name: ids for name, ids in self.verdicts.items() if name not in {"recovered", "repeated"}}

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong, and the processes were killed as was meant."""
        return not self.bad and not self.crashes

    def text(self) -> str:
        """As it goes through a pipe."""
        return json.dumps(attrs.asdict(self))

    @classmethod
    def read(cls, text: str) -> Found:
        """The same back."""
        return cls(**json.loads(text))

    def __str__(self) -> str:
        states = ", ".join(f"{count} {name}" for name, count in sorted(self.states.items()))
        lines = [
            f"{self.kills} kills in {self.seconds:.1f} s, {self.crashes} crashes, {self.takeovers} takeovers",
            f"{self.posted} acknowledged, {self.unknown} unknown, {self.handled} begun, "
            f"{self.effects} effects, {self.torn} torn lines",
            f"tickets: {states}",
            *(f"{name}: {len(ids)}, first {ids[0]}" for name, ids in self.verdicts.items()),
            "good" if self.is_good else "BAD",
        ]
        return "\n".join(lines)


def judged(history: History, found: Found) -> Found:
    """Fill in what a history shows."""
    records = history.records
    loose = {one.id for one in records if one.noted is Noted.POSTING and one.path == LOOSE}
    for is_loose in (False, True):
        part = [one for one in records if (one.id in loose) is is_loose]
        _add(found, check_history(part, max_attempts=MOST, exactly_once=True, holds_back=not is_loose))
    noted = Counter(one.noted for one in records)
    posted = _ids(records, Noted.POSTED)
    found.torn += history.torn
    found.posted += len(posted)
    found.unknown += len(_ids(records, Noted.POSTING) - posted)
    found.handled += noted[Noted.BEGUN]
    found.effects += noted[Noted.EFFECT]
    found.states = dict(Counter(one.state for one in records if one.noted is Noted.FINAL))
    return found


def _ids(records: Iterable[Record], noted: Noted) -> set[str]:
    return {one.id for one in records if one.noted is noted}


def _add(found: Found, verdict: Verdict) -> None:
    for field in attrs.fields(Verdict):
        ids = [str(one) for one in getattr(verdict, field.name)]
        if ids:
            found.verdicts[field.name] = found.verdicts.get(field.name, []) + ids


def summed(lanes: Sequence[Found]) -> Found:
    """All lanes in one."""
    whole = Found()
    for one in lanes:
        for name in ("kills", "takeovers", "posted", "unknown", "handled", "effects", "torn", "crashes"):
            setattr(whole, name, getattr(whole, name) + getattr(one, name))
        whole.seconds = max(whole.seconds, one.seconds)
        whole.states = dict(Counter(whole.states) + Counter(one.states))
        for name, ids in one.verdicts.items():
            whole.verdicts[name] = whole.verdicts.get(name, []) + ids
    return whole
