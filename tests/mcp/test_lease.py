"""How long a session lives: the decision alone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.mcp.lease import Lease

TIMES = st.floats(0, 1e6)


@given(idle=TIMES, lost=TIMES, steps=st.lists(st.tuples(st.booleans(), st.booleans(), TIMES), max_size=30))
def test_a_session_ends_when_nothing_is_open_and_not_before(
    idle: float, lost: float, steps: list[tuple[bool, bool, float]]
) -> None:
    """Whatever comes and goes: with something open there is no end, and with nothing a bounded one."""
    lease = Lease(idle, lost)
    now, count = 0.0, 0
    for begins, gone, after in steps:
        now += after
        if begins or not count:
            ends = lease.begin()
            count += 1
        else:
            ends = lease.end(now, gone=gone)
            count -= 1
            if not count:
                assert ends == now + (min(idle, lost) if gone else idle)
        assert lease.open == count
        assert (ends == math.inf) == (count > 0)


def test_who_comes_back_in_time_has_all_its_time_again() -> None:
    lease = Lease(idle=100, lost=5)
    lease.begin()
    assert lease.end(10, gone=True) == 15
    assert lease.begin() == math.inf
    assert lease.end(14, gone=False) == 114


def test_an_end_too_many_is_a_fault() -> None:
    with pytest.raises(RuntimeError, match="each begin"):
        Lease(1, 1).end(0, gone=False)
