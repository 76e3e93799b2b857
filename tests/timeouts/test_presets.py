"""The six presets for agents, field by field (reference systems, §1a)."""

from __future__ import annotations

import attrs
import pytest

from actors import DEFAULT_PATTERNS, Backoff, Breaker, Delivery, Mailbox, Policy, Stall, Timeout
from actors.outcome import classify

# mode, initial, maximum, extend_within, no_activity · attempts, base, cap, tries again when too slow
# or by a pattern · ends on a pattern, on silence of a stall · breaker
TABLE = {
    "default": (("progressive", 60, 300, 10, 30), (3, 1, 60, True), (True, True), True),
    "production": (("progressive", 120, 600, 15, None), (3, 2, 120, True), (True, False), True),
    "fast_fail": (("fixed", 60, None, None, 15), (1, 0, 0, False), (True, True), True),
    "patient": (("progressive", 120, 600, 10, None), (2, 2, 30, True), (True, False), True),
    "development": (("fixed", 1800, None, None, None), (1, 0, 0, True), (False, False), False),
    "test": (("fixed", 30, None, None, 10), (1, 0, 0, False), (True, True), False),
}
NAMES = pytest.mark.parametrize("name", TABLE)


@pytest.mark.row(22)
@NAMES
def test_the_timeout_is_that_of_the_table(name: str) -> None:
    """A fixed one has no other numbers, and silence of None never ends it."""
    mode, initial, maximum, extend_within, no_activity = TABLE[name][0]
    timeout = Policy.preset(name).timeout
    assert timeout is not None
    assert (timeout.mode, timeout.initial, timeout.no_activity) == (mode, initial, no_activity)
    if mode == "progressive":
        assert (timeout.maximum, timeout.extend_within, timeout.factor) == (maximum, extend_within, 1.5)
    assert timeout.ladder is None


@pytest.mark.row(22)
@NAMES
def test_the_tries_are_those_of_the_table(name: str) -> None:
    """Exponential from the base to the cap, ± 10 %; or one attempt, without a wait before a restart."""
    attempts, base, cap, again = TABLE[name][1]
    policy = Policy.preset(name)
    assert policy.retries == attempts - 1
    assert (policy.retry_on_timeout, policy.retry_on_pattern) == (again, again)
    jitter = 0.1 if cap else 0.0
    assert policy.backoff == Backoff(initial=base, maximum=cap, factor=2.0, jitter=jitter)


@pytest.mark.row(22)
@NAMES
def test_what_ends_a_run_is_that_of_the_table(name: str) -> None:
    """Patterns wherever there is a stall; its silence only where that ends a run."""
    pattern, silence = TABLE[name][2]
    stall = Policy.preset(name).stall
    assert (stall is not None) == pattern
    if stall is not None:
        assert stall == Stall(
            threshold=120.0,
            check_interval=5.0,
            min_output=100,
            confirmations=2,
            terminate=silence,
            patterns=DEFAULT_PATTERNS,
            predicates=(),
            on_detection=None,
        )


@pytest.mark.row(22)
@NAMES
def test_the_breaker_is_on_or_off_as_in_the_table(name: str) -> None:
    """On is the agents': two failures in 300 seconds, a probe after 120, fast-fail."""
    breaker = Policy.preset(name).breaker
    assert breaker == (Breaker.agents() if TABLE[name][3] else None)
    if breaker is not None:
        assert (breaker.failures, breaker.within, breaker.reset_after, breaker.fast_fail) == (
            2,
            300,
            120,
            True,
        )


@pytest.mark.row(22)
@NAMES
def test_everything_else_is_as_in_a_plain_policy(name: str) -> None:
    """No field of a preset is unaccounted for."""
    told = {"retries", "retry_on_timeout", "retry_on_pattern", "backoff", "breaker", "timeout", "stall"}
    policy, plain = Policy.preset(name), Policy()
    rest = {field.name for field in attrs.fields(Policy)} - told
    assert {field: getattr(policy, field) for field in rest} == {
        "restart": "transient",
        "budget": None,
        "oversight": None,
        "mailbox": Mailbox(),
        "delivery": Delivery(),
        "shutdown": 5.0,
        "classify": classify,
    }
    assert all(getattr(policy, field) == getattr(plain, field) for field in rest)


@pytest.mark.row(22)
@pytest.mark.parametrize("name", ["", "Default", "fast", "fast-fail", "None"])
def test_an_unknown_name_is_told_all_names(name: str) -> None:
    with pytest.raises(ValueError, match="unknown preset") as caught:
        Policy.preset(name)
    assert str(caught.value) == f"unknown preset {name!r}: choose one of {', '.join(TABLE)}"


def test_the_default_timeout_is_that_of_the_default_preset() -> None:
    """Whoever writes `Timeout()` gets the first line of the table."""
    assert Policy.preset("default").timeout == Timeout()
