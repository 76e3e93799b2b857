"""A fixed piece of pure Python. How long it takes says how busy the machine is with something else."""

from __future__ import annotations

import time

__all__ = ["spin"]

TURNS = 400_000


def spin() -> float:
    """The seconds that the loop took now."""
    began = time.perf_counter()
    total = 0
    for number in range(TURNS):
        total += number & 7
    return time.perf_counter() - began
