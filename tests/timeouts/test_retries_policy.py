"""Which failures are tried again, and how long is waited before."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import (
    Backoff,
    Exit,
    ExitKind,
    FailureKind,
    PatternFound,
    PermanentFailure,
    Policy,
    RateLimited,
    Stalled,
    TimedOut,
)
from actors.supervision.backoff import delay
from tests.rounds import rounds


def pattern(kind: FailureKind | None = None, retry_after: float | None = None) -> Exit:
    return Exit(ExitKind.PATTERN, error=PatternFound("x", "line", kind=kind, retry_after=retry_after))


def failed(error: Exception) -> Exit:
    return Exit(ExitKind.FAILED, error=error)


EXITS = {
    "an error": failed(ValueError("no")),
    "a failed start": Exit(ExitKind.START_FAILED, error=ValueError("no")),
    "a lost node": Exit(ExitKind.NODE_DOWN),
    "a failure without an error": Exit(ExitKind.FAILED),
    "a limit": Exit(ExitKind.TIMED_OUT, error=TimedOut(5.0)),
    "silence": Exit(ExitKind.STALLED, error=Stalled(5.0)),
    "a pattern": pattern(),
    "a pattern of a rate limit": pattern(FailureKind.RATE_LIMIT),
    "a pattern of a rate limit that says when": pattern(FailureKind.RATE_LIMIT, 3.0),
    "a permanent pattern": pattern(FailureKind.PERMANENT),
    "a rate limit": failed(RateLimited("slow down")),
    "a rate limit that says when": failed(RateLimited(retry_after=3.0)),
    "a rate limit that says now": failed(RateLimited(retry_after=0.0)),
    "a rate limit that makes no sense": failed(RateLimited(retry_after=float("nan"))),
    "a rate limit in the past": failed(RateLimited(retry_after=-1.0)),
    "a permanent failure": failed(PermanentFailure("no such model")),
    "a return": Exit(ExitKind.NORMAL, value=1),
    "a stop": Exit(ExitKind.SHUTDOWN),
    "a kill": Exit(ExitKind.KILLED, error=ValueError("while it was killed")),
}
ALWAYS = {"an error", "a failed start", "a lost node", "a failure without an error"}
TOO_SLOW = {"a limit", "silence"}
BY_PATTERN = {"a pattern", "a pattern of a rate limit that says when"}
SAID_WHEN = {"a rate limit that says when", "a rate limit that says now"}


@pytest.mark.row(24)
@pytest.mark.parametrize("on_timeout", [True, False])
@pytest.mark.parametrize("on_pattern", [True, False])
def test_what_is_tried_again(on_timeout: bool, on_pattern: bool) -> None:
    """Not what is permanent, not a rate limit that does not say when, and not what a flag turns off."""
    policy = Policy(retry_on_timeout=on_timeout, retry_on_pattern=on_pattern)
    again = {name for name, exit in EXITS.items() if policy.tries_again(exit)}
    assert again == ALWAYS | SAID_WHEN | (TOO_SLOW if on_timeout else set()) | (
        BY_PATTERN if on_pattern else set()
    )


@pytest.mark.row(24)
def test_a_classifier_of_ones_own_decides() -> None:
    """What it calls permanent is not tried again; one that raises calls everything an error."""

    def broken(error: BaseException) -> FailureKind:
        raise RuntimeError("broken")

    permanent = Policy(classify=lambda error: FailureKind.PERMANENT)
    assert not any(permanent.tries_again(exit) for exit in EXITS.values() if exit.error is not None)
    assert Policy(classify=broken).tries_again(EXITS["a permanent failure"])
    slow = Policy(classify=lambda error: FailureKind.TIMEOUT, retry_on_timeout=False)
    assert not slow.tries_again(EXITS["an error"])


# --- the wait before it -------------------------------------------------------------------

STRATEGIES: dict[str, tuple[Backoff, list[float]]] = {
    "immediate": (Backoff.immediate(), [0.0] * 6),
    "fixed": (Backoff.fixed(3.0), [3.0] * 6),
    "linear": (Backoff.linear(2.0, 15.0, factor=2.0), [2.0, 6.0, 10.0, 14.0, 15.0, 15.0]),
    "exponential": (Backoff(initial=1.0, maximum=20.0, jitter=0.0), [1.0, 2.0, 4.0, 8.0, 16.0, 20.0]),
}


@pytest.mark.row(23)
@pytest.mark.parametrize("name", STRATEGIES)
def test_the_delays_of_the_four_strategies(name: str) -> None:
    """Nothing, always the same, base x (1 + factor x n), base x factorⁿ, up to the cap."""
    policy, delays = STRATEGIES[name]
    assert [delay(policy, attempt, 0.5) for attempt in range(6)] == delays


@pytest.mark.row(23)
@pytest.mark.parametrize(
    "policy",
    [
        Backoff.immediate(),
        Backoff.fixed(3.0, jitter=0.1),
        Backoff.linear(1.0, 60.0, factor=2.0, jitter=0.1),
        Backoff(initial=1.0, maximum=60.0, jitter=0.1),
    ],
    ids=STRATEGIES,
)
def test_a_thousand_draws_stay_under_the_cap(policy: Backoff) -> None:
    """Within ten percent of the plain delay, jitter included never above the maximum, at any attempt."""
    random = Random(23)
    for _ in range(1000):
        attempt = random.randrange(100)
        plain = delay(policy, attempt, 0.5)
        drawn = delay(policy, attempt, random.random())
        assert 0.0 <= drawn <= policy.maximum
        assert abs(drawn - plain) <= policy.jitter * plain + 1e-9


@pytest.mark.row(23)
@settings(derandomize=True, database=None, max_examples=rounds(300, deep=1000))
@given(
    initial=st.floats(0.0, 1e6),
    more=st.floats(0.0, 1e6),
    factor=st.floats(1.0, 1e308),
    jitter=st.floats(0.0, 1.0),
    attempt=st.integers(0, 10**6),
    draw=st.floats(0.0, 1.0, exclude_max=True),
)
def test_a_linear_delay_never_leaves_its_bounds(
    initial: float, more: float, factor: float, jitter: float, attempt: int, draw: float
) -> None:
    """Whatever the policy, the attempt and the draw; nothing stays nothing."""
    policy = Backoff.linear(initial, initial + more, factor=factor, jitter=jitter)
    assert 0.0 <= delay(policy, attempt, draw) <= policy.maximum
    if not initial:
        assert delay(policy, attempt, draw) == 0.0


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Backoff.fixed(-1.0), "initial"),
        (lambda: Backoff.fixed(float("inf")), "initial"),
        (lambda: Backoff.linear(2.0, 1.0), "initial"),
        (lambda: Backoff.linear(1.0, 2.0, factor=0.5), "factor"),
        (lambda: Backoff.linear(1.0, 2.0, jitter=2.0), "jitter"),
        (lambda: Backoff(growth="quadratic"), "growth"),  # type: ignore[arg-type]
    ],
)
def test_the_short_spellings_check_themselves_too(make: Any, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        make()
