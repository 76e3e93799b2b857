"""The oversight machine: when the monitor steps in for an agent, and when it asks for help. Pure."""

from __future__ import annotations

import enum
import math

import attrs

from actors.limits import Oversight

__all__ = ["Act", "Condition", "Overseer", "Reason", "Step"]


class Reason(enum.StrEnum):
    """What is wrong with an agent."""

    STUCK = "stuck"
    """it works, and shows no sign of life"""
    WAITING = "waiting"
    """it waits for a person or its own child"""
    ERRORS = "errors"
    """it fails again and again"""


class Act(enum.Enum):
    """What the monitor does about it."""

    NUDGE = "nudge"
    """an intervention: the agent is sent a message"""
    HELP = "help"
    """there were enough of them: its supervisor is told"""
    RECOVERED = "recovered"
    """it is out of the trouble that it was nudged for"""


@attrs.frozen
class Step:
    """One act, for which reason; `seconds` of trouble, `attempt` counts nudges from 1."""

    act: Act
    reason: Reason
    seconds: float = 0.0
    attempt: int = 0


@attrs.frozen(kw_only=True)
class Condition:
    """How an agent is: moments on one clock, None where it does not apply."""

    quiet_since: float | None = None
    """Since when the run at hand has shown no sign of life."""
    waiting_since: float | None = None
    """Since when it waits."""
    errors: int = 0
    """Incarnations in a row that have failed."""


@attrs.define
class Overseer:
    """One agent against its `Oversight`."""

    policy: Oversight
    reason: Reason | None = None
    attempts: int = 0
    _since: float | None = None
    _last: float = -math.inf
    _helped: bool = False

    def look(self, now: float, condition: Condition) -> list[Step]:
        """What is to be done now."""
        steps: list[Step] = []
        trouble = self._trouble(now, condition)
        if self.reason is not None and trouble != (self.reason, self._since):
            if self.attempts:
                steps.append(Step(Act.RECOVERED, self.reason, 0.0, self.attempts))
            self.forget()
        if trouble is None:
            return steps
        self.reason, self._since = trouble
        seconds = 0.0 if self._since is None else now - self._since
        if self._helped or now < self._last + self.policy.cooldown:
            return steps
        if self.attempts >= self.policy.interventions:
            self._helped = True
            return [*steps, Step(Act.HELP, self.reason, seconds, self.attempts)]
        self._last = now
        self.attempts += 1
        return [*steps, Step(Act.NUDGE, self.reason, seconds, self.attempts)]

    def forget(self) -> None:
        """The trouble is over, for better or worse: the next one is a new one."""
        self.reason, self.attempts, self._since, self._helped = None, 0, None, False

    def due(self, now: float, condition: Condition) -> float:
        """The next moment at which a look can find anything; infinity: none before something happens."""
        if self._helped:
            return math.inf if self.reason is Reason.ERRORS else now + self.policy.cooldown
        least = min((at for at, _ in self._moments(condition)), default=math.inf)
        return max(least, self._last + self.policy.cooldown) if self.reason is not None else least

    def _trouble(self, now: float, condition: Condition) -> tuple[Reason, float | None] | None:
        """What is wrong now, and since when; errors have no such moment."""
        since = {Reason.WAITING: condition.waiting_since, Reason.STUCK: condition.quiet_since}
        for at, reason in self._moments(condition):
            if now >= at:
                return reason, since.get(reason)
        return None

    def _moments(self, condition: Condition) -> list[tuple[float, Reason]]:
        """From when each trouble is one, as things are."""
        policy = self.policy
        moments: list[tuple[float, Reason]] = []
        if policy.errors is not None and condition.errors >= policy.errors:
            moments.append((-math.inf, Reason.ERRORS))
        if policy.waiting is not None and condition.waiting_since is not None:
            moments.append((condition.waiting_since + policy.waiting, Reason.WAITING))
        if policy.stuck is not None and condition.quiet_since is not None:
            moments.append((condition.quiet_since + policy.stuck, Reason.STUCK))
        return moments
