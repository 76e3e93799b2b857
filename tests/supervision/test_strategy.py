"""The plans of the strategies: who stops, in which order, and who starts again."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from actors.policy import OneForAll, OneForOne, RestForOne, Strategy
from actors.supervision.strategy import Member, Plan, group, plan, stop_order
from tests.rounds import rounds

NAMED = [Member("a"), Member("b"), Member("c"), Member("d")]
pure = settings(derandomize=True, deadline=None, database=None, max_examples=rounds(100, deep=300))


@st.composite
def families(draw: st.DrawFn) -> tuple[list[Member[int]], int]:
    """Members in start order, and the key of one that can fail a group (named, not temporary)."""
    kinds = draw(st.lists(st.sampled_from(["named", "temporary", "adhoc"]), min_size=1, max_size=8))
    members = [Member(n, adhoc=k == "adhoc", once=k == "temporary") for n, k in enumerate(kinds)]
    able = [member.key for member in members if not (member.adhoc or member.once)]
    assume(able)
    return members, draw(st.sampled_from(able))


STRATEGIES = st.sampled_from([OneForOne(), OneForAll(), RestForOne()])


def test_one_for_one_restarts_the_failed_child_alone() -> None:
    """OneForOne stops nobody and starts the failed child."""
    assert plan(OneForOne(), NAMED, "b") == Plan(start=("b",))


def test_one_for_all_stops_the_others_in_reverse_and_starts_all_in_order() -> None:
    """OneForAll stops everybody but the failed child, backwards, and starts all, forwards."""
    assert plan(OneForAll(), NAMED, "b") == Plan(stop=("d", "c", "a"), start=("a", "b", "c", "d"))


def test_rest_for_one_leaves_the_earlier_ones_alone() -> None:
    """RestForOne stops those started later, backwards, and starts them after the failed child."""
    assert plan(RestForOne(), NAMED, "b") == Plan(stop=("d", "c"), start=("b", "c", "d"))


@pytest.mark.parametrize("strategy", [OneForAll(), RestForOne()])
def test_adhoc_and_temporary_siblings_are_stopped_and_not_started(strategy: Strategy) -> None:
    """Adhoc ones stop first and together, temporary ones in their turn; neither starts again."""
    x, y = Member("x", adhoc=True), Member("y", adhoc=True)
    members = [Member("a"), x, Member("t", once=True), y, Member("b")]
    assert plan(strategy, members, "a") == Plan(("x", "y"), ("b", "t"), ("a", "b"))


@pure
@given(family=families(), strategy=STRATEGIES)
def test_the_stop_order_is_the_reverse_of_the_start_order(
    family: tuple[list[Member[int]], int], strategy: Strategy
) -> None:
    """Named members stop one by one in reverse start order, and start in start order."""
    members, failed = family
    made = plan(strategy, members, failed)
    assert list(made.stop) == sorted(made.stop, reverse=True)
    assert list(made.start) == sorted(made.start)


@pure
@given(family=families(), strategy=STRATEGIES)
def test_the_failed_child_is_started_and_not_stopped(
    family: tuple[list[Member[int]], int], strategy: Strategy
) -> None:
    """What has ended already is not stopped again."""
    members, failed = family
    made = plan(strategy, members, failed)
    assert failed in made.start
    assert failed not in made.stop + made.stop_together


@pure
@given(family=families(), strategy=STRATEGIES)
def test_adhoc_members_stop_together_and_nobody_else_does(
    family: tuple[list[Member[int]], int], strategy: Strategy
) -> None:
    """The first step of a plan holds exactly the adhoc members of the group."""
    members, failed = family
    made = plan(strategy, members, failed)
    affected = group(strategy, members, failed)
    assert made.stop_together == tuple(m.key for m in affected if m.adhoc)


@pure
@given(family=families(), strategy=STRATEGIES)
def test_whoever_runs_once_is_never_started_again(
    family: tuple[list[Member[int]], int], strategy: Strategy
) -> None:
    """Started again are the named members of the group that are not temporary, and no others."""
    members, failed = family
    affected = group(strategy, members, failed)
    expected = tuple(m.key for m in affected if not m.adhoc and not m.once)
    assert plan(strategy, members, failed).start == expected


@pure
@given(family=families(), strategy=STRATEGIES)
def test_nobody_is_named_twice_and_nobody_of_the_group_is_forgotten(
    family: tuple[list[Member[int]], int], strategy: Strategy
) -> None:
    """Every member of the group but the failed one stops exactly once."""
    members, failed = family
    made = plan(strategy, members, failed)
    stopped = made.stop_together + made.stop
    assert sorted(stopped) == [m.key for m in group(strategy, members, failed) if m.key != failed]


@pure
@given(family=families())
def test_rest_for_one_touches_only_later_ones(family: tuple[list[Member[int]], int]) -> None:
    """RestForOne stops nobody who was started before the failed child."""
    members, failed = family
    made = plan(RestForOne(), members, failed)
    assert all(key > failed for key in made.stop_together + made.stop)
    assert all(key >= failed for key in made.start)
    assert sorted(made.stop_together + made.stop) == list(range(failed + 1, len(members)))


@pure
@given(family=families())
def test_one_for_all_touches_everybody(family: tuple[list[Member[int]], int]) -> None:
    """OneForAll stops every member but the failed one."""
    members, failed = family
    made = plan(OneForAll(), members, failed)
    assert sorted((*made.stop_together, *made.stop, failed)) == list(range(len(members)))


@pure
@given(family=families())
def test_an_ordered_stop_takes_adhoc_members_first_and_the_others_backwards(
    family: tuple[list[Member[int]], int],
) -> None:
    """`stop_order` is the same rule for a whole family."""
    members, _ = family
    together, one_by_one = stop_order(members)
    assert together == tuple(m.key for m in members if m.adhoc)
    assert one_by_one == tuple(m.key for m in reversed(members) if not m.adhoc)


def test_an_empty_family_has_nothing_to_stop() -> None:
    """Nobody is nobody."""
    assert stop_order(list[Member[int]]()) == ((), ())
