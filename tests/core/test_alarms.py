"""The heap of deadlines, and the one task that sleeps until the next."""

from __future__ import annotations

import functools
import math

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.core.alarms import Alarm, Alarms, Timetable

DUE = st.integers(0, 20).map(float)


def ring_all(table: Timetable, now: float) -> None:
    while (action := table.pop(now)) is not None:
        action()


@given(st.lists(st.tuples(DUE, st.booleans())), st.lists(DUE).map(sorted))
def test_alarms_ring_once_in_order_and_never_early(
    plan: list[tuple[float, bool]], looks: list[float]
) -> None:
    """At each look exactly the live ones that have come due ring, by time, then by age."""
    table, rung = Timetable(), list[int]()
    alarms = [table.set(due, lambda n=n: rung.append(n)) for n, (due, _) in enumerate(plan)]
    for alarm, (_, cancelled) in zip(alarms, plan, strict=True):
        if cancelled:
            alarm.cancel()
    in_order = sorted((due, n) for n, (due, cancelled) in enumerate(plan) if not cancelled)
    for now in looks:
        ring_all(table, now)
        assert rung == [n for due, n in in_order if due <= now]
        assert table.next_due() == min((due for due, n in in_order if due > now), default=math.inf)


@given(
    st.lists(st.one_of(DUE.map(lambda due: ("set", due)), st.integers(0, 50).map(lambda n: ("cancel", n))))
)
def test_cancelling_is_final_and_idempotent(steps: list[tuple[str, float]]) -> None:
    """Whatever the order of setting and cancelling, exactly those that were not cancelled ring."""
    table, rung, alarms = Timetable(), list[int](), list[Alarm]()
    cancelled = set[int]()
    for what, value in steps:
        if what == "set":
            alarms.append(table.set(value, functools.partial(rung.append, len(alarms))))
        elif value < len(alarms):
            alarms[int(value)].cancel()
            cancelled.add(int(value))
    ring_all(table, 1e9)
    assert sorted(rung) == [n for n in range(len(alarms)) if n not in cancelled]
    assert not any(alarm.live for alarm in alarms)
    assert len(table) == 0


def test_an_alarm_rings_at_its_time_and_not_before() -> None:
    """The edge belongs to the alarm: at exactly `due` it rings."""
    table = Timetable()
    alarm = table.set(5.0, int)
    assert table.pop(math.nextafter(5.0, 0.0)) is None
    assert alarm.live
    assert table.pop(5.0) is int
    assert not alarm.live


def test_infinity_never_rings_and_takes_no_place() -> None:
    table = Timetable()
    alarm = table.set(math.inf, int)
    assert (len(table), table.next_due(), table.pop(1e300)) == (0, math.inf, None)
    alarm.cancel()
    assert not alarm.live


def test_cancelling_many_does_not_keep_them() -> None:
    """Deadlines of asks are nearly always cancelled: the dead never outnumber the living for long."""
    table = Timetable()
    kept = table.set(1e6, int)
    for n in range(10_000):
        table.set(1e5 + n, int).cancel()
    assert len(table) < 1100
    assert kept.live
    assert table.next_due() == 1e6


async def test_the_task_rings_at_the_exact_times(autojump_clock: MockClock) -> None:
    """A later alarm does not delay an earlier one that is set afterwards."""
    alarms, rung = Alarms(trio.current_time), list[tuple[str, float]]()
    start = trio.current_time()

    def note(name: str) -> None:
        rung.append((name, trio.current_time() - start))

    def early() -> None:
        note("early")
        alarms.after(2, lambda: note("set by another"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(alarms.run)
        await wait_all_tasks_blocked()
        alarms.after(10, lambda: note("late"))
        alarms.after(3, early)
        alarms.after(3, lambda: note("cancelled")).cancel()
        alarms.at(start + 0.0, lambda: note("at once"))
        await trio.sleep(20)
        nursery.cancel_scope.cancel()
    assert rung == [("at once", 0.0), ("early", 3.0), ("set by another", 5.0), ("late", 10.0)]


async def test_alarms_set_before_the_task_runs_ring(autojump_clock: MockClock) -> None:
    alarms, rung = Alarms(trio.current_time), list[float]()
    start = trio.current_time()
    alarms.after(1, lambda: rung.append(trio.current_time() - start))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(alarms.run)
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    assert rung == [1.0]


async def test_time_past_due_rings_at_once(autojump_clock: MockClock) -> None:
    """An alarm in the past rings without time passing."""
    alarms, rung = Alarms(trio.current_time), list[float]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(alarms.run)
        await trio.sleep(3)
        now = trio.current_time()
        alarms.at(now - 2, lambda: rung.append(trio.current_time() - now))
        await wait_all_tasks_blocked()
        assert rung == [0.0]
        nursery.cancel_scope.cancel()


@pytest.mark.row(87)
async def test_the_task_sleeps_until_the_next_alarm(autojump_clock: MockClock) -> None:
    """It wakes once an alarm, not by the second: three alarms in an hour are three times two steps.

    The second lets those go first who end at the very moment.
    """
    alarms = Alarms(trio.current_time)

    class Steps(trio.abc.Instrument):
        count = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.count += task.name == "alarms"

    steps = Steps()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(alarms.run, name="alarms")
        for minutes in (10, 20, 50):
            alarms.after(minutes * 60, int)
        await wait_all_tasks_blocked()
        trio.lowlevel.add_instrument(steps)
        await trio.sleep(3600)
        trio.lowlevel.remove_instrument(steps)
        assert steps.count == 6
        nursery.cancel_scope.cancel()
