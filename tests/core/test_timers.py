"""Timers: `after`, `every`, cancelling, and their end with the incarnation (contract §2)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.core.alarms import Timetable
from tests.core.cast import AT_ONCE, Die, Echo, Note, Seen, Sleep, Worker, settled


class Timed(Worker):
    """Calls `setup` with itself in `on_start`; notes each note together with its time."""

    def __init__(self, setup: Callable[[Timed], Any], log: list[tuple[str, float]]) -> None:
        super().__init__()
        self.setup = setup
        self.log = log

    async def on_start(self) -> None:
        self.timer = self.setup(self)

    @actors.receive
    async def note(self, message: Note) -> None:
        self.log.append((message.text, trio.current_time()))

    @actors.receive
    def cancel(self, message: str) -> None:
        self.timer.cancel()
        self.timer.cancel()


async def test_after_tells_once_at_its_time(autojump_clock: MockClock) -> None:
    log: list[tuple[str, float]] = []
    async with actors.open_system("alpha") as system:
        await system.start(Timed, lambda self: self.ctx.after(3, Note("ring")), log)
        await trio.sleep(100)
    assert log == [("ring", pytest.approx(3.0))]


async def test_every_fires_at_multiples_of_its_interval_without_drift(autojump_clock: MockClock) -> None:
    """A handler that takes a third of the interval delays nothing."""
    log: list[tuple[str, float]] = []

    class Slow(Timed):
        async def note(self, message: Note) -> None:
            self.log.append((message.text, trio.current_time()))
            await trio.sleep(0.1)

    async with actors.open_system("alpha") as system:
        await system.start(Slow, lambda self: self.ctx.every(0.3, Note("tick")), log)
        await trio.sleep(300.05)
    assert len(log) == 1000
    assert log == [("tick", pytest.approx(0.3 * k, abs=1e-9)) for k in range(1, 1001)]


async def test_every_skips_what_comes_due_while_its_last_message_waits(autojump_clock: MockClock) -> None:
    """Busy from 0.5 to 3.8: the tick of 1.0 waits, those of 2.0 and 3.0 are skipped, 4.0 is in time again."""
    log: list[tuple[str, float]] = []
    async with actors.open_system("alpha") as system:
        timed = await system.start(Timed, lambda self: self.ctx.every(1, Note("tick")), log)
        await trio.sleep(0.5)
        timed.tell(Sleep(3.3))
        await trio.sleep(3)
        assert timed.statistics().depth == {"system": 1, "urgent": 0, "normal": 0}
        await trio.sleep(2)
    assert log == [("tick", pytest.approx(at)) for at in (3.8, 4.0, 5.0)]


async def test_every_skips_what_came_due_while_the_loop_stood_still(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suspended laptop: one tick for an hour, without an alarm for each of millions; then in time again."""
    log: list[tuple[str, float]] = []
    alarms: list[float] = []
    enter = Timetable.set

    def count(table: Timetable, due: float, action: Callable[[], None]) -> Any:
        alarms.append(due)
        return enter(table, due, action)

    async with actors.open_system("alpha") as system:
        await system.start(Timed, lambda self: self.ctx.every(0.25, Note("tick")), log)
        await settled()
        monkeypatch.setattr(Timetable, "set", count)
        autojump_clock.jump(3600.1)
        await settled()
        assert log == [("tick", pytest.approx(3600.1))]
        await trio.sleep(0.5)
        assert log[1:] == [("tick", 3600.25), ("tick", 3600.5)]
        assert alarms == [3600.25, 3600.5, 3600.75]


async def test_after_zero_comes_behind_what_is_queued_now(autojump_clock: MockClock) -> None:
    class Zero(Worker):
        @actors.receive
        def go(self, message: int) -> None:
            self.ctx.after(0, Note("timer"))

    async with actors.open_system("alpha") as system:
        zero = await system.start(Zero)
        zero.tell(1)
        zero.tell(Note("a"))
        zero.tell(Note("b"))
        await settled()
        assert await zero.ask(Seen()) == ["a", "b", "timer"]
        assert trio.current_time() == pytest.approx(0.0)


async def test_due_is_the_next_time_it_fires(autojump_clock: MockClock) -> None:
    timers: list[actors.Timer] = []

    def setup(self: Timed) -> Any:
        timers.extend([self.ctx.after(5, Note("once")), self.ctx.every(2, Note("tick"))])

    async with actors.open_system("alpha") as system:
        start = trio.current_time()
        await system.start(Timed, setup, [])
        once, ticks = timers
        assert (once.due, ticks.due) == (start + 5, start + 2)
        await trio.sleep(5)
        await settled()
        assert (once.due, ticks.due) == (start + 5, start + 6)


async def test_a_cancelled_timer_never_rings(autojump_clock: MockClock) -> None:
    """Cancelling is idempotent, also after it has rung."""
    log: list[tuple[str, float]] = []
    async with actors.open_system("alpha") as system:
        for setup in (
            lambda self: self.ctx.after(3, Note("once")),
            lambda self: self.ctx.every(3, Note("tick")),
        ):
            timed = await system.start(Timed, setup, log)
            await trio.sleep(2)
            timed.tell("cancel")
            await trio.sleep(10)
            assert log == []
        timed = await system.start(Timed, lambda self: self.ctx.after(1, Note("rung")), log)
        await trio.sleep(2)
        timed.tell("cancel")
        assert await timed.ask(Echo("alive")) == "alive"
        assert [text for text, _ in log] == ["rung"]


async def test_cancelling_takes_a_waiting_message_back(autojump_clock: MockClock) -> None:
    class Careful(Worker):
        @actors.receive
        async def go(self, message: int) -> None:
            timer = self.ctx.after(1, Note("never"))
            await trio.sleep(2)
            assert timer.waiting
            timer.cancel()
            assert not timer.waiting

    async with actors.open_system("alpha") as system:
        careful = await system.start(Careful)
        careful.tell(1)
        await trio.sleep(3)
        assert await careful.ask(Seen()) == []
        assert (careful.statistics().depth["system"], system.dead_letters) == (0, ())


async def test_timers_end_with_the_incarnation(autojump_clock: MockClock) -> None:
    """Neither one that has not rung nor a message that waits reaches the next incarnation."""
    starts: list[float] = []
    log: list[tuple[str, float]] = []

    def setup(self: Timed) -> Any:
        starts.append(trio.current_time())
        if len(starts) == 1:
            self.ctx.after(1, Note("waits"))
            self.ctx.after(5, Note("has not rung"))
            self.ctx.every(7, Note("repeats"))

    async with actors.open_system("alpha") as system:
        timed = await system.start(Timed, setup, log, name="timed", policy=AT_ONCE)
        timed.tell(Sleep(2))
        timed.tell(Die())
        await trio.sleep(1.5)
        assert timed.statistics().depth == {"system": 1, "urgent": 0, "normal": 1}
        await trio.sleep(50)
        assert (len(starts), log, timed.statistics().restarts) == (2, [], 1)
        assert [letter.message for letter in system.dead_letters] == [Die()]


async def test_a_timer_of_a_stopped_actor_is_no_dead_letter(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        timed = await system.start(Timed, lambda self: self.ctx.after(1, Note("waits")), [])
        timed.tell(Sleep(3))
        await trio.sleep(2)
        timed.stop()
        await timed.wait_stopped()
        await trio.sleep(10)
        assert system.dead_letters == ()


async def test_a_timer_set_in_on_stop_never_rings(autojump_clock: MockClock) -> None:
    log: list[tuple[str, float]] = []

    class Last(Timed):
        async def on_stop(self, exit: actors.Exit) -> None:
            self.ctx.after(0.0, Note("from the grave"))
            self.ctx.every(1.0, Note("again"))

    async with actors.open_system("alpha") as system:
        last = await system.start(Last, lambda self: None, log, name="last", policy=AT_ONCE)
        last.tell(Die())
        await trio.sleep(10)
        assert (log, last.statistics().restarts) == ([], 1)


async def test_two_timers_with_one_message_are_two(autojump_clock: MockClock) -> None:
    log: list[tuple[str, float]] = []
    same = Note("same")

    def setup(self: Timed) -> Any:
        self.ctx.after(1, same)
        self.ctx.after(1, same)

    async with actors.open_system("alpha") as system:
        await system.start(Timed, setup, log)
        await trio.sleep(2)
    assert log == [("same", pytest.approx(1.0))] * 2


async def test_a_timer_is_from_the_actor_itself(autojump_clock: MockClock) -> None:
    senders: list[Any] = []

    class Own(Worker):
        async def on_start(self) -> None:
            self.ctx.after(1, Note())

        @actors.receive
        def note(self, message: Note) -> None:
            senders.append(self.ctx.sender)

    async with actors.open_system("alpha") as system:
        own = await system.start(Own)
        await trio.sleep(2)
    assert senders == [own]


async def test_a_suspended_actor_gets_its_timers_after_it_is_resumed(autojump_clock: MockClock) -> None:
    log: list[tuple[str, float]] = []
    async with actors.open_system("alpha") as system:
        timed = await system.start(Timed, lambda self: self.ctx.every(1, Note("tick")), log)
        timed.suspend()
        await trio.sleep(3.5)
        assert log == []
        timed.resume()
        await trio.sleep(1)
    assert log == [("tick", pytest.approx(3.5)), ("tick", pytest.approx(4.0))]


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("after", -1.0),
        ("after", math.nan),
        ("after", "1"),
        ("every", -1.0),
        ("every", math.nan),
        ("every", 0.0),
        ("every", 5e-324),
        ("every", 0.9e-6),
    ],
)
async def test_a_delay_that_is_no_time_raises_value_error(
    autojump_clock: MockClock, call: str, value: Any
) -> None:
    """An interval that a clock does not move by would never end; it is refused too."""
    raised: list[str] = []

    def setup(self: Timed) -> Any:
        with pytest.raises(ValueError, match="seconds, not") as caught:
            getattr(self.ctx, call)(value, Note())
        raised.append(str(caught.value))

    async with actors.open_system("alpha") as system:
        await system.start(Timed, setup, [])
        await trio.sleep(5)
    assert len(raised) == 1


@pytest.mark.parametrize("call", ["after", "every"])
async def test_a_timer_at_infinity_never_rings(autojump_clock: MockClock, call: str) -> None:
    """Infinity is a time; it just does not come."""
    log: list[tuple[str, float]] = []
    timers: list[actors.Timer] = []

    def setup(self: Timed) -> Any:
        timers.append(getattr(self.ctx, call)(math.inf, Note("never")))
        self.ctx.after(2, Note("in time"))

    async with actors.open_system("alpha") as system:
        await system.start(Timed, setup, log)
        with trio.move_on_after(100):
            await trio.sleep(10)
    assert log == [("in time", pytest.approx(2.0))]
    assert timers[0].due == math.inf
