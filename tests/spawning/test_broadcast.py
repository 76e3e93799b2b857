"""A broadcast to children of every state: one outcome each, and no one waits for the dead."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState, Backoff, Breaker, FailureKind, Policy
from actors.events import DeadLetter
from tests.core.cast import Die, Echo, Note, Seen, Sleep, Worker, settled

TARRIES = Policy(backoff=Backoff.fixed(2.0), breaker=None)
TRIPS = Policy(backoff=Backoff.fixed(0.0), breaker=Breaker(failures=1, reset_after=1000.0))


@actors.message
class Broadcast(actors.Request[dict[str, actors.Outcome]]):
    what: Any
    timeout: float | None = None


class Network(actors.Supervisor):
    """Three workers, and a line to all of them."""

    def __init__(self, *policies: Policy | None) -> None:
        self.policies = policies

    async def on_start(self) -> None:
        for name, policy in zip("abc", self.policies, strict=True):
            await self.start(Worker, name=name, policy=policy)

    @actors.receive
    async def all(self, message: Broadcast) -> dict[str, actors.Outcome]:
        outcomes = await self.broadcast(message.what, message.timeout)
        return {ref.path.rpartition("/")[2]: outcome for ref, outcome in outcomes.items()}


async def network(system: actors.System, *policies: Policy | None) -> tuple[actors.Ref, ...]:
    """The supervisor and its children."""
    ref = await system.start(Network, *(policies or (None, None, None)), name="network")
    return ref, *system.children(ref)


@pytest.mark.row(75)
async def test_a_child_that_is_gone_is_no_child_any_more(autojump_clock: MockClock) -> None:
    """One of three was killed before: two outcomes, at once."""
    async with actors.open_system("s") as system:
        ref, _, b, _ = await network(system)
        b.kill()
        await b.wait_stopped()
        assert list(await ref.ask(Broadcast(Echo("hi")))) == ["a", "c"]
        assert trio.current_time() == 0.0


@pytest.mark.row(75)
async def test_a_child_that_dies_while_it_is_asked_is_one_failed_outcome(autojump_clock: MockClock) -> None:
    """At the moment at which it dies; the others have their time."""
    async with actors.open_system("s") as system:
        ref, _, b, _ = await network(system)
        pending = ref.request(Broadcast(Sleep(3)))
        await trio.sleep(1)
        b.kill()
        outcomes = await pending.wait()
        assert list(outcomes) == ["a", "b", "c"]
        assert [(outcome.ok, outcome.elapsed) for outcome in outcomes.values()] == [
            (True, 3.0),
            (False, 1.0),
            (True, 3.0),
        ]
        assert type(outcomes["b"].error) is actors.ActorStopped


@pytest.mark.row(75)
async def test_a_child_that_is_down_for_a_while_answers_when_it_is_back(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref, _, b, _ = await network(system, None, TARRIES, None)
        b.tell(Die())
        await settled()
        assert b.state is ActorState.BACKING_OFF
        outcomes = await ref.ask(Broadcast(Echo("hi")))
        assert [(outcome.value, outcome.elapsed) for outcome in outcomes.values()] == [
            ("hi", 0.0),
            ("hi", 2.0),
            ("hi", 0.0),
        ]


@pytest.mark.row(75)
async def test_a_child_behind_an_open_breaker_refuses_at_once(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref, _, b, _ = await network(system, None, TRIPS, None)
        b.tell(Die())
        await settled()
        outcomes = await ref.ask(Broadcast(Echo("hi")))
        assert [outcome.ok for outcome in outcomes.values()] == [True, False, True]
        assert (outcomes["b"].failure, outcomes["b"].attempts) == (FailureKind.CIRCUIT_OPEN, 0)
        assert trio.current_time() == 0.0


async def test_a_child_that_is_suspended_has_until_the_timeout(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        ref, _, b, _ = await network(system)
        b.suspend()
        outcomes = await ref.ask(Broadcast(Echo("hi"), 2.0))
        assert [outcome.failure for outcome in outcomes.values()] == [None, FailureKind.TIMEOUT, None]
        assert trio.current_time() == 2.0
        told = await ref.ask(Broadcast(Note("later")))
        assert [outcome.ok for outcome in told.values()] == [True, True, True]
        b.resume()
        assert await b.ask(Seen()) == ["later"]


async def test_a_child_that_is_full_is_one_failed_outcome(autojump_clock: MockClock) -> None:
    """Told or asked, it takes no more; nothing is raised."""
    async with actors.open_system("s") as system:
        ref, _, b, _ = await network(system, None, Policy(mailbox=actors.Mailbox(capacity=1)), None)
        b.suspend()
        b.tell(Note("fills it"))
        for what in (Note("hi"), Echo("hi")):
            outcomes = await ref.ask(Broadcast(what))
            assert [outcome.ok for outcome in outcomes.values()] == [True, False, True]
            assert (type(outcomes["b"].error), outcomes["b"].attempts) == (actors.MailboxFull, 0)


async def test_adhoc_children_hear_it_too(autojump_clock: MockClock) -> None:
    class Crowd(Network):
        async def on_start(self) -> None:
            for _ in range(3):
                self.spawn(Worker)

    async with actors.open_system("s") as system:
        ref = await system.start(Crowd)
        outcomes = await ref.ask(Broadcast(Echo("hi")))
        assert [outcome.value for outcome in outcomes.values()] == ["hi"] * 3


async def test_children_are_asked_in_start_order(autojump_clock: MockClock) -> None:
    """Whatever order trio gives the tasks of the call."""
    heard: list[str | None] = []

    class Ear(actors.Actor):
        @actors.receive
        def echo(self, message: Echo) -> None:
            heard.append(self.ctx.ref.name)

    class Choir(Network):
        async def on_start(self) -> None:
            for name in "dacb":
                await self.start(Ear, name=name)

    async with actors.open_system("s") as system:
        ref = await system.start(Choir)
        for _ in range(10):
            await ref.ask(Broadcast(Echo()))
        assert heard == [*"dacb"] * 10


async def test_a_broadcast_that_is_cancelled_before_it_began_tells_nobody(autojump_clock: MockClock) -> None:
    """All or nothing: once the first was told, all were."""

    class Hasty(Network):
        @actors.receive
        async def note(self, message: Note) -> None:
            with trio.CancelScope() as scope:
                scope.cancel()
                await self.broadcast(message)
            assert scope.cancelled_caught

    async with actors.open_system("s") as system, system.subscribe(DeadLetter) as events:
        ref = await system.start(Hasty, None, None, None)
        ref.tell(Note("hi"))
        outcomes = await ref.ask(Broadcast(Seen()))
        assert [outcome.value for outcome in outcomes.values()] == [[], [], []]
        assert events.next_nowait() is None
