"""A life to be timed, a walker that looks at it, and a second model of deadlines, as simple as can be."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

import attrs

from actors.limits import Timeout
from actors.timeouts.deadline import Deadline, Mark, Step

__all__ = ["TICK", "Life", "Walker", "naive"]

TICK = 0.25
HORIZON = 2000.0
"""Longer than any run here takes."""


@attrs.frozen
class Life:
    """What an actor does: when it gives signs of life, and when the clock of its silence stands still."""

    activity: list[float] = attrs.field(factory=list[float])
    holds: list[tuple[float, float]] = attrs.field(factory=list[tuple[float, float]])

    @classmethod
    def talking(cls, every: float) -> Life:
        """Signs of life without an end."""
        return cls([every * count for count in range(1, int(HORIZON / every))])

    def last(self, now: float) -> float | None:
        """The last sign of life until `now`."""
        return max((at for at in self.activity if at <= now), default=None)

    def quiet_since(self, now: float) -> float | None:
        """From when silence counts: the last sign of life, later by what did not count since."""
        if any(begin <= now < end for begin, end in self.holds):
            return None
        since = self.last(now) or 0.0
        held = sum(end - max(begin, since) for begin, end in self.holds if since < end <= now)
        return since + held


class Walker:
    """A run under a `Deadline`, and who looks at it."""

    def __init__(self, policy: Timeout, life: Life, initial: float | None = None, start: float = 0.0) -> None:
        self.deadline = Deadline(policy)
        self.deadline.begin(start, initial)
        self.start = start
        self.life = life
        self.found: list[tuple[float, Step]] = []
        self.looks: list[float] = []
        ladder = policy.ladder
        self.rungs = [] if ladder is None else [s for s in (ladder.notice, ladder.nudge, ladder.warn) if s]

    def seen(self, now: float) -> tuple[float | None, float | None]:
        """What an actor of this life shows at `now`."""
        last, quiet = self.life.last(now - self.start), self.life.quiet_since(now - self.start)
        return (
            None if last is None else self.start + last,
            None if quiet is None else self.start + quiet,
        )

    def look(self, now: float) -> bool:
        """Look once; True at the end of the run."""
        self.looks.append(now)
        steps = self.deadline.look(now, *self.seen(now))
        self.found.extend((now, step) for step in steps)
        return bool(steps) and steps[-1].mark in (Mark.SILENT, Mark.PASSED)

    def go_when_due(self) -> None:
        """Look when something can be due; ask anew when the clock of silence stops or goes on."""
        turns = sorted(self.start + edge for hold in self.life.holds for edge in hold)
        due = self.deadline.due(self.start, *self.seen(self.start))
        while True:
            turn = turns.pop(0) if turns and turns[0] < due else None
            now = due if turn is None else turn
            if turn is None and self.look(now):
                return
            due = self.deadline.due(now, *self.seen(now))

    def go_all_the_time(self, also: Iterable[float] = ()) -> None:
        """Look at every tick, and at the moments `also`."""
        every = {self.start + TICK * count for count in range(int(HORIZON / TICK))}
        for now in sorted(every.union(also)):
            if self.look(now):
                return


def naive(policy: Timeout, life: Life, initial: float | None = None) -> list[tuple[float, str]]:
    """What happens when, found by going from tick to tick with plain counters in exact numbers."""
    tick = Fraction(TICK)
    limit = Fraction(policy.initial if initial is None else min(initial, policy.maximum))
    silence = math.inf if policy.no_activity is None else Fraction(policy.no_activity)
    ladder = policy.ladder
    shares = (
        {}
        if ladder is None
        else {"notice": ladder.notice, "nudge": ladder.nudge, "warn_silence": ladder.warn}
    )
    heights = [(name, Fraction(share) * silence) for name, share in shares.items() if share is not None]
    found: list[tuple[float, str]] = []
    now = idle = Fraction(0)
    since_activity: Fraction | None = None
    warned = False
    rungs = list(heights)
    while True:
        if float(now) in life.activity:
            idle, since_activity, rungs = Fraction(0), Fraction(0), list(heights)
        held = any(begin <= now < end for begin, end in life.holds)
        over = idle - silence  # how long the silence has been too long
        while now >= limit and (held or over <= now - limit):
            young = since_activity is not None and since_activity - (now - limit) < policy.extend_within
            if policy.mode == "fixed" or limit >= policy.maximum or not young:
                return [*found, (float(now), "passed")]
            limit = min(limit * Fraction(policy.factor), Fraction(policy.maximum))
            warned = False
            found.append((float(now), "extended"))
        if not held:
            while rungs and idle >= rungs[0][1]:
                found.append((float(now), rungs.pop(0)[0]))
            if over >= 0:
                return [*found, (float(now), "silent")]
        if not warned and now * 5 >= limit * 4:
            warned = True
            found.append((float(now), "warn"))
        now += tick
        if not held:
            idle += tick
        if since_activity is not None:
            since_activity += tick
