"""How long a session lives when its client is not heard. Pure: times are given, seconds of one clock."""

from __future__ import annotations

import math

import attrs

__all__ = ["Lease"]


@attrs.define
class Lease:
    """What a client has open, and when its session ends if nothing else comes.

    As long as it waits for an answer, or listens on a stream, it is there. Between two calls it may think:
    it has `idle` seconds. One that went before its answer, or its stream, was over is gone, or
    on its way back: it has `lost` seconds.
    """

    idle: float
    lost: float
    _open: int = attrs.field(default=0, init=False)

    @property
    def open(self) -> int:
        """Requests under way, streams included."""
        return self._open

    def begin(self) -> float:
        """A request has come. When the session ends: not as long as it is under way."""
        self._open += 1
        return math.inf

    def end(self, now: float, *, gone: bool) -> float:
        """A request is over; `gone`: its client went first. When the session ends, if nothing else comes.

        Raises RuntimeError when none was open.
        """
        if self._open < 1:
            raise RuntimeError("no request is open: each begin() allows one end()")
        self._open -= 1
        if self._open:
            return math.inf
        return now + (min(self.idle, self.lost) if gone else self.idle)
