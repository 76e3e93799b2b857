"""A spawner under anything that can be asked of it, against a plain list of what was spawned.

The rules of the machine only write a program; `teardown` runs it in one `trio.run` with a clock that jumps.
After each step all that a spawner tells is compared with what follows from the list. Times are parts of
a second by powers of two, so that sums of them are exact.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import (
    CooldownActive,
    DepthExceeded,
    NotAChild,
    Policy,
    Spawner,
    SpawnLimitReached,
    SpawnLimits,
    SpawnTrigger,
    StartFailed,
    Template,
)
from tests.rounds import rounds
from tests.spawning.crew import Agent, Fragile, Slow, waiter

AT_ONCE = Policy(shutdown=0.0)
"""Nothing takes time but what a template says."""
ROOTS = [
    Template(Agent, name="scout", policy=AT_ONCE),
    Template(functools.partial(Agent, "birds"), policy=AT_ONCE),
    Template(Slow, {"start": 1.0}, policy=AT_ONCE),
    Template(Fragile, {"start": 2.0}, policy=AT_ONCE),
    Template(waiter, {"seconds": 3.0}, policy=AT_ONCE),
]
READY_AFTER = {0: 0.0, 1: 0.0, 2: 1.0, 3: None, 4: 0.0, -1: 0.0}
LASTS = {3: 2.0, 4: 3.0}
"""After so many seconds it is gone by itself."""
MANUAL = SpawnTrigger.MANUAL

Step = tuple[Any, ...]


@attrs.define
class Row:
    """One spawn, as the list has it."""

    ref: actors.Ref
    kind: int
    origin: actors.Ref | None
    trigger: SpawnTrigger
    depth: int
    at: float
    era: int
    gone: bool = False
    undone: bool = False
    kept: bool = True
    went: int = 0

    @property
    def ends_at(self) -> float | None:
        return None if self.kind not in LASTS else self.at + LASTS[self.kind]

    @property
    def ready_at(self) -> float | None:
        after = READY_AFTER[self.kind]
        return None if after is None else self.at + after


@attrs.define
class Model:
    """What a spawner must tell, worked out from the whole list each time."""

    limits: SpawnLimits
    bound: int
    rows: list[Row] = attrs.Factory(list)
    era: int = 0
    failed: int = 0
    refused: int = 0
    latencies: list[float] = attrs.Factory(list)
    ends: int = 0
    now: float = 0.0

    # --- what happens ---

    def pass_until(self, until: float) -> None:
        """All that happens by itself until then, in its order."""
        due = [(row.ready_at, row, False) for row in self.living]
        due += [(row.ends_at, row, True) for row in self.living]
        passed = [(at, row, ends) for at, row, ends in due if at is not None and self.now < at <= until]
        for at, row, ends in sorted(passed, key=lambda one: one[0]):
            if ends:
                self.end(row, failed=row.kind == 3)
            else:
                self.latencies.append(at - row.at)
        self.now = until

    def begin(self, row: Row) -> None:
        self.rows.append(row)
        if row.ready_at == row.at:
            self.latencies.append(0.0)

    def end(self, row: Row, *, failed: bool = False, undone: bool = False) -> None:
        row.gone = True
        if failed or undone:
            row.undone, row.kept = True, False
            self.failed += failed
            return
        self.ends += 1
        row.went = self.ends
        gone = sorted((one for one in self.rows if one.gone and one.kept), key=lambda one: one.went)
        for one in gone[: max(0, len(gone) - self.bound)]:
            one.kept = False

    def refuse(self) -> None:
        self.refused += 1
        self.failed += 1

    def reset(self) -> None:
        self.era += 1
        self.failed = self.refused = 0
        self.latencies = []
        for row in self.rows:
            row.kept = row.kept and not row.gone

    # --- what follows ---

    @property
    def living(self) -> list[Row]:
        return [row for row in self.rows if not row.gone]

    @property
    def counted(self) -> list[Row]:
        return [row for row in self.rows if row.era == self.era and not row.undone]

    @property
    def kept(self) -> list[Row]:
        return [row for row in self.rows if row.kept]

    def cooldown(self, kind: int | None = None) -> float:
        times = [
            row.at for row in self.counted if kind is None or self.limits.per == "spawner" or row.kind == kind
        ]
        return max(0.0, max(times) + self.limits.cooldown - self.now) if times else 0.0

    def refusal(self, kind: int, depth: int, check_cooldown: bool = True) -> type[Exception] | None:
        if depth > self.limits.max_depth:
            return DepthExceeded
        if len(self.living) >= self.limits.max_active:
            return SpawnLimitReached
        return CooldownActive if check_cooldown and self.cooldown(kind) > 0 else None

    def next_event(self) -> float:
        return min((row.ends_at for row in self.living if row.ends_at is not None), default=float("inf"))


class World:
    """Runs a program on a spawner and on the model."""

    def __init__(self, limits: SpawnLimits, bound: int) -> None:
        self.model = Model(limits, bound)

    async def run(self, program: list[Step]) -> None:
        async with actors.open_system("s") as system:
            self.system = system
            self.stranger = system.spawn(Agent, "stranger")
            self.make()
            for number, step in enumerate(program):
                try:
                    await getattr(self, step[0])(*step[1:])
                    await wait_all_tasks_blocked()
                    self.model.pass_until(trio.current_time())
                    self.check()
                except BaseException as error:
                    error.add_note(f"at step {number}: {step}")
                    raise

    def make(self) -> None:
        self.spawner = Spawner(self.system, self.model.limits, name="the spawner", history=self.model.bound)

    # --- steps ---

    async def remake(self) -> None:
        self.make()

    async def reset(self) -> None:
        self.spawner.reset()
        self.model.reset()
        await trio.sleep(1 / 64)  # without a cooldown, two could begin and end at one time, in any order

    async def sleep(self, eighths: int) -> None:
        await trio.sleep(eighths / 8)

    async def spawn(self, kind: int, special: bool, trigger: SpawnTrigger) -> None:
        model = self.model
        template = ROOTS[kind]
        kinds: dict[str, Any] = {"style": "x"} if special and kind < 2 else {}
        wanted = model.refusal(kind, 0)
        call = functools.partial(self.spawner.spawn, template, specialisation=kinds, trigger=trigger)
        ref = self.expect(wanted, call)
        if ref is not None:
            model.begin(Row(ref, kind, None, trigger, 0, model.now, model.era))

    def expect(self, wanted: type[Exception] | None, call: Callable[[], actors.Ref]) -> actors.Ref | None:
        if wanted is None:
            return call()
        with pytest.raises(wanted) as caught:
            call()
        if wanted is NotAChild:
            return None
        self.model.refuse()
        if isinstance(caught.value, CooldownActive):
            assert caught.value.retry_after > 0
        if isinstance(caught.value, SpawnLimitReached):
            assert caught.value.active == len(self.model.living)
        return None

    @property
    def known(self) -> list[Row]:
        """Those whose refs anybody has: not of starts that came to nothing."""
        return [row for row in self.model.rows if row.ref is not self.stranger]

    async def clone(self, which: int) -> None:
        model, known = self.model, self.known
        row = known[which % len(known)] if known and which >= 0 else None
        if which >= 0 and row is None:
            return
        kind, depth = (-1, 1) if row is None else (row.kind, row.depth + 1)
        origin = self.stranger if row is None else row.ref
        wanted = model.refusal(kind, depth) if row is None or row.kept else NotAChild
        ref = self.expect(wanted, lambda: self.spawner.clone(origin))
        if ref is not None:
            model.begin(Row(ref, kind, origin, MANUAL, depth, model.now, model.era))

    async def start(self, kind: int, patience: float, waits: bool) -> None:
        model, call = self.model, self.spawner.wait_spawn if waits else self.spawner.start
        began = model.now
        wanted = model.refusal(kind, 0, check_cooldown=not waits)
        if wanted is not None:
            with pytest.raises(wanted):
                await call(ROOTS[kind])
            model.refuse()
            return
        until = began + patience
        while model.cooldown(kind) > 0 and model.now < until:
            model.pass_until(min(until, model.now + model.cooldown(kind), model.next_event()))
        row = None
        if model.now < until:
            row = Row(self.stranger, kind, None, MANUAL, 0, model.now, model.era)
            model.begin(row)
        ref = None
        with trio.move_on_after(patience):
            try:
                ref = await call(ROOTS[kind])
            except StartFailed:
                assert kind == 3
        if ref is not None:
            assert row is not None
            row.ref = ref
        model.pass_until(trio.current_time())
        if row is not None and ref is None and not row.gone:
            model.end(row, undone=True)

    async def despawn(self, which: int) -> None:
        if self.known:
            row = self.known[which % len(self.known)]
            assert await self.spawner.despawn(row.ref) == (not row.gone)
            if not row.gone:
                self.model.end(row)
        assert not await self.spawner.despawn(self.stranger)

    async def kill(self, which: int) -> None:
        if self.model.living:
            row = self.model.living[which % len(self.model.living)]
            row.ref.kill()
            await row.ref.wait_stopped()
            self.model.end(row)

    # --- what must hold after each of them ---

    def check(self) -> None:
        spawner, model = self.spawner, self.model
        metrics = spawner.metrics()
        assert metrics.total == len(model.counted)
        assert metrics.active == len(model.living) <= model.limits.max_active
        assert (metrics.failed, metrics.refused) == (model.failed, model.refused)
        assert metrics.by_trigger == Counter(row.trigger for row in model.counted)
        mean = sum(model.latencies) / len(model.latencies) if model.latencies else 0.0
        assert metrics.mean_latency == pytest.approx(mean)
        assert len(self.system.tree().children) == 1 + len(model.living)
        for kind, template in enumerate(ROOTS):
            assert spawner.cooldown_remaining(template) == model.cooldown(kind)
            assert spawner.can_spawn(template=template) == (model.refusal(kind, 0) is None)
        assert spawner.cooldown_remaining() == model.cooldown()
        room = len(model.living) < model.limits.max_active
        assert spawner.can_spawn(check_cooldown=False) == room
        assert spawner.can_spawn() == (room and model.cooldown() == 0)
        self.check_history()

    def check_history(self) -> None:
        spawner, model = self.spawner, self.model
        newest = [row.ref for row in reversed(model.kept)]
        assert [record.ref for record in spawner.history()] == newest
        for trigger in SpawnTrigger:
            wanted = [row.ref for row in reversed(model.kept) if row.trigger == trigger]
            assert [one.ref for one in spawner.history(trigger=trigger, limit=2)] == wanted[:2]
        for row in self.known:
            record = spawner.record(row.ref)
            assert (record is not None) == row.kept
            if record is not None:
                assert (record.depth, record.at, record.origin) == (row.depth, row.at, row.origin)
                children = tuple(one.ref for one in model.kept if one.origin == row.ref)
                assert spawner.children_of(row.ref) == children
        for kind, template in enumerate(ROOTS):
            first = tuple(row.ref for row in model.kept if row.kind == kind and row.origin is None)
            assert spawner.children_of(template) == first
        seen = spawner.statistics()
        assert seen.last_spawn == max((row.at for row in model.counted), default=None)
        assert seen.history == len(newest)


LIMITS = st.builds(
    SpawnLimits,
    max_active=st.sampled_from([1, 2, 3, 10]),
    cooldown=st.sampled_from([0.125, 0.5, 1.0, 5.0]),
    max_depth=st.integers(1, 3),
    per=st.sampled_from(["template", "template", "spawner"]),
)
KIND = st.integers(0, len(ROOTS) - 1)
WHICH = st.integers(0, 20)


class SpawnerMachine(RuleBasedStateMachine):
    """Writes a program of steps, and runs it at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.program: list[Step] = []

    @initialize(limits=LIMITS, bound=st.sampled_from([0, 1, 3, 1000]))
    def a_spawner(self, limits: SpawnLimits, bound: int) -> None:
        self.limits, self.bound = limits, bound

    @rule(kind=KIND, special=st.booleans(), trigger=st.sampled_from(SpawnTrigger))
    def spawn(self, kind: int, special: bool, trigger: SpawnTrigger) -> None:
        self.program.append(("spawn", kind, special, trigger))

    @rule(which=st.integers(-1, 20))
    def clone(self, which: int) -> None:
        self.program.append(("clone", which))

    @rule(kind=KIND, patience=st.sampled_from([0.03125, 1.53125, 1000.0]), waits=st.booleans())
    def start(self, kind: int, patience: float, waits: bool) -> None:
        self.program.append(("start", kind, patience, waits))

    @rule(which=WHICH)
    def despawn(self, which: int) -> None:
        self.program.append(("despawn", which))

    @rule(which=WHICH)
    def kill(self, which: int) -> None:
        self.program.append(("kill", which))

    @rule(eighths=st.sampled_from([1, 3, 4, 8, 12, 40]))
    def time_passes(self, eighths: int) -> None:
        self.program.append(("sleep", eighths))

    @rule()
    def remake(self) -> None:
        self.program.append(("remake",))

    @rule()
    def reset(self) -> None:
        if len(self.program) > 8:  # not too early: an empty list is a dull one
            self.program.append(("reset",))

    def teardown(self) -> None:
        if self.program:
            note(f"{self.limits}, history={self.bound}")
            note("\n".join(f"{step}" for step in self.program))
            world = World(self.limits, self.bound)
            trio.run(world.run, self.program, clock=MockClock(autojump_threshold=0))


TestSpawnerMachine = SpawnerMachine.TestCase
TestSpawnerMachine.settings = settings(
    derandomize=True, deadline=None, database=None, max_examples=rounds(80, deep=150), stateful_step_count=40
)
for _row in (48, 50, 53, 54, 55, 56, 58, 61, 62, 63):
    TestSpawnerMachine = pytest.mark.row(_row)(TestSpawnerMachine)
