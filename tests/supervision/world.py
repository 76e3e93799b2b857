"""The stage of the stateful test: a supervisor tree that keeps a record of itself.

`Script` says how the children behave, `World` runs a program of steps against a real
system and collects what happened, `World.check` compares that with the rules.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from random import Random
from typing import Any

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

import actors
from actors import Backoff, Breaker, Policy, System
from actors.events import DeadLetter, Escalated, Event, Failed, Restarted, Restarting, StartAttemptFailed
from tests.leftovers import TaskWatch, relics

__all__ = ["Play", "Role", "Step", "World"]

Step = tuple[Any, ...]
ROUND = 60.0
"""Seconds that a round of stops takes at most here."""


@attrs.frozen
class Role:
    """How one child behaves. `start` and `stop` say what its hooks do, each time or once.

    A `plain` one has no task before it has to wait, and its hooks never wait.
    """

    restart: str = "transient"
    delay: float = 0.0
    retries: int = 0
    start: str = "ok"
    stop: str = "ok"
    breaker: bool = False
    family: bool = False
    plain: bool = False

    @property
    def what(self) -> type[Child]:
        """The class of such a child."""
        return Family if self.family else PlainChild if self.plain else Child

    @property
    def policy(self) -> Policy:
        return Policy(
            restart=self.restart,  # type: ignore[arg-type]
            retries=self.retries,
            backoff=Backoff(initial=self.delay, maximum=self.delay, jitter=0.0),
            breaker=Breaker(failures=2, within=60.0, reset_after=20.0) if self.breaker else None,
            shutdown=2.0,
        )


@actors.message
class Play(actors.Request[int]):
    """Numbered work: takes a while, then returns, fails, refuses, or ends the actor."""

    number: int
    then: str = "return"
    seconds: float = 0.0


@attrs.define
class Life:
    """One incarnation."""

    path: str
    number: int
    ended: bool = False


@attrs.define(eq=False)
class World:
    """One run: the roles, the system, and the record of everything."""

    strategy: actors.OneForOne | actors.OneForAll | actors.RestForOne
    roles: tuple[Role, ...]
    system: System | None = None
    middles: list[Middle] = attrs.field(factory=list)
    refs: list[actors.Ref] = attrs.field(factory=list[actors.Ref])
    spawned_at: dict[actors.Ref, float] = attrs.field(factory=dict[actors.Ref, float])
    ordered: set[actors.Ref] = attrs.field(factory=set[actors.Ref])
    lives: list[Life] = attrs.field(factory=list[Life])
    told: list[int] = attrs.field(factory=list[int])
    asked: list[actors.Pending[int]] = attrs.field(factory=list[actors.Pending[int]])
    handled: Counter[int] = attrs.field(factory=Counter[int])
    dead: Counter[int] = attrs.field(factory=Counter[int])
    watched: set[actors.Ref] = attrs.field(factory=set[actors.Ref])
    notices: Counter[actors.Ref] = attrs.field(factory=Counter[actors.Ref])
    events: list[Event] = attrs.field(factory=list[Event])
    faults: list[str] = attrs.field(factory=list[str])
    failures: list[float] = attrs.field(factory=list[float])

    # --- what the actors report ---

    def begin(self, path: str, number: int) -> Life:
        """An incarnation begins; another one of the same path must not live."""
        if any(not life.ended and life.path == path for life in self.lives):
            self.faults.append(f"two incarnations of {path} live")
        life = Life(path, number)
        self.lives.append(life)
        return life

    def stops_in_order(self, ctx: actors.Context, exit: actors.Exit) -> None:
        """Called first in `on_stop`: whoever its supervisor stops is the last one of those that run."""
        assert self.system is not None
        if exit.kind is not actors.ExitKind.SHUTDOWN or ctx.ref in self.ordered:
            return
        siblings = self.system.children(ctx.parent)
        before = set(siblings[siblings.index(ctx.ref) + 1 :])
        everybody = isinstance(self.strategy, actors.OneForAll) or ctx.parent.state != "IDLE"
        if everybody:
            before.update(ref for ref in siblings if ref.name is None)
        for other in before if ctx.ref.name is not None else ():
            down = other.state in ("BACKING_OFF", "CIRCUIT_OPEN", "STOPPED")
            newcomer = self._came_during_a_round(other)
            if not down and not newcomer:
                self.faults.append(f"{ctx.ref.path} stops before {other.path}, which is {other.state}")

    def _came_during_a_round(self, ref: actors.Ref) -> bool:
        """It was spawned while a group that had failed before may still have been stopping."""
        came, since = self.spawned_at.get(ref, -1.0), trio.current_time() - ROUND
        return any(since <= failed <= came for failed in self.failures)

    def enter(self, ref: actors.Ref) -> None:
        """A child of the middle was spawned."""
        self.refs.append(ref)
        self.spawned_at[ref] = trio.current_time()

    # --- the run ---

    async def run(self, program: list[Step]) -> None:
        """Carry the program out in a system of its own, and check everything."""
        with TaskWatch() as watch:
            strategy = actors.OneForOne(max_restarts=10**6)
            async with actors.open_system("world", strategy=strategy, random=Random(0)) as self.system:
                kinds = (DeadLetter, Failed, StartAttemptFailed, Restarting, Restarted, Escalated)
                async with self.system.subscribe(*kinds) as events:
                    await self._play(program)
                    self.events = list(iter(events.next_nowait, None))
        left = watch.left_behind(trio.lowlevel.current_task()) + relics([self.system])
        assert not left, left
        self.check()

    async def _play(self, program: list[Step]) -> None:
        assert self.system is not None
        watcher = await self.system.start(Watcher, self, name="watcher")
        middle = self.system.spawn(
            Middle, self, name="middle", policy=Role(delay=0.5, restart="permanent").policy
        )
        await wait_all_tasks_blocked()
        for step in program:
            await self._step(step, middle, watcher)
        for ref in (middle, *self.refs):
            ref.resume()
        middle.stop()
        await middle.wait_stopped()
        await wait_all_tasks_blocked()

    async def _step(self, step: Step, middle: actors.Ref, watcher: actors.Ref) -> None:
        assert self.system is not None
        name, *rest = step
        if name == "sleep":
            await trio.sleep(rest[0])
        elif name == "settle":
            await wait_all_tasks_blocked()
        elif name == "spawn":
            self._spawn(*rest)
        elif name == "order middle":
            getattr(middle, rest[0])()
        elif self.refs:
            ref = self.refs[rest[0] % len(self.refs)]
            if name == "watch":
                watcher.tell(ref)
                await wait_all_tasks_blocked()
            elif name == "reset":
                self.system.reset_breaker(ref.path)
            elif name == "interrupt":
                with trio.move_on_after(3):
                    await ref.interrupt()
            elif name == "order":
                if rest[1] in ("stop", "kill", "drain"):
                    self.ordered.add(ref)
                getattr(ref, rest[1])()
            else:
                self._message(name, ref, *rest[1:])

    def _spawn(self, role: Role, named: bool) -> None:
        if not self.middles:
            return
        name = f"d{len(self.refs) % 3}" if named else None  # names come back, and their breakers with them
        with suppress(actors.ActorStopped, actors.NameTaken):
            what = PlainChild if role.plain else Child
            self.enter(self.middles[-1].spawn(what, self, role, [], name=name, policy=role.policy))

    def _message(self, name: str, ref: actors.Ref, then: str, seconds: float, urgent: bool) -> None:
        number = len(self.told) + len(self.asked)
        message = Play(number, then, seconds)
        if name == "ask":
            self.asked.append(ref.request(message, timeout=500.0))
        else:
            self.told.append(number)
            ref.tell(message, urgent=urgent)

    # --- the rules ---

    def check(self) -> None:
        """Everything that must hold after any run."""
        for event in self.events:
            if isinstance(event, DeadLetter) and isinstance(event.message, Play):
                self.dead[event.message.number] += 1
        self._check_conservation()
        self._check_watches()
        self._check_budget()
        for life in self.lives:
            if not life.ended:
                self.faults.append(f"{life} never ended")
        assert not self.faults, "\n".join(self.faults)

    def _check_conservation(self) -> None:
        """Every told message was handled or is a dead letter, once; every request has ended."""
        for number in self.told:
            if self.handled[number] + self.dead[number] != 1:
                said = f"handled {self.handled[number]} times, dead {self.dead[number]} times"
                self.faults.append(f"message {number}: {said}")
        for pending in self.asked:
            if not pending.done:
                self.faults.append(f"{pending} never ended")

    def _check_watches(self) -> None:
        """Each watched actor is gone, and was reported exactly once."""
        for ref in self.watched:
            if self.notices[ref] != 1:
                self.faults.append(f"{ref!r}: {self.notices[ref]} notices")

    def _check_budget(self) -> None:
        """No more restarts of a child within any window than allowed, its breaker's left out.

        A group spends when one fails and restarts later, so its window must be endless here.
        """
        allowed, within = self.strategy.max_restarts, self.strategy.within
        alone = isinstance(self.strategy, actors.OneForOne)
        breakers = {ref for ref in self.refs if ref.cell.policy.breaker is not None}
        if breakers and not alone:
            return
        by_child: dict[actors.Ref, list[float]] = {}
        for event in self.events:
            if isinstance(event, Restarting if alone else Restarted) and event.ref in self.spawned_at:
                by_child.setdefault(event.ref, []).append(event.at)
        for ref, times in by_child.items():
            if ref in breakers:
                continue
            most = max(sum(1 for at in times if last - within <= at <= last) for last in times)
            if most > allowed:
                self.faults.append(f"{ref!r} restarted {most} times within {within:g} s")


class Child(actors.Actor):
    """Plays its role; `done` is what it has done once already, over all incarnations."""

    def __init__(self, world: World, role: Role, done: list[str]) -> None:
        self.world = world
        self.role = role
        self.done = done
        self.life = world.begin(self.ctx.ref.path, len(world.lives))

    async def on_start(self) -> None:
        await self.hook("start", self.role.start)

    async def on_stop(self, exit: actors.Exit) -> None:
        if exit.is_failure:
            self.world.failures.append(trio.current_time())
        self.world.stops_in_order(self.ctx, exit)
        try:
            await self.hook("stop", self.role.stop)
        finally:
            self.life.ended = True

    async def hook(self, which: str, what: str) -> None:
        if self.is_over(which, what):
            return
        if what.startswith("slow"):
            await trio.sleep(1.0)
        elif what.startswith("hangs"):
            await trio.sleep_forever()
        self.fail(which, what)

    def is_over(self, which: str, what: str) -> bool:
        """True for what is done but once, and was done."""
        if not what.endswith("once"):
            return False
        was_done = which in self.done
        self.done.append(which)
        return was_done

    def fail(self, which: str, what: str) -> None:
        if what.startswith("raises"):
            raise ArithmeticError(which)

    @actors.receive
    async def play(self, message: Play) -> int:
        return await self.play_slowly(message)

    async def play_slowly(self, message: Play) -> int:
        if message.seconds:
            await trio.sleep(message.seconds)
        return self.end_of(message)

    def end_of(self, message: Play) -> int:
        if message.then == "fail":
            raise ArithmeticError(str(message.number))
        self.world.handled[message.number] += 1
        if message.then == "refuse":
            raise actors.Refused("no")
        if message.then == "end":
            self.ctx.stop()
        return message.number


class PlainChild(Child):
    """A child whose hooks and handlers are plain; what has to wait is returned as a coroutine."""

    def on_start(self) -> None:
        if not self.is_over("start", self.role.start):
            self.fail("start", self.role.start)

    def on_stop(self, exit: actors.Exit) -> None:
        if exit.is_failure:
            self.world.failures.append(trio.current_time())
        self.world.stops_in_order(self.ctx, exit)
        self.life.ended = True
        if not self.is_over("stop", self.role.stop):
            self.fail("stop", self.role.stop)

    @actors.receive
    def play(self, message: Play) -> Any:
        return self.play_slowly(message) if message.seconds else self.end_of(message)


class Family(Child, actors.Supervisor):
    """A child with two children of its own."""

    async def on_start(self) -> None:
        what = PlainChild if self.role.plain else Child
        for name in ("x", "y"):
            await self.start(what, self.world, Role(), [], name=name, policy=Role().policy)
        await super().on_start()


class Middle(actors.Supervisor):
    """The supervisor under test."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.strategy = world.strategy
        self.life = world.begin(self.ctx.ref.path, len(world.lives))

    async def on_start(self) -> None:
        self.world.middles.append(self)
        for number, role in enumerate(self.world.roles):
            name = f"c{number}"
            self.world.enter(self.spawn(role.what, self.world, role, [], name=name, policy=role.policy))

    async def on_stop(self, exit: actors.Exit) -> None:
        if self.children:
            self.world.faults.append(f"the middle ends before {self.children}")
        self.life.ended = True


class Watcher(actors.Actor):
    """Watches what it is told, and counts the notices."""

    def __init__(self, world: World) -> None:
        self.world = world

    @actors.receive
    def watch(self, ref: actors.Ref) -> None:
        self.ctx.watch(ref)
        self.ctx.watch(ref)
        self.world.watched.add(ref)

    @actors.receive
    def gone(self, notice: actors.Terminated) -> None:
        self.world.notices[notice.ref] += 1
