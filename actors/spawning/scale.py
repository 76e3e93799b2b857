"""When a pool grows and shrinks. Pure: what is measured, the time and the cooldown are arguments.

The rules, in their order:

1. Below its minimum a pool is filled up, and an empty one gets a worker for what waits.
   Both are what the pool is for, and need no `auto`.
2. With `auto` it grows by one for a queue strictly above the threshold, for a message that has
   waited `max_wait` while no worker is free, and for a success rate strictly below its
   threshold. Whoever boots is an answer on its way: while one does, only a queue that has
   outgrown all the answers asks again.
3. With nothing waiting and nothing asked for, a worker that has been idle for long enough goes.

One change per cooldown, so that the effect of the last one is in the numbers before the next.
Every `Stay` says until when it stands, so that the loop around it sleeps, and never polls.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import attrs

from actors.checks import between, count, record, seconds
from actors.spawning.limits import SpawnLimits
from actors.spawning.triggers import SpawnTrigger, performance_fires, workload_fires

__all__ = ["Decision", "Grow", "Load", "Scaling", "Shrink", "Stay", "decide"]


@attrs.frozen
class Scaling:
    """From `minimum` to `maximum` workers, within `limits`. Raises ValueError where these contradict.

    `max_wait`: seconds a message may wait while nobody is free. `idle`: seconds without work
    after which a worker is too many; math.inf: never.
    """

    minimum: int = attrs.field(validator=count(0))
    maximum: int = attrs.field(validator=between(1, 100, whole=True))
    limits: SpawnLimits = attrs.field(
        factory=SpawnLimits, validator=record(SpawnLimits, "SpawnLimits(max_active=10)", optional=False)
    )
    max_wait: float = attrs.field(default=1.0, validator=seconds(above=True))
    idle: float = attrs.field(default=30.0, validator=seconds(above=True))

    def __attrs_post_init__(self) -> None:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum ({self.minimum}) is above maximum ({self.maximum}): swap them")
        if self.minimum > self.limits.max_active:
            raise ValueError(
                f"minimum ({self.minimum}) is above max_active ({self.limits.max_active}) of the limits: "
                f"raise max_active"
            )

    @property
    def ceiling(self) -> int:
        """As many workers as there may be."""
        return min(self.maximum, self.limits.max_active)


@attrs.frozen
class Load:
    """What a pool looks like at one moment."""

    workers: int
    """Living ones, with those that boot and without those that retire."""
    booting: int = 0
    """Of these, the ones that are not ready yet."""
    free: int = 0
    """Of these, the ones that could take one more message now."""
    waiting: int = 0
    """Messages that no worker has yet."""
    oldest: float = 0.0
    """Seconds that the oldest of them has waited."""
    success: float | None = None
    """The share of recent outcomes that went well, or None while it is unknown."""
    idle: tuple[float, ...] = ()
    """For each worker without work, since when (a time)."""


@attrs.frozen
class Grow:
    """Start `count` workers."""

    trigger: SpawnTrigger
    count: int


@attrs.frozen
class Shrink:
    """Retire `count` workers, those that have been idle for longest."""

    count: int


@attrs.frozen
class Stay:
    """Change nothing until the time `until`, when time alone may change the answer. None: only news can."""

    until: float | None = None


Decision: TypeAlias = Grow | Shrink | Stay


def decide(
    scaling: Scaling,
    load: Load,
    now: float,
    cooldown_left: float,
    last_change: float | None,
    *,
    last_growth: float | None = None,
) -> Decision:
    """What the pool does now.

    `cooldown_left` (seconds) holds back all growth, so a first fill passes 0. `last_change`
    is when the pool last grew or shrank, and holds back what is not a need. `last_growth`: when it
    last grew; nobody is retired within `idle` seconds of that.
    """
    cooled = now + cooldown_left
    settled = _after(last_change, scaling.limits.cooldown)
    needed = _needed(scaling, load)
    if needed is not None:
        return _from(cooled, needed, now)
    asked = _asked(scaling, load, now)
    if asked is not None:
        roomy = load.workers < scaling.ceiling
        return _from(max(cooled, settled), Grow(asked, 1), now) if roomy else Stay()
    if load.waiting:
        return _stay(max(_overdue_at(scaling, load, now), cooled, settled))
    return _from(max(_surplus_at(scaling, load, last_growth), settled), Shrink(1), now)


def _needed(scaling: Scaling, load: Load) -> Grow | None:
    """The growth without which the pool would not be one."""
    if load.workers < scaling.minimum:
        return Grow(SpawnTrigger.MANUAL, scaling.minimum - load.workers)
    if load.workers == 0 and load.waiting:
        return Grow(SpawnTrigger.WORKLOAD_SPIKE, 1)
    return None


def _asked(scaling: Scaling, load: Load, now: float) -> SpawnTrigger | None:
    """Which signal asks for one worker more, if any."""
    if workload_fires(load.waiting / (1 + load.booting), scaling.limits):
        return SpawnTrigger.WORKLOAD_SPIKE
    if load.waiting and _overdue_at(scaling, load, now) <= now:
        return SpawnTrigger.WORKLOAD_SPIKE
    if not load.booting and _is_poor(scaling, load):
        return SpawnTrigger.PERFORMANCE_THRESHOLD
    return None


def _is_poor(scaling: Scaling, load: Load) -> bool:
    return load.success is not None and performance_fires(load.success, scaling.limits)


def _overdue_at(scaling: Scaling, load: Load, now: float) -> float:
    """From when on the oldest message asks for growth; never, while its answer is on the way."""
    if not scaling.limits.auto or load.free or load.booting or load.workers >= scaling.ceiling:
        return math.inf
    return now + (scaling.max_wait - load.oldest)


def _surplus_at(scaling: Scaling, load: Load, last_growth: float | None) -> float:
    """From when on there is a worker too many. Whoever would grow at once again does not shrink."""
    if load.workers <= scaling.minimum or not load.idle or _is_poor(scaling, load):
        return math.inf
    return max(min(load.idle) + scaling.idle, _after(last_growth, scaling.idle))


def _after(time: float | None, wait: float) -> float:
    return -math.inf if time is None else time + wait


def _from(time: float, change: Grow | Shrink, now: float) -> Decision:
    return change if time <= now else _stay(time)


def _stay(until: float) -> Stay:
    return Stay(None if until == math.inf else until)
