"""A node that is killed or paused in whatever it does: nothing runs on that nobody owns."""

from __future__ import annotations

import signal

import pytest
import trio

import actors
from actors import ActorFailed, ActorStopped, ExitKind, LinkState, NodeLost, NodeUnreachable
from tests.remote.host import PATIENCE, Crew, Echo, Echoes, Hold, Host, Slow, Tick, host, ticking, until_dead

LEASE = 1.5
"""Seconds. All hosts of this file have it."""
SLACK = 3.0
"""Seconds after the lease within which everything must be over, with other tests on the same cores."""
TEMPORARY = actors.Policy(restart="temporary", breaker=None)
SIGNALS = pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])


class Collector(actors.Actor):
    """Takes what a ticking child tells."""

    def __init__(self, got: dict[str, int], new: trio.Event) -> None:
        self.got = got
        self.new = new

    @actors.receive
    async def tick(self, message: Tick) -> None:
        self.got[message.life] = message.n
        if message.life == "new":
            self.new.set()


# --- the child's node ---------------------------------------------------------------------


@SIGNALS
async def test_a_node_that_goes_while_it_shakes_hands_is_unreachable(number: signal.Signals) -> None:
    """A stopped one within the timeout, a killed one at once; no task waits on."""
    async with host("beta", lease=LEASE) as beta, actors.open_system("alpha", lease=LEASE) as alpha:
        beta.signal(signal.SIGSTOP)  # the kernel accepts the connection, and nobody answers
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            if number is signal.SIGKILL:
                nursery.start_soon(_kill_when_dialled, alpha, beta)
            with pytest.raises(NodeUnreachable):
                await alpha.connect(beta.url, timeout=1.5 if number is signal.SIGSTOP else 30)
            nursery.cancel_scope.cancel()
        assert trio.current_time() - began < 1.5 + SLACK
        assert alpha.nodes == ()
        if number is signal.SIGSTOP:
            beta.signal(signal.SIGCONT)
            assert (await alpha.connect(beta.url)).state is LinkState.UP


async def _kill_when_dialled(alpha: actors.System, beta: Host) -> None:
    """When a dialler runs, and has had the time to connect."""
    async with alpha.subscribe(actors.events.Started) as starts:
        async for start in starts:
            if start.ref.path.startswith("/system/links/"):
                break
    await trio.sleep(0.1)  # the connection is made by the kernel, and no event says when
    beta.signal(signal.SIGKILL)


async def _child_in(phase: str, beta: Host, alpha: actors.System, crew: trio.Nursery) -> actors.Ref:
    """A child over there in a phase of its life."""
    if phase == "spawning":
        child = alpha.spawn(Slow, name="child", on="beta", policy=TEMPORARY)
        await beta.saw("starting")
        return child
    child = await alpha.start(Echoes, name="child", on="beta", policy=TEMPORARY)
    if phase == "handling":
        crew.start_soon(_fails, child)
        await beta.saw("handling")
    return child


async def _fails(child: actors.Ref) -> None:
    """An ask that is open when the node goes ends with it."""
    with pytest.raises((ActorFailed, ActorStopped)):
        await child.ask(Hold(), timeout=PATIENCE)


@SIGNALS
@pytest.mark.parametrize("phase", ["spawning", "idle", "handling"])
async def test_a_child_ends_as_node_down_when_its_node_goes(phase: str, number: signal.Signals) -> None:
    """Whatever it was doing; open asks end with it, and nothing more is known of it here."""
    async with host("beta", lease=LEASE) as beta, actors.open_system("alpha", lease=LEASE) as alpha:
        peer = await alpha.connect(beta.url)
        async with trio.open_nursery() as askers:
            child = await _child_in(phase, beta, alpha, askers)
            beta.signal(number)
            with trio.fail_after(LEASE + SLACK):
                exit = await child.wait_stopped()
                await peer.wait_down()
        assert exit.kind is ExitKind.NODE_DOWN
        assert isinstance(exit.error, NodeLost)
        assert alpha.find("/child") is None
        assert child.state is actors.ActorState.STOPPED
        with pytest.raises(actors.UnknownNode):
            alpha.spawn(Echoes, name="child", on="beta")


async def test_a_start_over_there_fails_when_the_node_is_killed() -> None:
    """It does not wait for ever for a child that will never be ready."""
    async with host("beta", lease=LEASE) as beta, actors.open_system("alpha", lease=LEASE) as alpha:
        await alpha.connect(beta.url)
        async with trio.open_nursery() as nursery:

            async def start() -> None:
                with pytest.raises(actors.StartFailed) as failed:
                    await alpha.start(Slow, name="child", on="beta")
                assert isinstance(failed.value.error, NodeLost)

            nursery.start_soon(start)
            await beta.saw("starting")
            beta.signal(signal.SIGKILL)
            nursery.cancel_scope.deadline = trio.current_time() + LEASE + SLACK
        assert not nursery.cancel_scope.cancelled_caught
        assert alpha.find("/child") is None


async def test_a_node_that_was_paused_for_longer_than_the_lease_is_fenced() -> None:
    """What it ran is gone at once, what it still sends reaches nobody, a new session works."""
    async with host("beta", lease=LEASE) as beta, actors.open_system("alpha", lease=LEASE) as alpha:
        got: dict[str, int] = {}
        comes = trio.Event()
        collector = await alpha.start(Collector, got, comes, name="collector")
        peer = await alpha.connect(beta.url)
        old = await alpha.start(ticking, collector, "old", name="child", on="beta", policy=TEMPORARY)
        await alpha.start(Crew, name="crew", on="beta", policy=TEMPORARY)
        command = (await beta.saw("command"))["pid"]
        beta.signal(signal.SIGSTOP)
        with trio.fail_after(LEASE + SLACK):
            assert (await old.wait_stopped()).kind is ExitKind.NODE_DOWN
            await peer.wait_down()
        heard = dict(got)
        beta.signal(signal.SIGCONT)
        with trio.fail_after(SLACK):
            await beta.saw("over", life="old")
            await beta.do("gone", path="/system/nodes/alpha/child")
            await beta.do("gone", path="/system/nodes/alpha/crew")
            await until_dead(command, SLACK)
        await peer_is_linked_again(alpha, beta)
        new = await alpha.start(ticking, collector, "new", name="child", on="beta", policy=TEMPORARY)
        with trio.fail_after(PATIENCE):
            await comes.wait()
        assert got["old"] == heard["old"]
        assert new.state is not actors.ActorState.STOPPED
        assert old.state is actors.ActorState.STOPPED


async def peer_is_linked_again(alpha: actors.System, beta: Host) -> None:
    """The dialler of the first session may be first: both ways there is a link."""
    peer = await alpha.connect(beta.url)
    with trio.fail_after(PATIENCE):
        await peer.wait_up()
        assert await peer.ref("/echo").ask(Echo("again"), timeout=PATIENCE) == "again"


async def test_a_node_that_is_paused_for_less_than_the_lease_goes_on() -> None:
    """Its child lives, and hears what was said meanwhile."""
    async with host("beta", lease=10) as beta, actors.open_system("alpha", lease=10) as alpha:
        await alpha.connect(beta.url)
        child = await alpha.start(Echoes, name="child", on="beta", policy=TEMPORARY)
        beta.signal(signal.SIGSTOP)
        pending = child.request(Echo("meanwhile"))
        with trio.move_on_after(1.5):
            await pending.wait()
        assert not pending.done
        beta.signal(signal.SIGCONT)
        assert await child.ask(Echo("later"), timeout=PATIENCE) == "later"
        assert not beta.has_seen("NodeDown")


# --- the parent's node --------------------------------------------------------------------


@SIGNALS
async def test_a_subtree_ends_when_the_node_of_its_supervisor_goes(number: signal.Signals) -> None:
    """Within the lease and a little: its children, and the process that one of them keeps."""
    async with host("alpha", lease=LEASE) as alpha, host("beta", lease=LEASE) as beta:
        await alpha.do("connect", url=beta.url)
        await alpha.do("spawn", what="Crew", name="crew", on="beta")
        command = (await beta.saw("command"))["pid"]
        assert "/system/nodes/alpha/crew/echoes" in await beta.do("tree")
        alpha.signal(number)
        with trio.fail_after(LEASE + SLACK):
            await beta.do("gone", path="/system/nodes/alpha/crew")
            await until_dead(command, LEASE)
        assert "/echo" in await beta.do("tree")


async def test_a_supervisor_whose_node_was_paused_sees_its_children_gone_and_starts_them_anew() -> None:
    """When it goes on, its children are NODE_DOWN: two of a kind never live."""
    async with host("alpha", lease=LEASE) as alpha, host("beta", lease=LEASE) as beta:
        await alpha.do("connect", url=beta.url)
        await alpha.do("spawn", what="Crew", name="crew", on="beta")
        alpha.signal(signal.SIGSTOP)
        with trio.fail_after(LEASE + SLACK):
            await beta.do("gone", path="/system/nodes/alpha/crew")
        alpha.signal(signal.SIGCONT)
        assert (await alpha.saw("ended", path="/crew"))["kind"] == "NODE_DOWN"
        await alpha.do("connect", url=beta.url)
        await alpha.do("spawn", what="Crew", name="crew", on="beta")
        assert "/system/nodes/alpha/crew/echoes" in await beta.do("tree")
