"""Whether an actor has a task or is given turns makes no difference to anybody.

A random program is played with actors whose handlers and hooks are all plain, once with
a task each and once without. Everything that can be seen must be the same: events with their times,
what the actors saw, replies and errors, dead letters, statistics, and states.
"""

from __future__ import annotations

import trio
from hypothesis import given, note, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from actors import OneForAll, OneForOne, RestForOne
from tests.core.stage import DEEDS, Role, Stage, Step, differences, first_come_first_served
from tests.roads import ROADS, road
from tests.rounds import rounds

TAKES_NO_ROAD = True

ROLES = st.builds(
    Role,
    restart=st.sampled_from(["transient", "permanent", "temporary"]),
    delay=st.sampled_from([0.0, 0.5, 3.0]),
    retries=st.sampled_from([0, 0, 1, 2]),
    start=st.sampled_from(["ok"] * 8 + ["raises once", "raises", "tells"]),
    stop=st.sampled_from(["ok"] * 4 + ["raises", "tells"]),
    breaker=st.booleans(),
    capacity=st.sampled_from([1000, 1000, 2, 3]),
    overflow=st.sampled_from(["reject", "drop_oldest", "drop_newest"]),
    shutdown=st.sampled_from([2.0, 2.0, 0.0, float("inf")]),
)
STRATEGIES = st.one_of(
    st.builds(OneForOne, max_restarts=st.sampled_from([0, 2, 20]), within=st.sampled_from([1.0, 30.0])),
    st.builds(OneForAll, max_restarts=st.sampled_from([0, 2, 20]), within=st.sampled_from([1.0, 30.0])),
    st.builds(RestForOne, max_restarts=st.sampled_from([0, 2, 20]), within=st.sampled_from([1.0, 30.0])),
)
WHO = st.integers(0, 5)
COMMON = ["crash", "reply later", "after", "wait", "tell", "tell itself", "request", "join"]
ENDS = ["quit", "stop itself", "drain itself", "kill itself", "suspend itself", "reply", "reply later"]
ACTS = st.one_of(
    st.lists(st.tuples(st.sampled_from(DEEDS + 2 * COMMON), WHO), max_size=3).map(tuple),
    st.tuples(st.tuples(st.sampled_from(DEEDS), WHO)),
    st.tuples(
        st.tuples(st.sampled_from(ENDS), WHO),
        st.tuples(st.sampled_from(["wait", "wait long", "wait and crash", "crash"]), WHO),
    ),
)
TIMEOUT = st.sampled_from([None, None, 0.7, 10.7])
ORDERS = st.sampled_from(
    ["stop", "drain", "kill", "interrupt", "interrupt"] + 2 * ["suspend", "resume", "suspend until"]
)
MESSAGES = st.one_of(
    st.tuples(st.just("tell"), WHO, ACTS, st.booleans()),
    st.tuples(st.just("ask"), WHO, ACTS, TIMEOUT),
    st.tuples(st.just("request"), WHO, ACTS, TIMEOUT),
    st.tuples(st.just("burst"), WHO, st.lists(ACTS, min_size=2, max_size=6)),
)
OTHERS = st.one_of(
    st.tuples(
        st.sampled_from(["send", "strange", "ask strange", "reset", "cancel", "watch", "watch", "unwatch"]),
        WHO,
    ),
    st.tuples(st.just("order"), WHO, ORDERS),
    st.tuples(st.just("order"), WHO, ORDERS),
    st.tuples(st.sampled_from(["spawn", "start"]), ROLES, st.sampled_from(["d", "e", None, None])),
    st.tuples(st.just("answer"), WHO, st.sampled_from(["value", "error"])),
    st.tuples(st.sampled_from(["group tell", "group ask"]), ACTS),
)
SLEEPS = st.tuples(st.just("sleep"), st.sampled_from([0.5, 1.0, 3.0, 25.0]))
PROGRAMS = st.lists(st.one_of(MESSAGES, MESSAGES, OTHERS, SLEEPS), min_size=5, max_size=25)


@given(strategy=STRATEGIES, roles=st.lists(ROLES, min_size=2, max_size=4), program=PROGRAMS)
@settings(derandomize=True, deadline=None, database=None, max_examples=rounds(80, deep=150))
def test_an_actor_does_the_same_with_a_task_and_without(
    strategy: OneForOne | OneForAll | RestForOne, roles: list[Role], program: list[Step]
) -> None:
    """Whatever it is told, asked and ordered, and however it ends."""
    note(f"strategy = {strategy}")
    note("roles = " + "\n        ".join(map(str, roles)))
    note("\n".join(f"{number}: {step}" for number, step in enumerate(program)))
    seen = []
    for name in ROADS:
        stage = Stage(strategy, tuple(roles))
        with road(name), first_come_first_served():
            trio.run(stage.play, program, clock=MockClock(autojump_threshold=0))
        seen.append(stage.seen)
    for with_tasks, without in zip(*seen, strict=True):
        assert differences(with_tasks, without) == [], with_tasks.step
