"""The circuit breaker of one path, as a table and a window.

    CLOSED     failures are counted; enough of them within the window open it
    OPEN       nothing is tried until `until`
    HALF_OPEN  one probe is out, for as long as it takes

Half-open is a permit, not a clock: whoever holds it keeps it until the probe has
ended, and a probe that is withdrawn gives it back. Asking never changes anything.
Times are seconds on any monotonic clock; `now` is always an argument.
"""

from __future__ import annotations

import enum
import math
from collections import deque

import attrs

from actors.outcome import FailureKind
from actors.policy import Breaker

__all__ = ["TABLE", "BreakerState", "Circuit", "CircuitSignal", "CircuitState", "NoSuchStep"]

_KEPT = 10
_COUNTS_NOT = frozenset({FailureKind.RATE_LIMIT, FailureKind.BUDGET})


class CircuitState(enum.StrEnum):
    """Where a breaker stands."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class CircuitSignal(enum.Enum):
    """What can happen to a breaker."""

    TRIP = "trip"
    """the failures within the window reached the threshold"""
    PROBE = "probe"
    """the time is over; the permit is given out"""
    SUCCESS = "success"
    """the probe returned, or its handler refused"""
    FAILURE = "failure"
    """the probe failed"""
    RESET = "reset"
    """somebody reset it by hand"""


TABLE: dict[tuple[CircuitState, CircuitSignal], CircuitState] = {
    (CircuitState.CLOSED, CircuitSignal.TRIP): CircuitState.OPEN,
    (CircuitState.CLOSED, CircuitSignal.RESET): CircuitState.CLOSED,
    (CircuitState.OPEN, CircuitSignal.PROBE): CircuitState.HALF_OPEN,
    (CircuitState.OPEN, CircuitSignal.RESET): CircuitState.CLOSED,
    (CircuitState.HALF_OPEN, CircuitSignal.SUCCESS): CircuitState.CLOSED,
    (CircuitState.HALF_OPEN, CircuitSignal.FAILURE): CircuitState.OPEN,
    (CircuitState.HALF_OPEN, CircuitSignal.RESET): CircuitState.CLOSED,
}


class NoSuchStep(RuntimeError):
    """The table has no such step; the breaker is as it was."""

    def __init__(self, state: CircuitState, signal: CircuitSignal) -> None:
        self.state = state
        self.signal = signal
        super().__init__(f"no step {signal.name} from {state}")


@attrs.frozen(kw_only=True)
class BreakerState:
    """What a breaker says of its path. Reading it never changes it.

    `failures`: counted within the window, or those that opened it. `retry_after`:
    seconds until the probe, 0.0 unless OPEN. `velocity`: failures a minute between the
    first and the last that count, 0.0 with fewer than two. `risk`: "critical" when
    open, "high" when half-open, "medium" one failure below the threshold, else "low".
    """

    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    retry_after: float = 0.0
    velocity: float = 0.0
    risk: str = "low"


@attrs.define
class Circuit:
    """The breaker machine: record failures, give out the permit, take the verdict."""

    policy: Breaker
    state: CircuitState = CircuitState.CLOSED
    until: float = 0.0
    _failures: deque[float] = attrs.field(factory=deque[float])
    _permanent: deque[float] = attrs.field(factory=deque[float])
    _opened_with: int = 0
    _failed_probes: int = 0

    def _step(self, signal: CircuitSignal) -> None:
        try:
            self.state = TABLE[self.state, signal]
        except KeyError:
            raise NoSuchStep(self.state, signal) from None

    def failure(self, now: float, kind: FailureKind = FailureKind.ERROR) -> bool:
        """Record a failure; True when it opens the breaker. A rate limit never counts.

        A rate limit that ends the probe proves nothing: the breaker opens again for the
        same time, without counting as a failed probe.
        """
        if self.state is CircuitState.HALF_OPEN:
            self._step(CircuitSignal.FAILURE)
            if kind not in _COUNTS_NOT:
                self._failed_probes += 1
                self._note(now, kind)
            self._open(now)
            return True
        if self.state is CircuitState.OPEN or kind in _COUNTS_NOT:
            return False
        self._note(now, kind)
        if self._counted(now) < self.policy.failures and not self._fails_fast(now):
            return False
        self._step(CircuitSignal.TRIP)
        self._open(now)
        return True

    def _note(self, now: float, kind: FailureKind) -> None:
        self._failures.append(now)
        while len(self._failures) > max(self.policy.failures, _KEPT):
            self._failures.popleft()
        if kind is FailureKind.PERMANENT:
            self._permanent.append(now)
            while len(self._permanent) > 2:
                self._permanent.popleft()

    def _open(self, now: float) -> None:
        self._opened_with = max(1, self._counted(now))
        self.until = now + self._period()

    def _period(self) -> float:
        try:
            return self.policy.reset_after * self.policy.factor**self._failed_probes
        except OverflowError:
            return math.inf if self.policy.reset_after else 0.0

    def _counted(self, now: float) -> int:
        return sum(1 for at in self._failures if now - at <= self.policy.within)

    def _fails_fast(self, now: float) -> bool:
        recent = [at for at in self._permanent if now - at <= self.policy.fast_fail_within]
        return self.policy.fast_fail and len(recent) >= 2

    def probe(self) -> None:
        """Give the permit out: the breaker is HALF_OPEN until `success` or `failure`."""
        self._step(CircuitSignal.PROBE)

    def success(self) -> None:
        """The probe went well: close, and forget all failures."""
        self._step(CircuitSignal.SUCCESS)
        self._forget()

    def reset(self) -> None:
        """Close by hand, and forget all failures."""
        self._step(CircuitSignal.RESET)
        self._forget()

    def _forget(self) -> None:
        self._failures.clear()
        self._permanent.clear()
        self._failed_probes = 0
        self._opened_with = 0

    def due(self, now: float) -> bool:
        """True when the breaker is open and its time is over."""
        return self.state is CircuitState.OPEN and now >= self.until

    def view(self, now: float) -> BreakerState:
        """What it is like at `now`; changes nothing."""
        counted = self._counted(now)
        is_open = self.state is CircuitState.OPEN
        return BreakerState(
            state=self.state,
            failures=counted if self.state is CircuitState.CLOSED else self._opened_with,
            retry_after=max(0.0, self.until - now) if is_open else 0.0,
            velocity=self._velocity(now),
            risk=self._risk(counted),
        )

    def _velocity(self, now: float) -> float:
        counted = [at for at in self._failures if now - at <= self.policy.within]
        if len(counted) < 2:
            return 0.0
        span = counted[-1] - counted[0]
        return len(counted) * 60.0 if span <= 0 else (len(counted) - 1) * 60.0 / span

    def _risk(self, counted: int) -> str:
        if self.state is CircuitState.OPEN:
            return "critical"
        if self.state is CircuitState.HALF_OPEN:
            return "high"
        return "medium" if counted and counted >= self.policy.failures - 1 else "low"
