"""The deadline machine: when a run is over its limit, silent, or on the way there.

Pure: `now` and the signs of life are arguments. All moments are seconds on one clock;
`limit` counts from the start of the run.
"""

from __future__ import annotations

import enum
import math

import attrs

from actors.limits import Timeout

__all__ = ["SHORTEST", "WARN_AT", "Deadline", "Mark", "Step"]

SHORTEST = 0.001
"""Seconds: the shortest limit that runs before can lead to, and until a rung is looked for again."""
WARN_AT = 0.8
"""The share of the limit at which a run is warned."""


class Mark(enum.Enum):
    """What a look can find, in the order in which a run meets it."""

    NOTICE = "notice"
    """the first rung of the ladder to the silence limit"""
    NUDGE = "nudge"
    """the second: the agent is sent a message"""
    WARN_SILENCE = "warn_silence"
    """the third"""
    WARN = "warn"
    """0.8 of the limit is used up"""
    EXTENDED = "extended"
    """the limit was used up, and has grown: there was activity just before"""
    SILENT = "silent"
    """the end: silence of `no_activity`"""
    PASSED = "passed"
    """the end: the limit is used up"""


@attrs.frozen
class Step:
    """Something found by a look: what, and the seconds that belong to it.

    WARN: left of the limit. EXTENDED and PASSED: the limit now. The others: of silence.
    """

    mark: Mark
    seconds: float


@attrs.define
class Deadline:
    """One run against its `Timeout`.

    `initial` stands in place of the policy's where runs before have told better.
    """

    policy: Timeout
    start: float = 0.0
    limit: float = 0.0
    extensions: int = 0
    _warned: bool = False
    _rungs: int = 0
    _heard: float | None = None

    def begin(self, start: float, initial: float | None = None) -> None:
        """A run begins."""
        self.start = start
        self.limit = self.policy.initial
        if initial is not None:
            self.limit = min(max(SHORTEST, initial), self.policy.maximum)
        self.extensions = 0
        self._warned = False
        self._rungs = 0
        self._heard = None

    # --- looking ---

    def look(self, now: float, activity: float | None, quiet_since: float | None) -> list[Step]:
        """What has come due until `now`, each once. The run is over when the last one is SILENT or PASSED.

        `activity` is the last sign of life, None for a run without any; `quiet_since` is
        from when silence counts, None while its clock stands still.
        """
        steps: list[Step] = []
        silent_at = self._silent_at(quiet_since)
        while True:
            passed_at = self.start + self.limit
            if now < passed_at or silent_at < passed_at:
                break
            if not self._grows(activity):
                return [*steps, Step(Mark.PASSED, self.limit)]
            self.limit = self._grown()
            self.extensions += 1
            self._warned = False
            steps.append(Step(Mark.EXTENDED, self.limit))
        if quiet_since is not None:
            self._climb(now, activity, quiet_since, steps)
            if now >= silent_at:
                return [*steps, Step(Mark.SILENT, now - quiet_since)]
        if not self._warned and now >= self.start + WARN_AT * self.limit:
            self._warned = True
            steps.append(Step(Mark.WARN, self.start + self.limit - now))
        return steps

    def due(self, now: float, activity: float | None, quiet_since: float | None) -> float:
        """The next moment at which a look can find anything, whatever happens until then."""
        due = self.start + self.limit
        if not self._warned:
            due = min(due, self.start + WARN_AT * self.limit)
        if quiet_since is None:
            return due
        climbed = self._climbed(activity)
        for index, (_, share) in enumerate(self._ladder()):
            seconds = share * (self.policy.no_activity or math.inf)
            if index < climbed:  # it may come again: activity leads back to the ground
                due = min(due, now + max(seconds, SHORTEST))
            else:
                due = min(due, quiet_since + seconds)
        return min(due, self._silent_at(quiet_since))

    def end(self, activity: float | None, quiet_since: float | None) -> tuple[float, bool]:
        """When the run will end if nothing more happens, and whether that is for silence."""
        limit, silent_at = self.limit, self._silent_at(quiet_since)
        while silent_at >= self.start + limit and self._grows(activity, limit):
            limit = self._grown(limit)
        passed_at = self.start + limit
        return (silent_at, True) if silent_at < passed_at else (passed_at, False)

    # --- the limit ---

    def _grows(self, activity: float | None, limit: float | None = None) -> bool:
        """Whether a limit that is used up grows: only for activity younger than `extend_within`."""
        limit = self.limit if limit is None else limit
        policy = self.policy
        if policy.mode == "fixed" or limit >= policy.maximum or activity is None:
            return False
        return self.start + limit - activity < policy.extend_within

    def _grown(self, limit: float | None = None) -> float:
        return min((self.limit if limit is None else limit) * self.policy.factor, self.policy.maximum)

    # --- silence ---

    def _silent_at(self, quiet_since: float | None) -> float:
        if quiet_since is None or self.policy.no_activity is None:
            return math.inf
        return quiet_since + self.policy.no_activity

    def _ladder(self) -> list[tuple[Mark, float]]:
        ladder = self.policy.ladder
        if ladder is None:
            return []
        rungs = (
            (Mark.NOTICE, ladder.notice),
            (Mark.NUDGE, ladder.nudge),
            (Mark.WARN_SILENCE, ladder.warn),
        )
        return [(mark, share) for mark, share in rungs if share is not None]

    def _climbed(self, activity: float | None) -> int:
        """How many rungs were climbed in this silence; activity since leads back to the ground."""
        return self._rungs if activity == self._heard else 0

    def _climb(self, now: float, activity: float | None, quiet_since: float, steps: list[Step]) -> None:
        self._rungs = self._climbed(activity)
        self._heard = activity
        limit = self.policy.no_activity or math.inf
        for mark, share in self._ladder()[self._rungs :]:
            if now < quiet_since + share * limit:
                break
            self._rungs += 1
            steps.append(Step(mark, now - quiet_since))
