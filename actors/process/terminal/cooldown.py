"""How long a terminal is left alone after something was typed into it. Pure."""

from __future__ import annotations

__all__ = ["Cooldown"]


class Cooldown:
    """`seconds` must pass from each injection to the next."""

    __slots__ = ("_last", "_seconds")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: float | None = None

    def left(self, now: float) -> float:
        """Seconds until the next injection may be; 0.0 when it may be now."""
        if self._last is None:
            return 0.0
        return max(0.0, self._last + self._seconds - now)

    def injected(self, now: float) -> None:
        """Something was typed, or begins to be."""
        self._last = now
