"""States that actors save: kept in one step with the acknowledgement, and there again for the next."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import TicketState
from actors.delivery import MemoryStore
from actors.delivery.errors import StateUnreadable
from actors.errors import ActorFailed, NotSerializable, Refused, StartFailed
from tests.delivery.keepers import STORES, TextStore, make_store

IMMEDIATE = actors.Backoff.immediate()
POLICY = actors.Policy(backoff=IMMEDIATE, breaker=None, delivery=actors.Delivery(backoff=IMMEDIATE))
MANY = actors.OneForOne(max_restarts=1000, within=1.0)


@actors.message
class Total:
    """What is kept."""

    n: int = 0


@actors.message
class Add(actors.Request[int]):
    """Adds `n`; then does what `how` says."""

    n: int = 1
    how: str = ""


@actors.message
class Crash:
    """Told, it fails over it."""


@actors.message
class Read(actors.Request[int]):
    """Answered with the sum."""


class Adder(actors.Actor):
    """Counts, and saves what it has counted."""

    def __init__(self) -> None:
        self.total = 0

    def on_restore(self, state: Total) -> None:
        self.total = state.n

    @actors.receive
    async def add(self, message: Add) -> int:
        self.total += message.n
        if message.how != "unsaved":
            await self.ctx.save(Total(self.total))
        match message.how:
            case "fail":
                raise ValueError("after saving")
            case "refuse":
                raise Refused("but keep it")
            case "twice":
                self.total += message.n
                await self.ctx.save(Total(self.total))
            case "forget":
                await self.ctx.save(None)
            case "slow":
                await trio.sleep(10.0)
            case "slowly refuse":
                await trio.sleep(10.0)
                raise Refused("late")
            case "early":
                self.ctx.reply(self.total)
                await trio.sleep(10.0)
            case "early, then fail":
                self.ctx.reply(self.total)
                raise ValueError("after answering")
            case "later":
                self.port = self.ctx.reply_later()
            case "answer it":
                self.port.answer(self.total)
            case _:
                pass
        return self.total

    @actors.receive
    def crash(self, message: Crash) -> None:
        raise ValueError("crash")

    @actors.receive
    def read(self, message: Read) -> int:
        return self.total


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return make_store(request.param, tmp_path)


async def kept(system: actors.System, path: str = "/adder") -> Any:
    """What the store has, once everything is written."""
    office = system._office
    await office.pump.flushed()
    assert office.engine is not None
    payload = await office.engine.load(path)
    return None if payload is None else office.coder.back(payload)


def opened(store: Any = None, **more: Any) -> Any:
    return actors.open_system("a", store=store or MemoryStore(), strategy=MANY, **more)


@pytest.mark.row(95)
@pytest.mark.parametrize(
    ("how", "state", "expected"),
    [
        ("", TicketState.RESPONDED, Total(1)),
        ("twice", TicketState.RESPONDED, Total(2)),
        ("refuse", TicketState.FAILED, Total(1)),
        ("fail", TicketState.DEAD, None),
        ("early, then fail", TicketState.DEAD, None),
        ("unsaved", TicketState.RESPONDED, None),
        ("forget", TicketState.RESPONDED, None),
    ],
)
async def test_what_a_handler_saves_is_kept_with_its_acknowledgement_or_not_at_all(
    store: Any, how: str, state: TicketState, expected: Total | None
) -> None:
    with trio.fail_after(30):
        async with opened(store) as system:
            await system.start(Adder, name="adder", policy=POLICY)
            ticket = await system.post("/adder", Add(how=how), max_attempts=2)
            with suppress(actors.ActorError):
                await ticket.wait_reply()
            assert ticket.state is state
            assert await kept(system) == expected


@pytest.mark.row(95)
async def test_nothing_is_kept_before_the_handler_has_returned(autojump_clock: MockClock) -> None:
    async with opened() as system:
        await system.start(Adder, name="adder", policy=POLICY)
        ticket = await system.post("/adder", Add(how="early"))
        await trio.sleep(5.0)
        assert ticket.state is TicketState.DELIVERED
        assert await kept(system) is None
        await ticket.wait_reply()
        assert await kept(system) == Total(1)


@pytest.mark.parametrize("how", ["slow", "slowly refuse"])
async def test_a_cancelled_ticket_keeps_what_its_handler_saved(how: str, autojump_clock: MockClock) -> None:
    """It was done; nobody wants the reply, and that is all."""
    async with opened() as system:
        await system.start(Adder, name="adder", policy=POLICY)
        ticket = await system.post("/adder", Add(how=how))
        await trio.sleep(5.0)
        assert ticket.cancel()
        await trio.sleep(1.0)
        assert await kept(system) is None
        await trio.sleep(6.0)
        assert await kept(system) == Total(1)
        assert ticket.state is TicketState.CANCELLED


@pytest.mark.parametrize(
    ("how", "state"), [("slow", TicketState.RESPONDED), ("slowly refuse", TicketState.TIMED_OUT)]
)
async def test_a_ticket_that_has_timed_out_keeps_what_its_handler_saved(
    how: str, state: TicketState, autojump_clock: MockClock
) -> None:
    async with opened() as system:
        await system.start(Adder, name="adder", policy=POLICY)
        ticket = await system.post("/adder", Add(how=how), timeout=5.0)
        await trio.sleep(7.0)
        assert ticket.state is TicketState.TIMED_OUT
        assert await kept(system) is None
        await trio.sleep(7.0)
        assert ticket.state is state
        assert await kept(system) == Total(1)


async def test_who_answers_later_keeps_its_state_when_it_returns(autojump_clock: MockClock) -> None:
    """Or an older state would be kept over that of a later handler."""
    async with opened() as system:
        ref = await system.start(Adder, name="adder", policy=POLICY)
        first = await system.post("/adder", Add(how="later"))
        await wait_all_tasks_blocked()
        assert await kept(system) == Total(1)
        second = await system.post("/adder", Add())
        assert await second.wait_reply() == 2
        await ref.ask(Add(how="answer it"))
        assert await first.wait_reply() == 3
        assert await kept(system) == Total(3)


class Everywhere(Adder):
    """Saves wherever it is told to."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    async def on_start(self) -> None:
        if self.where == "start":
            await self.ctx.save(Total(7))
        elif self.where == "timer":
            self.ctx.after(1.0, Add(7))

    async def on_stop(self, exit: actors.Exit) -> None:
        if self.where == "stop":
            await self.ctx.save(Total(7))


@pytest.mark.parametrize("where", ["start", "timer", "stop", "told", "asked"])
async def test_what_is_saved_elsewhere_is_kept_at_once(where: str, autojump_clock: MockClock) -> None:
    store = TextStore()
    async with opened(store) as system:
        ref = await system.start(Everywhere, where, name="adder", policy=POLICY)
        if where == "told":
            ref.tell(Add(7))
        elif where == "asked":
            await ref.ask(Add(7))
        elif where == "stop":
            assert await kept(system) is None
            ref.stop()
            await ref.wait_stopped()
        await trio.sleep(2.0)
        assert await kept(system) == Total(7)


@pytest.mark.parametrize("how", ["leave", "cancel"])
async def test_what_is_saved_at_the_end_of_the_system_is_kept(how: str, autojump_clock: MockClock) -> None:
    """The courier is the last to go."""
    store = TextStore()
    with trio.CancelScope() as scope:
        async with opened(store) as system:
            await system.start(Everywhere, "stop", name="adder", policy=POLICY)
            if how == "cancel":
                scope.cancel()
    assert trio.current_time() == 0.0
    assert store.shelf.states.keys() == {"/adder"}


async def test_a_failed_ask_keeps_what_was_saved_before(autojump_clock: MockClock) -> None:
    async with opened() as system:
        ref = await system.start(Adder, name="adder", policy=POLICY)
        with pytest.raises(ActorFailed):
            await ref.ask(Add(how="fail"))
        assert await kept(system) == Total(1)
        assert await ref.ask(Read()) == 1


@pytest.mark.row(95)
async def test_the_next_incarnation_gets_what_was_kept_last(store: Any) -> None:
    with trio.fail_after(30):
        async with opened(store) as system:
            ref = await system.start(Adder, name="adder", policy=POLICY)
            for n in (1, 2, 3):
                await (await system.post("/adder", Add(n))).wait_reply()
            lost = await system.post("/adder", Add(10, "fail"), max_attempts=1)
            with pytest.raises(actors.TicketFailed):
                await lost.wait_reply()
            assert await ref.ask(Read()) == 6
            ref.stop()
            await ref.wait_stopped()
            again = await system.start(Adder, name="adder", policy=POLICY)
            assert await again.ask(Read()) == 6
            assert await (await system.start(Adder, name="other")).ask(Read()) == 0
        async with opened(store) as later:
            assert await (await later.start(Adder, name="adder")).ask(Read()) == 6


async def test_a_restart_sees_what_was_acknowledged_just_before_it(autojump_clock: MockClock) -> None:
    """Also where that is not written yet when the next incarnation starts."""

    async with opened() as system:
        ref = await system.start(Adder, name="adder", policy=POLICY)
        engine: Any = system._office.engine
        write = engine.write

        async def slowly(group: Any) -> Any:
            await trio.sleep(1.0)
            return await write(group)

        engine.write = slowly
        ticket = await system.post("/adder", Add(5))
        await trio.sleep(1.5)
        ref.tell(Crash())
        assert ticket.state is TicketState.DELIVERED
        assert await ref.ask(Read()) == 5
        assert (trio.current_time(), ref.statistics().restarts) == (3.0, 1)


@actors.message
class Step:
    """A state with a name."""

    name: str
    n: int


async def adding(ctx: actors.Context) -> None:
    """A function that does as `Adder` does."""
    state = await ctx.restored()
    total = 0 if state is None else state.n
    async for message in ctx.inbox:
        match message:
            case Add(n, how):
                total += n
                await ctx.save(Total(total))
                if how == "fail":
                    raise ValueError("after saving")
                ctx.reply(total)
            case _:
                ctx.reply(total)


@pytest.mark.row(95)
async def test_a_function_reads_what_it_has_saved(store: Any) -> None:
    with trio.fail_after(30):
        async with opened(store) as system:
            ref = await system.start(adding, name="adder", policy=POLICY)
            await (await system.post("/adder", Add(4))).wait_reply()
            lost = await system.post("/adder", Add(10, "fail"), max_attempts=2)
            with pytest.raises(actors.TicketFailed):
                await lost.wait_reply()
            assert await ref.ask(Read()) == 4
            assert ref.statistics().restarts == 2


async def test_an_actor_without_a_name_can_save_nothing(autojump_clock: MockClock) -> None:
    """No later actor could be told to be the same."""

    class Below(actors.Supervisor):
        async def on_start(self) -> None:
            await self.start(Adder, name="adder")

    async with opened() as system:
        for ref in (await system.start(Adder), await system.start(adding)):
            with pytest.raises(ActorFailed, match="has no name") as caught:
                await ref.ask(Add())
            assert isinstance(caught.value.__cause__, ValueError)
            assert "spawn it with name=" in str(caught.value.__cause__)
        above = await system.start(Below)
        found = system.find(f"{above.path}/adder")
        assert found is not None
        with pytest.raises(ActorFailed, match="below one without"):
            await found.ask(Add())


async def test_a_context_that_has_ended_saves_and_reads_nothing(autojump_clock: MockClock) -> None:
    contexts: list[actors.Context] = []

    async def ends(ctx: actors.Context) -> None:
        contexts.append(ctx)

    async with opened() as system:
        ref = await system.start(ends, name="adder")
        await ref.wait_stopped()
        with pytest.raises(RuntimeError, match="has ended"):
            await contexts[0].save(Total(1))
        with pytest.raises(RuntimeError, match="has ended"):
            await contexts[0].restored()


# --- on_restore ----------------------------------------------------------------------


class Telling(actors.Actor):
    """Writes down which hooks ran."""

    def __init__(self, book: list[str], fails: int = 0) -> None:
        self.book = book
        self.fails = fails
        book.append("init")

    def on_start(self) -> None:
        self.book.append("start")

    @actors.receive
    def crash(self, message: Crash) -> None:
        raise ValueError

    @actors.receive
    def step(self, message: Step) -> None:
        self.book.append(message.name)


class Plain(Telling):
    def on_restore(self, state: Step) -> None:
        self.book.append(f"restore {state.n}")


class Waiting(Telling):
    async def on_restore(self, state: Step) -> None:
        await trio.sleep(1.0)
        self.book.append(f"restore {state.n}")


class Below(Plain):
    async def on_restore(self, state: Step) -> None:
        super().on_restore(state)
        self.book.append("below")


class Inherits(Plain):
    """Has it from its base."""


class Mixin:
    """No actor itself."""

    book: list[str]

    def on_restore(self, state: Step) -> None:
        self.book.append(f"restore {state.n}")


class Mixed(Mixin, Telling):
    """Has it from beside."""


def holding(state: object) -> MemoryStore:
    store = MemoryStore()
    store.shelf.states["/adder"] = state
    return store


@pytest.mark.parametrize(
    ("what", "more"), [(Plain, []), (Waiting, []), (Below, ["below"]), (Inherits, []), (Mixed, [])]
)
async def test_on_restore_runs_before_on_start_in_every_incarnation(
    what: type[Telling], more: list[str], autojump_clock: MockClock
) -> None:
    book: list[str] = []
    async with opened(holding(Step("s", 3))) as system:
        ref = await system.start(what, book, name="adder", policy=POLICY)
        once = ["init", "restore 3", *more, "start"]
        assert book == once
        ref.tell(Crash())
        ref.tell(Step("step", 0))
        await trio.sleep(5.0)
        assert book == [*once, *once, "step"]


async def test_without_a_saved_state_on_restore_does_not_run(autojump_clock: MockClock) -> None:
    book: list[str] = []
    async with opened() as system:
        await system.start(Plain, book, name="adder")
        await system.start(Plain, book)
        assert book == ["init", "start"] * 2


async def test_a_class_that_restores_waits_for_the_store_in_a_task_of_its_own() -> None:
    """And any other plain one needs none."""
    async with opened() as system:
        assert not (await system.start(Plain, [], name="a")).cell.plain
        assert not (await system.start(Mixed, [], name="b")).cell.plain
        assert (await system.start(Telling, [], name="c")).cell.plain


async def test_an_on_restore_that_raises_is_a_failed_start(autojump_clock: MockClock) -> None:
    class Fails(Telling):
        def on_restore(self, state: Step) -> None:
            raise ValueError("no such step")

    book: list[str] = []
    async with opened(holding(Step("s", 3))) as system:
        with pytest.raises(StartFailed) as caught:
            await system.start(Fails, book, name="adder", policy=attrs.evolve(POLICY, restart="temporary"))
        assert isinstance(caught.value.__cause__, ValueError)
        assert book == ["init"]


async def test_an_actor_is_killed_while_it_restores(autojump_clock: MockClock) -> None:
    class Slow(Telling):
        async def on_restore(self, state: Step) -> None:
            await trio.sleep(1000.0)

    async with opened(holding(Step("s", 3))) as system:
        ref = system.spawn(Slow, [], name="adder")
        await trio.sleep(1.0)
        ref.kill()
        await ref.wait_stopped()
        assert trio.current_time() == 1.0


async def test_a_wrong_on_restore_is_found_when_the_class_is_defined() -> None:
    with pytest.raises(TypeError, match=r"write `async def on_restore\(self, state\)`"):

        class Wrong(actors.Actor):
            def on_restore(self) -> None: ...


async def test_supervisors_save_and_restore_too(autojump_clock: MockClock) -> None:
    class Boss(actors.Supervisor):
        started = 0

        def on_restore(self, state: Total) -> None:
            self.started = state.n

        async def on_start(self) -> None:
            for number in range(self.started):
                await self.start(Adder, name=f"child-{number}")

        @actors.receive
        async def add(self, message: Add) -> int:
            self.started += message.n
            await self.ctx.save(Total(self.started))
            if message.how == "fail":
                raise ValueError
            return self.started

    async with opened() as system:
        ref = await system.start(Boss, name="boss", policy=POLICY)
        await (await system.post("/boss", Add(2))).wait_reply()
        await ref.ask(Add(1))
        with pytest.raises(actors.TicketFailed):
            await (await system.post("/boss", Add(5, "fail"), max_attempts=1)).wait_reply()
        await trio.sleep(1.0)
        assert [system.find(f"/boss/child-{number}") is not None for number in range(4)] == [True] * 3 + [
            False
        ]
        await (await system.post("/boss/child-0", Add(9))).wait_reply()
        assert await kept(system, "/boss/child-0") == Total(9)
        assert ref.statistics().restarts == 1
        child = system.find("/boss/child-0")
        assert child is not None
        child.tell(Crash())
        assert await child.ask(Read()) == 9


# --- what can be kept, and read -------------------------------------------------------


@pytest.mark.parametrize("kind", ["text", "sqlite"])
@pytest.mark.parametrize("state", [{"a": 1}, 7, object(), attrs.make_class("Own", [])()])
async def test_a_store_that_outlives_the_process_takes_messages_alone(
    kind: str, state: Any, tmp_path: Path
) -> None:
    raised: list[BaseException] = []

    class Careless(actors.Actor):
        @actors.receive
        async def add(self, message: Add) -> str:
            try:
                await self.ctx.save(state)
            except NotSerializable as error:
                raised.append(error)
            return "went on"

    with trio.fail_after(30):
        async with opened(make_store(kind, tmp_path)) as system:
            ref = await system.start(Careless, name="adder")
            assert await ref.ask(Add()) == "went on"
            assert await (await system.post("/adder", Add())).wait_reply() == "went on"
            assert len(raised) == 2
            assert all("message" in str(error) for error in raised)
            assert await kept(system) is None


async def test_a_store_in_memory_keeps_the_object_itself() -> None:
    state = {"any": object()}

    class Any_(actors.Actor):
        @actors.receive
        async def add(self, message: Add) -> None:
            await self.ctx.save(state)

    async with opened() as system:
        ref = await system.start(Any_, name="adder")
        await ref.ask(Add())
        assert await kept(system) is state


@pytest.mark.parametrize(
    "text", ['{"$": "gone.Class", "n": 1}', '{"$": "TAG", "m": 1}', "no json", "[]", "{}"]
)
@pytest.mark.parametrize("kind", ["class", "function"])
async def test_a_state_that_cannot_be_read_fails_the_start_and_says_what_to_do(
    text: str, kind: str, autojump_clock: MockClock
) -> None:
    store = TextStore()
    store.shelf.states["/adder"] = text.replace("TAG", f"{Total.__module__}.{Total.__qualname__}")
    what: Any = Adder if kind == "class" else adding
    async with opened(store) as system:
        failures: list[BaseException | None] = []
        policy = attrs.evolve(POLICY, restart="temporary")
        if kind == "class":
            with pytest.raises(StartFailed) as caught:
                await system.start(what, name="adder", policy=policy)
            failures.append(caught.value.__cause__)
        else:
            ref = system.spawn(what, name="adder", policy=policy)
            failures.append((await ref.wait_stopped()).error)
        (error,) = failures
        assert isinstance(error, StateUnreadable)
        assert error.path == "/adder"
        assert "--forget /adder`" in str(error)
        await system.posted.forget("/adder")
        ref = await system.start(what, name="adder")
        assert await ref.ask(Read()) == 0
