"""How long runs took: the quantile that the adaptive mode begins with."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.timeouts import history
from actors.timeouts.history import Durations


def after(*seconds: float) -> float | None:
    """What is known of a path whose runs took so long."""
    durations = Durations()
    for one in seconds:
        durations.add("/a", one)
    return durations.initial("/a")


@pytest.mark.row(20)
def test_two_runs_say_nothing_yet() -> None:
    """From three on there is a quantile."""
    assert (after(), after(5.0), after(5.0, 6.0), after(5.0, 6.0, 7.0)) == (None, None, None, 7.0)


@pytest.mark.row(20)
@pytest.mark.parametrize(
    ("runs", "expected"), [(3, 3.0), (4, 4.0), (8, 8.0), (9, 9.0), (10, 9.0), (11, 10.0), (100, 99.0)]
)
def test_it_is_the_nearest_rank_of_the_last_ten(runs: int, expected: float) -> None:
    """Up to nine runs the longest; of ten the ninth: a time that a run did take, never a mean of two."""
    assert after(*[float(one) for one in range(1, runs + 1)]) == expected


def test_one_exceptional_run_of_ten_does_not_count() -> None:
    """The ninth of ten is the usual one."""
    assert after(*[2.0] * 9, 1000.0) == 2.0
    assert after(1000.0, *[2.0] * 8, 1000.0) == 1000.0


def test_the_eleventh_run_forgets_the_first() -> None:
    """Only the last ten count."""
    assert after(*[100.0] * 10, *[1.0] * 8) == 100.0
    assert after(*[100.0] * 10, *[1.0] * 9) == 1.0


def test_each_path_has_its_own_runs() -> None:
    durations = Durations()
    for seconds in (1.0, 2.0, 3.0):
        durations.add("/a", seconds)
        durations.add("/b", 10 * seconds)
    assert (durations.initial("/a"), durations.initial("/b"), durations.initial("/c")) == (3.0, 30.0, None)


@settings(derandomize=True, database=None)
@given(st.lists(st.floats(0.0, 1e9), min_size=3, max_size=30))
def test_nine_tenths_of_the_runs_were_done_in_it(seconds: list[float]) -> None:
    """And in no shorter time that a run took."""
    found, last = after(*seconds), seconds[-10:]
    assert found in last
    assert sum(one <= found for one in last) * 10 >= 9 * len(last)
    assert sum(one < found for one in last) * 10 < 9 * len(last)


def test_only_the_paths_that_ran_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names made up without end do not fill the memory; who runs stays."""
    monkeypatch.setattr(history, "PATHS", 3)
    durations = Durations()
    for path in ("/a", "/b", "/c", "/a", "/a", "/d", "/e"):
        durations.add(path, 1.0)
    assert durations.initial("/a") == 1.0
    for path in ("/f", "/g", "/h"):
        durations.add(path, 1.0)
    assert durations.initial("/a") is None
    assert len(durations._runs) == 3
