"""Asked by vote: it ends when it is decided, and says who voted for what."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import FailureKind
from tests.spawning.voters import Book, Give, Plain, voters


@pytest.mark.row(82)
async def test_consensus_ends_as_soon_as_one_value_has_more_than_half(autojump_clock: MockClock) -> None:
    """The votes are recorded in order of arrival, and who was not waited for is named."""
    async with actors.open_system("s") as system:
        a, b, c, d, e = refs = await voters(
            system, Book(), ("x", 4.0), ("y", 1.0), ("x", 2.0), ("x", 3.0), ("y", 9.0)
        )
        result = await actors.consensus(refs, Give())
        assert trio.current_time() == 4.0
        assert (result.reached, result.value, result.quorum) == (True, "x", 3)
        assert [(ref, outcome.value) for ref, outcome in result.votes.items()] == [
            (b, "y"),
            (c, "x"),
            (d, "x"),
            (a, "x"),
        ]
        assert [outcome.elapsed for outcome in result.votes.values()] == [1.0, 2.0, 3.0, 4.0]
        assert result.tally == (("x", 3), ("y", 1))
        assert result.open == (e,)


@pytest.mark.row(82)
async def test_consensus_ends_as_soon_as_no_value_can_have_enough(autojump_clock: MockClock) -> None:
    """Four asked, three needed: three different answers decide, and so do two that fail."""
    async with actors.open_system("s") as system:
        *_, slow = refs = await voters(system, Book(), ("x", 1.0), ("y", 2.0), ("z", 3.0), ("x", 9.0))
        result = await actors.consensus(refs, Give())
        assert trio.current_time() == 3.0
        assert (result.reached, result.value, result.open) == (False, None, (slow,))
        assert result.tally == (("x", 1), ("y", 1), ("z", 1))


async def test_a_failure_is_an_answer_without_a_vote(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        refs = await voters(system, Book(), (ValueError("x"), 1.0), (ValueError("x"), 2.0), ("x", 9.0))
        result = await actors.consensus(refs, Give())
        assert trio.current_time() == 2.0
        assert (result.reached, result.tally, result.open) == (False, (), (refs[2],))
        assert [(ref, outcome.ok) for ref, outcome in result.votes.items()] == [
            (refs[0], False),
            (refs[1], False),
        ]


async def test_who_takes_too_long_has_no_vote(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        refs = await voters(system, Book(), ("x", 1.0), ("y", 9.0), ("x", 9.0))
        result = await actors.consensus(refs, Give(), timeout=2.0)
        assert trio.current_time() == 2.0
        assert (result.reached, result.tally) == (False, (("x", 1),))
        assert {FailureKind.TIMEOUT} == {
            outcome.failure for ref, outcome in result.votes.items() if ref is not refs[0]
        }


@pytest.mark.parametrize(
    ("quorum", "reached", "at"),
    [(1, True, 1.0), (2, True, 3.0), (3, True, 5.0), (4, False, 4.0), (5, False, 2.0), (None, True, 5.0)],
)
async def test_the_quorum_says_how_many_votes_it_takes(
    autojump_clock: MockClock, quorum: int | None, reached: bool, at: float
) -> None:
    async with actors.open_system("s") as system:
        refs = await voters(system, Book(), ("x", 1.0), ("y", 2.0), ("x", 3.0), ("y", 4.0), ("x", 5.0))
        result = await actors.consensus(refs, Give(), quorum=quorum)
        assert trio.current_time() == at
        assert (result.reached, result.value) == (reached, "x" if reached else None)


async def test_a_tie_is_not_reached(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        refs = await voters(system, Book(), ("x", 1.0), ("y", 2.0), ("y", 3.0), ("x", 4.0))
        result = await actors.consensus(refs, Give())
        assert trio.current_time() == 4.0
        assert (result.reached, result.value, result.open) == (False, None, ())
        assert result.tally == (("x", 2), ("y", 2))


async def test_replies_without_a_hash_are_votes_too(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        refs = await voters(system, Book(), ({"plan": [1]}, 1.0), ({"plan": [2]}, 2.0), ({"plan": [1]}, 3.0))
        result = await actors.consensus(refs, Give())
        assert (result.reached, result.value) == (True, {"plan": [1]})


async def test_requests_that_are_open_at_the_decision_are_withdrawn(autojump_clock: MockClock) -> None:
    """One that still waits for its turn is never handled; a late reply is dropped."""
    book = Book()
    async with actors.open_system("s") as system, system.subscribe(actors.events.Expired) as events:
        a, b, c, d = await voters(system, book, ("x", 1.0), ("x", 2.0), ("x", 9.0), ("x", 4.0))
        busy = d.request(Give("before"))
        result = await actors.consensus([a, b, c, d], Give("vote"), quorum=2)
        assert (result.value, result.open, trio.current_time()) == ("x", (c, d), 2.0)
        await busy.wait()
        await trio.sleep(20)
        assert sorted(line[2] for line in book.lines if line[-1] == "vote") == ["a", "b", "c"]
        assert [event.ref for event in iter(events.next_nowait, None)] == [d]


async def test_votes_of_the_same_moment_are_all_recorded_or_open(autojump_clock: MockClock) -> None:
    """Whatever trio's order: each has voted or is open, and the first value to be there stays."""
    async with actors.open_system("s") as system:
        refs = await voters(system, Book(), *[(value, 1.0) for value in "xyxyxy"])
        for _ in range(20):
            result = await actors.consensus(refs, Give(), quorum=2)
            assert result.reached
            assert result.value in ("x", "y")
            assert {*result.votes, *result.open} == set(refs)
            assert len(result.votes) + len(result.open) == 6
            await trio.sleep(1)


async def test_actors_of_plain_code_can_vote(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        refs = [await system.start(Plain, Book(), value) for value in ("x", "y", "x")]
        result = await actors.consensus(refs, Give())
        assert (result.reached, result.value) == (True, "x")
