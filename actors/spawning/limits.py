"""How much may grow, and who may spawn now: a frozen record and a machine without a clock.

The machine answers and counts in plain calls, so that nothing can come between the
question and the slot that is taken on its answer.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Literal

import attrs

from actors.checks import between, one_of, yes_or_no
from actors.errors import CooldownActive, DepthExceeded, SpawnLimitReached, SpawnRefused

__all__ = ["Admission", "CooldownScope", "SpawnLimits"]

CooldownScope = Literal["template", "spawner"]


@attrs.frozen
class SpawnLimits:
    """The bounds of growth; each is checked when the record is made, and raises ValueError with its range.

    `max_active` of 1 to 100 live at once; `cooldown` of 0.1 to 60 seconds after a
    success, counted for each template, or for the whole spawner with `per="spawner"`; a spawn of a
    spawn goes down to `max_depth`, 1 to 10. With `auto` growth may be asked for by a success
    rate strictly below `performance_threshold`, 0 to 1, and by a workload strictly above
    `workload_threshold`, 1 to 10,000 messages.
    """

    max_active: int = attrs.field(default=10, validator=between(1, 100, whole=True))
    cooldown: float = attrs.field(default=5.0, validator=between(0.1, 60, unit=" seconds"))
    max_depth: int = attrs.field(default=3, validator=between(1, 10, whole=True))
    performance_threshold: float = attrs.field(default=0.6, validator=between(0, 1))
    workload_threshold: int = attrs.field(default=100, validator=between(1, 10_000, whole=True))
    auto: bool = attrs.field(default=False, validator=yes_or_no)
    per: CooldownScope = attrs.field(default="template", validator=one_of(CooldownScope))

    @classmethod
    def conservative(cls) -> SpawnLimits:
        """Few, slowly, and only when asked."""
        return cls(5, 10.0, 2, 0.7, 200, auto=False)

    @classmethod
    def aggressive(cls) -> SpawnLimits:
        """Many, fast, by itself."""
        return cls(20, 1.0, 5, 0.5, 50, auto=True)

    @classmethod
    def minimal(cls) -> SpawnLimits:
        """As little in the way as the ranges allow."""
        return cls(100, 0.1, 10, 0.0, 1, auto=True)


@attrs.define
class Admission:
    """Who may spawn now. Times are seconds of one clock that does not run backwards."""

    limits: SpawnLimits = attrs.Factory(SpawnLimits)
    taken: int = 0
    """Slots in use: living spawns, and those that are reserved for one."""

    last: dict[Hashable, float] = attrs.Factory(dict[Hashable, float])
    """When a template last had a success. Bounded: one that has cooled down goes at the next success."""

    _ties: dict[Hashable, tuple[int, float | None]] = attrs.field(
        factory=dict[Hashable, tuple[int, float | None]], init=False, repr=False, eq=False
    )
    """How many successes there were at that very time, and when the one before them was."""

    def refusal(
        self, now: float, key: Hashable, depth: int, *, check_cooldown: bool = True, slots: int = 1
    ) -> SpawnRefused | None:
        """Why a spawn of the template `key` at `depth`, which takes `slots`, may not be, or None.

        What no waiting cures comes first: depth, then the slots, then the cooldown.
        """
        if depth > self.limits.max_depth:
            return DepthExceeded(depth, self.limits.max_depth)
        if self.taken + slots > self.limits.max_active:
            return SpawnLimitReached(self.taken, self.limits.max_active)
        left = self.cooldown_remaining(now, key) if check_cooldown else 0.0
        return CooldownActive(left) if left > 0 else None

    def can_spawn(self, now: float, check_cooldown: bool = True, key: Hashable = None) -> bool:
        """Whether there is a slot, and, if asked, no cooldown (of any, without a key)."""
        if self.taken >= self.limits.max_active:
            return False
        return not check_cooldown or self.cooldown_remaining(now, key) == 0

    def cooldown_remaining(self, now: float, key: Hashable = None) -> float:
        """The seconds left: of the template `key`, or, without one, the longest of all. 0.0: none."""
        at = self.ready_at(key)
        # Compared as times: the difference of two rounded ones would miss the exact moment.
        return 0.0 if now >= at else at - now

    def ready_at(self, key: Hashable = None) -> float:
        """The time at which the cooldown ends, exactly: what a wait is until. -inf: there was none."""
        if key is None or self.limits.per == "spawner":
            return max(self.last.values(), default=-math.inf) + self.limits.cooldown
        return self.last.get(key, -math.inf) + self.limits.cooldown

    def counted_as(self, key: Hashable) -> Hashable:
        """What the cooldown of `key` is counted under: those of one spawner may share theirs."""
        return None if self.limits.per == "spawner" else key

    def take(self, slots: int = 1) -> None:
        """Take slots. It is for the caller to have asked `refusal` in the same step."""
        self.taken += slots

    def free(self, slots: int = 1) -> None:
        """Give slots back. Raises RuntimeError when fewer are taken: somebody has freed twice."""
        if self.taken < slots:
            raise RuntimeError("no slot is taken: each take() allows one free()")
        self.taken -= slots

    def succeeded(self, now: float, key: Hashable) -> float | None:
        """Start the cooldown of `key`; returns the time of the success before, which `undo` wants."""
        key = self.counted_as(key)
        # Taken out and put in again: the dict is in the order of time, and the oldest is its first.
        previous = self.last.pop(key, None)
        ties, before = self._ties.get(key, (0, None)) if previous == now else (0, previous)
        self._drop_cooled(now)
        self.last[key] = now
        self._ties[key] = (ties + 1, before)
        return before

    def undo(self, key: Hashable, at: float, previous: float | None) -> None:
        """Take a success of `key` at `at` back, unless a later one has come since, or another stands then."""
        key = self.counted_as(key)
        if self.last.get(key) != at:
            return
        ties, before = self._ties.pop(key, (1, None))
        del self.last[key]
        if ties > 1:
            self.last[key], self._ties[key] = at, (ties - 1, before)
        elif previous is not None:
            self.last[key], self._ties[key] = previous, (1, None)

    def _drop_cooled(self, now: float) -> None:
        while self.last:
            oldest = next(iter(self.last))
            if now < self.last[oldest] + self.limits.cooldown:
                return
            del self.last[oldest]
            self._ties.pop(oldest, None)
        self._ties.clear()
