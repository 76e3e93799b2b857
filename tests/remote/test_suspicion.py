"""How suspicious a silence is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.remote.suspicion import Suspicion, phi

FINITE = st.floats(min_value=-1e300, max_value=1e300)
DEVIATION = st.floats(min_value=1e-6, max_value=1e6)
DELAY = st.floats(min_value=0.0, max_value=1e6)


def begun(*, beat: float = 1.0, pause: float = 3.0, at: float = 0.0) -> Suspicion:
    """A connection that has just begun."""
    made = Suspicion(beat, pause)
    made.begin(at)
    return made


@pytest.mark.parametrize(
    ("silence", "expected"), [(1.0, 0.3), (1.2, 1.6), (1.4, 4.7), (1.6, 10.8), (1.7, 15.3)]
)
def test_phi_is_as_in_the_table_for_a_mean_of_1000_ms_and_a_deviation_of_100_ms(
    silence: float, expected: float
) -> None:
    assert phi(silence, 1.0, 0.1) == pytest.approx(expected, abs=0.1)


def test_phi_1_is_one_in_ten_and_phi_3_one_in_a_thousand() -> None:
    assert phi(1.2816, 0.0, 1.0) == pytest.approx(1.0, abs=0.01)
    assert phi(3.0902, 0.0, 1.0) == pytest.approx(3.0, abs=0.05)


@given(FINITE, FINITE, DEVIATION)
def test_phi_is_never_negative_and_always_a_number(silence: float, mean: float, deviation: float) -> None:
    said = phi(silence, mean, deviation)
    assert not math.isnan(said)
    assert math.copysign(1.0, said) == 1.0


@given(FINITE, FINITE, FINITE, DEVIATION)
def test_phi_does_not_fall_when_the_silence_grows(
    one: float, other: float, mean: float, deviation: float
) -> None:
    shorter, longer = sorted((one, other))
    assert phi(shorter, mean, deviation) <= phi(longer, mean, deviation)


@given(st.floats(0.0, 10.0), st.floats(1.0, 5.0))
def test_phi_does_not_jump_where_it_changes_to_the_approximation(mean: float, deviation: float) -> None:
    """Behind exp(700) it is a straight line; it joins the curve."""
    edge = mean + deviation * 21.1
    below, above = phi(edge * 0.999, mean, deviation), phi(edge * 1.001, mean, deviation)
    assert below < above < below * 1.05


# --- of one connection -----------------------------------------------------------------


@given(st.lists(DELAY, max_size=300), st.lists(DELAY, min_size=1, max_size=20))
def test_for_any_history_phi_grows_with_the_silence(history: list[float], silences: list[float]) -> None:
    suspicion, now = begun(), 0.0
    for delay in history:
        now += delay
        suspicion.heard(now)
    values = [suspicion.phi(now + silence) for silence in sorted(silences)]
    assert values == sorted(values)
    assert all(value >= 0 for value in values)


@given(st.lists(st.floats(0.0, 4.0), max_size=100), st.floats(0.0, 4.0))
def test_no_silence_within_a_beat_and_the_pause_is_suspicious(history: list[float], last: float) -> None:
    suspicion, now = begun(), 0.0
    for delay in history:
        assert suspicion.phi(now + delay) < 8
        now += delay
        suspicion.heard(now)
    assert suspicion.phi(now + last) < 8


@given(st.lists(DELAY, max_size=300))
def test_for_any_history_a_silence_gets_suspicious_in_the_end(history: list[float]) -> None:
    """What was learned has a limit: nobody can teach us to wait for ever."""
    suspicion, now = begun(), 0.0
    for delay in history:
        now += delay
        suspicion.heard(now)
    assert suspicion.phi(now + 17.0) > 8


def test_regular_beats_are_missed_soon() -> None:
    suspicion = begun()
    for second in range(1, 200):
        suspicion.heard(float(second))
    assert suspicion.phi(199.0 + 4.0) < 1
    assert suspicion.phi(199.0 + 4.6) > 8


def test_irregular_beats_are_given_more_time() -> None:
    suspicion, now = begun(), 0.0
    for number in range(200):
        now += (0.6, 3.0)[number % 2]
        suspicion.heard(now)
    assert suspicion.phi(now + 5.0) < 1


def test_a_short_beat_is_missed_sooner() -> None:
    suspicion = begun(beat=0.1, pause=0.1)
    assert suspicion.phi(0.2) < 1
    assert suspicion.phi(0.45) > 8


def test_frames_between_the_beats_do_not_shorten_them() -> None:
    suspicion = begun()
    for number in range(1, 1000):
        suspicion.heard(number / 100)
    assert suspicion.phi(9.99 + 4.0) < 1


def test_only_the_newest_silences_count() -> None:
    suspicion, now = begun(), 0.0
    for delay in [4.0] * 200 + [1.0] * 200:
        now += delay
        suspicion.heard(now)
    assert suspicion.phi(now + 4.6) > 8


def test_a_new_connection_begins_without_the_old_history() -> None:
    suspicion, now = begun(), 0.0
    for _ in range(200):
        now += 4.0
        suspicion.heard(now)
    suspicion.begin(now)
    fresh = begun()
    assert suspicion.phi(now + 5.5) == fresh.phi(5.5)
    assert suspicion.last == now


# --- our own pauses -----------------------------------------------------------------------


def test_the_time_in_which_our_own_loop_stood_still_is_no_silence() -> None:
    suspicion = begun()
    suspicion.lagged(60.0, 59.0)
    assert suspicion.silence(60.0) == 1.0
    assert suspicion.phi(60.0) < 1
    suspicion.lagged(90.0, 29.0)
    assert suspicion.silence(90.0) == 2.0


def test_a_pause_before_the_last_sign_takes_nothing_off_the_silence_behind_it() -> None:
    """The reader runs before the alarm that shows the pause."""
    suspicion = begun()
    for second in range(1, 50):
        suspicion.heard(float(second))
    suspicion.heard(109.0)
    suspicion.lagged(109.0, 59.0)
    assert suspicion.silence(114.0) == 5.0
    assert suspicion.phi(109.0 + 6.5) > 8


def test_a_pause_is_not_learned_as_a_silence() -> None:
    paused, steady = begun(), begun()
    for second in range(1, 50):
        paused.heard(float(second))
        steady.heard(float(second))
    paused.lagged(109.0, 59.0)
    paused.heard(109.0)
    steady.heard(50.0)
    assert paused.phi(109.0 + 4.6) == pytest.approx(steady.phi(50.0 + 4.6))


@given(st.lists(st.tuples(st.sampled_from(["heard", "lagged"]), DELAY, DELAY), max_size=50), DELAY)
def test_no_pause_makes_a_silence_negative_or_longer(
    events: list[tuple[str, float, float]], last: float
) -> None:
    suspicion, now = begun(), 0.0
    for what, delay, lag in events:
        now += delay
        if what == "heard":
            suspicion.heard(now)
        else:
            suspicion.lagged(now, lag)
        assert 0.0 <= suspicion.silence(now) <= now - suspicion.last
    assert suspicion.phi(now + last) >= 0.0


def test_a_clock_that_goes_back_is_no_silence() -> None:
    suspicion = begun(at=10.0)
    suspicion.heard(5.0)
    assert suspicion.silence(4.0) == 0.0
    suspicion.lagged(4.0, 3.0)
    assert suspicion.silence(5.0) == 0.0
    assert suspicion.phi(4.0) == pytest.approx(0.0, abs=0.01)
