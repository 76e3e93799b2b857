"""How long a terminal is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.process.terminal.cooldown import Cooldown

times = st.floats(0, 1e6)


@pytest.mark.row(96)
@given(times, times, times)
def test_the_gap_is_kept(seconds: float, start: float, later: float) -> None:
    """Never more than the cooldown is left, and nothing when it has passed."""
    cooldown = Cooldown(seconds)
    assert cooldown.left(start) == 0.0
    cooldown.injected(start)
    left = cooldown.left(start + later)
    assert 0.0 <= left <= seconds + 1e-3
    assert (left == 0.0) == (start + later >= start + seconds)
