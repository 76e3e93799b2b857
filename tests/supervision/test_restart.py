"""Whether an actor may restart: its restart type, and the budget of its supervisor."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.exits import ExitKind
from actors.policy import OneForAll, OneForOne, RestForOne
from actors.supervision.restart import RESTARTS, Allowance, Budgets, wants_restart
from tests.rounds import rounds

ORDERED = {ExitKind.SHUTDOWN, ExitKind.KILLED, ExitKind.BUDGET}
FAILURES = set(ExitKind) - ORDERED - {ExitKind.NORMAL}


# --- the restart type ---------------------------------------------------------------


@pytest.mark.parametrize("exit", sorted(ExitKind))
def test_permanent_restarts_after_a_return_and_after_every_failure(exit: ExitKind) -> None:
    """A permanent actor restarts unless somebody else ended it, or its budget is spent."""
    assert wants_restart("permanent", exit) is (exit not in ORDERED)


@pytest.mark.parametrize("exit", sorted(ExitKind))
def test_transient_restarts_after_failures_alone(exit: ExitKind) -> None:
    """A transient actor restarts after a failure and not after a return."""
    assert wants_restart("transient", exit) is (exit in FAILURES)


@pytest.mark.parametrize("exit", sorted(ExitKind))
def test_temporary_never_restarts(exit: ExitKind) -> None:
    """A temporary actor runs once."""
    assert wants_restart("temporary", exit) is False


def test_the_table_knows_every_type_and_both_sorts_of_exit() -> None:
    """The table of restart types is complete."""
    kinds = ("permanent", "transient", "temporary")
    assert {(kind, failed) for kind in kinds for failed in (False, True)} == set(RESTARTS)


# --- the budget -----------------------------------------------------------------------


def test_as_many_restarts_as_allowed_and_not_one_more() -> None:
    """`max_restarts` restarts at one instant are allowed, the next is refused."""
    budget = Allowance(3, 10.0)
    assert [budget.spend(0.0, "a") for _ in range(5)] == [True, True, True, False, False]


def test_no_restart_at_all_with_a_budget_of_zero() -> None:
    """With `max_restarts=0` the first restart is one too many."""
    assert not Allowance(0, 10.0).spend(0.0, "a")


def test_an_age_equal_to_the_window_still_counts() -> None:
    """A restart exactly `within` seconds old is inside the window."""
    budget = Allowance(1, 10.0)
    assert budget.spend(5.0, "a")
    assert not budget.spend(15.0, "a")


def test_an_age_above_the_window_counts_no_more() -> None:
    """A restart is forgotten as soon as it is older than `within`."""
    budget = Allowance(1, 10.0)
    assert budget.spend(5.0, "a")
    assert budget.spend(15.0000001, "a")


def test_a_refused_restart_takes_nothing() -> None:
    """Asking in vain does not make the window longer."""
    budget = Allowance(1, 10.0)
    budget.spend(0.0, "a")
    for now in (1.0, 5.0, 9.0, 10.0):
        assert not budget.spend(now, "a")
    assert budget.spend(10.5, "a")


def test_the_window_slides() -> None:
    """Each restart leaves the window by its own age, not with the first one of a period."""
    budget = Allowance(2, 10.0)
    allowed = [budget.spend(now, "a") for now in (0.0, 9.0, 10.0, 10.5, 11.0)]
    assert allowed == [True, True, False, True, False]


def test_forgiving_one_child_gives_back_what_it_alone_spent() -> None:
    """`forgive` drops the restarts of one child and keeps those of the others."""
    budget = Allowance(2, 10.0)
    budget.spend(0.0, "a")
    budget.spend(1.0, "b")
    budget.forgive("a")
    assert budget.spent == 1
    assert [budget.spend(2.0, "b"), budget.spend(2.0, "b")] == [True, False]


steps = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 1.0, 3.0, 7.5]), st.booleans()), max_size=60)


@settings(derandomize=True, deadline=None, database=None, max_examples=rounds(100, deep=300))
@given(steps=steps, allowed=st.integers(0, 4), within=st.sampled_from([0.25, 1.0, 3.0, 7.5]))
def test_the_budget_is_what_counting_every_past_restart_gives(
    steps: list[tuple[float, bool]], allowed: int, within: float
) -> None:
    """For any times the window answers like a plain count over the whole history."""
    budget, history, now = Allowance(allowed, within), list[float](), 0.0
    for pause, ask in steps:
        now += pause
        if not ask:
            continue
        expected = sum(1 for past in history if now - past <= within) < allowed
        assert budget.spend(now, "a") is expected
        if expected:
            history.append(now)
        assert all(sum(1 for past in history if 0 <= last - past <= within) <= allowed for last in history)


# --- whose budget ---------------------------------------------------------------------


def test_each_child_has_its_own_budget_by_default() -> None:
    """Under `per="child"` one child cannot use up the restarts of another."""
    budgets = Budgets(OneForOne(max_restarts=1, within=10.0))
    assert [budgets.spend(0.0, who) for who in ("a", "b", "a", "b")] == [True, True, False, False]


@pytest.mark.parametrize(
    "strategy",
    [
        OneForOne(max_restarts=2, within=10.0, per="supervisor"),
        OneForAll(max_restarts=2, within=10.0),
        RestForOne(max_restarts=2, within=10.0),
    ],
    ids=["one budget for all", "OneForAll", "RestForOne"],
)
def test_one_budget_for_all(strategy: OneForOne | OneForAll | RestForOne) -> None:
    """Under `per="supervisor"`, and under the group strategies always, all children share a budget."""
    budgets = Budgets(strategy)
    assert [budgets.spend(0.0, who) for who in ("a", "b", "c")] == [True, True, False]


def test_a_child_that_is_gone_takes_its_own_budget_along() -> None:
    """A new child of the same key begins with a full budget."""
    budgets = Budgets(OneForOne(max_restarts=1, within=10.0))
    budgets.spend(0.0, "a")
    budgets.drop("a")
    assert budgets.spend(0.0, "a")


def test_a_child_that_is_gone_leaves_the_common_budget_as_it_is() -> None:
    """Restarts of a child that has ended still count for a supervisor with one budget."""
    budgets = Budgets(OneForAll(max_restarts=1, within=10.0))
    budgets.spend(0.0, "a")
    budgets.drop("a")
    assert not budgets.spend(0.0, "b")


def test_forgiving_reaches_the_right_budget() -> None:
    """`forgive` gives a child's restarts back, alone or in the common budget; nothing spent is no fault."""
    for strategy in (OneForOne(max_restarts=1, within=10.0), OneForAll(max_restarts=1, within=10.0)):
        budgets = Budgets(strategy)
        budgets.forgive("a")
        budgets.spend(0.0, "a")
        budgets.forgive("b")
        assert not budgets.spend(0.0, "a")
        budgets.forgive("a")
        assert budgets.spend(0.0, "a")
