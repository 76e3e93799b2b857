"""Phi-accrual suspicion: how unlikely a silence is, given what the silences before it were like. Pure.

After Hayashibara et al., "The φ accrual failure detector" (2004), with the logistic
approximation of the normal distribution that Akka and Pekko use. φ = 1 means that such a
silence comes once in ten, φ = 8 once in a hundred million.

A silence during which our own loop stood still says nothing about the other end: that time
is taken off.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import attrs

__all__ = ["Suspicion", "phi"]

_SAMPLES: Final = 200
_LEAST_DEVIATION: Final = 0.1
"""Of a beat. Perfectly regular beats would make every delay suspicious."""
_LN_10: Final = math.log(10.0)


def phi(silence: float, mean: float, deviation: float) -> float:
    """-log10 of the chance that a silence is longer than this, for normally distributed ones.

    All in seconds and finite, `deviation` above 0. Never negative.
    """
    y = (silence - mean) / deviation
    x = y * (1.5976 + 0.070566 * y * y)
    return (x if x > 700 else math.log1p(math.exp(x))) / _LN_10  # exp(710) is too large for a float


@attrs.define
class Suspicion:
    """What is known about the silences of one connection. Times are seconds."""

    beat: float
    """The interval at which the other end promises to send."""
    pause: float
    """A silence that is forgiven on top: a garbage collection, a slow disk."""
    _last: float = 0.0
    _silences: deque[float] = attrs.field(factory=lambda: deque[float](maxlen=_SAMPLES))
    _lag: float = 0.0
    """What our own loop stood still for since the last sign."""

    def begin(self, now: float) -> None:
        """A connection begins: nothing is known but the promise."""
        self._silences.clear()
        deviation = self.beat / 4  # Pekko's guess for the first beats
        self._silences.extend((self.beat - deviation, self.beat + deviation))
        self._last = now
        self._lag = 0.0

    def heard(self, now: float) -> None:
        """A frame came."""
        silence = self.silence(now)
        if silence >= self.beat / 2:  # frames between two beats say nothing about the beats
            # one long silence must not make the next one look usual
            self._silences.append(min(silence, self.beat + self.pause))
        self._last = now
        self._lag = 0.0

    def lagged(self, now: float, seconds: float) -> None:
        """Our own loop stood still for so long until now: it could not have heard anything."""
        self._lag = min(self._lag + seconds, max(0.0, now - self._last))

    @property
    def last(self) -> float:
        """When the last frame came."""
        return self._last

    def silence(self, now: float) -> float:
        """How long nothing was heard while we listened."""
        return max(0.0, now - self._last - self._lag)

    def phi(self, now: float) -> float:
        """How suspicious the silence is."""
        mean = sum(self._silences) / len(self._silences)
        variance = sum((one - mean) ** 2 for one in self._silences) / len(self._silences)
        deviation = max(math.sqrt(variance), _LEAST_DEVIATION * self.beat)
        return phi(self.silence(now), mean + self.pause, deviation)
