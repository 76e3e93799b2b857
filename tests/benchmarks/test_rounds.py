"""Who is measured when, and what a failure does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.case import Case
from benchmarks.harness.catalogue import Contender, Contest
from benchmarks.harness.processes import SideFailed
from benchmarks.harness.results import CaseResult, Lag, Measurement
from benchmarks.harness.rounds import Plan, order, run_contest
from tests.benchmarks.cast import case

PLAN = Plan(rounds=3, seconds=1.0, lag=False)


class Machine:
    """Measures without a process: a unit of work takes 1/8 s."""

    def __init__(self, failing: dict[str, int] | None = None) -> None:
        self.calls: list[tuple[str, int, bool]] = []
        self._failing = failing or {}

    def __call__(self, case: Case, contender: Contender, count: int, *, lag: bool = False) -> Measurement:
        self.calls.append((contender.name, count, lag))
        calls = sum(name == contender.name for name, _, _ in self.calls)
        if calls == self._failing.get(contender.name):
            raise SideFailed("it broke")
        found = Lag(1.0, 2.0) if lag else None
        return Measurement(count / 8, count, count / 8, (1.0, 1.0), "CPython 3", "now", {}, found)


def run(machine: Machine, plan: Plan = PLAN, *, of: Case | None = None, names: str = "abc") -> CaseResult:
    measured = case(kind="rate", unit="turns/s") if of is None else of
    result = CaseResult(measured)
    contest = Contest(measured, tuple(Contender(name, "module") for name in names))
    run_contest(contest, plan, machine, result)
    return result


@given(st.lists(st.integers(), unique=True, max_size=8), st.integers(0, 20))
def test_each_round_has_each_side_once(sides: list[int], number: int) -> None:
    assert sorted(order(sides, number)) == sorted(sides)


@given(st.lists(st.integers(), unique=True, min_size=1, max_size=8))
def test_each_side_is_first_as_often_as_the_others(sides: list[int]) -> None:
    assert sorted(order(sides, number)[0] for number in range(len(sides))) == sorted(sides)


def test_sides_are_calibrated_first_and_then_take_turns() -> None:
    machine = Machine()
    result = run(machine)
    rounds = [(name, count) for name, count, _ in machine.calls][-9:]
    assert "".join(name for name, _ in rounds) == "abcbcacab"
    assert {count for _, count in rounds} == {8}
    assert [side.count for side in result.sides.values()] == [8, 8, 8]
    assert result.sides["a"].values(result.case) == [8.0, 8.0, 8.0]


def test_a_fixed_count_is_not_calibrated() -> None:
    machine = Machine()
    run(machine, of=case(count=5))
    assert len(machine.calls) == 9
    assert {count for _, count, _ in machine.calls} == {5}


def test_the_lag_is_measured_by_itself_and_last() -> None:
    machine = Machine()
    result = run(machine, Plan(rounds=2, seconds=0.1))
    assert [lag for _, _, lag in machine.calls[-4:]] == [False, True, True, True]
    assert result.sides["b"].lag == Lag(1.0, 2.0)
    assert len(result.sides["b"].rounds) == 2


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_side_that_fails_is_left_out_and_ends_nothing_else(call: int) -> None:
    machine = Machine({"b": call})
    result = run(machine)
    assert result.sides["b"].failure == "it broke"
    assert result.measured("b") is None
    assert sum(name == "b" for name, _, _ in machine.calls) == call
    assert [len(result.sides[name].rounds) for name in "ac"] == [3, 3]


def test_what_was_measured_before_an_interrupt_is_there() -> None:
    class Interrupted(Machine):
        def __call__(self, case: Case, contender: Contender, count: int, *, lag: bool = False) -> Measurement:
            if len(self.calls) == 4:
                raise KeyboardInterrupt
            return super().__call__(case, contender, count, lag=lag)

    result = CaseResult(case(count=1))
    contest = Contest(result.case, (Contender("a", "module"), Contender("b", "module")))
    with pytest.raises(KeyboardInterrupt):
        run_contest(contest, PLAN, Interrupted(), result)
    assert [sorted(side.rounds) for side in result.sides.values()] == [[0, 1], [0, 1]]
