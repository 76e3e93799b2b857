"""The count of a vote, alone: against every way in which it could go on."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.spawning.votes import Votes, quorum_of

ABSTAINS: Any = object()
FRESH = "fresh"
"""A value that nobody has voted for yet."""
VALUES: list[Any] = [["list"], {"a": 1}, None, FRESH]
"""Some have no hash; None is a value like any other."""

ballots = st.lists(st.sampled_from([*VALUES[:-1], ABSTAINS]), min_size=1, max_size=5)


def counted(cast: list[Any], asked: int, quorum: int) -> Votes:
    votes = Votes(asked, quorum)
    for value in cast:
        if value is ABSTAINS:
            votes.abstain()
        else:
            votes.cast(value)
    return votes


def result(cast: tuple[Any, ...], quorum: int) -> tuple[bool, Any]:
    """(reached, value) of a whole vote: the first value that is there `quorum` times."""
    for end in range(1, len(cast) + 1):
        for value in VALUES:
            if len([one for one in cast[:end] if one is not ABSTAINS and one == value]) >= quorum:
                return True, value
    return False, None


def results(cast: list[Any], asked: int, quorum: int) -> list[tuple[bool, Any]]:
    """What comes out for every way in which those who have not voted yet may do so."""
    rest = itertools.product([*VALUES, ABSTAINS], repeat=asked - len(cast))
    distinct: list[tuple[bool, Any]] = []
    for one in (result((*cast, *later), quorum) for later in rest):
        if one not in distinct:
            distinct.append(one)
    return distinct


@given(ballots, st.data())
def test_it_is_decided_exactly_when_no_vote_to_come_can_change_the_result(
    cast: list[Any], data: st.DataObject
) -> None:
    """Not later, and not one vote too early; and what is said then is what comes out."""
    quorum = data.draw(st.integers(1, len(cast)))
    for number in range(len(cast) + 1):
        votes = counted(cast[:number], len(cast), quorum)
        possible = results(cast[:number], len(cast), quorum)
        assert votes.decided == (len(possible) == 1)
        if votes.decided:
            assert (votes.reached, votes.value) == possible[0]


@given(ballots)
def test_the_tally_has_every_vote_once_most_first_and_else_by_arrival(cast: list[Any]) -> None:
    votes = counted(cast, len(cast), 1)
    piles: list[list[Any]] = []
    for value in (one for one in cast if one is not ABSTAINS):
        found = [pile for pile in piles if pile[0] == value]
        if found:
            found[0].append(value)
        else:
            piles.append([value])
    expected = [(pile[0], len(pile)) for most in range(5, 0, -1) for pile in piles if len(pile) == most]
    assert list(votes.tally) == expected
    assert votes.answered == len(cast)


def test_the_first_of_equal_values_stands_for_all() -> None:
    votes = counted([1, True, 1.0], 3, 3)
    assert repr(votes.tally) == "((1, 3),)"
    assert repr(votes.value) == "1"


def test_the_first_value_that_has_the_quorum_stays_the_winner() -> None:
    """Also when votes come in after the decision, and others get more."""
    votes = counted(["a", "b", "b"], 3, 1)
    assert (votes.reached, votes.value, votes.tally) == (True, "a", (("b", 2), ("a", 1)))


def test_none_can_win() -> None:
    votes = counted([None, None], 3, 2)
    assert (votes.reached, votes.value, votes.decided) == (True, None, True)


class Unruly:
    """Cannot be compared."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]


class Table:
    """Compares like an array: the answer has no truth of its own."""

    def __eq__(self, other: object) -> Any:
        return Unclear()

    __hash__ = None  # type: ignore[assignment]


class Unclear:
    def __bool__(self) -> bool:
        raise ValueError("ambiguous")


@pytest.mark.parametrize("kind", [Unruly, Table])
def test_a_comparison_that_raises_says_that_they_differ(kind: type) -> None:
    one = kind()
    votes = counted([one, one, 1, 1, kind()], 5, 2)
    assert (votes.reached, votes.value) == (True, 1)
    assert [count for _, count in votes.tally] == [2, 1, 1, 1]


def test_what_is_not_equal_to_itself_is_a_value_a_vote() -> None:
    nan = float("nan")
    assert not counted([nan, nan], 2, 2).reached


def test_more_than_half_of_all_asked_is_the_quorum_unless_said_otherwise() -> None:
    assert [quorum_of(asked) for asked in range(1, 7)] == [1, 2, 2, 3, 3, 4]
    assert [quorum_of(3, quorum) for quorum in (1, 2, 3)] == [1, 2, 3]


@pytest.mark.parametrize("quorum", [0, -1, 1.5, "2", True, float("nan")])
def test_a_quorum_is_a_whole_number_from_one(quorum: Any) -> None:
    with pytest.raises(ValueError, match=r"quorum must be a whole number of 1 or more, not "):
        quorum_of(3, quorum)


def test_a_quorum_that_nobody_can_reach_is_refused_with_the_range() -> None:
    with pytest.raises(ValueError, match=r"quorum is 4 .* from 1 to 3; leave it out for more than half"):
        quorum_of(3, 4)


def test_nobody_votes_twice() -> None:
    votes = counted(["a", ABSTAINS], 2, 2)
    with pytest.raises(RuntimeError, match="all 2 have voted"):
        votes.cast("b")
    with pytest.raises(RuntimeError, match="all 2 have voted"):
        votes.abstain()
    assert (votes.answered, votes.tally) == (2, (("a", 1),))
