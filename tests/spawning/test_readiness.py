"""The machine that knows who of a set is ready, alone: refs are numbers here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors import ActorState, SpawnStep
from actors.spawning.readiness import Readiness

IDLE, STOPPED = ActorState.IDLE, ActorState.STOPPED


def machine(refs: Iterable[Any], began: float = 0.0) -> Readiness:
    return Readiness(refs, began)  # type: ignore[arg-type]


def test_each_that_settles_is_a_step() -> None:
    """Who, the how many-th of how many, when, and with which error."""
    call = machine("abc", 10.0)
    error = ValueError("no")
    assert call.became_ready("b", IDLE, 11.0) == (1, 3, "b", IDLE, 1.0)  # type: ignore[arg-type]
    step = call.has_failed("a", STOPPED, error, 12.5)  # type: ignore[arg-type]
    assert step is not None
    assert (tuple(step), step.error) == ((2, 3, "a", STOPPED, 2.5), error)
    assert (call.open, call.is_over) == (("c",), False)
    last = call.became_ready("c", IDLE, 13.0)  # type: ignore[arg-type]
    assert last is not None
    assert (last.done, last.error, call.is_over, call.over_at) == (3, None, True, 13.0)
    assert (call.ready, call.failed, call.late) == (("b", "c"), {"a": error}, ())


def test_a_step_unpacks_without_its_error() -> None:
    """It is the five fields of the contract; the error is an attribute beside them."""
    error = ValueError("no")
    step = SpawnStep(1, 2, "a", STOPPED, 0.5, error)  # type: ignore[arg-type]
    done, total, ref, state, elapsed = step
    assert (done, total, ref, state, elapsed) == (1, 2, "a", STOPPED, 0.5)
    assert step == (step.done, step.total, step.ref, step.state, step.elapsed)
    assert (step.error, step._replace(done=2).error) == (error, None)


def test_nobody_is_ready_at_once() -> None:
    """An empty set is over when it begins."""
    call = machine([], 3.0)
    assert (call.is_over, call.over_at, call.ready, call.failed, call.late) == (True, 3.0, (), {}, ())
    assert call.time_is_up(4.0) == ()
    assert call.over_at == 3.0


def test_who_is_on_the_way_when_the_time_is_up_is_late() -> None:
    """And stays late, whatever comes."""
    call = machine("abc")
    call.became_ready("b", IDLE, 1.0)  # type: ignore[arg-type]
    assert call.time_is_up(2.0) == ("a", "c")
    assert call.became_ready("a", IDLE, 3.0) is None  # type: ignore[arg-type]
    assert call.time_is_up(4.0) == ()
    assert (call.ready, call.late, call.done, call.over_at) == (("b",), ("a", "c"), 1, 2.0)


@given(st.lists(st.integers(0, 5)))
def test_whoever_is_named_twice_counts_once(refs: list[int]) -> None:
    """In the order of the first time."""
    assert machine(refs).refs == tuple(dict.fromkeys(refs))


@attrs.define
class Model:
    """What the machine should know, kept as plain lists."""

    settled: list[int] = attrs.field(factory=list[int])
    broken: set[int] = attrs.field(factory=set[int])
    late: list[int] = attrs.field(factory=list[int])


class Readinesses(RuleBasedStateMachine):
    """Anything may happen in any order, also to strangers, also twice."""

    SIZE = 5

    def __init__(self) -> None:
        super().__init__()
        self.now = 5.0
        self.call = machine(range(self.SIZE), self.now)
        self.model = Model()

    @property
    def is_open(self) -> bool:
        return not self.model.late and len(self.model.settled) < self.SIZE

    @rule(seconds=st.floats(0, 10))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(ref=st.integers(0, SIZE), fails=st.booleans())
    def settle(self, ref: int, fails: bool) -> None:
        news = self.is_open and ref < self.SIZE and ref not in self.model.settled
        error = ValueError(str(ref))
        state = STOPPED if fails else IDLE
        step = (
            self.call.has_failed(ref, state, error, self.now)  # type: ignore[arg-type]
            if fails
            else self.call.became_ready(ref, state, self.now)  # type: ignore[arg-type]
        )
        if not news:
            assert step is None
            return
        self.model.settled.append(ref)
        if fails:
            self.model.broken.add(ref)
        assert step == (len(self.model.settled), self.SIZE, ref, state, self.now - 5.0)
        assert step.error is (error if fails else None)

    @precondition(lambda self: len(self.model.settled) > 1)
    @rule()
    def run_out(self) -> None:
        late = [ref for ref in range(self.SIZE) if ref not in self.model.settled]
        expected = late if self.is_open else []
        assert self.call.time_is_up(self.now) == tuple(expected)
        self.model.late = self.model.late or late

    @invariant()
    def agrees(self) -> None:
        call, model = self.call, self.model
        assert call.is_over is not self.is_open
        assert (call.over_at is None) is self.is_open
        assert call.done == len(model.settled)
        assert call.ready == tuple(sorted(set(model.settled) - model.broken))
        assert list(call.failed) == sorted(model.broken)
        assert call.late == tuple(model.late)
        assert sorted([*call.ready, *call.failed, *call.late, *call.open]) == list(range(self.SIZE))


TestReadinesses = Readinesses.TestCase
