"""Whether a child runs here or on another node makes no difference to anybody.

A random program is played with the children of one supervisor here, there, and on both nodes.
What the children saw, replies and errors, dead letters, restarts, states and the order of
beginnings and ends must be the same.
"""

from __future__ import annotations

from typing import Any

import attrs
import trio
from hypothesis import given, note, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from actors import OneForAll, OneForOne, RestForOne
from tests.core.stage import first_come_first_served
from tests.remote.twins import DEEDS, Role, Seen, Step, counts_alike, play

ROLES = st.builds(
    Role,
    restart=st.sampled_from(["transient", "permanent", "temporary"]),
    delay=st.sampled_from([0.0, 0.5, 3.0]),
    retries=st.sampled_from([0, 0, 1, 2]),
    start=st.sampled_from(["ok"] * 8 + ["raises once", "raises", "slow"]),
    stop=st.sampled_from(["ok"] * 4 + ["raises", "slow"]),
    breaker=st.booleans(),
    capacity=st.sampled_from([1000, 1000, 2, 3]),
    overflow=st.sampled_from(["reject", "drop_oldest", "drop_newest"]),
    shutdown=st.sampled_from([2.0, 2.0, 0.0, float("inf")]),
)
STRATEGIES = st.one_of(
    st.builds(OneForOne, max_restarts=st.sampled_from([0, 2, 20]), within=st.just(30.0)),
    st.builds(OneForAll, max_restarts=st.sampled_from([2, 20]), within=st.just(30.0)),
    st.builds(RestForOne, max_restarts=st.sampled_from([2, 20]), within=st.just(30.0)),
)
WHO = st.integers(0, 3)
ACTS = st.lists(st.sampled_from(DEEDS), max_size=3).map(tuple)
TIMEOUT = st.sampled_from([None, None, 0.7, 10.7])
ORDERS = st.sampled_from(
    ["stop", "drain", "kill", "interrupt", "interrupt"] + 2 * ["suspend", "resume", "suspend until"]
)
MESSAGES = st.one_of(
    st.tuples(st.just("tell"), WHO, ACTS, st.booleans()),
    st.tuples(st.just("ask"), WHO, ACTS, TIMEOUT),
    st.tuples(st.just("request"), WHO, ACTS, TIMEOUT),
    st.tuples(st.just("send"), WHO, ACTS),
    st.tuples(st.just("burst"), WHO, st.lists(ACTS, min_size=2, max_size=6)),
)
OTHERS = st.one_of(
    st.tuples(st.sampled_from(["strange", "reset", "cancel", "group"]), WHO),
    st.tuples(st.just("order"), WHO, ORDERS),
    st.tuples(st.just("order"), WHO, ORDERS),
    st.tuples(st.just("answer"), WHO, st.sampled_from(["value", "error"])),
)
SLEEPS = st.tuples(st.just("sleep"), st.sampled_from([0.5, 1.0, 3.0, 25.0]))
PROGRAMS = st.lists(st.one_of(MESSAGES, MESSAGES, OTHERS, SLEEPS), min_size=3, max_size=15)


@given(
    strategy=STRATEGIES,
    roles=st.lists(ROLES, min_size=1, max_size=3),
    program=PROGRAMS,
    there=st.lists(st.booleans(), min_size=3, max_size=3),
)
@settings(derandomize=True, deadline=None, database=None, max_examples=60)
def test_a_child_does_the_same_here_and_on_another_node(
    strategy: Any, roles: list[Role], program: list[Step], there: list[bool]
) -> None:
    """Whatever it is told, asked and ordered, and however it ends."""
    note(f"strategy = {strategy}")
    note("roles = " + "\n        ".join(map(str, roles)))
    note("\n".join(f"{number}: {step}" for number, step in enumerate(program)))
    if not isinstance(
        strategy, OneForOne
    ):  # who falls at the moment of another's restart is nobody's promise
        roles = [attrs.evolve(role, delay=role.delay or 0.5) for role in roles]
    if not counts_alike(program):
        roles = [attrs.evolve(role, capacity=1000) for role in roles]
    nodes = ["beta" if one else "alpha" for one in there[: len(roles)]]
    at_home = played(strategy, roles, ["alpha"] * len(roles), program)
    for places in (["beta"] * len(roles), nodes):
        abroad = played(strategy, roles, places, program)
        for here, elsewhere in zip(at_home, abroad, strict=True):
            assert differences(here, elsewhere) == [], (here.step, places)


def played(strategy: Any, roles: list[Role], nodes: list[str], program: list[Step]) -> list[Seen]:
    with first_come_first_served():
        return trio.run(play, strategy, roles, nodes, program, clock=MockClock(autojump_threshold=0))


def differences(here: Seen, elsewhere: Seen) -> list[str]:
    """What only one of them has seen, in lines."""
    lines: list[str] = []
    one, other = attrs.asdict(here), attrs.asdict(elsewhere)
    for key in one:
        if key in ("children", "states"):
            for path in sorted(one[key].keys() | other[key].keys()):
                mine, theirs = one[key].get(path), other[key].get(path)
                if mine != theirs:
                    lines.append(f"{key} {path}:\n   here {mine}\n  there {theirs}")
        elif one[key] != other[key]:
            lines.append(f"{key}:\n   here {one[key]}\n  there {other[key]}")
    return lines
