"""Policies: defaults, presets, and every value that is refused (contract §5)."""

from __future__ import annotations

import math
from typing import Any

import attrs
import cattrs
import pytest

import actors
from actors import Backoff, Breaker, Mailbox, OneForAll, OneForOne, Policy, RestForOne

PRESETS = ("default", "production", "fast_fail", "patient", "development", "test")
NO_TIMES: list[Any] = [-1.0, -1e-9, math.nan, -math.inf, "1", None, True]
NO_COUNTS: list[Any] = [-1, 1.5, math.nan, "1", None, True]


def test_the_defaults_are_those_of_the_contract() -> None:
    assert Policy() == Policy(
        restart="transient",
        retries=0,
        backoff=Backoff(initial=0.2, maximum=30.0, factor=2.0, jitter=0.2, reset_after=None),
        breaker=Breaker(failures=5, within=60.0, reset_after=60.0, factor=1.0),
        mailbox=Mailbox(capacity=1000, overflow="reject"),
        shutdown=5.0,
    )
    assert (OneForOne().max_restarts, OneForOne().within, OneForOne().per) == (5, 30.0, "child")


@pytest.mark.parametrize("value", NO_TIMES)
@pytest.mark.parametrize(
    ("record", "field"),
    [
        (Policy, "shutdown"),
        (Backoff, "initial"),
        (Backoff, "maximum"),
        (Backoff, "jitter"),
        (Breaker, "within"),
        (Breaker, "reset_after"),
        (Breaker, "fast_fail_within"),
        (OneForOne, "within"),
        (OneForAll, "within"),
        (RestForOne, "within"),
    ],
)
def test_what_is_no_time_is_refused(record: type, field: str, value: Any) -> None:
    """The ValueError names the field and shows the value."""
    with pytest.raises(ValueError, match=field) as caught:
        record(**{field: value})
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("value", [value for value in NO_TIMES if value is not None])
def test_a_backoff_reset_is_a_time_or_none(value: Any) -> None:
    assert Backoff(reset_after=None).reset_after is None
    with pytest.raises(ValueError, match="reset_after"):
        Backoff(reset_after=value)


@pytest.mark.parametrize(
    ("record", "field"),
    [(Breaker, "within"), (Breaker, "fast_fail_within"), (OneForOne, "within"), (OneForAll, "within")],
)
def test_a_window_of_zero_is_refused(record: type, field: str) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        record(**{field: 0.0})


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (Backoff, "initial"),
        (Backoff, "maximum"),
        (Backoff, "factor"),
        (Breaker, "reset_after"),
        (Breaker, "factor"),
    ],
)
def test_an_infinite_wait_is_refused(record: type, field: str) -> None:
    """An actor would never start again, and nobody would know."""
    with pytest.raises(ValueError, match=field):
        record(**{field: math.inf})


@pytest.mark.parametrize("value", NO_COUNTS)
@pytest.mark.parametrize(
    ("record", "field"),
    [(Policy, "retries"), (Breaker, "failures"), (Mailbox, "capacity"), (OneForOne, "max_restarts")],
)
def test_what_is_no_count_is_refused(record: type, field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field) as caught:
        record(**{field: value})
    assert repr(value) in str(caught.value)


def test_the_least_counts() -> None:
    """A mailbox holds one or more, a breaker opens at one or more; no retries and no restarts are fine."""
    for record, field in ((Mailbox, "capacity"), (Breaker, "failures")):
        with pytest.raises(ValueError, match=field):
            record(**{field: 0})
        assert getattr(record(**{field: 1}), field) == 1
    assert (Policy(retries=0).retries, OneForOne(max_restarts=0).max_restarts) == (0, 0)
    assert Mailbox(capacity=math.inf).capacity == math.inf


@pytest.mark.parametrize("factor", [0.0, 0.999, -2.0, math.nan, "2", True])
@pytest.mark.parametrize("record", [Backoff, Breaker])
def test_a_factor_never_shrinks(record: type, factor: Any) -> None:
    with pytest.raises(ValueError, match="factor"):
        record(factor=factor)


@pytest.mark.parametrize(
    ("make", "known"),
    [
        (lambda: Policy(restart="always"), "permanent, transient, temporary"),  # type: ignore[arg-type]
        (lambda: Policy(restart=None), "permanent, transient, temporary"),  # type: ignore[arg-type]
        (lambda: Mailbox(overflow="block"), "reject, drop_oldest, drop_newest"),  # type: ignore[arg-type]
        (lambda: OneForOne(per="actor"), "child, supervisor"),  # type: ignore[arg-type]
        (lambda: Policy.preset("fast"), ", ".join(PRESETS)),
    ],
)
def test_an_unknown_choice_names_the_known_ones(make: Any, known: str) -> None:
    with pytest.raises(ValueError, match=known):
        make()


def test_a_backoff_fits_together() -> None:
    with pytest.raises(ValueError, match=r"initial \(10 s\) is above maximum \(5 s\)"):
        Backoff(initial=10.0, maximum=5.0)
    with pytest.raises(ValueError, match="from 0 to 1"):
        Backoff(jitter=1.1)
    assert Backoff(initial=5.0, maximum=5.0, jitter=1.0).maximum == 5.0


@pytest.mark.parametrize(
    ("field", "value"), [("backoff", 1.0), ("breaker", 5), ("mailbox", 1000), ("backoff", None)]
)
def test_a_part_of_a_policy_must_be_that_part(field: str, value: Any) -> None:
    with pytest.raises(TypeError, match=field):
        Policy(**{field: value})
    assert Policy(breaker=None).breaker is None


def test_records_are_frozen() -> None:
    for record in (Policy(), Backoff(), Breaker(), Mailbox(), OneForOne()):
        for field in attrs.fields(type(record)):
            with pytest.raises(attrs.exceptions.FrozenInstanceError):
                setattr(record, field.name, 1)


def test_policies_are_values() -> None:
    assert Policy(retries=1) == Policy(retries=1) != Policy()
    assert len({Policy(), Policy(), Policy(shutdown=1.0)}) == 2


@pytest.mark.parametrize(
    ("name", "attempts", "backoff", "breaker"),
    [
        ("default", 3, Backoff(initial=1.0, maximum=60.0, jitter=0.1), Breaker.agents()),
        ("production", 3, Backoff(initial=2.0, maximum=120.0, jitter=0.1), Breaker.agents()),
        ("fast_fail", 1, None, Breaker.agents()),
        ("patient", 2, Backoff(initial=2.0, maximum=30.0, jitter=0.1), Breaker.agents()),
        ("development", 1, None, None),
        ("test", 1, None, None),
    ],
)
def test_presets(name: str, attempts: int, backoff: Backoff | None, breaker: Breaker | None) -> None:
    """`retries` is attempts - 1; with the breaker on it is the agents'."""
    policy = Policy.preset(name)
    assert (policy.retries, policy.breaker) == (attempts - 1, breaker)
    assert backoff is None or policy.backoff == backoff


def test_named_breakers() -> None:
    agents, services = Breaker.agents(), Breaker.services()
    assert (agents.failures, agents.within, agents.reset_after, agents.fast_fail) == (2, 300.0, 120.0, True)
    assert (services.failures, services.within, services.reset_after) == (5, 60.0, 60.0)
    assert services.fast_fail is False


@pytest.mark.parametrize("name", PRESETS)
def test_a_policy_goes_through_plain_data_and_back(name: str) -> None:
    """cattrs structures it, as from TOML; a bad value in the data is found."""
    policy = Policy.preset(name)
    data = {key: value for key, value in cattrs.unstructure(policy).items() if key != "classify"}
    assert cattrs.structure(data, Policy) == policy
    with pytest.raises(cattrs.ClassValidationError):
        cattrs.structure(data | {"shutdown": -1.0}, Policy)


def test_classify_is_plain_and_replaceable() -> None:
    """By type: a rate limit, a permanent failure, everything else an error."""
    kinds = [
        (actors.RateLimited(retry_after=3.0), "RATE_LIMIT"),
        (type("Quota", (actors.RateLimited,), {})(), "RATE_LIMIT"),
        (actors.PermanentFailure("bad key"), "PERMANENT"),
        (ValueError(), "ERROR"),
        (TimeoutError(), "ERROR"),
    ]
    assert [actors.classify(error) for error, _ in kinds] == [kind for _, kind in kinds]
    assert actors.RateLimited(retry_after=3.0).retry_after == 3.0
    assert actors.RateLimited().retry_after is None
