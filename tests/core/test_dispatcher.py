"""Actors whose code is all plain: they have no task, and the dispatcher gives them turns."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState, ExitKind
from actors.events import Started, Stopped
from tests.core.cast import AT_ONCE, Die, Echo, Note, facts, settled
from tests.roads import ROADS, road

TAKES_NO_ROAD = True


# --- the cast: nobody here has a task -------------------------------------------


class Scribe(actors.Actor):
    """Writes what it is told into a book that outlives it, with who sent it."""

    def __init__(self, book: list[Any] | None = None) -> None:
        self.book = [] if book is None else book

    @actors.receive
    def note(self, message: Note) -> None:
        self.book.append((self.ctx.ref.name, message.text))

    @actors.receive
    def echo(self, message: Echo) -> str:
        return message.text

    @actors.receive
    def die(self, message: Die) -> None:
        raise RuntimeError(message.text)


@actors.message
class Do:
    """Told only: the handler calls `action(actor)`, and returns what that does."""

    action: Any


@actors.message
class DoAsked(actors.Request[Any]):
    """Answered with what `action(actor)` returns."""

    action: Any


class Doer(actors.Actor):
    """Does what it is told, by plain code."""

    @actors.receive
    def do(self, message: Do) -> Any:
        return message.action(self)

    @actors.receive
    def do_asked(self, message: DoAsked) -> Any:
        return message.action(self)

    @actors.receive
    def die(self, message: Die) -> None:
        raise RuntimeError(message.text)


class Diary(Doer):
    """Writes down its life."""

    def __init__(self, book: list[Any]) -> None:
        self.book = book

    def on_start(self) -> None:
        self.book.append((self.ctx.ref.name, "start"))

    def on_stop(self, exit: actors.Exit) -> None:
        self.book.append((self.ctx.ref.name, exit.kind.value))


def all_tasks() -> Iterator[trio.lowlevel.Task]:
    """Every task that lives."""
    root = trio.lowlevel.current_root_task()
    waiting = [] if root is None else [root]
    while waiting:
        task = waiting.pop()
        yield task
        for nursery in task.child_nurseries:
            waiting.extend(nursery.child_tasks)


async def asleep() -> None:
    await trio.sleep(1000)


def count_tasks() -> int:
    return sum(1 for _ in all_tasks())


# --- no task --------------------------------------------------------------------


async def test_a_plain_actor_adds_no_task(autojump_clock: MockClock) -> None:
    """Not at its start, not at work, not at its end, and not after a restart."""
    async with actors.open_system("alpha") as system:
        await settled()
        before = count_tasks()
        refs = [system.spawn(Scribe, name=f"scribe-{n}", policy=AT_ONCE) for n in range(100)]
        await settled()
        assert count_tasks() == before
        for ref in refs:
            ref.tell(Note("a"))
            assert await ref.ask(Echo("b")) == "b"
        assert count_tasks() == before
        for ref in refs:
            ref.tell(Die())
        await trio.sleep(1)
        assert [ref.statistics().restarts for ref in refs] == [1] * 100
        assert count_tasks() == before
        for ref in refs:
            ref.stop()
            await ref.wait_stopped()
        assert count_tasks() == before


class WithHandler(Scribe):
    @actors.receive
    async def slow(self, message: int) -> None: ...


class WithStart(Scribe):
    async def on_start(self) -> None: ...


class WithStop(Scribe):
    async def on_stop(self, exit: actors.Exit) -> None: ...


class WithUnhandled(Scribe):
    async def on_unhandled(self, message: object) -> None: ...


class Mixin:
    async def on_start(self) -> None: ...


class WithMixin(Mixin, Scribe): ...


@pytest.mark.parametrize("what", [WithHandler, WithStart, WithStop, WithUnhandled, WithMixin])
async def test_one_async_handler_or_hook_is_a_task(
    autojump_clock: MockClock, what: type[actors.Actor]
) -> None:
    """Also one that is inherited."""
    async with actors.open_system("alpha") as system:
        await settled()
        before = count_tasks()
        for n in range(10):
            await system.start(what, name=f"n{n}")
        assert count_tasks() == before + 10


async def test_a_handler_that_returns_a_coroutine_gives_its_actor_a_task_for_good(
    autojump_clock: MockClock,
) -> None:
    async def work() -> str:
        await trio.sleep(1)
        return "worked"

    async with actors.open_system("alpha") as system:
        ref = await system.start(Doer, name="doer", policy=AT_ONCE)
        before = count_tasks()
        assert await ref.ask(DoAsked(lambda _: "plain")) == "plain"
        assert count_tasks() == before
        assert await ref.ask(DoAsked(lambda _: work())) == "worked"
        assert trio.current_time() == pytest.approx(1.0)
        assert count_tasks() == before + 1
        assert await ref.ask(DoAsked(lambda _: "plain")) == "plain"
        ref.tell(Die())
        await settled()
        assert await ref.ask(DoAsked(lambda _: "again")) == "again"
        assert (ref.statistics().restarts, count_tasks()) == (1, before + 1)


async def test_messages_wait_while_a_coroutine_of_a_plain_handler_runs(autojump_clock: MockClock) -> None:
    book: list[Any] = []

    async def work() -> None:
        await trio.sleep(1)
        book.append("worked")

    async with actors.open_system("alpha") as system:
        ref = await system.start(Doer)
        ref.tell(Do(lambda _: book.append("first")))
        ref.tell(Do(lambda _: work()))
        ref.tell(Do(lambda _: book.append("last")))
        await trio.sleep(0.5)
        assert (book, ref.state) == (["first"], ActorState.BUSY)
        await trio.sleep(1)
        assert (book, ref.state) == (["first", "worked", "last"], ActorState.IDLE)


@pytest.mark.parametrize("order", ["interrupt", "stop", "drain", "kill"])
async def test_the_coroutine_of_a_plain_handler_is_ended_like_an_async_handler(
    autojump_clock: MockClock, order: str
) -> None:
    async with actors.open_system("alpha") as system:
        ref = await system.start(Doer, policy=actors.Policy(shutdown=3.0))
        pending = ref.request(DoAsked(lambda _: asleep()))
        await settled()
        if order == "interrupt":
            assert await ref.interrupt() is True
            with pytest.raises(actors.Interrupted):
                await pending.wait()
            assert ref.state is ActorState.IDLE
            return
        getattr(ref, order)()
        assert (await ref.wait_stopped()).kind is ExitKind.KILLED
        assert trio.current_time() == pytest.approx(0.0 if order == "kill" else 3.0)
        with pytest.raises(actors.ActorStopped):
            await pending.wait()


@pytest.mark.parametrize("order", ["stop", "drain", "kill"])
async def test_a_handler_that_orders_its_own_end_and_waits_has_the_time_that_all_have(
    autojump_clock: MockClock, order: str
) -> None:
    """Its coroutine is cancelled when `shutdown` has run out."""

    def end(actor: Doer) -> Any:
        getattr(actor.ctx.ref, order)()
        return asleep()

    async with actors.open_system("alpha") as system:
        ref = await system.start(Doer, policy=actors.Policy(shutdown=3.0))
        ref.tell(Do(end))
        assert (await ref.wait_stopped()).kind is ExitKind.KILLED
        assert trio.current_time() == pytest.approx(0.0 if order == "kill" else 3.0)


# --- whose turn it is -----------------------------------------------------------


async def test_a_told_message_is_handled_only_after_the_tellers_step(autojump_clock: MockClock) -> None:
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        scribe = await system.start(Scribe, book, name="scribe")
        scribe.tell(Note("a"))
        scribe.tell(Note("b"), urgent=True)
        assert book == []
        await settled()
        assert book == [("scribe", "b"), ("scribe", "a")]


async def test_what_a_handler_tells_is_handled_only_after_it(autojump_clock: MockClock) -> None:
    """Told to another, to itself, and to one that it spawns."""
    book: list[Any] = []

    def tell_all(actor: Doer) -> None:
        other.tell(Note("other"))
        actor.ctx.system.spawn(Scribe, book, name="new").tell(Note("new"))
        actor.ctx.ref.tell(Do(lambda _: book.append("itself")))
        book.append("told")

    async with actors.open_system("alpha") as system:
        other = await system.start(Scribe, book, name="other")
        doer = await system.start(Doer)
        doer.tell(Do(tell_all))
        await settled()
        assert book[0] == "told"
        assert sorted(map(str, book[1:])) == ["('new', 'new')", "('other', 'other')", "itself"]


async def test_messages_of_one_sender_come_in_the_order_of_sending(autojump_clock: MockClock) -> None:
    """From tasks and from actors, told, sent and asked, when all talk at once."""
    book: list[tuple[str, int]] = []

    class Sink(actors.Actor):
        @actors.receive
        def take(self, message: tuple) -> None:  # type: ignore[type-arg]
            book.append(message)

        @actors.receive
        def take_asked(self, message: DoAsked) -> None:
            book.append(message.action)

    class Source(actors.Actor):
        @actors.receive
        def go(self, number: int) -> None:
            sink.tell((self.ctx.ref.name, number))
            if number % 7 == 3:
                self.ctx.ref.tell(number + 1, urgent=True)
            elif number < 200:
                self.ctx.ref.tell(number + 1)

    async def source(name: str) -> None:
        for number in range(200):
            if number % 3 == 0:
                sink.tell((name, number))
            elif number % 3 == 1:
                await sink.send((name, number))
            else:
                await sink.ask(DoAsked((name, number)))

    async with actors.open_system("alpha") as system:
        policy = actors.Policy(mailbox=actors.Mailbox(capacity=float("inf")))
        sink = await system.start(Sink, policy=policy)
        for n in range(3):
            system.spawn(Source, name=f"actor{n}").tell(0)
        async with trio.open_nursery() as nursery:
            for n in range(3):
                nursery.start_soon(source, f"task{n}")
        await settled()
        by_sender: dict[str, list[int]] = {}
        for name, number in book:
            by_sender.setdefault(name, []).append(number)
        assert sorted(by_sender) == ["actor0", "actor1", "actor2", "task0", "task1", "task2"]
        for name, numbers in by_sender.items():
            assert numbers == list(range(200 if name.startswith("task") else 201))


async def test_turns_are_first_come_first_served(autojump_clock: MockClock) -> None:
    """Who was told first has its turn first, and takes all that waits for it."""
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        refs = [await system.start(Scribe, book, name=f"s{n}") for n in range(10)]
        order = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 0]
        for n in order:
            refs[n].tell(Note("a"))
        await settled()
        assert list(dict(book)) == [f"s{n}" for n in dict.fromkeys(order)]
        assert len(book) == len(order)


async def test_who_becomes_busy_in_a_turn_comes_after_those_that_wait(autojump_clock: MockClock) -> None:
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        doer = await system.start(Doer)
        early = await system.start(Scribe, book, name="early")
        late = await system.start(Scribe, book, name="late")
        doer.tell(Do(lambda _: late.tell(Note())))
        early.tell(Note())
        await settled()
        assert [name for name, _ in book] == ["early", "late"]


async def test_a_busy_actor_has_a_bounded_share(autojump_clock: MockClock) -> None:
    """A hundred others, told after it, wait for a batch of its messages, not for all."""
    seen: dict[str | None, int] = {}
    policy = actors.Policy(mailbox=actors.Mailbox(capacity=100_000))

    class Other(actors.Actor):
        @actors.receive
        def note(self, message: Note) -> None:
            seen.setdefault(self.ctx.ref.name, busy.statistics().handled)

    async with actors.open_system("alpha") as system:
        busy = await system.start(Scribe, [], policy=policy)
        others = [await system.start(Other, name=f"n{n}") for n in range(100)]
        for _ in range(10_000):
            busy.tell(Note())
        for other in others:
            other.tell(Note())
        await settled()
        assert len(seen) == 100
        assert 0 < min(seen.values()) <= max(seen.values()) <= 256
        assert busy.statistics().handled == 10_000


async def test_all_of_many_busy_actors_get_on(autojump_clock: MockClock) -> None:
    """None has more than twice the share of another."""

    class Endless(actors.Actor):
        @actors.receive
        def again(self, message: int) -> None:
            self.ctx.ref.tell(message + 1)

    async with actors.open_system("alpha") as system:
        refs = [system.spawn(Endless) for _ in range(100)]
        for ref in refs:
            ref.tell(0)
        for _ in range(100):
            await trio.lowlevel.checkpoint()
        handled = [ref.statistics().handled for ref in refs]
        assert min(handled) > 0
        assert max(handled) <= 2 * min(handled) + 128
        for ref in refs:
            ref.kill()


# --- fair by time ---------------------------------------------------------------

SLOW = 0.003
"""Seconds that a slow handler takes of everybody's time."""
MOST = 0.010 + SLOW
"""Seconds that another task may have to wait."""


class Pulse:
    """A task that runs whenever it may; `longest` is what it had to wait between two of its steps."""

    def __init__(self) -> None:
        self.longest = 0.0

    @asynccontextmanager
    async def beating(self) -> AsyncGenerator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._beat)
            yield
            nursery.cancel_scope.cancel()
        assert 0 < self.longest <= MOST + 1e-9

    async def _beat(self) -> None:
        last = trio.current_time()
        while True:
            await trio.lowlevel.checkpoint()
            now = trio.current_time()
            self.longest = max(self.longest, now - last)
            last = now


class Slow(actors.Actor):
    """Its plain code takes time by turning the clock on, as real work does."""

    def __init__(self, clock: MockClock, where: str = "handler", n_quick: int = 0) -> None:
        self.clock = clock
        self.where = where
        self.n_quick = n_quick
        self.work("init")

    def work(self, where: str) -> None:
        if where == self.where:
            if self.n_quick > 0:
                self.n_quick -= 1
            else:
                self.clock.jump(SLOW)

    def on_start(self) -> None:
        self.work("start")

    def on_stop(self, exit: actors.Exit) -> None:
        self.work("stop")

    @actors.receive
    def note(self, message: Note) -> None:
        self.work("handler")

    @actors.receive
    def refuse(self, message: Die) -> None:
        self.work("refusal")
        raise actors.Refused("no")

    def on_unhandled(self, message: object) -> None:
        self.work("unhandled")


async def worked(*refs: actors.Ref) -> None:
    """All have nothing to do any more. Tasks that always run forbid to wait for a blocked loop."""
    while any(sum(ref.statistics().depth.values()) or ref.state is ActorState.STARTING for ref in refs):
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("n_actors", [1, 100])
@pytest.mark.parametrize("where", ["handler", "refusal", "unhandled"])
async def test_slow_handlers_let_other_tasks_run(mock_clock: MockClock, n_actors: int, where: str) -> None:
    """Of one actor with much to do, and of a hundred with a little."""
    message = {"handler": Note(), "refusal": Die(), "unhandled": "?"}[where]
    async with actors.open_system("alpha") as system, Pulse().beating():
        refs = [await system.start(Slow, mock_clock, where) for _ in range(n_actors)]
        for ref in refs * (200 // n_actors):
            ref.tell(message)
        await worked(*refs)
        assert trio.current_time() >= 200 * SLOW


@pytest.mark.parametrize("where", ["init", "start"])
async def test_slow_starts_let_other_tasks_run(mock_clock: MockClock, where: str) -> None:
    async with actors.open_system("alpha") as system, Pulse().beating():
        refs = [system.spawn(Slow, mock_clock, where) for _ in range(100)]
        await worked(*refs)


async def test_slow_stops_let_other_tasks_run(mock_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system, Pulse().beating():
        refs = [await system.start(Slow, mock_clock, "stop") for _ in range(100)]
        for ref in refs:
            ref.stop()
        for ref in refs:
            await ref.wait_stopped()


async def test_slow_failures_let_other_tasks_run(mock_clock: MockClock) -> None:
    class Failing(actors.Actor):
        @actors.receive
        def note(self, message: Note) -> None:
            mock_clock.jump(SLOW)
            raise RuntimeError("slowly")

    async with actors.open_system("alpha") as system, Pulse().beating():
        refs = [await system.start(Failing) for _ in range(100)]
        for ref in refs:
            ref.tell(Note())
        for ref in refs:
            await ref.wait_stopped()


async def test_many_quick_and_then_slow_handlers_let_other_tasks_run(mock_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system, Pulse().beating():
        ref = await system.start(Slow, mock_clock, "handler", 200)
        for _ in range(400):
            ref.tell(Note())
        await worked(ref)


async def test_a_turn_in_the_askers_step_lets_other_tasks_run(mock_clock: MockClock) -> None:
    """Also when what is asked has much to do by itself."""

    class Busy(actors.Actor):
        @actors.receive
        def echo(self, message: Echo) -> str:
            for _ in range(100):
                self.ctx.ref.tell(Note())
            return message.text

        @actors.receive
        def note(self, message: Note) -> None:
            mock_clock.jump(SLOW)

    async with actors.open_system("alpha") as system, Pulse().beating():
        ref = await system.start(Busy)
        assert await ref.ask(Echo("now")) == "now"
        await worked(ref)
        assert ref.statistics().handled == 101


async def test_a_newcomer_waits_for_one_turn_of_each_that_came_before(mock_clock: MockClock) -> None:
    """A turn of slow messages is as long as a slice, whatever waits."""
    clock = mock_clock
    done: list[float] = []

    class Newcomer(actors.Actor):
        @actors.receive
        def note(self, message: Note) -> None:
            done.append(trio.current_time())

    async with actors.open_system("alpha") as system:
        slow = [await system.start(Slow, clock) for _ in range(10)]
        new = await system.start(Newcomer)
        for ref in slow * 50:
            ref.tell(Note())
        await trio.lowlevel.checkpoint()
        told = trio.current_time()
        new.tell(Note())
        await worked(new)
        assert done[0] - told <= 10 * (0.005 + SLOW) + 1e-9
        for ref in slow:
            ref.kill()


# --- context variables ----------------------------------------------------------

CASE: ContextVar[str] = ContextVar("case", default="none")


async def test_what_a_handler_sets_is_seen_by_its_later_messages_alone(autojump_clock: MockClock) -> None:
    """By no other actor, not by who asks it, and not by the next incarnation."""
    async with actors.open_system("alpha") as system:
        one = await system.start(Doer, name="one", policy=AT_ONCE)
        two = await system.start(Doer, name="two")
        await one.ask(DoAsked(lambda _: CASE.set("one") and None))
        assert await one.ask(DoAsked(lambda _: CASE.get())) == "one"
        assert await two.ask(DoAsked(lambda _: CASE.get())) == "none"
        assert CASE.get() == "none"
        one.tell(Do(lambda _: CASE.set("told") and None))
        two.tell(Do(lambda _: CASE.set("two") and None))
        await settled()
        assert await one.ask(DoAsked(lambda _: CASE.get())) == "told"
        assert await two.ask(DoAsked(lambda _: CASE.get())) == "two"
        one.tell(Die())
        await settled()
        assert await one.ask(DoAsked(lambda _: CASE.get())) == "none"
        assert await two.ask(DoAsked(lambda _: CASE.get())) == "two"


async def test_constructor_hooks_and_handlers_share_their_variables(autojump_clock: MockClock) -> None:
    seen: list[str] = []

    class Setter(Doer):
        def __init__(self) -> None:
            seen.append(CASE.get())
            CASE.set("init")

        def on_start(self) -> None:
            seen.append(CASE.get())
            CASE.set("start")

        def on_stop(self, exit: actors.Exit) -> None:
            seen.append(CASE.get())

        def on_unhandled(self, message: object) -> None:
            seen.append(CASE.get())
            CASE.set("unhandled")

    async with actors.open_system("alpha") as system:
        for name in (None, "named"):
            ref = await system.start(Setter, name=name)
            assert await ref.ask(DoAsked(lambda _: CASE.get())) == "start"
            ref.tell("?")
            ref.drain()
            await ref.wait_stopped()
    assert seen == ["none", "init", "start", "unhandled"] * 2


async def test_a_spawned_actor_inherits_the_variables_of_its_spawner(autojump_clock: MockClock) -> None:
    """As they were at the spawn, at each of its incarnations; also when the spawner has no task."""

    def spawn(actor: Doer) -> actors.Ref:
        CASE.set("actor")
        return actor.ctx.system.spawn(Doer, name="child")

    async with actors.open_system("alpha") as system:
        token = CASE.set("task")
        one = system.spawn(Doer, name="one", policy=AT_ONCE)
        CASE.reset(token)
        assert await one.ask(DoAsked(lambda _: CASE.get())) == "task"
        child = await one.ask(DoAsked(spawn))
        assert await child.ask(DoAsked(lambda _: CASE.get())) == "actor"
        one.tell(Die())
        await settled()
        assert await one.ask(DoAsked(lambda _: CASE.get())) == "task"


async def test_a_coroutine_and_a_started_task_have_the_variables_of_the_handler(
    autojump_clock: MockClock,
) -> None:
    seen: list[str] = []

    async def look() -> None:
        await trio.sleep(1)
        seen.append(CASE.get())

    def go(actor: Doer) -> Any:
        CASE.set("handler")
        nursery.start_soon(look)
        return look()

    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        ref = await system.start(Doer)
        ref.tell(Do(go))
        await trio.sleep(2)
        assert seen == ["handler"] * 2
        assert await ref.ask(DoAsked(lambda _: CASE.get())) == "handler"


# --- the sender -----------------------------------------------------------------


async def test_the_sender_is_the_actor_whose_code_runs(autojump_clock: MockClock) -> None:
    """For its handlers, hooks and constructor, the tasks that they start, and the timers it sets."""
    senders: dict[str, str | None] = {}

    class Sink(actors.Actor):
        @actors.receive
        def note(self, message: Note) -> None:
            sender = self.ctx.sender
            senders[message.text] = None if sender is None else sender.path

    class Source(Doer):
        def __init__(self) -> None:
            sink.tell(Note("init"))

        def on_start(self) -> None:
            sink.tell(Note("start"))

        def on_stop(self, exit: actors.Exit) -> None:
            sink.tell(Note("stop"))

        def on_unhandled(self, message: object) -> None:
            sink.tell(Note("unhandled"))

        @actors.receive
        def ring(self, message: Note) -> None:
            assert self.ctx.sender == self.ctx.ref
            sink.tell(Note("timer"))

    async def later(text: str) -> None:
        await trio.sleep(1)
        sink.tell(Note(text))

    def go(actor: Doer) -> Any:
        sink.tell(Note("handler"))
        actor.ctx.after(3, Note())
        nursery.start_soon(later, "task")
        other.tell(Do(lambda _: sink.tell(Note("other"))))
        return later("coroutine")

    async with actors.open_system("alpha") as system, trio.open_nursery() as nursery:
        sink = await system.start(Sink)
        other = await system.start(Doer, name="other")
        source = await system.start(Source, name="source")
        source.tell("?")
        await source.ask(DoAsked(lambda _: sink.tell(Note("asked"))))
        sink.tell(Note("after an ask"))
        source.tell(Do(go))
        await trio.sleep(5)
        source.stop()
        await source.wait_stopped()
        await settled()
        outside = {"other": "/other", "after an ask": None}
        own = ["init", "start", "unhandled", "asked", "handler", "timer", "task", "coroutine", "stop"]
        assert senders == dict.fromkeys(own, "/source") | outside


async def test_who_asks_from_an_actor_is_the_sender(autojump_clock: MockClock) -> None:
    """The asked actor has its turn at once, and is itself while it has it."""

    class Asker(actors.Actor):
        @actors.receive
        async def go(self, message: Echo) -> list[Any]:
            first = await plain.ask(DoAsked(lambda actor: (actor.ctx.sender, actor.ctx.ref)))
            return [*first, self.ctx.sender]

    async with actors.open_system("alpha") as system:
        plain = await system.start(Doer, name="plain")
        asker = await system.start(Asker, name="asker")
        assert await asker.ask(Echo()) == [asker, plain, None]


# --- nothing is kept alive ------------------------------------------------------


@pytest.mark.parametrize("end", ["stop", "kill", "drain", "die", "quit"])
async def test_the_dispatcher_keeps_no_dead_actor(autojump_clock: MockClock, end: str) -> None:
    """Neither while it waits nor while it works for others."""
    kept: list[weakref.ref[Any]] = []

    class Kept(Doer):
        def __init__(self) -> None:
            kept.extend([weakref.ref(self), weakref.ref(self.ctx.ref)])

    async with actors.open_system("alpha") as system:
        for turns in (1, 0):
            ref = await system.start(Kept)
            for _ in range(turns):
                ref.tell(Do(lambda _: None))
            if end == "die":
                ref.tell(Die())
            elif end == "quit":
                ref.tell(Do(lambda actor: actor.ctx.stop()))
            else:
                getattr(ref, end)()
            await ref.wait_stopped()
            del ref
        await settled()
        system._kernel.dead_letters.clear()
        gc.collect()
        assert [one() for one in kept] == [None] * 4


async def test_the_dispatcher_keeps_no_former_incarnation(autojump_clock: MockClock) -> None:
    kept: list[weakref.ref[Any]] = []

    class Variable: ...

    HELD: ContextVar[Any] = ContextVar("held")

    class Kept(Doer):
        def __init__(self) -> None:
            held = Variable()
            HELD.set(held)
            kept.extend([weakref.ref(self), weakref.ref(held)])

    async with actors.open_system("alpha") as system:
        ref = await system.start(Kept, name="kept", policy=AT_ONCE)
        ref.tell(Die())
        await settled()
        assert ref.state is ActorState.IDLE
        system._kernel.dead_letters.clear()
        gc.collect()
        assert [one() is None for one in kept] == [True, True, False, False]


async def test_a_handled_message_is_not_kept(autojump_clock: MockClock) -> None:
    """Nor what it was answered with."""

    class Big(actors.Request[Any]): ...

    class Taker(actors.Actor):
        @actors.receive
        def take(self, message: Big) -> Any:
            return Big()

    async with actors.open_system("alpha") as system:
        ref = await system.start(Taker)
        told, asked = Big(), Big()
        ref.tell(told)
        await settled()
        answer = await ref.ask(asked)
        kept = [weakref.ref(told), weakref.ref(asked), weakref.ref(answer)]
        del told, asked, answer
        gc.collect()
        assert [one() for one in kept] == [None] * 3


# --- the end --------------------------------------------------------------------


@pytest.mark.parametrize("order", ["stop", "kill", "drain"])
async def test_an_end_before_the_first_turn(autojump_clock: MockClock, order: str) -> None:
    """It never starts, and what waits is as at any end; a drained one starts and does its work first."""
    book: list[Any] = []
    async with actors.open_system("alpha") as system, system.subscribe(Started, Stopped) as events:
        ref = system.spawn(Diary, book, name="diary")
        ref.tell(Do(lambda actor: actor.book.append("told")))
        pending = ref.request(DoAsked(lambda _: "asked"))
        getattr(ref, order)()
        assert ref.state is ActorState.STOPPING
        exit = await ref.wait_stopped()
        if order == "drain":
            assert book == [("diary", "start"), "told", ("diary", "SHUTDOWN")]
            assert await pending.wait() == "asked"
        else:
            assert book == []
            with pytest.raises(actors.ActorStopped):
                await pending.wait()
            assert [letter.reason for letter in system.dead_letters] == ["stopped"]
        assert exit.kind is (ExitKind.KILLED if order == "kill" else ExitKind.SHUTDOWN)
        kinds = [fact[0] for fact in facts(events)]
        assert kinds == (["Started", "Stopped"] if order == "drain" else ["Stopped"])


@pytest.mark.parametrize("order", ["stop", "kill", "drain", "quit"])
async def test_an_end_ordered_in_its_own_handler(autojump_clock: MockClock, order: str) -> None:
    """The message in hand is handled, what waits only by a drain."""
    book: list[Any] = []

    def end(actor: Diary) -> None:
        actor.ctx.stop() if order == "quit" else getattr(actor.ctx.ref, order)()
        actor.ctx.ref.tell(Do(lambda actor: actor.book.append("refused")))
        actor.book.append("first")

    kind = {"kill": ExitKind.KILLED, "quit": ExitKind.NORMAL}.get(order, ExitKind.SHUTDOWN)
    async with actors.open_system("alpha") as system:
        ref = await system.start(Diary, book, name="diary")
        ref.tell(Do(end))
        ref.tell(Do(lambda actor: actor.book.append("second")))
        assert (await ref.wait_stopped()).kind is kind
        drained = ["second"] if order == "drain" else []
        assert book == [("diary", "start"), "first", *drained, ("diary", kind.value)]
        assert len(system.dead_letters) == 2 - len(drained)
        assert ref.statistics().handled == 1 + len(drained)


@pytest.mark.parametrize("order", ["stop", "kill", "drain"])
async def test_an_end_between_two_batches(autojump_clock: MockClock, order: str) -> None:
    """It stands in the queue then: its next turn is its last, unless it drains."""
    book: list[Any] = []
    policy = actors.Policy(mailbox=actors.Mailbox(capacity=10_000))
    async with actors.open_system("alpha") as system:
        ref = await system.start(Diary, book, policy=policy)
        for _ in range(5000):
            ref.tell(Do(lambda _: None))
        while not ref.statistics().handled:
            await trio.lowlevel.checkpoint()
        handled = ref.statistics().handled
        assert handled < 5000
        getattr(ref, order)()
        exit = await ref.wait_stopped()
        assert exit.kind is (ExitKind.KILLED if order == "kill" else ExitKind.SHUTDOWN)
        assert ref.statistics().handled == (5000 if order == "drain" else handled)
        assert len(system.dead_letters) == min(1000, 5000 - ref.statistics().handled)
        assert book == [(None, "start"), (None, exit.kind.value)]


@pytest.mark.parametrize("order", ["stop", "kill", "drain"])
async def test_an_end_while_suspended(autojump_clock: MockClock, order: str) -> None:
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = await system.start(Diary, book)
        ref.suspend()
        ref.tell(Do(lambda actor: actor.book.append("told")))
        await settled()
        getattr(ref, order)()
        exit = await ref.wait_stopped()
        told = ["told"] if order == "drain" else []
        assert book == [(None, "start"), *told, (None, exit.kind.value)]


async def test_one_that_drains_slowly_is_ended_by_its_limit(mock_clock: MockClock) -> None:
    """Between two of its turns: `shutdown` bounds a drain of plain handlers too."""
    policy = actors.Policy(shutdown=0.1, mailbox=actors.Mailbox(capacity=10_000))
    async with actors.open_system("alpha") as system:
        ref = await system.start(Slow, mock_clock, policy=policy)
        for _ in range(1000):
            ref.tell(Note())
        ref.drain()
        exit = await ref.wait_stopped()
        assert exit.kind is ExitKind.KILLED
        assert 0.1 <= trio.current_time() <= 0.1 + 3 * MOST


async def test_a_restarted_actor_takes_its_turns_where_it_stopped(autojump_clock: MockClock) -> None:
    """Its mailbox stays, and its next incarnation starts before it takes what waits."""
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        ref = await system.start(Diary, book, name="diary", policy=AT_ONCE)
        ref.tell(Do(lambda actor: actor.book.append("a")))
        ref.tell(Die())
        ref.tell(Do(lambda actor: actor.book.append("b")))
        assert await ref.ask(DoAsked(lambda _: "c")) == "c"
        own = ("diary", "start")
        assert book == [own, "a", ("diary", "FAILED"), own, "b"]


# --- many, and deep -------------------------------------------------------------


async def test_a_chain_of_a_thousand_tells_needs_no_stack(autojump_clock: MockClock) -> None:
    """Each actor tells the next from its handler."""

    class Link(actors.Actor):
        def __init__(self, following: actors.Ref | None) -> None:
            self.following = following

        @actors.receive
        def pass_on(self, message: int) -> None:
            if self.following is None:
                arrived.append(message)
            else:
                self.following.tell(message + 1)

    arrived: list[int] = []
    async with actors.open_system("alpha") as system:
        ref: actors.Ref | None = None
        for _ in range(3000):
            ref = system.spawn(Link, ref)
        assert ref is not None
        ref.tell(0)
        await settled()
        assert arrived == [2999]


async def test_a_chain_of_a_thousand_spawns_needs_no_stack(autojump_clock: MockClock) -> None:
    """Each actor spawns the next from its handler, or from its start."""

    class Parent(actors.Actor):
        def __init__(self, left: int) -> None:
            if left % 2 and left > 1:
                self.ctx.system.spawn(Parent, left - 1).tell(left - 1)

        @actors.receive
        def spawn(self, left: int) -> None:
            if left % 2 == 0 and left > 1:
                self.ctx.system.spawn(Parent, left - 1).tell(left - 1)
            if left == 1:
                arrived.append(left)

    arrived: list[int] = []
    async with actors.open_system("alpha") as system:
        system.spawn(Parent, 3000).tell(3000)
        await settled()
        assert arrived == [1]
        assert system.statistics().actors == 3000


async def test_a_chain_of_a_thousand_ends_needs_no_stack(autojump_clock: MockClock) -> None:
    """Each actor stops the next from its `on_stop`."""

    class Link(actors.Actor):
        def __init__(self, following: actors.Ref | None) -> None:
            self.following = following

        def on_stop(self, exit: actors.Exit) -> None:
            if self.following is not None:
                self.following.stop()

    async with actors.open_system("alpha") as system:
        ref: actors.Ref | None = None
        for _ in range(3000):
            ref = await system.start(Link, ref)
        assert ref is not None
        ref.stop()
        await settled()
        assert system.statistics().actors == 0


# --- supervisors ----------------------------------------------------------------


class Crew(actors.Supervisor):
    """Plain children: a, b, c, and one without a name."""

    def __init__(self, book: list[Any], strategy: Any) -> None:
        self.book = book
        self.strategy = strategy

    async def on_start(self) -> None:
        for name in ("a", "b", "c", None):
            self.spawn(Diary, self.book, name=name, policy=AT_ONCE)

    async def on_stop(self, exit: actors.Exit) -> None:
        assert self.children == ()
        self.book.append(("crew", exit.kind.value))


@pytest.mark.parametrize(
    ("strategy", "ends"),
    [
        (actors.OneForOne, []),
        (actors.OneForAll, [(None, "SHUTDOWN"), ("c", "SHUTDOWN"), ("a", "SHUTDOWN")]),
        (actors.RestForOne, [(None, "SHUTDOWN"), ("c", "SHUTDOWN")]),
    ],
)
async def test_plain_children_restart_with_their_group(
    autojump_clock: MockClock, strategy: Any, ends: list[Any]
) -> None:
    """In the order of any children: the adhoc ones, then the others from the last to the first."""
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        crew = await system.start(Crew, book, strategy(), name="crew")
        await settled()
        book.clear()
        failing = system.find("/crew/b")
        assert failing is not None
        failing.tell(Die())
        await settled()
        again = ["b", *(name for name, _ in ends if name)]
        assert book == [("b", "FAILED"), *ends, *((name, "start") for name in sorted(again))]
        assert [ref.state for ref in system.children(crew)] == [ActorState.IDLE] * (3 if ends else 4)


async def test_a_supervisors_stop_waits_for_its_plain_children(autojump_clock: MockClock) -> None:
    """The adhoc ones first, then the named ones in reverse start order, then its own `on_stop`."""
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        crew = await system.start(Crew, book, actors.OneForOne(), name="crew")
        await settled()
        book.clear()
        crew.stop()
        await crew.wait_stopped()
        assert book == [(name, "SHUTDOWN") for name in (None, "c", "b", "a", "crew")]


async def test_plain_children_that_fail_too_often_fail_their_supervisor(autojump_clock: MockClock) -> None:
    book: list[Any] = []
    async with actors.open_system("alpha") as system:
        crew = await system.start(Crew, book, actors.OneForOne(max_restarts=1))
        failing = system.children(crew)[1]
        failing.tell(Die())
        await settled()
        failing.tell(Die())
        exit = await crew.wait_stopped()
        assert isinstance(exit.error, actors.RestartsExhausted)
        assert book[-5:] == [
            ("b", "FAILED"),
            (None, "SHUTDOWN"),
            ("c", "SHUTDOWN"),
            ("a", "SHUTDOWN"),
            ("crew", "FAILED"),
        ]


async def test_a_system_of_plain_actors_leaves_nothing(autojump_clock: MockClock) -> None:
    """Whatever they do at the end of the block: queued, suspended, backing off, with timers."""
    book: list[Any] = []
    before = count_tasks()
    slowly = actors.Policy(backoff=actors.Backoff.fixed(10.0), breaker=None)
    async with actors.open_system("alpha") as system:
        crew = await system.start(Crew, book, actors.OneForAll())
        await settled()
        names = ("suspended", "failed", "timed")
        suspended, failed, timed = [await system.start(Doer, name=name, policy=slowly) for name in names]
        suspended.suspend()
        suspended.tell(Do(lambda _: None))
        failed.tell(Die())
        timed.tell(Do(lambda actor: actor.ctx.every(1.0, "tick") and None))
        await settled()
        assert failed.state is ActorState.BACKING_OFF
        system.spawn(Doer).tell(Do(lambda _: None))
        system.children(crew)[0].tell(Die())
    assert system.statistics().actors == system.statistics().alarms == 0
    assert count_tasks() == before


# --- statistics -----------------------------------------------------------------


async def test_the_last_activity_is_that_of_its_last_message(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        ref = await system.start(Doer, name="doer", policy=AT_ONCE)
        assert ref.statistics().last_activity is None
        await trio.sleep(1)
        await ref.ask(DoAsked(lambda _: None))
        assert ref.statistics().last_activity == pytest.approx(1.0)
        await trio.sleep(1)
        assert ref.statistics().last_activity == pytest.approx(1.0)
        ref.tell(Do(lambda _: None))
        await settled()
        assert ref.statistics().last_activity == pytest.approx(2.0)
        await trio.sleep(1)
        ref.tell(Do(lambda actor: actor.ctx.progress()))
        await settled()
        assert ref.statistics().last_activity == pytest.approx(3.0)


async def test_the_last_activity_never_goes_back(mock_clock: MockClock) -> None:
    """Whatever the other actors of the slice have done before."""
    seen: list[float] = []

    def refuse(_: Doer) -> None:
        mock_clock.jump(0.0004)
        raise actors.Refused("no")

    def quick(actor: Doer) -> None:
        seen.append(actor.ctx.ref.statistics().last_activity or 0.0)

    async with actors.open_system("alpha") as system:
        first, ref, last = [await system.start(Doer) for _ in range(3)]
        for _ in range(3):
            first.tell(Do(lambda _: None))
        ref.tell(Do(refuse))
        last.tell(Do(lambda _: (seen.append(ref.statistics().last_activity or 0.0), ref.tell(Do(quick)))))
        await worked(first, ref, last)
        assert len(seen) == 2
        assert seen == sorted(seen)


async def test_the_oldest_is_how_long_the_first_that_waits_has_waited(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        ref = await system.start(Doer)
        assert ref.statistics().oldest is None
        ref.suspend()
        ref.tell(Do(lambda _: None))
        await trio.sleep(2)
        ref.tell(Do(lambda _: None))
        await trio.sleep(1)
        assert ref.statistics().oldest == pytest.approx(3.0)
        ref.resume()
        await settled()
        assert (ref.statistics().oldest, ref.statistics().handled) == (None, 2)


async def test_an_actor_is_busy_while_its_plain_handler_runs(autojump_clock: MockClock) -> None:
    states: list[ActorState] = []
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Doer)
        states.append(ref.state)
        await ref.wait_started()
        states.append(ref.state)
        ref.tell(Do(lambda actor: states.append(actor.ctx.ref.state)))
        states.append(ref.state)
        await settled()
        states.append(ref.state)
        await ref.ask(DoAsked(lambda actor: states.append(actor.ctx.ref.state)))
    assert [state.value for state in states] == ["STARTING", "IDLE", "IDLE", "BUSY", "IDLE", "BUSY"]


# --- what is not an Exception ---------------------------------------------------


class Alarmed(BaseException):
    """Like KeyboardInterrupt: not an Exception, and nobody's to keep."""


class Lookout(actors.Actor):
    """Raises where it is told to, by plain code."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.strike("init")

    def strike(self, where: str) -> None:
        if where == self.where:
            raise Alarmed(where)

    def on_start(self) -> None:
        self.strike("start")

    def on_stop(self, exit: actors.Exit) -> None:
        self.strike("stop")

    def on_unhandled(self, message: object) -> Any:
        self.strike("unhandled")
        return self.later() if self.where == "coroutine" else None

    async def later(self) -> None:
        await trio.sleep(1)
        raise Alarmed("coroutine")

    @actors.receive
    def note(self, message: Note) -> None:
        self.strike("handler")

    @actors.receive
    def echo(self, message: Echo) -> None:
        self.strike("asked")


async def provoke(lone: actors.Ref, where: str) -> None:
    """Make a lookout come to its place, and tell it more."""
    if where in ("stop", "asked in its step"):
        await lone.wait_started()
    if where == "asked in its step":
        with pytest.raises(actors.ActorStopped):
            await lone.ask(Echo())
    elif where == "asked":
        lone.request(Echo())
    elif where == "stop":
        lone.stop()
    else:
        lone.tell(Note() if where == "handler" else "?")
    lone.tell(Note("never"))


PLACES = ["init", "start", "stop", "unhandled", "coroutine", "handler", "asked", "asked in its step"]


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("road_taken", ROADS)
async def test_a_base_exception_of_plain_code_leaves_the_block_as_it_is(
    autojump_clock: MockClock, where: str, deep: bool, road_taken: str
) -> None:
    """Alone, not in a group; everybody else's `on_stop` has run, and nothing is tried again."""
    book: list[Any] = []
    lone: list[actors.Ref] = []
    place = where.removesuffix(" in its step")

    class Above(actors.Supervisor):
        async def on_start(self) -> None:
            self.spawn(Diary, book, name="sibling")
            lone.append(self.spawn(Lookout, place, name="lone", policy=AT_ONCE))

        async def on_stop(self, exit: actors.Exit) -> None:
            book.append(("above", exit.kind.value))

    async def play() -> None:
        async with actors.open_system("alpha") as system:
            await system.start(Diary, book, name="diary")
            await system.start(WithStop, name="with-task")
            if deep:
                await system.start(Above, name="above")
            else:
                lone.append(system.spawn(Lookout, place, name="lone", policy=AT_ONCE))
            await provoke(lone[0], where)
            await trio.sleep_forever()

    with road(road_taken), pytest.raises(Alarmed, match=place):
        await play()
    ends = {"diary": "KILLED"} | ({"sibling": "KILLED", "above": "KILLED"} if deep else {})
    assert {name: entry for name, entry in book if entry != "start"} == ends
    assert (lone[0].state, lone[0].statistics().restarts) == (ActorState.STOPPED, 0)


async def test_two_base_exceptions_of_plain_code_are_one_flat_group(autojump_clock: MockClock) -> None:
    async def play() -> None:
        async with actors.open_system("alpha") as system:
            for where in ("handler", "stop"):
                ref = await system.start(Lookout, where)
                ref.tell(Note())
            await trio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught:
        await play()
    assert sorted(str(error) for error in caught.value.exceptions) == ["handler", "stop"]
    assert {type(error) for error in caught.value.exceptions} == {Alarmed}
