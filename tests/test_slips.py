"""What a slip at the keyboard gets to read: what happened, where, and what to write instead."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

import actors
from tests.core.cast import Echo, Note, Worker


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: actors.Policy(backoff=1), r"backoff must be a Backoff, not 1: write actors\.Backoff"),  # type: ignore[arg-type]
        (lambda: actors.Policy(mailbox=None), r"mailbox must be a Mailbox, not None"),  # type: ignore[arg-type]
        (lambda: actors.Policy(breaker=5), r"breaker must be a Breaker or None, not 5"),  # type: ignore[arg-type]
        (lambda: actors.tag_of(Echo("x")), r"takes a message class.*write tag_of\(type"),  # type: ignore[arg-type]
        (lambda: actors.message(tag=5), r"a tag is a str, not 5"),  # type: ignore[call-overload]
        (lambda: actors.Policy(retry_on_timeout=1), r"retry_on_timeout must be a bool, not 1"),  # type: ignore[arg-type]
        (lambda: actors.Timeout(ladder=5), r"ladder must be a Ladder or None, not 5: write"),  # type: ignore[arg-type]
        (lambda: actors.function(5), r"decorates an async function, not 5"),  # type: ignore[type-var]
        (lambda: actors.function(readiness="no"), r"readiness must be True or False, not 'no'"),  # type: ignore[call-overload]
    ],
)
def test_a_wrong_type_is_a_type_error_that_says_what_to_write(make: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        make()


@pytest.mark.parametrize("value", ["x", 1, None])
def test_a_switch_takes_true_or_false_alone(value: Any) -> None:
    with pytest.raises(ValueError, match="fast_fail must be True or False"):
        actors.Breaker(fast_fail=value)
    with pytest.raises(ValueError, match="check must be True or False"):
        actors.process.Command(["true"], check=value)


def test_jitter_is_a_share() -> None:
    with pytest.raises(ValueError, match="jitter is a share from 0 to 1, not -1"):
        actors.Backoff(jitter=-1)


@pytest.mark.parametrize(
    ("name", "hook", "written"),
    [
        ("on_start", "async def on_start(self, ctx): ...", r"async def on_start\(self\)"),
        ("on_stop", "async def on_stop(self): ...", r"async def on_stop\(self, exit\)"),
        ("on_unhandled", "async def on_unhandled(self): ...", r"async def on_unhandled\(self, message\)"),
    ],
)
def test_a_hook_with_other_arguments_is_refused_at_the_class(name: str, hook: str, written: str) -> None:
    """It would fail late, or, as `on_stop`, never be noticed."""
    body: dict[str, Any] = {}
    exec(hook, body)
    with pytest.raises(TypeError, match=rf"A\.{name} takes other arguments: write `{written}`"):
        type("A", (actors.Actor,), {name: body[name]})


def test_a_hook_may_take_more_with_defaults() -> None:
    class A(actors.Actor):
        async def on_stop(self, exit: actors.Exit, *more: object, why: str = "") -> None: ...

    assert A.on_stop is not actors.Actor.on_stop


def test_two_handlers_of_one_name_are_refused() -> None:
    """Python would keep the second alone."""
    with pytest.raises(TypeError, match="is a handler already in this class"):

        class A(actors.Actor):  # pyright: ignore[reportUnusedClass]
            @actors.receive
            def take(self, message: int) -> None: ...

            @actors.receive
            def take(self, message: str) -> None: ...  # noqa: F811


async def test_function_is_a_decorator_with_and_without_parentheses(autojump_clock: MockClock) -> None:
    @actors.function
    async def plain(ctx: actors.Context) -> str:
        return "done"

    async with actors.open_system("s") as system:
        assert (await system.spawn(plain).wait_stopped()).value == "done"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Worker, r"Worker is a class, not a message: ask Worker\(\.\.\.\)"),
        ("text", r"'text' is not a Request .* tell it, or ask a class derived from Request"),
        (None, r"None is not a Request"),
        (Note("x"), r"Note is not a Request .* `class Note\(actors\.Request\[str\]\)`"),
    ],
)
async def test_what_cannot_be_asked_is_told_why(autojump_clock: MockClock, asked: Any, said: str) -> None:
    async with actors.open_system("s") as system:
        worker = system.spawn(Worker)
        with pytest.raises(TypeError, match=said):
            await worker.ask(asked)


async def test_arguments_by_name_go_in_a_partial(autojump_clock: MockClock) -> None:
    """What spawn takes for an option of its own says so, and so does a class that takes nothing."""

    class Greeter(actors.Actor):
        def __init__(self, greeting: str) -> None: ...

    class Silent(actors.Actor): ...

    class Boss(actors.Supervisor):
        async def on_start(self) -> None:
            with pytest.raises(TypeError, match="no option 'greeting'"):
                self.spawn(Greeter, greeting="hi")  # type: ignore[arg-type]

    async with actors.open_system("s") as system:
        said = r"Greeter, write functools\.partial\(.*Greeter, greeting=\.\.\.\)"
        with pytest.raises(TypeError, match=said):
            system.spawn(Greeter, greeting="hi")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=said):
            await system.start(Greeter, greeting="hi")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"Silent cannot be started .* give it an __init__"):
            system.spawn(functools.partial(Silent, greeting="hi"))
        await system.start(Boss)
        assert len(system.tree().children) == 1


@pytest.mark.parametrize("alone", [Worker, "test_slips:Worker"])
def test_what_may_be_spawned_for_others_is_a_list(alone: Any) -> None:
    with pytest.raises(TypeError, match=r"write spawnable=\[\.\.\.\]"):
        actors.open_system("s", spawnable=alone)


@pytest.mark.parametrize("other", ["/worker", None, Worker])
async def test_what_is_no_ref_or_path_is_a_type_error(autojump_clock: MockClock, other: Any) -> None:
    async def watcher(ctx: actors.Context) -> None:
        with pytest.raises(TypeError, match=r"is not a ref: pass what spawn returned"):
            ctx.watch(other)
        with pytest.raises(TypeError, match=r"is not a ref: pass what spawn returned"):
            ctx.unwatch(other)

    async with actors.open_system("s") as system:
        exit = await system.spawn(watcher).wait_stopped()
        assert exit.kind is actors.ExitKind.NORMAL
        with pytest.raises(TypeError, match="a path is a str, not 5: write it as '/network/worker-1'"):
            system.find(5)  # type: ignore[arg-type]


def test_a_breaker_is_told_as_far_as_it_is_known() -> None:
    """User code may raise it with nothing but the seconds."""
    assert str(actors.CircuitOpen(retry_after=3.0)) == "the breaker is open: try again in 3 s"
    assert str(actors.CircuitOpen("/a", 1)) == (
        "the breaker of /a is open after 1 failure: a probe is under way"
    )


async def test_a_shared_budget_blames_the_group(autojump_clock: MockClock) -> None:
    class Boss(actors.Supervisor):
        strategy = actors.OneForAll(max_restarts=0)

        async def on_start(self) -> None:
            self.spawn(Worker, name="a", policy=actors.Policy(breaker=None))

        @actors.receive
        def end(self, message: str) -> None: ...

    async def fail(ctx: actors.Context) -> None:
        raise ValueError("no")

    class Failing(Boss):
        async def on_start(self) -> None:
            self.spawn(fail, name="b", policy=actors.Policy(breaker=None))

    async with actors.open_system("s") as system:
        exit = await system.spawn(
            Failing, name="boss", policy=actors.Policy(restart="temporary")
        ).wait_stopped()
    assert "/boss/b, the last of its group to fail, needs more than the 0 restarts" in str(exit.error)


async def test_a_path_is_no_store(autojump_clock: MockClock) -> None:
    async with actors.open_system("s", store=None):
        pass
    with pytest.raises(TypeError, match=r"write actors\.delivery\.SQLiteStore"):
        actors.open_system("s", store="file.db")  # type: ignore[arg-type]


async def test_what_one_holds_shows_what_it_is(autojump_clock: MockClock) -> None:
    seen: list[str] = []

    async def listener(ctx: actors.Context) -> None:
        seen.append(repr(ctx.inbox))

    class Later(actors.Actor):
        @actors.receive
        def later(self, message: Echo) -> None:
            port = self.ctx.reply_later()
            seen.append(repr(port))
            port.answer("x")

    async with actors.open_system("s") as system, system.subscribe(actors.events.Failed) as events:
        assert repr(events) == "<Subscription to Failed, open, 0 waiting>"
        await system.spawn(listener, name="l").wait_stopped()
        await system.spawn(Later).ask(Echo("y"))
    assert seen[0] == "<Inbox of /l, 0 waiting>"
    assert seen[1].startswith("<ReplyPort of <Pending ")


async def test_a_send_that_waits_is_released_by_a_drain(autojump_clock: MockClock) -> None:
    """It can never get in; waiting for the message in hand would be for nothing."""
    policy = actors.Policy(mailbox=actors.Mailbox(capacity=1), shutdown=60.0)

    class Slow(actors.Actor):
        @actors.receive
        async def work(self, message: float) -> None:
            await trio.sleep(message)

    async with actors.open_system("s") as system, trio.open_nursery() as nursery:
        slow = await system.start(Slow, policy=policy)
        slow.tell(10.0)
        await trio.testing.wait_all_tasks_blocked()
        slow.tell(1.0)
        ended: list[float] = []

        async def send() -> None:
            await slow.send(2.0)
            ended.append(trio.current_time())

        nursery.start_soon(send)
        await trio.testing.wait_all_tasks_blocked()
        slow.drain()
        await trio.testing.wait_all_tasks_blocked()
        assert ended == [trio.current_time()]
        await slow.wait_stopped()


async def test_a_tree_may_be_deeper_than_the_stack(autojump_clock: MockClock) -> None:
    class Deep(actors.Supervisor):
        def __init__(self, left: int) -> None:
            self.left = left

        async def on_start(self) -> None:
            if self.left:
                self.spawn(Deep, self.left - 1, name="d")

    async with actors.open_system("s") as system:
        system.spawn(Deep, 899, name="d")
        await trio.sleep(1)
        tree = system.tree()
        assert len(list(tree.walk())) == 901
        assert str(tree).count("\n") == 900
        assert tree.as_dict()["children"][0]["path"] == "/d"
        assert system.statistics().actors == 900
        deepest = system.find("/d" * 900)
        assert deepest is not None
        assert deepest.path == "/d" * 900


@pytest.mark.parametrize("value", [len, 5])
def test_predicates_are_a_list(value: Any) -> None:
    with pytest.raises(ValueError, match="predicates must be a list of functions"):
        actors.Stall(predicates=value)


async def test_an_async_predicate_is_refused() -> None:
    """Its coroutine would be true, and end every run."""

    async def later(stdout: str, stderr: str) -> bool:
        return False

    with pytest.raises(ValueError, match=r"predicates\[0\] must be a function .* not async"):
        actors.Stall(predicates=(later,))  # type: ignore[arg-type]
