"""The stage on which both roads are compared: it plays a program, and writes down all that can be seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

import attrs
import pytest
import trio

import actors
from actors import Backoff, Breaker, Mailbox, Policy
from actors.events import ActorEvent, DeadLetter, Event
from tests.core.cast import drained, settled
from tests.leftovers import TaskWatch, relics

__all__ = ["DEEDS", "Player", "Role", "Seen", "Stage", "Step", "differences", "first_come_first_served"]

Step = tuple[Any, ...]


@attrs.frozen
class Role:
    """What one actor is like."""

    restart: str = "transient"
    delay: float = 0.0
    retries: int = 0
    start: str = "ok"
    stop: str = "ok"
    breaker: bool = False
    capacity: int = 1000
    overflow: str = "reject"
    shutdown: float = 2.0

    def policy(self, number: int) -> Policy:
        """Two actors never restart at the same moment: who is first then is nobody's promise."""
        return Policy(
            restart=self.restart,  # type: ignore[arg-type]
            retries=self.retries,
            backoff=Backoff.fixed(self.delay and self.delay + number / 128),
            breaker=Breaker(failures=1, within=60.0, reset_after=2.5) if self.breaker else None,
            mailbox=Mailbox(capacity=self.capacity, overflow=self.overflow),  # type: ignore[arg-type]
            shutdown=self.shutdown,
        )


@actors.message
class Act(actors.Request[Any]):
    """Told or asked: the actor does the deeds, one after the other. `number` tells messages apart."""

    number: int | str
    deeds: tuple[tuple[str, int], ...] = ()


@attrs.define
class Seen:
    """All that could be seen after one step."""

    step: Step
    at: float
    actors: dict[str, list[Any]] = attrs.field(factory=dict[str, list[Any]])
    results: list[Any] = attrs.field(factory=list[Any])
    states: dict[str, Any] = attrs.field(factory=dict[str, Any])

    def add(self, path: str, fact: Any) -> None:
        self.actors.setdefault(path, []).append(fact)


class _InOrder(Random):
    """What trio draws the order of tasks from: they run in the order in which they became able to."""

    def random(self) -> float:
        return 0.0


@contextmanager
def first_come_first_served() -> Generator[None]:
    """Tasks run in the order in which they became able to, and not in one that trio draws."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio._core._run, "_ALLOW_DETERMINISTIC_SCHEDULING", False)  # type: ignore[attr-defined]
        patch.setattr(trio._core._run, "_r", _InOrder())  # type: ignore[attr-defined]
        yield


@attrs.define(eq=False)
class Stage:
    """One run of a program."""

    strategy: actors.OneForOne | actors.OneForAll | actors.RestForOne
    roles: tuple[Role, ...]
    seen: list[Seen] = attrs.field(factory=list[Seen])
    system: Any = None
    nursery: Any = None
    watcher: Any = None
    """An actor that nobody stops: for others it is open which notices they still take."""
    tops: list[Top] = attrs.field(factory=list)
    refs: list[actors.Ref] = attrs.field(factory=list[actors.Ref])
    living: list[actors.Ref] = attrs.field(factory=list[actors.Ref])
    ports: list[actors.ReplyPort] = attrs.field(factory=list[actors.ReplyPort])
    asked: list[actors.Pending[Any]] = attrs.field(factory=list[actors.Pending[Any]])
    numbers: Counter[str] = attrs.field(factory=Counter[str])

    # --- the run ---

    async def play(self, program: list[Step]) -> None:
        """Carry the program out, and write down what is seen after each step."""
        with TaskWatch() as watch:
            async with (
                actors.open_system(
                    "stage", strategy=actors.OneForOne(max_restarts=10**6), random=Random(0), watchdog=None
                ) as self.system,
                self.system.subscribe() as events,
                trio.open_nursery() as self.nursery,
            ):
                await self._play(program, events)
        left = watch.left_behind(trio.lowlevel.current_task()) + relics([self.system])
        assert not left, left

    async def _play(self, program: list[Step], events: actors.Subscription) -> None:
        self.seen.append(Seen(("begin",), 0.0))
        self.watcher = self.system.spawn(Player, self, Role(), [], name="watcher")
        top = self.system.spawn(Top, self, name="top", policy=Policy(restart="temporary"))
        await self._look(events)
        for step in [*(("spawn", role, f"c{number}") for number, role in enumerate(self.roles)), *program]:
            self.seen.append(Seen(step, trio.current_time()))
            try:
                await self._step(top, *step)
            except (actors.ActorError, TypeError) as error:
                self.result("raised", said(error))
            await self._look(events)
        self.seen.append(Seen(("end",), trio.current_time()))
        for ref in self.refs:
            ref.resume()
            await self._look(events)
        for ref in reversed(self.refs):
            ref.stop()
            await self._look(events)
        top.stop()
        await top.wait_stopped()
        await trio.sleep(100)
        self.nursery.cancel_scope.cancel()
        await self._look(events)

    async def _look(self, events: actors.Subscription) -> None:
        with trio.CancelScope(shield=True):
            await settled()
        now = self.seen[-1]
        for event in drained(events):
            now.add(*fact(event))
        now.results.sort(key=str)
        for facts in now.actors.values():
            sort_notices(facts)
        now.states = {ref.path: looks(ref) for ref in (self.watcher, *self.refs)}
        now.at = trio.current_time()
        self.living = [ref for ref in self.refs if ref.state is not actors.ActorState.STOPPED]

    def result(self, *what: Any) -> None:
        """What somebody outside of the actors heard."""
        self.seen[-1].results.append((trio.current_time(), *what))

    def write(self, ctx: actors.Context, *what: Any) -> None:
        """What an actor saw."""
        self.seen[-1].add(ctx.ref.path, (trio.current_time(), *what))

    def one(self, who: int) -> actors.Ref:
        """One of those that lived when all had settled last, now and then one that is dead."""
        among = self.living if who < 5 and self.living else self.refs
        return among[who % len(among)]

    # --- the steps ---

    async def _step(self, top: actors.Ref, name: str, *rest: Any) -> None:
        if name == "sleep":
            await trio.sleep(rest[0])
        elif name == "top":
            getattr(top, rest[0])()
        elif name in ("spawn", "start"):
            self._enter(name, *rest)
        elif name == "group tell":
            self.result(name, self.system.group("crew").tell(self.message(rest[0])))
        elif name == "group ask":
            self.nursery.start_soon(self._ask_all, self.message(rest[0]))
        elif name == "answer":
            self._answer(*rest)
        elif name == "cancel":
            if self.asked:
                self.asked[rest[0] % len(self.asked)].cancel()
        else:
            ref = self.one(rest[0])
            if name == "order":
                self._order(ref, rest[1])
            elif name == "reset":
                self.system.reset_breaker(ref.path)
            elif name in ("watch", "unwatch"):
                self.watcher.tell(self.message(((name, rest[0]),)))
            elif name == "strange":
                ref.tell("strange")
            else:
                self._message(name, ref, *rest[1:])

    def message(self, deeds: tuple[tuple[str, int], ...] = ()) -> Act:
        """A numbered message of the stage."""
        self.numbers[""] += 1
        return Act(self.numbers[""], deeds)

    def message_of(self, ctx: actors.Context) -> Act:
        """A message of an actor, numbered by what it has sent itself."""
        self.numbers[ctx.ref.path] += 1
        return Act(f"{self.numbers[ctx.ref.path]} of {ctx.ref.path}")

    def _enter(self, name: str, role: Role, called: str | None) -> None:
        if name == "spawn":
            policy = role.policy(len(self.refs))
            self.refs.append(self.tops[-1].spawn(Player, self, role, [], name=called, policy=policy))
        else:
            self.nursery.start_soon(self._start, self.tops[-1], role, called)

    async def _start(self, top: Top, role: Role, name: str | None) -> None:
        with suppress(actors.ActorError):
            policy = role.policy(len(self.refs))
            self.refs.append(await top.start(Player, self, role, [], name=name, policy=policy))
            return
        self.result("not started", name)

    def _order(self, ref: actors.Ref, order: str) -> None:
        if order == "interrupt":
            self.nursery.start_soon(self._interrupt, ref)
        elif order == "suspend until":
            ref.suspend(until_message=True)
        else:
            getattr(ref, order)()

    def _message(self, name: str, ref: actors.Ref, *rest: Any) -> None:
        if name == "tell":
            ref.tell(self.message(rest[0]), urgent=rest[1])
        elif name == "burst":
            for deeds in rest[0]:
                ref.tell(self.message(deeds))
        elif name == "request":
            message = self.message(rest[0])
            self.asked.append(ref.request(message, timeout=rest[1]))
            self.nursery.start_soon(self._hear, message.number, self.asked[-1].wait)
        elif name == "send":
            message = self.message()
            self.nursery.start_soon(self._hear, message.number, lambda: ref.send(message))
        else:
            message = self.message(rest[0]) if rest else Strange()
            timeout = rest[1] if rest else None
            number = message.number if isinstance(message, Act) else "strange"
            self.nursery.start_soon(self._hear, number, lambda: ref.ask(message, timeout=timeout))

    async def _hear(self, number: int | str, wait: Callable[[], Any]) -> None:
        try:
            heard = await wait()
        except actors.ActorError as error:
            heard = said(error)
        self.result("heard", number, heard)

    async def _interrupt(self, ref: actors.Ref) -> None:
        self.result("interrupted", ref.path, await ref.interrupt())

    async def _ask_all(self, message: Act) -> None:
        outcomes = await self.system.group("crew").ask_all(message, timeout=10.0)
        for ref, outcome in outcomes.items():
            heard = outcome.value if outcome.ok else said(outcome.error)
            self.result("of the crew", message.number, ref.path, heard, outcome.elapsed)

    def _answer(self, who: int, how: str) -> None:
        if self.ports:
            port = self.ports.pop(who % len(self.ports))
            if how == "value":
                port.answer("later")
            else:
                port.fail(LookupError("later"))


@actors.message
class Strange(actors.Request[None]):
    """Nobody has a handler for it."""


# --- the actors -----------------------------------------------------------------


class Player(actors.Actor):
    """Does what it is told, by plain code; what has to wait is returned as a coroutine."""

    def __init__(self, stage: Stage, role: Role, done: list[str]) -> None:
        self.stage = stage
        self.role = role
        self.done = done
        self.write("made")

    def write(self, *what: Any) -> None:
        self.stage.write(self.ctx, *what)

    def on_start(self) -> None:
        self.write("starts")
        self.hook(self.role.start)

    def on_stop(self, exit: actors.Exit) -> None:
        self.write("stops", said_exit(exit), len(self.ctx.pending))
        self.hook(self.role.stop)

    def hook(self, what: str) -> None:
        if what == "tells":
            self.ctx.ref.tell(self.stage.message_of(self.ctx))
        elif what == "raises" or (what == "raises once" and what not in self.done):
            self.done.append(what)
            raise ArithmeticError("hook")

    @actors.receive
    def terminated(self, notice: actors.Terminated) -> None:
        self.write("notice", notice.ref.path, said_exit(notice.exit))

    @actors.receive
    def act(self, message: Act) -> Any:
        sender = self.ctx.sender
        self.write("acts", message.number, None if sender is None else sender.path)
        for deed, who in message.deeds:
            DOES[deed](self, self.stage.one(who))
            if deed in WAITS:
                return self.wait(deed, int(message.number))
        return message.number

    async def wait(self, deed: str, number: int) -> int:
        await trio.sleep(WAITS[deed] + number / 1024)
        self.write("waited", number)
        if deed == "wait and crash":
            raise ArithmeticError("waited")
        return number

    def crash(self) -> None:
        raise ArithmeticError("crashed")

    def refuse(self) -> None:
        raise actors.Refused("no")

    def tell(self, other: actors.Ref, urgent: bool = False) -> None:
        with suppress(actors.MailboxFull):
            other.tell(self.stage.message_of(self.ctx), urgent=urgent)

    def after(self, delay: float) -> None:
        self.ctx.after(delay, self.stage.message_of(self.ctx))

    def every(self) -> None:
        self.ctx.every(4.0, self.stage.message_of(self.ctx))


WAITS = {"wait": 1.0, "wait and crash": 1.0, "wait long": 30.0}
DOES: dict[str, Callable[[Player, actors.Ref], Any]] = {
    "nothing": lambda player, _: None,
    "crash": lambda player, _: player.crash(),
    "refuse": lambda player, _: player.refuse(),
    "quit": lambda player, _: player.ctx.stop(),
    "stop": lambda player, other: other.stop(),
    "drain": lambda player, other: other.drain(),
    "kill": lambda player, other: other.kill(),
    "stop itself": lambda player, _: player.ctx.ref.stop(),
    "drain itself": lambda player, _: player.ctx.ref.drain(),
    "kill itself": lambda player, _: player.ctx.ref.kill(),
    "suspend": lambda player, other: other.suspend(),
    "suspend itself": lambda player, _: player.ctx.ref.suspend(),
    "suspend until": lambda player, _: player.ctx.ref.suspend(until_message=True),
    "resume": lambda player, other: other.resume(),
    "reply": lambda player, _: player.ctx.reply("early"),
    "reply later": lambda player, _: player.stage.ports.append(player.ctx.reply_later()),
    "after": lambda player, _: player.after(1.0),
    "after 0": lambda player, _: player.after(0.0),
    "every": lambda player, _: player.every(),
    "join": lambda player, _: player.ctx.join("crew"),
    "leave": lambda player, _: player.ctx.leave("crew"),
    "tell": lambda player, other: player.tell(other),
    "tell itself": lambda player, _: player.tell(player.ctx.ref),
    "tell itself urgently": lambda player, _: player.tell(player.ctx.ref, urgent=True),
    "request": lambda player, _: player.ctx.ref.request(player.stage.message_of(player.ctx)),
    "progress": lambda player, _: player.ctx.progress(),
    "wait": lambda player, _: None,
    "wait and crash": lambda player, _: None,
    "wait long": lambda player, _: None,
}
DEEDS = list(DOES)
DOES |= {
    "watch": lambda player, other: player.ctx.watch(other),
    "unwatch": lambda player, other: player.ctx.unwatch(other),
}


class Top(actors.Supervisor):
    """The supervisor of all players."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.strategy = stage.strategy

    def on_start(self) -> None:
        self.stage.tops.append(self)

    def on_stop(self, exit: actors.Exit) -> None:
        self.stage.write(self.ctx, "stops", said_exit(exit), self.children)


# --- what is compared -----------------------------------------------------------


def said(error: BaseException | None) -> Any:
    """An error, and what it came from."""
    return error and (type(error).__name__, str(error), said(error.__cause__))


def said_exit(exit: actors.Exit) -> Any:
    return exit.kind.value, exit.reason, exit.value, said(exit.error)


def shown(value: Any) -> Any:
    if isinstance(value, actors.Ref):
        return value.path
    if isinstance(value, actors.Exit):
        return said_exit(value)
    return said(value) if isinstance(value, BaseException) else value


def fact(event: Event) -> tuple[str, Any]:
    """Whom it is about, and all that it says."""
    fields = [getattr(event, field.name) for field in type(event).__attrs_attrs__]  # type: ignore[attr-defined]
    path = event.ref.path if isinstance(event, ActorEvent) else ""
    place = f"{path} dead letters" if isinstance(event, DeadLetter) else f"{path} events"
    return place, (type(event).__name__, *map(shown, fields))


def sort_notices(facts: list[Any]) -> None:
    """In which order several that end at one moment are reported is nobody's promise."""
    at = [index for index, fact in enumerate(facts) if fact[1] == "notice"]
    for index, notice in zip(at, sorted((facts[index] for index in at), key=str), strict=True):
        facts[index] = notice


def looks(ref: actors.Ref) -> Any:
    """What everybody can see of an actor."""
    numbers = attrs.asdict(ref.statistics())
    del numbers["last_activity"]  # one that had to take a task also counts the end of a handling
    exit = ref.cell.exit
    return ref.state.value, numbers, exit and said_exit(exit), repr(ref)


def differences(one: Seen, other: Seen) -> list[str]:
    """What only one of them has seen, in lines."""
    return list(_differences("", attrs.asdict(one), attrs.asdict(other)))


def _differences(where: str, one: Any, other: Any) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from _differences(f"{where} {key}", one.get(key), other.get(key))
    elif one != other:
        yield f"{where}: {one} is not {other}"
