"""What cannot be meant is refused at the call, with the cure, and nothing is done (contract §4, §12)."""

from __future__ import annotations

import abc
import functools
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from trio.testing import MockClock

import actors
from tests.core.cast import Echo, Note, Worker


def plain(ctx: Any) -> None: ...


async def job(ctx: actors.Context, a: int, *, b: int = 0) -> None: ...


async def no_context() -> None: ...


async def keyword_context(*, ctx: Any) -> None: ...


async def generator(ctx: Any) -> Any:
    yield 1


class NoActor: ...


class Abstract(actors.Actor, abc.ABC):
    @abc.abstractmethod
    def missing(self) -> None: ...


class Needs(actors.Actor):
    def __init__(self, one: int, *, key: int = 0) -> None: ...


WRONG_WHATS = [
    (plain, "is not an async function"),
    (lambda ctx: None, "is not an async function"),
    (print, "is not an async function"),
    (NoActor, "is not an Actor class"),
    (int, "is not an Actor class"),
    (no_context, "takes no context"),
    (keyword_context, "takes no context"),
    (generator, "is an async generator"),
    (functools.partial(plain), "is not an async function"),
    (functools.partial(functools.partial(plain)), "is not an async function"),
    (Abstract, "is abstract: implement missing"),
    (None, "cannot be an actor"),
    (5, "cannot be an actor"),
    ("Worker", "cannot be an actor"),
    (object(), "cannot be an actor"),
]


@pytest.mark.parametrize(("what", "said"), WRONG_WHATS, ids=range(len(WRONG_WHATS)))
async def test_what_cannot_be_an_actor_is_a_type_error(
    autojump_clock: MockClock, what: Any, said: str
) -> None:
    """`spawn` and `start` say so at once; no child was made."""
    async with actors.open_system("alpha") as system:
        with pytest.raises(TypeError, match=said):
            system.spawn(what, name="what")
        with pytest.raises(TypeError, match=said):
            await system.start(what, name="what")
        assert system.tree().children == ()


async def test_an_instance_is_not_spawned(autojump_clock: MockClock) -> None:
    """A restart could not make a new one: the text shows the right call."""
    async with actors.open_system("alpha") as system:
        with pytest.raises(TypeError, match=r"is an instance.*`spawn\(Worker, \.\.\.\)`"):
            system.spawn(Worker())


async def test_a_function_that_was_called_already_is_not_spawned(autojump_clock: MockClock) -> None:
    """The coroutine is closed: no "never awaited" warning is left behind."""
    async with actors.open_system("alpha") as system:
        coroutine = job(None, 1)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"job\(\.\.\.\) was called already"):
            system.spawn(coroutine)


@pytest.mark.parametrize(
    ("what", "args"),
    [
        (Needs, ()),
        (Needs, (1, 2)),
        (job, ()),
        (job, (1, 2)),
        (functools.partial(job, 1), (2,)),
        (functools.partial(job, c=3), (1,)),
        (Worker, (1,)),
    ],
    ids=lambda value: None,
)
async def test_wrong_arguments_are_refused_at_the_call(
    autojump_clock: MockClock, what: Any, args: tuple[Any, ...]
) -> None:
    """Not by a start that fails again and again."""
    async with actors.open_system("alpha") as system:
        with pytest.raises(TypeError, match="cannot be started with these arguments"):
            system.spawn(what, *args, name="what")
        with pytest.raises(TypeError, match="cannot be started with these arguments"):
            await system.start(what, *args, name="what")
        assert system.find("/what") is None


BAD_NAMES = ["", "a/b", "/", "~1", "-a", ".a", "_a", "a b", "a\n", "ü", "x" * 129, "x" * 200, 5, b"a", ("a",)]


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: repr(name)[:20])
async def test_a_bad_name_is_an_invalid_name(autojump_clock: MockClock, name: Any) -> None:
    """`InvalidName` is a ValueError and carries the name; its text stays short."""
    async with actors.open_system("alpha") as system:
        for _ in range(2):
            with pytest.raises(actors.InvalidName, match="is not a valid name") as caught:
                system.spawn(Worker, name=name)
            assert isinstance(caught.value, ValueError)
            assert caught.value.name == name
            assert len(str(caught.value)) < 250
        with pytest.raises(actors.InvalidName):
            actors.open_system(name)


@pytest.mark.parametrize("name", ["a", "7", "worker-1", "A.b_c-d", "x" * 128])
async def test_a_good_name_is_taken_as_it_is(autojump_clock: MockClock, name: str) -> None:
    async with actors.open_system("alpha") as system:
        ref = system.spawn(Worker, name=name)
        assert (ref.name, ref.path, system.find(f"/{name}")) == (name, f"/{name}", ref)


async def test_a_name_is_taken_while_its_owner_lives(autojump_clock: MockClock) -> None:
    """`NameTaken` carries the name and the owner; a stopping owner still has it."""
    async with actors.open_system("alpha") as system:
        owner = await system.start(Worker, name="worker")
        for _ in range(2):
            with pytest.raises(actors.NameTaken, match="/worker is taken by a living actor") as caught:
                system.spawn(Worker, name="worker")
            assert (caught.value.name, caught.value.ref) == ("worker", owner)
            with pytest.raises(actors.NameTaken):
                await system.start(Worker, name="worker")
            owner.stop()
        await owner.wait_stopped()
        assert system.spawn(Worker, name="worker") != owner


async def test_a_name_is_unique_among_siblings_only(autojump_clock: MockClock) -> None:
    class Boss(actors.Supervisor):
        async def on_start(self) -> None:
            self.spawn(Worker, name="worker")

    async with actors.open_system("alpha") as system:
        await system.start(Boss, name="boss")
        await system.start(Worker, name="worker")
        assert system.find("/boss/worker") != system.find("/worker")


@pytest.mark.parametrize("message", [Note(), "text", None, 5, Echo])
async def test_only_a_request_can_be_asked(autojump_clock: MockClock, message: Any) -> None:
    """The TypeError comes at the call, and nothing is sent."""
    async with actors.open_system("alpha") as system:
        worker = await system.start(Worker)
        said = r"ask Echo\(\.\.\.\)" if message is Echo else "is not a Request and has no reply"
        with pytest.raises(TypeError, match=said):
            await worker.ask(message)
        with pytest.raises(TypeError, match=said):
            worker.request(message)
        assert await worker.ask(Echo("alive")) == "alive"
        assert worker.statistics().handled == 1


@pytest.mark.parametrize("policy", ["default", 5, {}, actors.Backoff()])
async def test_a_policy_must_be_a_policy(autojump_clock: MockClock, policy: Any) -> None:
    with pytest.raises(TypeError, match="policy must be a Policy"):
        actors.open_system("alpha", policy=policy)
    async with actors.open_system("alpha") as system:
        with pytest.raises(TypeError, match="policy must be a Policy"):
            system.spawn(Worker, policy=policy)


@pytest.mark.parametrize("strategy", ["one_for_one", 5, actors.OneForOne, actors.Policy()])
def test_an_unknown_strategy_is_a_value_error(strategy: Any) -> None:
    """It names the known ones; for a system and for a supervisor class."""
    with pytest.raises(ValueError, match=r"OneForOne.*OneForAll.*RestForOne"):
        actors.open_system("alpha", strategy=strategy)
    with pytest.raises(ValueError, match=r"OneForOne.*OneForAll.*RestForOne"):
        type("Boss", (actors.Supervisor,), {"strategy": strategy})


def test_an_unknown_auto_shutdown_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="never, any, all"):
        type("Boss", (actors.Supervisor,), {"auto_shutdown": "some"})


async def test_a_permanent_child_cannot_be_significant(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        with pytest.raises(ValueError, match="cannot be significant"):
            system.spawn(Worker, name="worker", policy=actors.Policy(restart="permanent"), significant=True)


async def test_an_unknown_node_is_refused(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        with pytest.raises(actors.UnknownNode, match="'beta'") as caught:
            system.spawn(Worker, on="beta")
        assert caught.value.node == "beta"
        assert system.spawn(Worker, on="alpha").node == "alpha"


@pytest.mark.row(72)
@pytest.mark.parametrize("call", ["children", "peers"])
async def test_a_ref_of_another_system_is_refused(autojump_clock: MockClock, call: str) -> None:
    async with actors.open_system("alpha") as system, actors.open_system("beta") as other:
        stranger = other.spawn(Worker, name="stranger")
        for ref in (stranger, "/stranger", None):
            with pytest.raises(actors.UnknownActor, match="is not an actor of the system 'alpha'"):
                getattr(system, call)(ref)


@pytest.mark.parametrize(
    "kind", [getattr(actors, name) for name in actors.__all__ if isinstance(getattr(actors, name), type)]
)
def test_every_error_has_the_one_base(kind: type) -> None:
    """Whatever is an exception and public derives from `ActorError`."""
    assert not issubclass(kind, BaseException) or issubclass(kind, actors.ActorError)


@pytest.mark.parametrize("make", [pickle.dumps, lambda ref: pickle.dumps(Note(ref))])
async def test_a_ref_does_not_leave_the_process_by_pickle(
    autojump_clock: MockClock, make: Callable[[Any], bytes]
) -> None:
    async with actors.open_system("alpha") as system:
        with pytest.raises(TypeError, match="cannot be pickled"):
            make(system.spawn(Worker))


async def test_a_class_without_a_constructor_takes_no_arguments(autojump_clock: MockClock) -> None:
    """That shows at the call, not at the start."""

    class Plain(actors.Actor): ...

    async with actors.open_system("alpha") as system:
        with pytest.raises(TypeError, match=r"Plain cannot .* give it an __init__"):
            system.spawn(Plain, 1)
        with pytest.raises(TypeError, match="cannot be started with these arguments"):
            system.spawn(functools.partial(Plain, speed=1))
        assert system.tree().children == ()
