"""What the watchdog makes of its samples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Watchdog
from actors.observe.spell import Report, ReportKind, Spell

WARN, DUMP, OVER = ReportKind.WARN, ReportKind.DUMP, ReportKind.OVER


def told(samples: list[tuple[float, object]], policy: Watchdog) -> list[tuple[float, Report]]:
    spell = Spell(policy)
    return [(now, report) for now, key in samples for report in spell.sample(now, key)]


def test_a_step_that_stays_is_warned_of_once_and_dumped_once() -> None:
    samples = [(quarter / 4, "step") for quarter in range(40)]
    assert told([*samples, (10.0, None)], Watchdog()) == [
        (1.0, Report(WARN, 1.0)),
        (5.0, Report(DUMP, 5.0)),
        (10.0, Report(OVER, 10.0)),
    ]


def test_a_late_sample_reports_both_at_once() -> None:
    """A process that was suspended, say."""
    assert told([(0.0, 1), (60.0, 1), (60.1, 2)], Watchdog()) == [
        (60.0, Report(WARN, 60.0)),
        (60.0, Report(DUMP, 60.0)),
        (60.1, Report(OVER, 60.1)),
    ]


def test_a_loop_that_waits_or_goes_from_step_to_step_is_left_alone() -> None:
    assert told([(n / 4, None) for n in range(100)], Watchdog()) == []
    assert told([(n / 4, n) for n in range(100)], Watchdog()) == []


@given(st.lists(st.tuples(st.floats(0, 3), st.one_of(st.none(), st.integers(0, 2))), max_size=60))
def test_every_warning_is_followed_by_its_end_or_nothing(steps: list[tuple[float, int | None]]) -> None:
    """WARN, then perhaps DUMP, then OVER, and so on; seconds are never more than have passed."""
    now, samples = 0.0, list[tuple[float, object]]()
    for pause, key in steps:
        now += pause
        samples.append((now, key))
    state = OVER
    for at, report in told(samples, Watchdog()):
        assert (state, report.kind) in {(OVER, WARN), (WARN, DUMP), (WARN, OVER), (DUMP, OVER)}
        assert 1.0 <= report.seconds <= at
        state = report.kind


@pytest.mark.parametrize(
    ("warn", "dump", "said"),
    [(0, 5, "warn"), (-1, 5, "warn"), (float("inf"), float("inf"), "warn"), (1, 0, "dump"), (6, 5, "swap")],
)
def test_limits_that_make_no_sense_are_refused(warn: float, dump: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Watchdog(warn, dump)
