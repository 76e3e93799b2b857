"""The stage on which children here and children elsewhere are compared: it plays one program with each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import attrs
import trio
from trio.testing import wait_all_tasks_blocked

import actors
from actors import Backoff, Breaker, Mailbox, Policy
from actors.events import (
    BreakerClosed,
    BreakerOpened,
    DeadLetter,
    Escalated,
    Event,
    Failed,
    Restarted,
    Restarting,
    StartAttemptFailed,
    Started,
    Stopped,
)
from tests.core.cast import drained
from tests.remote.stage import linked

__all__ = ["DEEDS", "Role", "Seen", "Step", "Twin", "play"]

Step = tuple[Any, ...]
KINDS: tuple[type[Event], ...] = (
    BreakerClosed, BreakerOpened, DeadLetter, Escalated, Failed, Restarted, Restarting,
    StartAttemptFailed, Started, Stopped,
)  # fmt: skip


@attrs.frozen
class Role:
    """What one child is like."""

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
        """Two children never restart at the same moment: who is first then is nobody's promise."""
        return Policy(
            restart=self.restart,  # type: ignore[arg-type]
            retries=self.retries,
            backoff=Backoff.fixed(self.delay and self.delay + number / 128),
            breaker=Breaker(failures=1, within=60.0, reset_after=2.5) if self.breaker else None,
            mailbox=Mailbox(capacity=self.capacity, overflow=self.overflow),  # type: ignore[arg-type]
            shutdown=self.shutdown,
        )


@actors.message(tag="test.twins.Act")
class Act(actors.Request[int | str]):
    """Told or asked: the child does the deeds, one after the other. `number` tells messages apart."""

    number: int | str
    deeds: tuple[str, ...] = ()


@actors.message(tag="test.twins.Strange")
class Strange:
    """Nobody has a handler for it."""


@attrs.define
class Seen:
    """All that could be seen after one step."""

    step: Step
    at: float = 0.0
    children: dict[str, list[Any]] = attrs.field(factory=dict[str, list[Any]])
    ends: list[Any] = attrs.field(factory=list[Any])
    """In which order the children ended; in which they begin is nobody's promise."""
    results: list[Any] = attrs.field(factory=list[Any])
    states: dict[str, Any] = attrs.field(factory=dict[str, Any])


class World:
    """What the children of the running program write into; both nodes are in this process."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.ports: list[actors.ReplyPort] = []
        self.failed_once: set[str] = set()
        self.numbers: Counter[str] = Counter()

    def write(self, path: str, *what: Any) -> None:
        """What a child saw."""
        self.seen[-1].children.setdefault(path, []).append((round(trio.current_time(), 6), *what))

    def hook(self, path: str, what: str) -> None:
        """A child begins or ends."""
        self.write(path, what)
        if what != "starts":
            self.seen[-1].ends.append((path, what))


WORLD: list[World] = []


class Twin(actors.Actor):
    """Does what it is told."""

    def __init__(self, start: str, stop: str) -> None:
        self.path = self.ctx.ref.path
        self.start = start
        self.stop = stop

    def write(self, *what: Any) -> None:
        WORLD[-1].write(self.path, *what)

    async def on_start(self) -> None:
        WORLD[-1].hook(self.path, "starts")
        if self.start != "ok":
            await trio.sleep(0.5)
        if self.start == "raises":
            raise ArithmeticError("start")
        if self.start == "raises once" and self.path not in WORLD[-1].failed_once:
            WORLD[-1].failed_once.add(self.path)
            raise ArithmeticError("start")

    async def on_stop(self, exit: actors.Exit) -> None:
        WORLD[-1].hook(self.path, "stops")
        if self.stop == "slow":
            await trio.sleep(0.25)
            WORLD[-1].hook(self.path, "has stopped")
        if self.stop == "raises":
            raise ArithmeticError("stop")

    @actors.receive
    async def act(self, message: Act) -> int | str:
        sender = self.ctx.sender
        self.write("acts", message.number, None if sender is None else sender.path)
        await trio.sleep(
            int(self.path[-1]) / 1024 + 1 / 64
        )  # whatever goes to the other node and back is there before
        for deed in message.deeds:
            await self.do(deed)
        return message.number

    async def do(self, deed: str) -> None:
        if deed == "crash":
            raise ArithmeticError("crashed")
        if deed == "refuse":
            raise actors.Refused("no")
        if deed == "limited":
            raise actors.RateLimited("slow down", retry_after=1.25)
        if deed == "permanent":
            raise actors.PermanentFailure("never")
        if deed in ("wait", "wait long"):
            await trio.sleep(1.0 if deed == "wait" else 30.0)
            self.write("waited")
        elif deed == "quit":
            self.ctx.stop()
        elif deed == "reply":
            self.ctx.reply("early")
        elif deed == "reply later":
            WORLD[-1].ports.append(self.ctx.reply_later())
        elif deed == "tell itself":
            self.ctx.ref.tell(Act(self.number()))
        elif deed == "join":
            self.ctx.join("crew")

    def number(self) -> str:
        """Of a message of its own."""
        WORLD[-1].numbers[self.path] += 1
        return f"{WORLD[-1].numbers[self.path]} of {self.path}"


DEEDS = (
    "crash", "refuse", "limited", "permanent", "wait", "wait long", "quit", "reply", "reply later",
    "tell itself", "join",
)  # fmt: skip


class Top(actors.Supervisor):
    """The supervisor of all twins."""

    def __init__(self, strategy: Any, made: list[Top]) -> None:
        self.strategy = strategy
        made.append(self)


@attrs.define(eq=False)
class _Play:
    world: World
    system: actors.System
    nursery: trio.Nursery
    counts: bool
    """Whether what is handled and what waits is counted alike: a request whose asker has left waits no more
    over there."""
    refs: list[actors.Ref] = attrs.field(factory=list[actors.Ref])
    asked: list[actors.Pending[Any]] = attrs.field(factory=list[actors.Pending[Any]])

    @property
    def seen(self) -> Seen:
        return self.world.seen[-1]

    def result(self, *what: Any) -> None:
        """What somebody outside of the actors heard."""
        self.seen.results.append((round(trio.current_time(), 6), *what))

    def message(self, deeds: tuple[str, ...]) -> Act:
        self.world.numbers[""] += 1
        return Act(self.world.numbers[""], deeds)

    def step(self, name: str, *rest: Any) -> None:
        """Everything but sleeping."""
        if name == "answer":
            self.answer(*rest)
            return
        if name == "cancel":
            if self.asked:
                self.asked[rest[0] % len(self.asked)].cancel()
            return
        if name == "group":
            self.result(name, self.system.group("crew").tell(self.message(())))
            return
        ref = self.refs[rest[0] % len(self.refs)]
        if name == "order":
            self.order(ref, rest[1])
        elif name == "reset":
            self.system.reset_breaker(ref.path)
        elif name == "tell":
            ref.tell(self.message(rest[1]), urgent=rest[2])
        elif name == "burst":
            for deeds in rest[1]:
                ref.tell(self.message(deeds))
        elif name == "strange":
            ref.tell(Strange())
        elif name == "send":
            message = self.message(rest[1])
            self.nursery.start_soon(self.hear, message.number, lambda: ref.send(message))
        elif name == "request":
            message = self.message(rest[1])
            self.asked.append(ref.request(message, timeout=rest[2]))
            self.nursery.start_soon(self.hear, message.number, self.asked[-1].wait)
        else:
            message = self.message(rest[1])
            self.nursery.start_soon(self.hear, message.number, lambda: ref.ask(message, timeout=rest[2]))

    def order(self, ref: actors.Ref, order: str) -> None:
        if order == "interrupt":
            self.nursery.start_soon(self.interrupt, ref)
        elif order == "suspend until":
            ref.suspend(until_message=True)
        else:
            getattr(ref, order)()

    async def interrupt(self, ref: actors.Ref) -> None:
        self.result("interrupted", ref.path, await ref.interrupt())

    async def hear(self, number: int | str, wait: Callable[[], Any]) -> None:
        try:
            heard = await wait()
        except actors.ActorError as error:
            heard = said(error)
        self.result("heard", number, heard)

    def answer(self, who: int, how: str) -> None:
        if self.world.ports:
            port = self.world.ports.pop(who % len(self.world.ports))
            if how == "value":
                port.answer("later")
            else:
                port.fail(LookupError("later"))


async def play(strategy: Any, roles: list[Role], nodes: list[str], program: list[Step]) -> list[Seen]:
    """Carry the program out with the children on these nodes, and write down what is seen after each step."""
    world = World()
    WORLD.append(world)
    try:
        async with linked(spawnable=(Twin,)) as stage:
            system = stage.alpha
            async with system.subscribe(*KINDS) as events, trio.open_nursery() as nursery:
                one = _Play(world, system, nursery, counts_alike(program))
                await _play(one, events, strategy, roles, nodes, program)
                nursery.cancel_scope.cancel()
            for node in (stage.alpha, stage.beta):
                for link in node._node.associations.values():  # pyright: ignore
                    assert not link.children
                    assert not link.inbound.hosting.runs
                    assert not link.asks
    finally:
        WORLD.pop()
    return world.seen


async def _play(
    one: _Play, events: Any, strategy: Any, roles: list[Role], nodes: list[str], program: list[Step]
) -> None:
    world = one.world
    world.seen.append(Seen(("begin",)))
    made: list[Top] = []
    top = one.system.spawn(Top, strategy, made, name="top", policy=Policy(restart="temporary", breaker=None))
    await top.wait_started()
    for number, (role, node) in enumerate(zip(roles, nodes, strict=True)):
        policy = role.policy(number)
        one.refs.append(made[0].spawn(Twin, role.start, role.stop, name=f"c{number}", policy=policy, on=node))
        await _look(one, events)
    for step in program:
        world.seen.append(Seen(step))
        if step[0] == "sleep":
            await trio.sleep(step[1])
        else:
            try:
                one.step(*step)
            except actors.ActorError as error:
                one.result("raised", said(error))
        await _look(one, events)
    world.seen.append(Seen(("end",)))
    for ref in one.refs:
        ref.resume()
        await _look(one, events)
    top.stop()
    await trio.sleep(100)
    await _look(one, events)


async def _look(one: _Play, events: Any) -> None:
    await trio.sleep(3 / 128)
    await wait_all_tasks_blocked()
    seen = one.seen
    for event in drained(events):
        path = getattr(event, "ref", None)
        if path is not None and path.path.startswith("/top"):
            seen.children.setdefault(f"{path.path} events", []).append(fact(event))
    seen.results.sort(key=str)
    for facts in seen.children.values():
        sort_dead_letters(facts)
    seen.at = round(trio.current_time(), 6)
    seen.states = {ref.path: looks(ref, one.counts) for ref in one.refs}


def counts_alike(program: list[Step]) -> bool:
    """See `_Play.counts`."""
    said = str(program)
    return "0.7" not in said and "cancel" not in said


# --- what is compared ------------------------------------------------------------


def said(error: BaseException | None) -> Any:
    """An error by its name, and what it came from."""
    if error is None:
        return None
    if isinstance(error, actors.RemoteError):
        return error.type_name, error.message
    cause = said(error.__cause__)
    if isinstance(error, actors.ActorFailed | actors.RestartsExhausted | actors.ActorStopped):
        return type(error).__name__, cause
    told = isinstance(error, actors.RateLimited | actors.PermanentFailure)
    if isinstance(error, actors.ActorError) and not told:
        return type(error).__name__
    return type(error).__name__, str(error)


def said_exit(exit: actors.Exit) -> Any:
    return exit.kind.value, exit.value, said(exit.error)


def shown(value: Any) -> Any:
    if isinstance(value, actors.Ref):
        return value.path
    if isinstance(value, actors.Exit):
        return said_exit(value)
    if isinstance(value, float):
        return round(value, 3)
    return said(value) if isinstance(value, BaseException) else value


def sort_dead_letters(facts: list[Any]) -> None:
    """What waits there and what waits here end at one moment: in which order is nobody's promise."""
    at = [index for index, fact in enumerate(facts) if fact[0] == "DeadLetter"]
    for index, letter in zip(at, sorted((facts[index] for index in at), key=str), strict=True):
        facts[index] = letter


def fact(event: Event) -> Any:
    fields = [getattr(event, field.name) for field in type(event).__attrs_attrs__]  # type: ignore[attr-defined]
    return type(event).__name__, *map(shown, fields)


def looks(ref: actors.Ref, counts: bool) -> Any:
    """What everybody can see of a child."""
    seen, exit = ref.statistics(), ref.cell.exit
    numbers = (seen.handled, sum(seen.depth.values())) if counts else ()
    return ref.state.value, seen.failed, seen.restarts, *numbers, exit and said_exit(exit)
