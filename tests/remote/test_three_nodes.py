"""Three nodes: alpha and gamma are each linked to beta, with or without a link of their own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState, ExitKind
from actors.remote.credit import WINDOW
from tests.remote.folk import (
    Break,
    Deny,
    Echo,
    Hold,
    Keep,
    Note,
    Seen,
    Unknown,
    WhoAsks,
    Worker,
    link_of,
    settled,
)
from tests.remote.stage import Cable, Cables, cables

BOTH_WAYS = pytest.mark.parametrize("direct", [False, True], ids=["over beta", "direct"])


@attrs.frozen
class Three:
    """Three linked systems."""

    alpha: actors.System
    beta: actors.System
    gamma: actors.System
    cables: dict[str, Cable]
    """By the letters of their ends."""
    made: Cables

    async def found(self, kind: Any = Worker, **options: Any) -> actors.Ref:
        """A new actor of gamma's, whose ref beta has given to alpha."""
        self.gamma.spawn(kind, name="worker", **options)
        known = await self.beta.node("gamma").find("/worker")
        broker = await self.alpha.node("beta").find("/broker")
        at_home = self.beta.find("/broker")
        assert broker is not None
        assert at_home is not None
        await at_home.ask(Keep(known))
        return await broker.ask(WhatIsKept(), timeout=5)


@actors.message(tag="test.three_nodes.WhatIsKept")
class WhatIsKept(actors.Request[Any]): ...


@actors.message(tag="test.three_nodes.Ask")
class Ask(actors.Request[Any]):
    whom: actors.Ref
    request: Any


@actors.message(tag="test.three_nodes.Watch")
class Watch(actors.Request[None]):
    ref: actors.Ref


class Broker(Worker):
    @actors.receive
    async def what(self, message: WhatIsKept) -> Any:
        return self.kept[-1]


class Asker(Worker):
    """Asks, and notes the ends of those it watches."""

    @actors.receive
    async def pass_on(self, message: Ask) -> Any:
        return await message.whom.ask(message.request, timeout=5)

    @actors.receive
    async def watch(self, message: Watch) -> None:
        self.ctx.watch(message.ref)

    @actors.receive
    async def ended(self, message: actors.Terminated) -> None:
        self.seen.append(f"{message.ref.path} {message.exit.kind}")


@asynccontextmanager
async def three(*, direct: bool = False) -> AsyncGenerator[Three]:
    """alpha has dialled beta, beta gamma, and alpha gamma if they are linked `direct`ly."""
    with cables() as made:
        async with (
            actors.open_system("gamma") as gamma,
            actors.open_system("beta") as beta,
            actors.open_system("alpha") as alpha,
        ):
            joined = {"ab": Cable(), "bg": Cable(), "ag": Cable()}
            await (await alpha.connect(made.door(beta, joined["ab"]))).wait_up()
            await (await beta.connect(made.door(gamma, joined["bg"]))).wait_up()
            if direct:
                await (await alpha.connect(made.door(gamma, joined["ag"]))).wait_up()
            await settled()
            beta.spawn(Broker, name="broker")
            yield Three(alpha, beta, gamma, joined, made)


@BOTH_WAYS
async def test_a_ref_that_was_given_on_is_told_and_asked(autojump_clock: MockClock, direct: bool) -> None:
    async with three(direct=direct) as world:
        ref = await world.found()
        assert (ref.path, ref.node, ref.state) == ("/worker", "gamma", ActorState.IDLE)
        assert ref == world.gamma.find("/worker")
        for number in range(20):
            ref.tell(Note(str(number)))
            await ref.send(Note(f"{number} sent"))
        seen = await ref.ask(Seen(), timeout=5)
        assert seen == [text for number in range(20) for text in (str(number), f"{number} sent")]


@BOTH_WAYS
async def test_the_way_of_a_ref_is_direct_where_there_is_a_link(
    autojump_clock: MockClock, direct: bool
) -> None:
    async with three(direct=direct) as world:
        ref = await world.found()
        world.cables["bg"].cut()
        await settled()
        pending = ref.request(Echo("direct"))
        await settled()
        assert pending.done is direct
        world.cables["bg"].mend()
        assert await pending.wait(timeout=5) == "direct"


async def test_what_a_ref_that_was_given_on_raises(autojump_clock: MockClock) -> None:
    """The same as from a direct neighbour."""
    async with three() as world:
        ref = await world.found(policy=actors.Policy(breaker=None))
        with pytest.raises(actors.ActorFailed) as caught:
            await ref.ask(Break("bad wheel"), timeout=5)
        cause = caught.value.__cause__
        assert isinstance(cause, actors.RemoteError)
        assert (cause.type_name, cause.message) == ("ValueError", "bad wheel")
        assert "raise ValueError" in cause.traceback_text
        with pytest.raises(actors.Refused, match="not today"):
            await ref.ask(Deny(), timeout=5)
        with pytest.raises(actors.Unhandled):
            await ref.ask(Unknown(), timeout=5)
        with pytest.raises(actors.AskTimeout):
            await ref.ask(Hold(60), timeout=1)
        assert await ref.interrupt() is True
        at_home = world.gamma.find("/worker")
        assert at_home is not None
        at_home.kill()
        exit = await ref.wait_stopped()
        assert exit.kind is ExitKind.KILLED
        with pytest.raises(actors.ActorStopped):
            await ref.ask(Echo(), timeout=5)


async def test_the_sender_is_known_behind_a_third_node(autojump_clock: MockClock) -> None:
    async with three() as world:
        ref = await world.found()
        asker = world.alpha.spawn(Asker, name="asker")
        assert await asker.ask(Ask(ref, WhoAsks())) is asker
        assert await asker.ask(Ask(ref, Keep([asker, ref]))) == [asker, ref]


async def test_a_request_given_up_is_taken_back_behind_a_third_node(autojump_clock: MockClock) -> None:
    async with three() as world:
        ref = await world.found()
        ref.tell(Hold(5))
        with trio.move_on_after(1):
            await ref.ask(Echo("given up"))
        assert await ref.ask(Seen(), timeout=20) == []
        await trio.sleep(3)
        for system, other in (
            (world.alpha, "beta"),
            (world.beta, "alpha"),
            (world.beta, "gamma"),
            (world.gamma, "beta"),
        ):
            link = link_of(system, other)
            assert (link.asks, link.inbound.incoming, link.windows, link.inbound.debts) == ({}, {}, {}, {})


async def test_the_loss_of_an_asker_takes_its_requests_back_behind_a_third_node(
    autojump_clock: MockClock,
) -> None:
    async with three() as world:
        ref = await world.found()
        at_home = world.gamma.find("/worker")
        assert at_home is not None
        ref.tell(Hold(40))
        ref.request(Echo("of the lost"))
        await settled()
        world.cables["ab"].silent()
        assert await at_home.ask(Seen()) == []
        assert "alpha" not in [peer.name for peer in world.beta.nodes]
        assert len(link_of(world.beta, "gamma").watched) == 0


@BOTH_WAYS
async def test_a_ref_that_was_given_on_is_watched_and_stopped(
    autojump_clock: MockClock, direct: bool
) -> None:
    async with three(direct=direct) as world:
        ref = await world.found()
        asker = world.alpha.spawn(Asker, name="asker")
        await asker.ask(Watch(ref))
        await ref.wait_started()
        ref.suspend()
        await settled()
        at_home = world.gamma.find("/worker")
        assert at_home is not None
        assert at_home.state is ActorState.SUSPENDED
        ref.resume()
        ref.stop()
        assert (await ref.wait_stopped()).kind is ExitKind.SHUTDOWN
        await settled()
        assert await asker.ask(Seen()) == ["/worker SHUTDOWN"]


async def test_the_loss_of_the_third_node_is_told_on(autojump_clock: MockClock) -> None:
    async with three() as world:
        ref = await world.found()
        asker = world.alpha.spawn(Asker, name="asker")
        await asker.ask(Watch(ref))
        pending = ref.request(Hold(1000))
        await settled()
        world.cables["bg"].silent()
        await trio.sleep(30)
        assert await asker.ask(Seen()) == ["/worker NODE_DOWN"]
        with pytest.raises(actors.ActorStopped):
            await pending.wait()
        assert world.alpha.node("beta").state is actors.LinkState.UP


async def test_the_loss_of_the_middle_node_ends_what_is_behind_it(autojump_clock: MockClock) -> None:
    async with three() as world:
        ref = await world.found()
        asker = world.alpha.spawn(Asker, name="asker")
        await asker.ask(Watch(ref))
        pending = ref.request(Hold(1000))
        await settled()
        world.cables["ab"].silent()
        await trio.sleep(30)
        assert await asker.ask(Seen()) == ["/worker NODE_DOWN"]
        with pytest.raises(actors.ActorStopped):
            await pending.wait()
        ref.tell(Note("nowhere"))
        assert world.alpha.dead_letters[-1].message == Note("nowhere")
        at_home = world.gamma.find("/worker")
        assert at_home is not None
        assert at_home.state is ActorState.BUSY


async def test_a_direct_ref_outlives_the_node_that_gave_it(autojump_clock: MockClock) -> None:
    async with three(direct=True) as world:
        ref = await world.found()
        world.cables["ab"].silent()
        world.cables["bg"].silent()
        await trio.sleep(30)
        assert [peer.name for peer in world.alpha.nodes] == ["gamma"]
        assert await ref.ask(Echo("still here"), timeout=5) == "still here"


async def test_a_slow_actor_behind_a_third_node_slows_its_senders_alone(autojump_clock: MockClock) -> None:
    """Nothing is lost in the middle."""
    async with three() as world:
        ref = await world.found()
        at_home = world.gamma.find("/worker")
        assert at_home is not None
        at_home.suspend()
        sent = 0
        with trio.move_on_after(30):
            for number in range(10 * WINDOW):
                await ref.send(Note(str(number)))
                sent += 1
        assert sent == 3 * WINDOW  # a window on each link, and the mailbox
        broker = await world.alpha.node("beta").find("/broker")
        assert broker is not None
        assert await broker.ask(Echo("quick"), timeout=1) == "quick"
        ref.resume()
        await settled()
        assert await ref.ask(Seen(), timeout=5) == [str(number) for number in range(sent)]
        assert list(world.beta.dead_letters) == []


async def test_a_message_that_only_the_ends_know_passes_the_middle(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """beta does not decode what it passes on."""
    async with three() as world:
        ref = await world.found()
        codec = world.beta._node.codec  # pyright: ignore[reportPrivateUsage]

        def read(_: object) -> object:
            raise AssertionError("beta has read it")

        monkeypatch.setattr(codec, "message_in", read)
        monkeypatch.setattr(codec, "value_in", read)
        ref.tell(Note("told"))
        assert await ref.ask(Seen(), timeout=5) == ["told"]


async def test_groups_reach_linked_nodes(autojump_clock: MockClock) -> None:
    """One hop: of a node that is not linked here nobody is a member here."""

    @actors.message(tag="test.three_nodes.Join")
    class Join(actors.Request[None]): ...

    class Member(Worker):
        @actors.receive
        async def join(self, message: Join) -> None:
            self.ctx.join("crew")

    async with three() as world:
        for system in (world.alpha, world.beta, world.gamma):
            await system.spawn(Member, name="member").ask(Join())
        await settled()
        crews = [
            sorted(ref.node for ref in system.group("crew").members)
            for system in (world.alpha, world.beta, world.gamma)
        ]
        assert crews == [["alpha", "beta"], ["alpha", "beta", "gamma"], ["beta", "gamma"]]
