"""The part of a policy that goes where a child runs."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import actors
from actors.remote.terms import policy_at_home, policy_in, policy_out

SECONDS = st.floats(0.1, 1e6) | st.just(math.inf)
FINITE = st.floats(0.1, 1e6)
SHARE = st.floats(0.01, 0.99)
LADDERS = st.lists(SHARE, min_size=3, max_size=3).map(lambda rungs: actors.Ladder(*sorted(rungs)))
TIMEOUTS = st.builds(
    actors.Timeout,
    mode=st.just("fixed"),
    initial=FINITE,
    extend_within=FINITE,
    no_activity=SECONDS,
    ladder=st.none() | LADDERS,
)
PATTERNS = st.sampled_from(
    [
        "traceback",
        actors.Pattern("x+"),
        actors.Pattern("oh no", kind=actors.FailureKind.PERMANENT, stream="both"),
    ]
)
STALLS = st.builds(
    actors.Stall,
    threshold=SECONDS,
    check_interval=FINITE,
    min_output=st.integers(0, 1000),
    terminate=st.booleans(),
    patterns=st.lists(PATTERNS, max_size=3).map(tuple),
)
OVERSIGHTS = st.builds(
    actors.Oversight,
    stuck=st.none() | SECONDS,
    errors=st.none() | st.integers(1, 9),
    interventions=st.integers(1, 9),
)


def over_there(policy: actors.Policy) -> actors.Policy:
    return policy_in(json.loads(json.dumps(policy_out(policy), allow_nan=False)))


@given(
    shutdown=SECONDS,
    timeout=st.none() | TIMEOUTS,
    stall=st.none() | STALLS,
    oversight=st.none() | OVERSIGHTS,
)
def test_limits_and_the_time_to_stop_travel_and_the_rest_stays(
    shutdown: float, timeout: Any, stall: Any, oversight: Any
) -> None:
    policy = actors.Policy(shutdown=shutdown, timeout=timeout, stall=stall, oversight=oversight)
    there, here = over_there(policy), policy_at_home(policy)
    assert (there.shutdown, there.timeout, there.stall, there.oversight) == (
        shutdown,
        timeout,
        stall,
        oversight,
    )
    assert (here.shutdown, here.timeout, here.stall, here.oversight) == (shutdown, None, None, None)
    assert (here.restart, here.breaker, here.mailbox) == (policy.restart, policy.breaker, policy.mailbox)


def test_over_there_it_runs_once_and_waits_in_no_full_mailbox() -> None:
    there = over_there(actors.Policy(restart="permanent", mailbox=actors.Mailbox(capacity=3)))
    assert (there.restart, there.breaker, there.mailbox.capacity) == ("temporary", None, math.inf)


def test_a_policy_without_limits_is_its_time_to_stop() -> None:
    assert policy_out(actors.Policy(shutdown=2.0)) == {"shutdown": 2.0}
    assert policy_in({}).shutdown == 5.0


@pytest.mark.parametrize(
    "stall",
    [actors.Stall(predicates=(lambda out, err: False,)), actors.Stall(on_detection=lambda ref, why: None)],
    ids=["predicates", "on_detection"],
)
def test_functions_cannot_travel(stall: actors.Stall) -> None:
    with pytest.raises(
        actors.NotSerializable, match="cannot run on another node: leave them out, and use patterns"
    ):
        policy_out(actors.Policy(stall=stall))


@pytest.mark.parametrize(
    "said",
    [
        {"restart": "permanent"},
        {"shutdown": -1},
        {"shutdown": "long"},
        {"timeout": 5},
        {"timeout": [1]},
        {"timeout": {"more": 1}},
        {"timeout": {"initial": "1"}},
        {"timeout": {"ladder": 5}},
        {"timeout": {"ladder": {"notice": 2}}},
        {"stall": {"patterns": ["("]}},
        {"stall": {"patterns": [{"regex": 1}]}},
        {"stall": {"patterns": [{"regex": "x", "more": 1}]}},
        {"stall": {"threshold": None}},
        {"oversight": "some"},
        {"oversight": {"errors": 0.5}},
    ],
    ids=json.dumps,
)
def test_what_is_no_policy_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        policy_in(said)
