"""What asks for a spawn, and when a measured value does. Pure: the values are arguments."""

from __future__ import annotations

import enum
import math
from collections import deque

import attrs

from actors.checks import count
from actors.spawning.limits import SpawnLimits

__all__ = ["SpawnTrigger", "SuccessRate", "performance_fires", "workload_fires"]


class SpawnTrigger(enum.StrEnum):
    """Why something was spawned."""

    PERFORMANCE_THRESHOLD = "performance_threshold"
    WORKLOAD_SPIKE = "workload_spike"
    SPECIALIZATION_NEEDED = "specialization_needed"
    MANUAL = "manual"


def performance_fires(value: float, limits: SpawnLimits) -> bool:
    """Whether a success rate asks for help: strictly below the threshold, and `auto` is on.

    Raises ValueError for NaN and for a rate that is negative.
    """
    return _measured("the performance", value) < limits.performance_threshold and limits.auto


def workload_fires(value: float, limits: SpawnLimits) -> bool:
    """Whether a number of waiting messages asks for help: strictly above the threshold, and `auto` is on.

    Raises ValueError for NaN and for a number that is negative.
    """
    return _measured("the workload", value) > limits.workload_threshold and limits.auto


def _measured(what: str, value: float) -> float:
    if math.isnan(value) or value < 0:
        raise ValueError(f"{what} must be a number of 0 or more, not {value!r}")
    return value


@attrs.define
class SuccessRate:
    """The share of the last `window` outcomes that went well; unknown until `least` have been seen.

    Outcomes come in batches, whose inner order nobody knows: a batch that leaves
    the window leaves it with its good and bad ones in proportion.
    """

    window: int = attrs.field(default=20, validator=count(1))
    least: int = attrs.field(default=10, validator=count(1))
    _batches: deque[tuple[int, float]] = attrs.field(factory=deque[tuple[int, float]], init=False)
    """(how many of it are in the window, its share that went well), the oldest first."""

    def __attrs_post_init__(self) -> None:
        if self.least > self.window:
            raise ValueError(
                f"least ({self.least}) is above window ({self.window}): no window would ever hold enough"
            )

    def add(self, handled: int, failed: int) -> None:
        """Count what came since the last call, as `Statistics` does: `handled` has the failures in it.

        Failures beyond that are of starts, and are outcomes too. Raises ValueError for a negative number.
        """
        if handled < 0 or failed < 0:
            raise ValueError(f"handled and failed must be 0 or more, not {handled!r} and {failed!r}")
        outcomes = max(handled, failed)
        if outcomes:
            self._batches.append((outcomes, (outcomes - failed) / outcomes))
            self._trim()

    @property
    def value(self) -> float | None:
        """From 0.0 to 1.0, or None while too few outcomes have been seen."""
        seen = self._seen()
        if seen < self.least:
            return None
        return math.fsum(many * share for many, share in self._batches) / seen

    def clear(self) -> None:
        """Forget all of them, as after a change that makes them history."""
        self._batches.clear()

    def _seen(self) -> int:
        return sum(many for many, _ in self._batches)

    def _trim(self) -> None:
        over = self._seen() - self.window
        while over > 0:
            many, share = self._batches.popleft()
            if many > over:
                self._batches.appendleft((many - over, share))
            over -= many
