"""The pump: groups, stores that fail, and that nobody waits for ever."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.delivery import pump as module
from actors.delivery.errors import StoreError, StoreUnavailable, UnknownTicket
from actors.delivery.operations import Drop, Operation, Result, Save, Saved
from actors.delivery.pump import FAULTS, GROUP, Pump

AWAY = StoreUnavailable("here", "it is away")


@attrs.define(eq=False)
class Engine:
    """Writes what it gets down; `faults` are raised first, one a call, None for none."""

    faults: list[BaseException | None] = attrs.field(factory=list[BaseException | None])
    seconds: float = 0.0
    groups: list[list[str]] = attrs.field(factory=list[list[str]])
    cannot: Callable[[str], BaseException | None] = lambda _: None
    answer: Callable[[list[str]], list[Any]] = lambda ids: [f"done {one}" for one in ids]

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        ids = [one.id for one in group if isinstance(one, Drop)]
        await trio.sleep(self.seconds)
        fault = self.faults.pop(0) if self.faults else None
        for one in ids:
            fault = fault or self.cannot(one)
        if fault is not None:
            raise fault
        self.groups.append(ids)
        return self.answer(ids)

    @property
    def written(self) -> list[str]:
        return [one for group in self.groups for one in group]


@attrs.define(eq=False)
class Bench:
    """A pump, what it said, and what came of what."""

    nursery: trio.Nursery
    engine: Engine
    trouble: list[tuple[float, StoreError | None, float]] = attrs.field(factory=list[Any])
    results: list[tuple[str, Any]] = attrs.field(factory=list[Any])
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    pump: Pump = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pump = Pump(lambda: 0.5, self.on_trouble, "here")

    def on_trouble(self, error: StoreError | None, seconds: float) -> None:
        self.trouble.append((trio.current_time(), error, seconds))

    async def run(self) -> None:
        with self.scope:
            await self.pump.run(self.engine)  # type: ignore[arg-type]

    def start(self) -> None:
        self.scope = trio.CancelScope()
        self.nursery.start_soon(self.run)

    def put(self, *names: str, stubborn: bool = True) -> None:
        for name in names:
            self.pump.put(Drop(name), lambda result, name=name: self.heard(name, result), stubborn=stubborn)

    def heard(self, name: str, result: Any) -> None:
        self.results.append((name, result))

    async def last_words(self, seconds: float = 2.0) -> None:
        self.pump.hurry(seconds)
        await self.pump.last_words(self.engine)  # type: ignore[arg-type]


@asynccontextmanager
async def a_bench() -> AsyncGenerator[Bench]:
    async with trio.open_nursery() as nursery:
        yield Bench(nursery, Engine())
        nursery.cancel_scope.cancel()


async def test_each_hears_its_own_result_in_order(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.start()
        bench.put("a", "b", "c")
        await bench.pump.flushed()
        assert bench.engine.groups == [["a", "b", "c"]]
        assert bench.results == [("a", "done a"), ("b", "done b"), ("c", "done c")]
        assert bench.trouble == []


async def test_the_next_group_gathers_while_one_is_on_its_way(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.engine.seconds = 1.0
        bench.start()
        bench.put("a")
        await trio.sleep(0.5)
        bench.put("b")
        bench.put("c")
        await bench.pump.flushed()
        assert bench.engine.groups == [["a"], ["b", "c"]]
        assert trio.current_time() == 2.0


async def test_a_group_has_its_bound(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.put(*(str(number) for number in range(2 * GROUP + 1)))
        bench.start()
        await bench.pump.flushed()
        assert [len(group) for group in bench.engine.groups] == [GROUP, GROUP, 1]
        assert len(bench.pump) == 0


async def test_who_writes_gets_what_came_of_it(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.start()
        heard: list[Any] = []
        assert await bench.pump.write(Drop("a"), heard.append) == "done a"
        assert heard == ["done a"]


async def test_who_writes_is_told_of_its_refusal_and_of_a_store_that_fails(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.start()
        refusal = UnknownTicket("a")
        bench.engine.answer = lambda _: [refusal]
        with pytest.raises(UnknownTicket) as caught:
            await bench.pump.write(Drop("a"))
        assert caught.value is refusal
        bench.engine.faults = [AWAY]
        with pytest.raises(StoreUnavailable, match="it is away"):
            await bench.pump.write(Drop("a"))


async def test_what_must_be_written_is_tried_again_with_growing_delays(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.engine.faults = [AWAY] * 9
        bench.start()
        bench.put("a", "b")
        await bench.pump.flushed()
        assert bench.engine.groups == [["a", "b"]]
        *failing, recovered = bench.trouble
        assert [seconds for _, _, seconds in failing] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
        assert all(error is AWAY for _, error, _ in failing)
        assert [at for at, _, _ in failing[1:]] == pytest.approx([0.1, 0.3, 0.7, 1.5, 3.1, 6.3, 11.3, 16.3])
        assert recovered == (pytest.approx(21.3), None, 0.0)


async def test_the_delays_start_over_after_it_has_recovered(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.engine.faults = [AWAY, AWAY, None, AWAY]
        bench.start()
        bench.put("a")
        await bench.pump.flushed()
        bench.put("b")
        await bench.pump.flushed()
        assert [seconds for _, _, seconds in bench.trouble] == [0.1, 0.2, 0.0, 0.1, 0.0]


async def test_while_it_fails_who_asks_is_answered_at_once(
    autojump_clock: MockClock,
) -> None:
    async with a_bench() as bench:
        bench.engine.faults = [AWAY] * 9
        bench.start()
        bench.put("must")
        await trio.sleep(1.6)  # it waits for its sixth time, which is far
        before = trio.current_time()
        with pytest.raises(StoreUnavailable):
            await bench.pump.write(Drop("may"))
        assert trio.current_time() == before
        bench.put("behind")
        await bench.pump.flushed()
        assert bench.engine.groups == [["must", "behind"]]


async def test_what_must_be_written_does_not_hurry_a_store_that_fails(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.engine.faults = [AWAY] * 2
        bench.start()
        bench.put("a")
        await wait_all_tasks_blocked()
        for name in "bcd":
            bench.put(name)
            await wait_all_tasks_blocked()
        assert len(bench.trouble) == 1
        await bench.pump.flushed()
        assert bench.engine.groups == [["a", "b", "c", "d"]]


async def test_a_cancelled_writer_leaves_and_its_operation_is_written(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.engine.seconds = 1.0
        bench.start()
        heard: list[Any] = []
        with trio.move_on_after(0.5) as scope:
            await bench.pump.write(Drop("a"), heard.append)
        assert scope.cancelled_caught
        assert trio.current_time() == 0.5
        await bench.pump.flushed()
        assert (bench.engine.written, heard) == (["a"], ["done a"])


async def test_a_cancelled_pump_finishes_its_group_first(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.engine.seconds = 1.0
        bench.start()
        bench.put("a")
        await trio.sleep(0.5)
        bench.put("b")
        bench.scope.cancel()
        await trio.sleep(1.0)
        assert bench.results == [("a", "done a")]
        bench.start()
        await bench.pump.flushed()
        assert bench.engine.groups == [["a"], ["b"]]


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_pump_that_is_cancelled_while_it_waits_to_try_again_loses_nothing(
    autojump_clock: MockClock, stubborn: bool
) -> None:
    async with a_bench() as bench:
        bench.engine.faults = [AWAY]
        bench.start()
        bench.put("a")
        await wait_all_tasks_blocked()
        bench.scope.cancel()
        await wait_all_tasks_blocked()
        bench.put("b", stubborn=stubborn)
        bench.start()
        await bench.pump.flushed()
        assert bench.engine.groups == [["a", "b"]]


async def test_flushed_waits_for_the_group_on_its_way(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.engine.seconds = 1.0
        bench.start()
        bench.put("a")
        await trio.sleep(0.1)
        assert len(bench.pump) == 0
        await bench.pump.flushed()
        assert trio.current_time() == 1.0
        await bench.pump.flushed()
        assert trio.current_time() == 1.0


async def test_who_waits_for_some_operations_does_not_wait_for_others(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:

        def saves(operation: Operation) -> bool:
            return isinstance(operation, Save)

        bench.engine.seconds = 1.0
        bench.engine.answer = lambda _: [None]
        bench.start()
        bench.put("a")
        await bench.pump.settled(saves)
        assert trio.current_time() == 0.0
        await trio.sleep(0.5)
        bench.pump.put(Save(Saved("/a", 1)), lambda _: None)
        await bench.pump.settled(saves)
        assert trio.current_time() == 2.0


async def test_who_has_caught_up_does_not_wait_for_what_came_since(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.engine.seconds = 1.0
        bench.start()

        async def post() -> None:
            for number in range(20):
                bench.put(str(number))
                await trio.sleep(0.5)

        bench.nursery.start_soon(post)
        await trio.sleep(0.1)
        await bench.pump.caught_up()
        assert trio.current_time() == 1.0  # the group on its way
        await bench.pump.caught_up()
        assert trio.current_time() == 2.0  # and what had come meanwhile
        await bench.pump.flushed()
        assert trio.current_time() > 10.0


async def test_a_write_that_hangs_is_cut_short_when_all_ends(autojump_clock: MockClock) -> None:
    """Whoever posted hears so; what has happened is written by the next engine."""
    async with a_bench() as bench:
        bench.engine.seconds = float("inf")
        bench.put("a")
        bench.put("b", stubborn=False)
        bench.start()
        await trio.sleep(1.0)
        bench.scope.cancel()
        bench.pump.hurry(2.0)
        await trio.sleep(2.5)
        assert [name for name, _ in bench.results] == ["b"]
        assert "it may be there" in str(bench.results[0][1])
        with trio.fail_after(0.1):
            await bench.pump.last_words(bench.engine)  # type: ignore[arg-type]
        bench.engine.seconds = 0.0
        bench.start()
        await bench.pump.flushed()
        assert bench.results[1] == ("a", "done a")


async def test_last_words_are_written_though_all_is_cancelled(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.put("a", "b")
        with trio.CancelScope() as scope:
            scope.cancel()
            await bench.last_words()
        assert bench.engine.groups == [["a", "b"]]


async def test_last_words_have_their_time_and_then_nobody_waits(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What must be written is kept for the next engine."""
    async with a_bench() as bench:
        monkeypatch.setattr(module, "GROUP", 1)
        bench.engine.seconds = 1.5
        bench.put("a", "b", "c")
        bench.put("d", stubborn=False)
        await bench.last_words(2.0)
        assert trio.current_time() == 2.0
        assert bench.engine.groups == [["a"]]  # what is on its way is cut short
        assert [name for name, _ in bench.results] == ["a", "d"]
        assert isinstance(bench.results[-1][1], StoreUnavailable)
        bench.start()
        await bench.pump.flushed()
        assert bench.engine.written == ["a", "b", "c"]


async def test_last_words_end_with_the_first_failure(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.engine.faults = [AWAY]
        bench.put("a")
        bench.put("b", stubborn=False)
        await bench.last_words()
        assert (bench.results, len(bench.pump), bench.engine.groups) == ([("b", AWAY)], 1, [])


async def test_who_still_waits_when_all_is_given_up_hears_it(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        raised: list[BaseException] = []

        async def write() -> None:
            try:
                await bench.pump.write(Drop("a"))
            except StoreError as error:
                raised.append(error)

        bench.nursery.start_soon(write)
        bench.nursery.start_soon(bench.pump.flushed)
        bench.put("b")
        await wait_all_tasks_blocked()
        bench.pump.give_up(AWAY)
        await wait_all_tasks_blocked()
        assert raised == [AWAY]
        assert bench.results == []
        assert len(bench.pump) == 0
        assert len(bench.nursery.child_tasks) == 0


# --- stores that fail in a way that they should not ---------------------------------


async def test_what_the_store_cannot_take_does_not_keep_the_others_from_being_written(
    autojump_clock: MockClock,
) -> None:
    async with a_bench() as bench:
        bench.engine.cannot = lambda name: TypeError("what is that?") if name == "bad" else None
        bench.put("a", "b")
        bench.put("bad", stubborn=False)
        bench.put("c")
        bench.start()
        await bench.pump.flushed()
        assert bench.engine.groups == [["a"], ["b"], ["c"]]
        error = dict(bench.results)["bad"]
        assert isinstance(error, StoreUnavailable)
        assert "TypeError: what is that?" in str(error)
        assert isinstance(error.__cause__, TypeError)
        bench.put("d", "e")
        await bench.pump.flushed()
        assert bench.engine.groups[-1] == ["d", "e"]


async def test_what_can_never_be_written_is_given_up_in_the_end(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.engine.cannot = lambda name: TypeError() if name == "bad" else None
        bench.put("a", "bad", "c")
        bench.start()
        await bench.pump.flushed()
        assert bench.engine.written == ["a", "c"]
        assert isinstance(dict(bench.results)["bad"], StoreUnavailable)
        assert len([error for _, error, _ in bench.trouble if error is not None]) == FAULTS + 1
        assert 2.0 < trio.current_time() < 20.0


async def test_a_passing_fault_loses_nothing(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.engine.faults = [OSError("reset"), OSError("reset"), None, OSError("reset")]
        bench.put("a", "b", "c")
        bench.start()
        await bench.pump.flushed()
        assert bench.engine.written == ["a", "b", "c"]
        assert bench.trouble[-1][1] is None


async def test_a_store_that_gives_too_few_results_has_a_fault(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.engine.answer = lambda ids: ids[1:]
        bench.start()
        with pytest.raises(StoreUnavailable, match="0 results of 1 operations"):
            await bench.pump.write(Drop("a"))


async def test_a_listener_that_fails_does_not_keep_the_others_from_hearing(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:

        def broken(result: object) -> None:
            raise ZeroDivisionError

        bench.pump.put(Drop("x"), broken)
        bench.put("a")
        with pytest.raises(ZeroDivisionError):
            await bench.pump.run(bench.engine)  # type: ignore[arg-type]
        assert bench.results == [("a", "done a")]


async def test_who_writes_gets_its_result_also_where_a_listener_fails(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:

        def broken(result: object) -> None:
            raise ZeroDivisionError

        results: list[str] = []

        async def write() -> None:
            results.append(await bench.pump.write(Drop("a"), broken))

        bench.nursery.start_soon(write)
        await wait_all_tasks_blocked()
        with pytest.raises(ZeroDivisionError):
            await bench.pump.run(bench.engine)  # type: ignore[arg-type]
        await wait_all_tasks_blocked()
        assert results == ["done a"]


async def test_ctrl_c_in_the_store_loses_nothing(autojump_clock: MockClock) -> None:
    async with a_bench() as bench:
        bench.engine.faults = [KeyboardInterrupt()]
        bench.put("a")
        with pytest.raises(KeyboardInterrupt):
            await bench.pump.run(bench.engine)  # type: ignore[arg-type]
        assert (len(bench.pump), bench.results) == (1, [])
        await bench.last_words()
        assert bench.results == [("a", "done a")]
