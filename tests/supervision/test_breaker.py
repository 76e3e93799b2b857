"""The breaker machine: its table, its window, its permit and what it says of itself."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import attrs
import pytest

from actors.outcome import FailureKind
from actors.policy import Breaker
from actors.supervision.breaker import TABLE, BreakerState, Circuit, CircuitSignal, CircuitState, NoSuchStep
from actors.supervision.breakers import Breakers

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


def closed(policy: Breaker | None = None) -> Circuit:
    return Circuit(policy or Breaker(failures=2, within=300.0, reset_after=120.0))


def opened(policy: Breaker | None = None, now: float = 0.0) -> Circuit:
    circuit = closed(policy)
    for _ in range(circuit.policy.failures):
        circuit.failure(now)
    return circuit


def half_open(policy: Breaker | None = None) -> Circuit:
    circuit = opened(policy)
    circuit.probe()
    return circuit


# --- the table ------------------------------------------------------------------------

LEGAL = {
    (CLOSED, CircuitSignal.TRIP): OPEN,
    (CLOSED, CircuitSignal.RESET): CLOSED,
    (OPEN, CircuitSignal.PROBE): HALF_OPEN,
    (OPEN, CircuitSignal.RESET): CLOSED,
    (HALF_OPEN, CircuitSignal.SUCCESS): CLOSED,
    (HALF_OPEN, CircuitSignal.FAILURE): OPEN,
    (HALF_OPEN, CircuitSignal.RESET): CLOSED,
}


@pytest.mark.parametrize(("state", "signal"), list(itertools.product(CircuitState, CircuitSignal)))
def test_the_table_has_the_legal_steps_and_no_others(state: CircuitState, signal: CircuitSignal) -> None:
    """Closed trips, open probes, half-open closes or opens again, and each can be reset."""
    assert TABLE.get((state, signal)) == LEGAL.get((state, signal))


@pytest.mark.parametrize(
    ("make", "step"),
    [
        (closed, Circuit.probe),
        (closed, Circuit.success),
        (opened, Circuit.success),
        (half_open, Circuit.probe),
    ],
    ids=["probe when closed", "success when closed", "success when open", "second probe"],
)
def test_an_illegal_step_raises_and_leaves_the_breaker_unchanged(
    make: Callable[[], Circuit], step: Callable[[Circuit], None]
) -> None:
    """A step that the table does not have raises with state and signal, and nothing has changed."""
    circuit = make()
    before = attrs.asdict(circuit)
    with pytest.raises(NoSuchStep) as caught:
        step(circuit)
    assert caught.value.state is circuit.state
    assert caught.value.signal.name in str(caught.value)
    assert str(circuit.state) in str(caught.value)
    assert attrs.asdict(circuit) == before


def test_a_failure_while_open_changes_nothing() -> None:
    """What fails while the breaker is open is not its business."""
    circuit = opened()
    before = attrs.asdict(circuit)
    assert circuit.failure(1.0) is False
    assert attrs.asdict(circuit) == before


# --- the window -----------------------------------------------------------------------


@pytest.mark.row(25)
def test_two_failures_within_the_window_open_it() -> None:
    """With 2 failures in 300 s the first leaves it closed and the second opens it, once."""
    circuit = closed()
    assert circuit.failure(0.0) is False
    assert circuit.state is CLOSED
    assert circuit.failure(299.9) is True
    assert circuit.state is OPEN


@pytest.mark.row(25)
def test_older_failures_are_forgotten() -> None:
    """A failure that is older than the window does not count any more."""
    circuit = closed()
    assert [circuit.failure(now) for now in (0.0, 300.1, 600.3, 900.2)] == [False, False, False, True]


def test_an_age_equal_to_the_window_still_counts() -> None:
    """The edge of the window is inside, as for restarts."""
    circuit = closed()
    circuit.failure(0.0)
    assert circuit.failure(300.0) is True


@pytest.mark.row(31)
def test_two_permanent_failures_within_ten_seconds_open_it_at_once() -> None:
    """With `fast_fail` two permanent failures open a breaker that allows many."""
    circuit = closed(Breaker(failures=100, fast_fail=True))
    assert circuit.failure(0.0, FailureKind.PERMANENT) is False
    assert circuit.failure(10.0, FailureKind.PERMANENT) is True


@pytest.mark.row(31)
@pytest.mark.parametrize(
    ("fast", "kinds", "gap"),
    [
        (True, (FailureKind.PERMANENT, FailureKind.PERMANENT), 10.1),
        (True, (FailureKind.PERMANENT, FailureKind.ERROR), 1.0),
        (True, (FailureKind.ERROR, FailureKind.ERROR), 1.0),
        (True, (FailureKind.ERROR, FailureKind.PERMANENT), 1.0),
        (False, (FailureKind.PERMANENT, FailureKind.PERMANENT), 1.0),
    ],
    ids=["too far apart", "one permanent", "transient", "the second permanent", "switched off"],
)
def test_nothing_else_fails_fast(fast: bool, kinds: tuple[FailureKind, FailureKind], gap: float) -> None:
    """Failures that are not two permanent ones within ten seconds only count."""
    circuit = closed(Breaker(failures=100, fast_fail=fast))
    circuit.failure(0.0, kinds[0])
    assert circuit.failure(gap, kinds[1]) is False


def test_permanent_failures_with_others_between_fail_fast() -> None:
    """The two permanent failures need not follow each other."""
    circuit = closed(Breaker(failures=100, fast_fail=True))
    circuit.failure(0.0, FailureKind.PERMANENT)
    circuit.failure(2.0, FailureKind.ERROR)
    assert circuit.failure(9.0, FailureKind.PERMANENT) is True


@pytest.mark.row(33)
def test_the_lenient_class_opens_at_four_and_looks_back_thirty_seconds() -> None:
    """`Breaker.lenient()`: four failures, and two permanent ones within 30 s."""
    circuit = closed(Breaker.lenient())
    assert [circuit.failure(0.0) for _ in range(4)] == [False, False, False, True]
    circuit = closed(Breaker.lenient())
    circuit.failure(0.0, FailureKind.PERMANENT)
    assert circuit.failure(30.1, FailureKind.PERMANENT) is False
    assert circuit.failure(60.0, FailureKind.PERMANENT) is True


@pytest.mark.row(32)
@pytest.mark.parametrize("kind", [FailureKind.RATE_LIMIT, FailureKind.BUDGET])
def test_a_rate_limit_never_counts(kind: FailureKind) -> None:
    """Any number of rate limits leaves the breaker closed and its window empty; so do spent budgets."""
    circuit = closed()
    assert not any(circuit.failure(float(n), kind) for n in range(100))
    assert circuit.view(100.0) == BreakerState()


COUNTED = [k for k in FailureKind if k not in (FailureKind.RATE_LIMIT, FailureKind.BUDGET)]


@pytest.mark.parametrize("kind", COUNTED)
def test_every_other_kind_of_failure_counts(kind: FailureKind) -> None:
    """All kinds but the rate limit and the budget count alike."""
    circuit = closed()
    assert [circuit.failure(0.0, kind), circuit.failure(1.0, kind)] == [False, True]


# --- the permit -----------------------------------------------------------------------


@pytest.mark.row(29)
def test_a_probe_that_succeeds_closes_and_forgets() -> None:
    """After a good probe the breaker is like new."""
    circuit = half_open()
    circuit.success()
    assert circuit.view(121.0) == BreakerState()
    assert circuit.failure(122.0) is False


@pytest.mark.row(29)
def test_a_probe_that_fails_opens_again_for_a_full_period() -> None:
    """One failure in half-open opens it for `reset_after` seconds from then."""
    circuit = half_open()
    assert circuit.failure(130.0) is True
    assert circuit.state is OPEN
    assert circuit.until == 250.0


@pytest.mark.row(29)
def test_a_permit_that_comes_back_leaves_it_half_open() -> None:
    """Without a verdict the breaker stays half-open, however long."""
    circuit = half_open()
    assert not circuit.due(1e9)
    assert circuit.view(1e9) == BreakerState(state=HALF_OPEN, failures=2, risk="high")


def test_each_failed_probe_in_a_row_multiplies_the_period() -> None:
    """The n-th failed probe in a row is followed by `reset_after` x factor**n; a success starts over."""
    circuit = opened(Breaker(failures=1, reset_after=10.0, factor=3.0))
    periods = [circuit.until]
    for _ in range(3):
        now = circuit.until
        circuit.probe()
        circuit.failure(now)
        periods.append(circuit.until - now)
    assert periods == [10.0, 30.0, 90.0, 270.0]
    circuit.probe()
    circuit.success()
    circuit.failure(1000.0)
    assert circuit.until == 1010.0


def test_a_rate_limited_probe_proves_nothing() -> None:
    """It opens again for the same period, without counting as a failed probe."""
    circuit = half_open(Breaker(failures=1, reset_after=10.0, factor=3.0))
    assert circuit.failure(50.0, FailureKind.RATE_LIMIT) is True
    assert circuit.until == 60.0


@pytest.mark.parametrize("factor", [2.0, 1e10, 1e300])
def test_any_number_of_failed_probes_gives_a_period(factor: float) -> None:
    """A power beyond the floats is a long time or none, never an error."""
    circuit = opened(Breaker(failures=1, reset_after=0.0, factor=factor))
    for _ in range(1200):
        circuit.probe()
        assert circuit.failure(0.0) is True
    assert circuit.until == 0.0


def test_it_is_due_when_its_time_is_over() -> None:
    """`due` is true from `until` on, and only while open."""
    circuit = opened()
    assert [circuit.due(now) for now in (0.0, 119.9, 120.0, 500.0)] == [False, False, True, True]
    circuit.probe()
    assert not circuit.due(500.0)
    assert not closed().due(500.0)


@pytest.mark.row(30)
@pytest.mark.parametrize("make", [closed, opened, half_open])
def test_a_reset_forgets_everything(make: Callable[[], Circuit]) -> None:
    """After a reset the breaker is closed, and one more failure leaves it closed."""
    circuit = make()
    circuit.reset()
    assert circuit.view(1.0) == BreakerState()
    assert circuit.failure(1.0) is False
    assert circuit.state is CLOSED


def test_a_reset_forgets_failed_probes_and_permanent_failures() -> None:
    """The period and the fast-fail window start over too."""
    circuit = half_open(Breaker(failures=3, reset_after=10.0, factor=3.0, fast_fail=True))
    circuit.failure(0.0, FailureKind.PERMANENT)
    circuit.reset()
    assert circuit.failure(1.0, FailureKind.PERMANENT) is False
    circuit.failure(2.0)
    assert circuit.failure(2.0) is True
    assert circuit.until == 12.0


# --- what it says ---------------------------------------------------------------------


@pytest.mark.row(30)
@pytest.mark.parametrize("make", [closed, opened, half_open])
def test_asking_never_changes_it(make: Callable[[], Circuit]) -> None:
    """A hundred questions at any times leave everything as it was."""
    circuit = make()
    before = attrs.asdict(circuit)
    for n in range(100):
        circuit.view(n * 7.0)
        circuit.due(n * 7.0)
    assert attrs.asdict(circuit) == before


@pytest.mark.row(34)
def test_the_report_of_a_breaker_from_its_first_failure_to_its_probe() -> None:
    """State, failures, seconds to the probe, failures a minute and risk, step by step."""
    circuit = closed(Breaker(failures=3, within=60.0, reset_after=30.0))
    assert circuit.view(0.0) == BreakerState()
    circuit.failure(0.0)
    assert circuit.view(1.0) == BreakerState(failures=1)
    circuit.failure(10.0)
    assert circuit.view(11.0) == BreakerState(failures=2, velocity=6.0, risk="medium")
    circuit.failure(20.0)
    assert circuit.view(25.0) == BreakerState(
        state=OPEN, failures=3, retry_after=25.0, velocity=6.0, risk="critical"
    )
    circuit.probe()
    assert circuit.view(50.0) == BreakerState(state=HALF_OPEN, failures=3, velocity=6.0, risk="high")


@pytest.mark.row(34)
def test_failures_at_one_instant_have_a_finite_velocity() -> None:
    """Several failures at the same time count as that many a minute."""
    assert closed(Breaker(failures=9)).view(0.0).velocity == 0.0
    assert opened(Breaker(failures=3)).view(0.0).velocity == 180.0


@pytest.mark.row(34)
def test_a_breaker_of_one_failure_is_at_low_risk_until_it_fails() -> None:
    """No failures is low risk, also where the first one opens it."""
    assert closed(Breaker(failures=1)).view(0.0).risk == "low"


def test_the_seconds_left_count_down_to_zero() -> None:
    """`retry_after` is what is left, and never negative."""
    circuit = opened()
    assert [circuit.view(now).retry_after for now in (0.0, 100.0, 120.0, 200.0)] == [120.0, 20.0, 0.0, 0.0]


def test_old_failures_leave_the_report() -> None:
    """A closed breaker reports only what counts at the time of asking."""
    circuit = closed()
    circuit.failure(0.0)
    assert circuit.view(300.0).failures == 1
    assert circuit.view(300.1) == BreakerState()


# --- the breakers of a system -----------------------------------------------------------


def test_a_path_that_never_failed_is_closed_and_not_listed() -> None:
    """Asking about a path makes no breaker for it."""
    breakers = Breakers(lambda: 0.0)
    assert breakers.view("/a") == BreakerState()
    assert breakers.views() == {}
    assert breakers.find("/a") is None


def test_each_path_has_its_own_breaker() -> None:
    """Failures of one path do not touch another; all are listed in order of their first failure."""
    now = [0.0]
    breakers = Breakers(lambda: now[0])
    policy = Breaker(failures=2, reset_after=10.0)
    opened = [breakers.failure(path, policy, FailureKind.ERROR) for path in ("/b", "/a", "/b")]
    assert opened == [False, False, True]
    now[0] = 4.0
    assert list(breakers.views()) == ["/b", "/a"]
    assert breakers.view("/b").retry_after == 6.0
    assert breakers.view("/a").state is CLOSED


def test_a_new_policy_replaces_the_old_one_with_the_next_failure() -> None:
    """The breaker goes by the policy of the actor that fails now."""
    breakers = Breakers(lambda: 0.0)
    breakers.failure("/a", Breaker(failures=5), FailureKind.ERROR)
    assert breakers.failure("/a", Breaker(failures=2), FailureKind.ERROR) is True


def test_resetting_says_whether_there_was_something_to_close() -> None:
    """`reset` is true for a breaker that was not closed, and forgets the path in any case."""
    breakers = Breakers(lambda: 0.0)
    policy = Breaker(failures=2, within=math.inf)
    assert breakers.reset("/a") is False
    breakers.failure("/a", policy, FailureKind.ERROR)
    assert breakers.reset("/a") is False
    assert breakers.views() == {}
    breakers.failure("/a", policy, FailureKind.ERROR)
    breakers.failure("/a", policy, FailureKind.ERROR)
    assert breakers.reset("/a") is True
    assert breakers.view("/a") == BreakerState()
