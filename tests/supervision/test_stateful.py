"""A whole supervisor tree under anything that can happen to it, against the rules.

The rules of the machine only write a program; `teardown` runs it in one `trio.run` with
a clock that jumps. A failing run prints the program, shrunk to what is needed.
"""

from __future__ import annotations

import trio
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from trio.testing import MockClock

from actors import OneForAll, OneForOne, RestForOne
from tests.roads import ROADS, road
from tests.rounds import rounds
from tests.supervision.world import Role, Step, World

ROLES = st.builds(
    Role,
    restart=st.sampled_from(["transient", "permanent", "temporary"]),
    delay=st.sampled_from([0.0, 0.5, 3.0]),
    retries=st.sampled_from([0, 0, 2]),
    start=st.sampled_from(["ok", "ok", "ok", "slow", "raises once", "raises", "hangs once"]),
    stop=st.sampled_from(["ok", "ok", "ok", "slow", "raises", "hangs"]),
    breaker=st.booleans(),
    family=st.booleans(),
    plain=st.booleans(),
)
STRATEGIES = st.one_of(
    st.builds(OneForOne, max_restarts=st.integers(0, 3), within=st.sampled_from([1.0, 5.0, 30.0])),
    st.builds(OneForAll, max_restarts=st.integers(0, 3), within=st.just(1e9)),
    st.builds(RestForOne, max_restarts=st.integers(0, 3), within=st.just(1e9)),
)
WHO = st.integers(0, 7)
SECONDS = st.sampled_from([0.0, 0.0, 0.25, 1.0, 5.0])


class SupervisorMachine(RuleBasedStateMachine):
    """Writes a program of steps, and runs it at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.program: list[Step] = []

    @initialize(strategy=STRATEGIES, roles=st.lists(ROLES, min_size=1, max_size=4))
    def a_supervisor(self, strategy: OneForOne | OneForAll | RestForOne, roles: list[Role]) -> None:
        self.world = World(strategy, tuple(roles))

    @rule(
        how=st.sampled_from(["tell", "ask"]),
        who=WHO,
        then=st.sampled_from(["return", "fail", "fail", "refuse", "end"]),
        seconds=SECONDS,
        urgent=st.booleans(),
    )
    def message(self, how: str, who: int, then: str, seconds: float, urgent: bool) -> None:
        self.program.append((how, who, then, seconds, urgent))

    @rule(who=WHO, what=st.sampled_from(["stop", "kill", "drain", "suspend", "resume"]))
    def order(self, who: int, what: str) -> None:
        self.program.append(("order", who, what))

    @rule(what=st.sampled_from(["stop", "kill", "drain"]))
    def order_the_supervisor(self, what: str) -> None:
        if ("sleep", 5.0) in self.program:  # not too early: an ended tree is a dull one
            self.program.append(("order middle", what))

    @rule(who=WHO)
    def interrupt(self, who: int) -> None:
        self.program.append(("interrupt", who))

    @rule(who=WHO)
    def reset_the_breaker(self, who: int) -> None:
        self.program.append(("reset", who))

    @rule(who=WHO)
    def watch(self, who: int) -> None:
        self.program.append(("watch", who))

    @rule(role=ROLES, named=st.booleans())
    def spawn(self, role: Role, named: bool) -> None:
        self.program.append(("spawn", role, named))

    @rule(seconds=st.sampled_from([0.25, 1.0, 5.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.program.append(("sleep", seconds))

    @rule()
    def everything_settles(self) -> None:
        self.program.append(("settle",))

    def teardown(self) -> None:
        if self.program:
            note(f"strategy = {self.world.strategy}")
            note("\n".join(f"{step}" for step in self.program))
            for name in ROADS:
                world = World(self.world.strategy, self.world.roles)
                with road(name):
                    trio.run(world.run, self.program, clock=MockClock(autojump_threshold=0))


TestSupervisorMachine = SupervisorMachine.TestCase
TestSupervisorMachine.settings = settings(
    derandomize=True, deadline=None, database=None, max_examples=rounds(80, deep=200), stateful_step_count=40
)
