"""Actors that are classes: their handlers, hooks and failures (contract §2)."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.events import DeadLetter, Failed, Progressed, Restarted, Restarting
from tests.core.cast import AT_ONCE, Die, Echo, Fail, Note, Seen, Sleep, Worker, facts, settled


class Kept(Worker):
    """Puts the context of each incarnation into a list."""

    def __init__(self, kept: list[actors.Context]) -> None:
        super().__init__()
        kept.append(self.ctx)


async def test_what_a_handler_returns_answers_the_asker(autojump_clock: MockClock) -> None:
    """Plain and async functions are handlers alike."""
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker)
        assert await worker.ask(Echo("hello")) == "hello"
        assert await worker.ask(Sleep(2)) == "slept"


async def test_urgent_messages_go_before_those_that_wait(autojump_clock: MockClock) -> None:
    """The one in hand is finished first; each lane keeps its own order."""
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        worker.tell(Sleep(1))
        await settled()
        worker.tell(Note("a"))
        worker.tell(Note("B"), urgent=True)
        worker.tell(Note("C"), urgent=True)
        assert worker.statistics().depth == {"system": 0, "urgent": 2, "normal": 1}
        assert await worker.ask(Seen()) == ["B", "C", "a"]


async def test_the_context_tells_who_and_where(autojump_clock: MockClock) -> None:
    class Who(actors.Actor):
        @actors.receive
        def echo(self, message: Echo) -> Any:
            return self.ctx.ref, self.ctx.parent, self.ctx.system, self.ctx.sender

    class Asker(actors.Actor):
        def __init__(self, other: actors.Ref) -> None:
            self.other = other

        @actors.receive
        async def echo(self, message: Echo) -> Any:
            return await self.other.ask(Echo())

    async with actors.open_system("alpha") as system:
        who = system.spawn(Who, name="who")
        root = system.find("/")
        assert await who.ask(Echo()) == (who, root, system, None)
        asker = system.spawn(Asker, who)
        assert await asker.ask(Echo()) == (who, root, system, asker)


@pytest.mark.parametrize("end", ["stop", "die"])
@pytest.mark.parametrize(
    "call",
    [
        "after",
        "every",
        "join",
        "leave",
        "watch",
        "unwatch",
        "reply",
        "reply_later",
        "ready",
        "stop",
        "waiting",
    ],
)
async def test_a_context_that_somebody_kept_does_nothing_for_the_dead(
    autojump_clock: MockClock, call: str, end: str
) -> None:
    """It ends with its incarnation: no timer, group, reply or stop of a stopped or restarted actor."""
    kept: list[actors.Context] = []
    async with actors.open_system("alpha") as system:
        ref = await system.start(Kept, kept, name="kept", policy=AT_ONCE)
        if end == "stop":
            ref.stop()
            await ref.wait_stopped()
        else:
            ref.tell(Die())
            assert await ref.ask(Echo("again")) == "again"
        arguments: dict[str, tuple[Any, ...]] = {
            "after": (0.0, Note("late")),
            "every": (1.0, Note("late")),
            "join": ("crew",),
            "leave": ("crew",),
            "watch": (system.find("/"),),
            "unwatch": (system.find("/"),),
            "reply": ("late",),
            "waiting": ("nothing",),
        }
        with pytest.raises(RuntimeError, match="this context of /kept has ended"):
            getattr(kept[0], call)(*arguments.get(call, ()))
        await trio.sleep(10)
        assert (system.group("crew").members, system.statistics().alarms) == ((), 0)
        assert ref.statistics().handled == (0 if end == "stop" else 2)
        assert ref.state is (actors.ActorState.STOPPED if end == "stop" else actors.ActorState.IDLE)


@pytest.mark.parametrize("call", ["reply", "reply_later"])
async def test_an_ended_context_has_no_hand_in_the_message_of_the_next(
    autojump_clock: MockClock, call: str
) -> None:
    """Its asker gets the reply of the new incarnation, and the old one does not see who sent it."""
    kept: list[actors.Context] = []

    async def asker(ctx: actors.Context, ref: actors.Ref) -> str:
        return await ref.ask(Sleep(2))

    async with actors.open_system("alpha") as system:
        ref = await system.start(Kept, kept, name="kept", policy=AT_ONCE)
        ref.tell(Die())
        asking = system.spawn(asker, ref)
        await trio.sleep(1)
        old, new = kept
        assert (old.sender, new.sender) == (None, asking)
        with pytest.raises(RuntimeError, match="this context of /kept has ended"):
            getattr(old, call)(*(("wrong",) if call == "reply" else ()))
        assert (await asking.wait_stopped()).value == "slept"


async def test_an_ended_context_gives_no_signs_of_life(autojump_clock: MockClock) -> None:
    kept: list[actors.Context] = []
    async with actors.open_system("alpha") as system, system.subscribe(Progressed) as events:
        ref = await system.start(Kept, kept, name="kept", policy=AT_ONCE)
        ref.tell(Die())
        assert await ref.ask(Echo("again")) == "again"
        await trio.sleep(5)
        kept[0].progress(7)
        kept[0].output(b"seven")
        assert (facts(events), ref.statistics().last_activity) == ([], pytest.approx(0.0))
        kept[1].progress(7)
        assert len(facts(events)) == 1


async def test_a_copy_of_a_class_that_ran_before_is_a_class_of_its_own(autojump_clock: MockClock) -> None:
    """As `attrs.define` makes one for slots: what the framework has kept on the first is copied too."""

    class First(actors.Actor):
        title = "first"

        def __init__(self) -> None:
            self.made = "made"

        @actors.receive
        def echo(self, message: Echo) -> str:
            return f"{self.title} {self.made}"

    async with actors.open_system("alpha") as system:
        assert await system.spawn(First).ask(Echo()) == "first made"
        second = type("Second", (actors.Actor,), dict(vars(First)) | {"title": "second"})
        assert await system.spawn(second).ask(Echo()) == "second made"


async def test_the_sender_is_the_actor_of_the_task_also_of_one_it_started(autojump_clock: MockClock) -> None:
    """Hooks, handlers and the tasks they start send in the actor's name; the body in nobody's."""

    class Sender(actors.Actor):
        def __init__(self, to: actors.Ref) -> None:
            self.to = to
            to.tell(Note("constructor"))

        async def on_start(self) -> None:
            self.to.tell(Note("on_start"))

        async def on_stop(self, exit: actors.Exit) -> None:
            self.to.tell(Note("on_stop"))

        async def child(self) -> None:
            self.to.tell(Note("child task"))

        @actors.receive
        async def note(self, message: Note) -> None:
            self.to.tell(Note("handler"))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.child)

    class Listener(actors.Actor):
        def __init__(self, heard: dict[str, actors.Ref | None]) -> None:
            self.heard = heard

        @actors.receive
        def note(self, message: Note) -> None:
            self.heard[message.text] = self.ctx.sender

    heard: dict[str, actors.Ref | None] = {}
    async with actors.open_system("alpha") as system:
        listener = system.spawn(Listener, heard)
        sender = system.spawn(Sender, listener)
        sender.tell(Note())
        listener.tell(Note("body"))
        await settled()
        sender.stop()
        await sender.wait_stopped()
        await settled()
    inside = ("constructor", "on_start", "handler", "child task", "on_stop")
    assert heard == {"body": None} | dict.fromkeys(inside, sender)


async def test_an_unhandled_told_message_is_a_dead_letter(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker, name="worker")
        worker.tell("what?")
        assert await worker.ask(Echo("alive")) == "alive"
        letters = [(letter.ref, letter.message, letter.reason) for letter in system.dead_letters]
        assert letters == [(worker, "what?", "unhandled")]


async def test_a_refusal_goes_to_the_asker_and_the_actor_lives_on(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker, name="worker", policy=AT_ONCE)
        worker.tell(Note("kept"))
        with pytest.raises(actors.Refused, match=r"^not today$"):
            await worker.ask(Fail(actors.Refused("not today")))
        assert await worker.ask(Seen()) == ["kept"]
        assert worker.statistics().failed == 0


async def test_a_told_message_that_is_refused_is_handled(autojump_clock: MockClock) -> None:
    """Nobody waits for the refusal; it is no failure and no dead letter."""
    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker)
        worker.tell(Fail(actors.Refused("no")))
        assert await worker.ask(Echo("alive")) == "alive"
        assert system.dead_letters == ()


async def test_any_other_exception_fails_the_actor(autojump_clock: MockClock) -> None:
    """The asker gets `ActorFailed` with the cause; a new object takes the next message."""
    cause = ValueError("broken")
    async with actors.open_system("alpha") as system, system.subscribe(Failed, Restarted) as events:
        worker = system.spawn(Worker, name="worker", policy=AT_ONCE)
        worker.tell(Note("forgotten"))
        with pytest.raises(actors.ActorFailed) as caught:
            await worker.ask(Fail(cause))
        assert (caught.value.ref, caught.value.error, caught.value.__cause__) == (worker, cause, cause)
        assert await worker.ask(Seen()) == []
        failed, restarted = facts(events)
        assert failed == ("Failed", "/worker", actors.Exit(actors.ExitKind.FAILED, error=cause), Fail(cause))
        assert restarted == ("Restarted", "/worker", 1)


async def test_the_asker_hears_of_the_failure_at_once(autojump_clock: MockClock) -> None:
    """Not after `on_stop`, and not at its own timeout."""

    class Slow(actors.Actor):
        @actors.receive
        async def fail(self, message: Fail) -> None:
            raise message.error

        async def on_stop(self, exit: actors.Exit) -> None:
            await trio.sleep(3)

    async with actors.open_system("alpha") as system:
        slow = system.spawn(Slow, name="slow", policy=AT_ONCE)
        start = trio.current_time()
        with pytest.raises(actors.ActorFailed):
            await slow.ask(Fail(ValueError()), timeout=60)
        assert trio.current_time() - start == 0.0


async def test_an_error_that_cannot_be_shown_is_a_failure_like_any(autojump_clock: MockClock) -> None:
    """The asker, the exit and the block have that error, and not the one of showing it."""

    class Unsayable(Exception):
        def __str__(self) -> str:
            raise Unsayable

    error = Unsayable()
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker, name="worker", policy=actors.Policy(restart="temporary"))
        with pytest.raises(actors.ActorFailed, match="Unsayable") as caught:
            await worker.ask(Fail(error), timeout=10.0)
        assert caught.value.__cause__ is error
        exit = await worker.wait_stopped()
        assert (exit.kind, exit.error, exit.reason) == (actors.ExitKind.FAILED, error, "Unsayable")


async def test_a_told_message_that_fails_is_one_dead_letter(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system, system.subscribe(DeadLetter) as events:
        worker = system.spawn(Worker, name="worker", policy=AT_ONCE)
        worker.tell(Die("boom"))
        await settled()
        assert facts(events) == [("DeadLetter", "/worker", Die("boom"), None, "crashed")]


async def test_ctx_stop_ends_after_the_message_in_hand(autojump_clock: MockClock) -> None:
    """The exit is NORMAL, what waited becomes dead letters, and a transient actor stays down."""

    class Quitter(Worker):
        @actors.receive
        async def quit(self, message: str) -> None:
            self.ctx.stop()
            await trio.sleep(1)
            self.seen.append("end of the handler")
            seen.extend(self.seen)

    seen: list[str] = []
    async with actors.open_system("alpha") as system:
        quitter = await system.start(Quitter, name="quitter")
        quitter.tell("go")
        quitter.tell(Note("too late"))
        exit = await quitter.wait_stopped()
        assert trio.current_time() == pytest.approx(1.0)
        assert (exit.kind, seen) == (actors.ExitKind.NORMAL, ["end of the handler"])
        assert [(letter.message, letter.reason) for letter in system.dead_letters] == [
            (Note("too late"), "stopped")
        ]


async def test_a_permanent_actor_that_stops_itself_starts_again(autojump_clock: MockClock) -> None:
    class Quitter(Worker):
        @actors.receive
        async def quit(self, message: str) -> None:
            self.ctx.stop()

    policy = actors.Policy(restart="permanent", backoff=AT_ONCE.backoff, breaker=None)
    async with actors.open_system("alpha") as system, system.subscribe(Restarted) as events:
        quitter = await system.start(Quitter, name="quitter", policy=policy)
        quitter.tell(Note("forgotten"))
        quitter.tell("go")
        quitter.tell(Note("kept"))
        assert await quitter.ask(Seen()) == ["kept"]
        assert facts(events) == [("Restarted", "/quitter", 1)]


async def test_a_permanent_actor_that_stops_itself_while_it_ends_starts_again_once(
    autojump_clock: MockClock,
) -> None:
    """It is ending already: `ctx.stop()` in `on_stop` does not reach the next incarnation."""
    kinds: list[actors.ExitKind] = []

    class Quitter(Worker):
        async def on_stop(self, exit: actors.Exit) -> None:
            kinds.append(exit.kind)
            self.ctx.stop()

    policy = actors.Policy(restart="permanent", backoff=AT_ONCE.backoff, breaker=None)
    async with actors.open_system("alpha") as system, system.subscribe(Restarting) as events:
        quitter = await system.start(Quitter, name="quitter", policy=policy)
        quitter.tell(Die())
        assert await quitter.ask(Echo("again")) == "again"
        await trio.sleep(10)
        assert (len(facts(events)), quitter.statistics().restarts) == (1, 1)
        assert kinds == ["FAILED"]


async def test_a_failure_of_an_adhoc_actor_ends_it_and_touches_nobody(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        adhoc = system.spawn(Worker)
        other = system.spawn(Worker, name="other")
        adhoc.tell(Die("boom"))
        exit = await adhoc.wait_stopped()
        assert (exit.kind, exit.reason) == (actors.ExitKind.FAILED, "RuntimeError: boom")
        assert await other.ask(Echo("alive")) == "alive"
        assert adhoc.statistics().restarts == 0
