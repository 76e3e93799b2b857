"""Asked in turn, or at once: each does what it says. And what all calls for many actors have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import FailureKind, Outcome, Ref, Request
from tests.core.cast import settled
from tests.spawning.voters import Book, Give, Plain, voters

# --- one after the other --------------------------------------------------------------------


@pytest.mark.row(82)
async def test_sequential_asks_each_only_when_the_one_before_has_answered(autojump_clock: MockClock) -> None:
    book = Book()
    async with actors.open_system("s") as system:
        a, b, c = await voters(system, book, ("A", 2.0), ("B", 1.0), ("C", 3.0))
        outcomes = await actors.sequential([c, a, b], Give("hello"))
        assert [(ref, outcome.value) for ref, outcome in outcomes.items()] == [(c, "C"), (a, "A"), (b, "B")]
        assert [(outcome.started, outcome.elapsed) for outcome in outcomes.values()] == [
            (0.0, 3.0),
            (3.0, 2.0),
            (5.0, 1.0),
        ]
        assert book.lines == [
            (0.0, "asked", "c", "hello"),
            (3.0, "answers", "c"),
            (3.0, "asked", "a", "hello"),
            (5.0, "answers", "a"),
            (5.0, "asked", "b", "hello"),
            (6.0, "answers", "b"),
        ]


@pytest.mark.row(82)
async def test_a_step_can_use_the_answers_before_it(autojump_clock: MockClock) -> None:
    """They are read-only, and what a step makes is for that one alone."""
    book = Book()

    def step(ref: Ref, so_far: Mapping[Ref, Outcome]) -> Request[Any]:
        with pytest.raises(TypeError):
            so_far[ref] = Outcome(ok=True)  # type: ignore[index]
        return Give("".join(outcome.value for outcome in so_far.values()) + f"->{ref.name}")

    async with actors.open_system("s") as system:
        refs = await voters(system, book, ("A", 1.0), ("B", 1.0), ("C", 1.0))
        await actors.sequential(refs, step)
        texts = [line[3] for line in book.lines if line[1] == "asked"]
        assert texts == ["->a", "A->b", "AB->c"]


async def test_sequential_goes_on_after_a_failure(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        refs = await voters(system, Book(), ("A", 1.0), (actors.Refused("no"), 1.0), ("C", 1.0))
        outcomes = await actors.sequential(refs, Give())
        assert [outcome.ok for outcome in outcomes.values()] == [True, False, True]
        assert type(outcomes[refs[1]].error) is actors.Refused


async def test_with_stop_on_failure_the_rest_is_not_asked_and_not_in_the_result(
    autojump_clock: MockClock,
) -> None:
    book = Book()
    async with actors.open_system("s") as system:
        a, b, c = await voters(system, book, ("A", 1.0), (actors.Refused("no"), 1.0), ("C", 1.0))
        outcomes = await actors.sequential([a, b, c], Give(), stop_on_failure=True)
        assert [(ref, outcome.ok) for ref, outcome in outcomes.items()] == [(a, True), (b, False)]
        await settled()
        assert [line[2] for line in book.lines if line[1] == "asked"] == ["a", "b"]
        assert trio.current_time() == 2.0


async def test_the_timeout_of_sequential_is_for_each(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        refs = await voters(system, Book(), ("A", 1.5), ("B", 9.0), ("C", 1.5))
        outcomes = await actors.sequential(refs, Give(), timeout=2.0)
        assert [outcome.failure for outcome in outcomes.values()] == [None, FailureKind.TIMEOUT, None]
        assert trio.current_time() == 5.0


async def test_what_a_step_raises_comes_out_as_it_is(autojump_clock: MockClock) -> None:
    def step(ref: Ref, so_far: Mapping[Ref, Outcome]) -> Request[Any]:
        raise LookupError("no such step")

    async with actors.open_system("s") as system:
        with pytest.raises(LookupError, match="no such step"):
            await actors.sequential(await voters(system, Book(), ("A", 1.0)), step)


async def test_a_step_that_makes_no_request_is_told_for_whom(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        with pytest.raises(TypeError, match=r"must return the request to /a: 'hello' is not a Request"):
            await actors.sequential(await voters(system, Book(), ("A", 1.0)), lambda ref, so_far: "hello")  # type: ignore[arg-type,return-value]


# --- all at once ----------------------------------------------------------------------------


@pytest.mark.row(82)
@pytest.mark.row(79)
async def test_parallel_asks_all_at_once_in_their_order(autojump_clock: MockClock) -> None:
    """Ten that take a second each have answered after one second."""
    book = Book()
    async with actors.open_system("s") as system:
        refs = await voters(system, book, *[(number, 1.0) for number in range(10)])
        outcomes = await actors.parallel(refs[::-1], Give())
        assert trio.current_time() == 1.0
        assert [(ref, outcome.value) for ref, outcome in outcomes.items()] == [
            (ref, number) for number, ref in reversed(list(enumerate(refs)))
        ]
        assert sorted(line[:2] for line in book.lines) == [(0.0, "asked")] * 10 + [(1.0, "answers")] * 10


async def test_actors_of_plain_code_are_asked_in_order(autojump_clock: MockClock) -> None:
    """They answer in the step of the ask, so the book has the very order."""
    book = Book()
    async with actors.open_system("s") as system:
        refs = [await system.start(Plain, book, name, name=name) for name in "dacb"]
        for limit in (None, 1, 2, 9):
            book.lines.clear()
            outcomes = await actors.parallel(refs, Give(), limit=limit)
            assert [outcome.value for outcome in outcomes.values()] == ["d", "a", "c", "b"]
            assert [line[2] for line in book.lines] == ["d", "a", "c", "b"]


@pytest.mark.row(82)
async def test_with_a_limit_so_many_are_asked_at_a_time_in_order(autojump_clock: MockClock) -> None:
    """The next one begins when one has answered."""
    book = Book()
    async with actors.open_system("s") as system:
        refs = await voters(system, book, ("A", 3.0), ("B", 1.0), ("C", 1.0), ("D", 2.0), ("E", 1.0))
        outcomes = await actors.parallel(refs, Give(), limit=2)
        assert list(outcomes) == refs
        assert sorted((line[0], line[2]) for line in book.lines if line[1] == "asked") == [
            (0.0, "a"),
            (0.0, "b"),
            (1.0, "c"),
            (2.0, "d"),
            (3.0, "e"),
        ]
        assert [outcome.started for outcome in outcomes.values()] == [0.0, 0.0, 1.0, 2.0, 3.0]
        assert trio.current_time() == 4.0


async def test_the_timeout_counts_from_when_each_is_asked(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        refs = await voters(system, Book(), ("A", 1.5), ("B", 9.0), ("C", 1.5))
        outcomes = await actors.parallel(refs, Give(), timeout=2.0, limit=1)
        assert [outcome.ok for outcome in outcomes.values()] == [True, False, True]
        assert trio.current_time() == 5.0


async def test_one_failure_does_not_stop_the_others(autojump_clock: MockClock) -> None:
    """Whatever it is: a crash, a refusal, one who is gone, one who does not know the request."""

    async def quiet(ctx: actors.Context) -> None:
        await trio.sleep_forever()

    class Deaf(actors.Actor):
        @actors.receive
        def text(self, message: str) -> None: ...

    async with actors.open_system("s") as system:
        crashing, refusing, fine = await voters(
            system, Book(), (ValueError("boom"), 1.0), (actors.Refused("no"), 0.0), ("C", 2.0)
        )
        gone = await system.start(Plain, Book(), 1)
        gone.kill()
        await gone.wait_stopped()
        late, deaf = await system.start(quiet), await system.start(Deaf)
        outcomes = await actors.parallel([crashing, refusing, gone, late, deaf, fine], Give(), timeout=4.0)
        assert {ref: type(outcome.error) for ref, outcome in outcomes.items()} == {
            crashing: actors.ActorFailed,
            refusing: actors.Refused,
            gone: actors.ActorStopped,
            late: actors.AskTimeout,
            deaf: actors.Unhandled,
            fine: type(None),
        }
        assert [outcome.elapsed for outcome in outcomes.values()] == [1.0, 0.0, 0.0, 4.0, 0.0, 2.0]
        late.kill()


# --- what they have in common ---------------------------------------------------------------

Call = Callable[..., Awaitable[Any]]
CALLS: list[Call] = [actors.sequential, actors.parallel, actors.consensus]
each = pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)


@each
async def test_who_is_named_twice_is_asked_once(autojump_clock: MockClock, call: Call) -> None:
    book = Book()
    async with actors.open_system("s") as system:
        a, b = await voters(system, book, ("x", 1.0), ("x", 1.0))
        result = await call([a, b, a, system.find("/b"), a], Give())
        votes = result.votes if call is actors.consensus else result
        assert sorted(ref.path for ref in votes) == ["/a", "/b"]
        assert sorted(line[2] for line in book.lines if line[1] == "asked") == ["a", "b"]
        exits = await actors.stop_all([a, b, a])
        assert list(exits) == [a, b]


@each
async def test_any_iterable_of_refs_will_do(autojump_clock: MockClock, call: Call) -> None:
    async with actors.open_system("s") as system:
        refs = await voters(system, Book(), ("x", 0.0), ("x", 0.0))
        for those in (tuple(refs), dict.fromkeys(refs), (ref for ref in refs)):
            assert await call(those, Give())


@each
async def test_cancellation_passes_through_and_withdraws_what_is_open(
    autojump_clock: MockClock, call: Call
) -> None:
    """Nothing is an outcome then; who still waited for its turn never has it."""
    book = Book()
    async with actors.open_system("s") as system, system.subscribe(actors.events.Expired) as events:
        refs = await voters(system, book, ("x", 5.0), ("y", 5.0))
        before = [ref.request(Give("before")) for ref in refs]
        with trio.move_on_after(1) as scope:
            await call(refs, Give("late"))
        assert (scope.cancelled_caught, trio.current_time()) == (True, 1.0)
        for pending in before:
            await pending.wait()
        await trio.sleep(10)
        assert [line for line in book.lines if line[-1] == "late"] == []
        expired = {event.ref for event in iter(events.next_nowait, None)}
        assert expired == {*(refs[:1] if call is actors.sequential else refs)}


async def test_nobody_is_nobody(autojump_clock: MockClock) -> None:
    """Each is a checkpoint all the same, and a vote of nobody is a mistake."""
    for call in (
        partial(actors.sequential, [], Give()),
        partial(actors.parallel, [], Give()),
        partial(actors.stop_all, []),
    ):
        with trio.testing.assert_checkpoints():
            assert await call() == {}
        with trio.CancelScope() as scope:
            scope.cancel()
            await call()
        assert scope.cancelled_caught
    with pytest.raises(ValueError, match="pass at least one ref"):
        await actors.consensus([], Give())


async def test_each_call_is_a_checkpoint(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        plain = await system.start(Plain, Book(), 1)
        gone = await system.start(Plain, Book(), 1)
        gone.kill()
        await gone.wait_stopped()
        for ref in (plain, gone):
            for call in CALLS:
                with trio.testing.assert_checkpoints():
                    await call([ref], Give())
            with trio.testing.assert_checkpoints():
                await actors.stop_all([ref])
