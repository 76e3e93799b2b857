"""How long to wait before the next attempt. `now`-free: the caller says how long the actor lived."""

from __future__ import annotations

import attrs

from actors.policy import Backoff

__all__ = ["Retreat", "delay", "reset_after"]


def delay(policy: Backoff, attempt: int, draw: float) -> float:
    """Seconds before attempt `attempt` (from 0); `draw` is uniform in [0, 1).

    The spread never leaves [0, maximum]: jitter multiplied in after the cap is how
    others exceed it.
    """
    if not policy.initial:
        return 0.0
    try:
        linear = policy.growth == "linear"
        growth = 1 + policy.factor * attempt if linear else policy.factor**attempt
        plain = min(policy.maximum, policy.initial * growth)
    except OverflowError:
        plain = policy.maximum
    spread = plain * (1 + policy.jitter * (2 * draw - 1))
    return max(0.0, min(policy.maximum, spread))


def reset_after(policy: Backoff) -> float:
    """Seconds of life without a failure after which the delays start over."""
    if policy.reset_after is not None:
        return policy.reset_after
    return (policy.initial + policy.maximum) / 2


@attrs.define
class Retreat:
    """The delays of one actor, growing with each failure in a row."""

    attempt: int = 0

    def next(self, policy: Backoff, alive: float, draw: float) -> float:
        """The delay after a failure of an incarnation that lived `alive` seconds."""
        if alive >= reset_after(policy):
            self.attempt = 0
        seconds = delay(policy, self.attempt, draw)
        self.attempt += 1
        return seconds
