"""Two processes on this machine: what holds between two systems of one process holds between them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio

import actors
from actors import ExitKind, LinkState
from actors.events import NodeDown, NodeReconnecting, NodeUp
from tests.remote.host import PATIENCE, Crash, Crew, Decide, Echo, Echoes, Ledger, Numbered, host

TEMPORARY = actors.Policy(restart="temporary", breaker=None)


# --- a wire to hold in one's hand -------------------------------------------------------


@attrs.define(eq=False)
class Relay:
    """Passes TCP connections on to a port, until it cuts, stalls or half closes them."""

    port: int
    listeners: list[trio.SocketListener]
    pairs: list[tuple[trio.SocketStream, trio.SocketStream]] = attrs.field(factory=list)
    flows: trio.Event = attrs.field(factory=trio.Event)
    takes: bool = True

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.listeners[0].socket.getsockname()[1]}"

    async def accept(self, nursery: trio.Nursery) -> None:
        self.flows.set()
        async with self.listeners[0]:
            while True:
                inside = await self.listeners[0].accept()
                if not self.takes:
                    await trio.aclose_forcefully(inside)
                    continue
                outside = await trio.open_tcp_stream("127.0.0.1", self.port)
                self.pairs.append((inside, outside))
                nursery.start_soon(self._pass_on, inside, outside)
                nursery.start_soon(self._pass_on, outside, inside)

    async def _pass_on(self, one: trio.SocketStream, other: trio.SocketStream) -> None:
        try:
            async for data in one:
                await self.flows.wait()
                await other.send_all(data)
            await other.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await trio.aclose_forcefully(one)
            await trio.aclose_forcefully(other)

    async def cut(self) -> None:
        """Both ends hear that the connection ended."""
        pairs, self.pairs = self.pairs, []
        for one in (stream for pair in pairs for stream in pair):
            await trio.aclose_forcefully(one)

    async def half_close(self) -> None:
        """The end that has accepted hears nothing more; the other one is heard no more, and not told."""
        for _, outside in self.pairs:
            await outside.send_eof()


@asynccontextmanager
async def relay(url: str) -> AsyncGenerator[Relay]:
    async with trio.open_nursery() as nursery:
        made = Relay(int(url.rpartition(":")[2]), await trio.open_tcp_listeners(0, host="127.0.0.1"))
        nursery.start_soon(made.accept, nursery)
        try:
            yield made
        finally:
            await made.cut()
            nursery.cancel_scope.cancel()


async def reaches(peer: actors.Peer, state: LinkState) -> None:
    with trio.fail_after(PATIENCE):
        await (peer.wait_up() if state is LinkState.UP else peer.wait_down())


# --- spawn, send, watch, cascade --------------------------------------------------------


async def test_an_actor_of_another_process_is_told_asked_and_watched() -> None:
    """From the first message to the notice of its end."""
    async with host("beta") as beta, actors.open_system("alpha") as alpha:
        await alpha.connect(beta.url)
        child = await alpha.start(Echoes, name="child", on="beta", policy=TEMPORARY)
        ended: list[actors.Exit] = []
        told = trio.Event()

        class Watcher(actors.Actor):
            async def on_start(self) -> None:
                self.ctx.watch(child)

            @actors.receive
            async def gone(self, message: actors.Terminated) -> None:
                ended.append(message.exit)
                told.set()

        await alpha.start(Watcher, name="watcher")
        assert await child.ask(Echo("over there"), timeout=PATIENCE) == "over there"
        assert child.node == "beta"
        child.stop()
        with trio.fail_after(PATIENCE):
            await told.wait()
        assert [exit.kind for exit in ended] == [ExitKind.SHUTDOWN]
        await beta.do("gone", path="/system/nodes/alpha/child")


async def test_a_supervisor_over_there_goes_with_all_its_children() -> None:
    """Also with a process of the operating system that one of them keeps."""
    async with host("beta") as beta, actors.open_system("alpha") as alpha:
        peer = await alpha.connect(beta.url)
        crew = await alpha.start(Crew, name="crew", on="beta", policy=TEMPORARY)
        inner = await peer.find("/system/nodes/alpha/crew/echoes")
        assert inner is not None
        assert await inner.ask(Echo("deep"), timeout=PATIENCE) == "deep"
        await beta.saw("command")
        crew.stop()
        with trio.fail_after(PATIENCE):
            exit = await inner.wait_stopped()
            assert (await crew.wait_stopped()).kind is ExitKind.SHUTDOWN
        assert exit.kind is ExitKind.SHUTDOWN
        assert not [path for path in await beta.do("tree") if "crew" in path]


async def test_a_crash_over_there_is_restarted_from_here() -> None:
    """By the supervisor here, over there: name, ref and path stay."""
    async with host("beta") as beta, actors.open_system("alpha") as alpha:
        await alpha.connect(beta.url)
        policy = actors.Policy(breaker=None, backoff=actors.Backoff.immediate())
        child = await alpha.start(Echoes, name="child", on="beta", policy=policy)
        async with alpha.subscribe(actors.events.Restarted) as restarts:
            child.tell(Crash())
            with trio.fail_after(PATIENCE):
                restart = await anext(restarts)
        assert restart.ref == child
        assert await child.ask(Echo("again"), timeout=PATIENCE) == "again"


# --- the link is killed -----------------------------------------------------------------


@attrs.define(eq=False)
class Traffic:
    """Numbers from several senders to the ledger of the other process."""

    ref: actors.Ref
    counts: dict[str, int] = attrs.field(factory=dict)
    going: bool = True
    _news: trio.Event = attrs.field(factory=trio.Event)

    async def run(self, sender: str) -> None:
        self.counts[sender] = 0
        while self.going:
            await self.ref.send(Numbered(sender, self.counts[sender] + 1))
            self.counts[sender] += 1
            self._news.set()
            self._news = trio.Event()

    async def goes_on(self, before: dict[str, int]) -> None:
        """Return when every sender has sent more than before."""
        with trio.fail_after(PATIENCE):
            while any(self.counts[sender] <= count for sender, count in before.items()):
                await self._news.wait()


async def _disturb(how: str, wire: Relay, peer: actors.Peer, events: Any) -> None:
    """Break the link in one way, until this end has noticed."""
    if how == "cut":
        wire.takes = False
        await wire.cut()
        await reaches_event(events, NodeReconnecting)
        wire.takes = True
    elif how == "stall":
        wire.flows = trio.Event()
        await reaches_event(events, NodeReconnecting)
        wire.flows.set()
        await wire.cut()
    else:
        await wire.half_close()
        await reaches_event(events, NodeReconnecting)


async def reaches_event(events: Any, kind: type[Any]) -> None:
    with trio.fail_after(PATIENCE):
        async for event in events:
            assert not isinstance(event, NodeDown)
            if isinstance(event, kind):
                return


@pytest.mark.row(85)
@pytest.mark.parametrize("how", ["cut", "stall", "half-close"])
async def test_a_killed_link_is_resumed_and_nothing_is_lost_or_doubled(how: str) -> None:
    """Per sender, in order, both ways; nobody sees the other as gone."""
    async with (
        host("beta", lease=5) as beta,
        relay(beta.url) as wire,
        actors.open_system("alpha", lease=5) as alpha,
        alpha.subscribe(NodeUp, NodeReconnecting, NodeDown) as events,
    ):
        peer = await alpha.connect(wire.url)
        await beta.do("keep_ledger", pace=0.001)
        await alpha.start(Ledger, 0.001, name="ledger")
        mine = Ledger.kept[-1]
        alpha.spawn(Echoes, name="echo")
        traffic = Traffic(peer.ref("/ledger"))
        await beta.do("traffic", node="alpha", senders=["b1", "b2"])
        async with trio.open_nursery() as senders:
            senders.start_soon(traffic.run, "a1")
            senders.start_soon(traffic.run, "a2")
            for _ in range(3 if how == "cut" else 1):
                before = dict(traffic.counts)
                await _disturb(how, wire, peer, events)
                await reaches(peer, LinkState.UP)
                assert await beta.do("ask", node="alpha", path="/echo", text="up") == "up"
                await traffic.goes_on(before)
            traffic.going = False
        theirs = await beta.do("end_traffic")
        with trio.fail_after(PATIENCE):
            assert await beta.do("faults", counts=traffic.counts) == []
            await mine.reaches(theirs)
        assert mine.faults == []
        assert mine.last == theirs
        assert all(count > 0 for count in (traffic.counts | theirs).values())
        assert not beta.has_seen("NodeDown")
        assert beta.has_seen("NodeReconnecting")


# --- an answer from over there ----------------------------------------------------------


@pytest.mark.row(114)
async def test_an_answer_given_on_another_host_reaches_the_actor_that_waits_here() -> None:
    """The one who is asked puts the answer off; a person's program over there gives it."""
    answers: list[str] = []

    async def waiter(ctx: actors.Context, desk: actors.Ref) -> None:
        answers.append(await desk.ask(Decide("deploy?"), timeout=PATIENCE))

    async with host("beta") as beta, actors.open_system("alpha") as alpha:
        peer = await alpha.connect(beta.url)
        await beta.do("spawn", what="Desk", name="desk")
        ref = alpha.spawn(waiter, peer.ref("/desk"), name="waiter")
        assert (await beta.saw("asked"))["question"] == "deploy?"
        assert answers == []
        await beta.do("tell", path="/desk", text="yes, deploy")
        with trio.fail_after(PATIENCE):
            assert (await ref.wait_stopped()).kind is ExitKind.NORMAL
        assert answers == ["yes, deploy"]


@pytest.mark.row(114)
async def test_an_answer_given_while_the_link_is_down_reaches_who_waits_when_it_is_back() -> None:
    """Row 114 with a cable that breaks in between."""
    async with host("beta") as beta, relay(beta.url) as wire, actors.open_system("alpha") as alpha:
        peer = await alpha.connect(wire.url)
        await beta.do("spawn", what="Desk", name="desk")
        pending = peer.ref("/desk").request(Decide("now?"))
        await beta.saw("asked")
        wire.takes = False
        await wire.cut()
        await beta.saw("NodeReconnecting")
        await beta.do("tell", path="/desk", text="now")
        wire.takes = True
        assert await pending.wait(timeout=PATIENCE) == "now"
