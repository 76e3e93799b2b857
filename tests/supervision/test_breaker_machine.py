"""The breaker against a model of thirty lines, under any sequence of events."""

from __future__ import annotations

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.outcome import FailureKind
from actors.policy import Breaker
from actors.supervision.breaker import Circuit, CircuitState
from tests.rounds import rounds

KEPT = 10
POLICIES = st.builds(
    Breaker,
    failures=st.integers(1, 4),
    within=st.sampled_from([1.0, 5.0, 60.0]),
    reset_after=st.sampled_from([0.0, 2.0, 30.0]),
    factor=st.sampled_from([1.0, 2.0]),
    fast_fail=st.booleans(),
    fast_fail_within=st.sampled_from([0.5, 10.0]),
)


class BreakerMachine(RuleBasedStateMachine):
    """Drives a `Circuit` and a model with plain lists, and compares what they say."""

    @initialize(policy=POLICIES)
    def begin(self, policy: Breaker) -> None:
        self.policy = policy
        self.circuit = Circuit(policy)
        self.now = 0.0
        self.forget()

    def forget(self) -> None:
        self.state = "CLOSED"
        self.failures: list[float] = []
        self.permanent: list[float] = []
        self.until = 0.0
        self.failed_probes = 0

    def counted(self) -> int:
        kept = self.failures[-max(self.policy.failures, KEPT) :]
        return len([at for at in kept if self.now - at <= self.policy.within])

    def note(self, kind: FailureKind) -> None:
        self.failures.append(self.now)
        if kind is FailureKind.PERMANENT:
            self.permanent.append(self.now)

    def open(self) -> None:
        self.state = "OPEN"
        self.until = self.now + self.policy.reset_after * self.policy.factor**self.failed_probes

    @rule(seconds=st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(kind=st.sampled_from([FailureKind.ERROR, FailureKind.PERMANENT, FailureKind.RATE_LIMIT]))
    def it_fails(self, kind: FailureKind) -> None:
        opened = self.circuit.failure(self.now, kind)
        counts = kind is not FailureKind.RATE_LIMIT
        if self.state == "HALF_OPEN":
            if counts:
                self.failed_probes += 1
                self.note(kind)
            self.open()
            assert opened
        elif self.state == "OPEN" or not counts:
            assert not opened
        else:
            self.note(kind)
            fast = [at for at in self.permanent if self.now - at <= self.policy.fast_fail_within]
            trips = self.counted() >= self.policy.failures or (self.policy.fast_fail and len(fast) >= 2)
            assert opened is trips
            if trips:
                self.open()

    @precondition(lambda self: self.state == "OPEN")
    @rule()
    def its_time_is_over(self) -> None:
        self.now = max(self.now, self.until)
        assert self.circuit.due(self.now)
        self.circuit.probe()
        self.state = "HALF_OPEN"

    @precondition(lambda self: self.state == "HALF_OPEN")
    @rule()
    def the_probe_succeeds(self) -> None:
        self.circuit.success()
        self.forget()

    @rule()
    def somebody_resets_it(self) -> None:
        self.circuit.reset()
        self.forget()

    @invariant()
    def both_say_the_same(self) -> None:
        view = self.circuit.view(self.now)
        assert view.state == CircuitState(self.state)
        assert view.retry_after == (max(0.0, self.until - self.now) if self.state == "OPEN" else 0.0)
        if self.state == "CLOSED":
            assert view.failures == self.counted() < self.policy.failures
        else:
            assert view.failures >= 1
        assert self.circuit.due(self.now) is (self.state == "OPEN" and self.now >= self.until)

    @invariant()
    def asking_changes_nothing(self) -> None:
        before = attrs.asdict(self.circuit)
        self.circuit.view(self.now + 1000.0)
        self.circuit.due(self.now + 1000.0)
        assert attrs.asdict(self.circuit) == before


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(
    derandomize=True, deadline=None, database=None, max_examples=rounds(80, deep=200), stateful_step_count=60
)
