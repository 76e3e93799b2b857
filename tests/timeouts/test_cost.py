"""What limits cost: a sign of life and a message no scope and no timer, an idle actor no wake-up."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import Policy, Timeout
from actors.core.alarms import Timetable
from actors.limits import Ladder
from tests.timeouts.cast import Doer, do, doing, limited, quiet

LIMITS = {
    "progressive": Timeout(),
    "fixed": Timeout("fixed", 60.0),
    "adaptive": Timeout("adaptive"),
    "with a ladder": Timeout(ladder=Ladder()),
}
MANY = 1000


@attrs.define
class Counts:
    """What was made inside a test."""

    scopes: int = 0
    alarms: int = 0

    def taken(self) -> tuple[int, int]:
        """What was made since the last call."""
        taken, self.scopes, self.alarms = (self.scopes, self.alarms), 0, 0
        return taken


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counts:
    made = Counts()
    scope, alarm = trio.CancelScope.__init__, Timetable.set

    def new_scope(self: trio.CancelScope, *args: Any, **kwargs: Any) -> None:
        made.scopes += 1
        scope(self, *args, **kwargs)

    def new_alarm(self: Timetable, due: float, action: Callable[[], None]) -> Any:
        made.alarms += 1
        return alarm(self, due, action)

    monkeypatch.setattr(trio.CancelScope, "__init__", new_scope)
    monkeypatch.setattr(Timetable, "set", new_alarm)
    return made


@actors.message
class Work(actors.Request[int]):
    """Answered after as many signs of life, with a checkpoint behind each."""

    signs: int = 0


class Busy(actors.Actor):
    @actors.receive
    async def work(self, message: Work) -> int:
        for _ in range(message.signs):
            self.ctx.progress(10)
            self.ctx.output(b"line\n")
            await trio.lowlevel.checkpoint()
        return message.signs


@pytest.mark.parametrize("timeout", LIMITS.values(), ids=LIMITS)
async def test_a_message_costs_no_scope_and_no_timer(
    timeout: Timeout, counts: Counts, autojump_clock: MockClock
) -> None:
    """A thousand asks and a thousand tells later there is one alarm, the first."""
    async with actors.open_system("s") as system:
        ref = await system.start(Busy, name="a", policy=limited(timeout))
        await ref.ask(Work())
        await wait_all_tasks_blocked()
        counts.taken()
        for _ in range(MANY):
            await ref.ask(Work())
        for _ in range(MANY - 1):
            ref.tell(Work())
        await ref.ask(Work())
        # an adaptive limit may become shorter than its alarm: a few times until it is the shortest
        most = 3 if timeout.mode == "adaptive" else 0
        assert counts.scopes == 0
        assert counts.alarms <= most
        assert system.statistics().alarms <= 1 + most


@pytest.mark.parametrize("timeout", LIMITS.values(), ids=LIMITS)
async def test_a_sign_of_life_costs_no_scope_and_no_timer(
    timeout: Timeout, counts: Counts, autojump_clock: MockClock
) -> None:
    """A thousand of each kind in one run."""
    async with actors.open_system("s") as system:
        ref = await system.start(Busy, policy=limited(timeout))
        await ref.ask(Work(1))
        counts.taken()
        assert await ref.ask(Work(MANY)) == MANY
        assert counts.taken() == (0, 0)
        assert system.statistics().alarms == 1


async def test_waiting_for_a_child_costs_no_timer(counts: Counts, autojump_clock: MockClock) -> None:
    """The alarm there is rings early enough, whenever the clock of silence stops and goes on."""

    class Parent(actors.Supervisor):
        async def on_start(self) -> None:
            self.child = await self.start(Busy)

        @actors.receive
        async def work(self, message: Work) -> int:
            return sum([await self.child.ask(Work(1)) for _ in range(message.signs)])

    async with actors.open_system("s") as system:
        ref = await system.start(Parent, policy=limited(Timeout(ladder=Ladder())))
        await ref.ask(Work(1))
        counts.taken()
        assert await ref.ask(Work(MANY)) == MANY
        assert counts.taken() == (0, 0)


async def test_a_long_run_is_looked_at_a_few_times(counts: Counts, autojump_clock: MockClock) -> None:
    """Twice in the limit of silence at most, however often it gives signs of life in it."""
    async with actors.open_system("s") as system:
        ref = await system.start(Doer, policy=quiet(10.0))
        await ref.ask(do(*[0.5, "a sign of life"] * 2000))
        assert trio.current_time() == 1000.0
        assert counts.alarms <= 2 * 100


@pytest.mark.row(87)
async def test_idle_actors_wake_nobody(autojump_clock: MockClock) -> None:
    """A thousand that have worked: one last ring each, and then nothing for as long as one likes."""

    class Wakes(trio.abc.Instrument):
        count = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.count += 1

    async with actors.open_system("s") as system:
        refs = [system.spawn(Busy, policy=limited(Timeout(ladder=Ladder()))) for _ in range(MANY)]
        for ref in refs:
            await ref.ask(Work(1))
        await trio.sleep(400.0)
        assert system.statistics().alarms == 0
        wakes = Wakes()
        trio.lowlevel.add_instrument(wakes)
        await trio.sleep(10.0)
        trio.lowlevel.remove_instrument(wakes)
        assert wakes.count <= 1  # ours


# --- what is kept ------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["returns", "stop", "kill", "limit", "silence", "interrupt"])
async def test_an_ended_actor_is_forgotten_by_its_limits(end: str, autojump_clock: MockClock) -> None:
    """Its object and its ref go, and no alarm is left, however it ended."""
    kept: list[weakref.ref[Any]] = []

    class Big(Doer):
        def __init__(self) -> None:
            super().__init__()
            kept.extend([weakref.ref(self), weakref.ref(self.ctx.ref)])

    async with actors.open_system("s") as system:
        for name in ("a", None):
            silence = Timeout("fixed", 1e5, no_activity=50.0, ladder=Ladder())
            policy = limited(silence if end == "silence" else Timeout("adaptive"), restart="temporary")
            ref = await system.start(Big, name=name, policy=policy)
            for seconds in (4.0, 3.0, 2.0, 1.0):
                await ref.ask(do(seconds))
            ref.tell(do(1.0 if end == "returns" else 1e6))
            await trio.sleep(0.5)
            if end == "interrupt":
                assert await ref.interrupt()
            if end in ("stop", "kill"):
                getattr(ref, end)()
            await trio.sleep(1000.0)
            ref.stop()
            await ref.wait_stopped()
            del ref
        system._kernel.dead_letters.clear()
        gc.collect()
        assert [one() for one in kept] == [None] * 4
        await trio.sleep(1000.0)
        assert system.statistics().alarms == 0


async def test_ten_thousand_runs_leave_nothing(autojump_clock: MockClock) -> None:
    """Adhoc ones leave no durations either; a named one leaves its last ten."""
    async with actors.open_system("s") as system:
        policy = limited(Timeout("adaptive", no_activity=5.0, ladder=Ladder()), restart="temporary")
        for index in range(10_000):
            ref = system.spawn(doing, policy=policy, name="a" if index % 100 == 0 else None)
            await ref.wait_stopped()
        assert len(system._durations._runs) == 1
        assert [len(runs) for runs in system._durations._runs.values()] == [10]
        await trio.sleep(400.0)
        assert system.statistics().alarms == 0


async def test_nudges_do_not_pile_up(autojump_clock: MockClock) -> None:
    """Who takes no messages has one that waits, however often it was nudged, and it is no dead letter."""
    ladder = Timeout("fixed", 1e5, no_activity=10.0, ladder=Ladder())
    async with actors.open_system("s") as system, system.subscribe(actors.events.Nudged) as events:
        ref = system.spawn(doing, *[8.0, "a sign of life"] * 50, policy=Policy(timeout=ladder))
        await trio.sleep(300.0)
        assert ref.statistics().depth == {"system": 1, "urgent": 0, "normal": 0}
        await ref.wait_stopped()
        nudges = iter(events.next_nowait, None)
        assert [event.attempt for event in nudges] == list(range(1, 51))
        assert system.dead_letters == ()
