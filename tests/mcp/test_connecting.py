"""A client that connects is an actor with a parent, and ends with its connection."""

from __future__ import annotations

from functools import partial

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.mcp import build_server
from actors.mcp.faults import ToolFault
from actors.mcp.house import House, handle
from tests.mcp.world import Work, a_gate, a_talk, talking


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_is_an_actor_below_agents_while_it_is_connected(
    autojump_clock: MockClock, mode: str
) -> None:
    """By the name that it gives itself; afterwards it is gone, with all that it has spawned."""
    async with actors.open_system("town") as system:
        server = build_server(system, a_gate())
        async with talking(server, mode=mode) as talk:
            await talk("spawn", template="worker", name="w")
            assert system.find("/agents/coder") is not None
            worker = system.find("/agents/coder/w")
            assert worker is not None
        assert system.find("/agents/coder") is None
        assert worker.state is actors.ActorState.STOPPED
        assert system.find("/agents") is not None


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_is_in_the_tree_before_it_calls_anything(autojump_clock: MockClock, mode: str) -> None:
    """Others may tell it something at once."""
    async with a_talk(mode=mode) as (system, _):
        await trio.sleep(1)
        assert system.find("/agents/coder") is not None


@pytest.mark.row(99)
async def test_two_of_one_name_are_two_agents(autojump_clock: MockClock) -> None:
    """The second one gets a number, and each what is its own."""
    async with actors.open_system("town") as system:
        server = build_server(system, a_gate())
        async with talking(server) as one, talking(server) as other:
            assert (await one("tree"))["you"] == "/agents/coder"
            assert (await other("tree"))["you"] == "/agents/coder-2"
            await other("tell", path="/agents/coder", message="hello")
            [letter] = (await one("messages"))["messages"]
            assert letter["sender"] == "/agents/coder-2"
        async with talking(server) as again:
            assert (await again("tree"))["you"] == "/agents/coder"


@pytest.mark.row(99)
async def test_whoever_comes_back_in_time_is_the_same_agent(autojump_clock: MockClock) -> None:
    """Its children, its messages and the replies it waits for are as they were."""
    async with actors.open_system("town") as system:
        server = build_server(system, a_gate(linger=30.0))
        async with talking(server) as talk:
            await talk("spawn", template="worker", name="w")
            asked = await talk("ask", path="w", message={"$": "mcp-tests.Work", "seconds": 5}, wait=False)
        agent = system.find("/agents/coder")
        assert agent is not None
        agent.tell("while you were out")
        await trio.sleep(29)
        async with talking(server) as talk:
            assert [one["message"] for one in (await talk("messages"))["messages"]] == ["while you were out"]
            [reply] = (await talk("pending_replies"))["replies"]
            assert (reply["request"], reply["reply"]) == (asked["request"], "worked 5 s")
            assert (await talk("children"))["count"] == 1
        assert system.find("/agents/coder") == agent
        await trio.sleep(30.1)
        assert system.find("/agents/coder") is None


async def test_the_gate_may_say_what_an_agent_is_called_and_where_it_lives(
    autojump_clock: MockClock,
) -> None:
    """The parent has to be there; it is a supervisor of the program's own."""
    async with actors.open_system("town") as system:
        server = build_server(system, a_gate(name="reviewer", parent="/teams/red"))
        async with talking(server) as talk:
            assert "no supervisor at /teams/red" in await talk.error("tree")
        teams = await system.start(Teams, name="teams")
        async with talking(server) as talk:
            assert (await talk("tree"))["you"] == "/teams/red/reviewer"
        teams.stop()


class Teams(actors.Supervisor):
    """Has a team."""

    async def on_start(self) -> None:
        await self.start(actors.Supervisor, name="red")


async def test_without_sessions_an_agent_is_known_by_its_name_and_ends_when_it_is_silent(
    autojump_clock: MockClock,
) -> None:
    """As long as a request of its is under way, it is not."""
    async with actors.open_system("town") as system:
        house = House(system, a_gate(idle=10.0))
        async with house.connected(None) as guests:
            key = ("a client", "coder")
            async with guests.speaking(key, "coder", lasting=False) as seat:
                await trio.sleep(100)
                async with guests.speaking(key, "coder", lasting=False) as other:
                    assert other is seat
            await trio.sleep(9.9)
            async with guests.speaking(key, "coder", lasting=False) as again:
                assert again.ref == seat.ref
            await trio.sleep(10.1)
            assert system.find("/agents/coder") is None
            async with guests.speaking(key, "coder", lasting=False) as anew:
                assert anew.ref != seat.ref
                assert anew.ref.path == "/agents/coder"
        assert system.find("/agents/coder") is None


async def test_without_sessions_names_do_not_fill_the_memory(autojump_clock: MockClock) -> None:
    """A limit holds; those that have ended make room."""
    async with actors.open_system("town") as system:
        house = House(system, a_gate(idle=10.0))
        house.crowd = 3
        async with house.connected(None) as guests:

            async def speak(name: str) -> None:
                async with guests.speaking(("a client", name), name, lasting=False):
                    pass

            for name in ("a", "b", "c"):
                await speak(name)
            with pytest.raises(ToolFault, match="no more may be: try again later"):
                await speak("d")
            await speak("a")
            await trio.sleep(11)
            await speak("d")
            assert len(guests._seats) == 1


async def test_those_who_are_gone_are_forgotten_but_not_what_they_have_asked(
    autojump_clock: MockClock,
) -> None:
    """Nobody fills the memory by coming and going."""
    async with actors.open_system("town") as system:
        house = House(system, a_gate())
        await system.start(_asking, name="n77")
        await trio.sleep(1)
        for number in range(2500):
            house.kin.add(f"/n{number}")
        assert "/n77" in house.kin
        assert len(house.kin) < 1100


async def _asking(ctx: actors.Context) -> None:
    await ctx.system.desk.approval("May I?", timeout=60.0, default=False)


async def test_an_agent_whose_actor_was_stopped_is_told_so(autojump_clock: MockClock) -> None:
    """Its calls fail with the cure; the connection goes on."""
    async with a_talk() as (system, talk):
        agent = system.find("/agents/coder")
        assert agent is not None
        agent.stop()
        await agent.wait_stopped()
        assert "connect anew" in await talk.error("tree")


async def test_a_wait_ends_when_the_agent_is_stopped(autojump_clock: MockClock) -> None:
    """Nobody waits for what can come no more."""
    began = trio.current_time()
    async with a_talk() as (system, talk):
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                assert (await talk("messages", wait=1000.0))["messages"] == []

            nursery.start_soon(wait)
            await trio.sleep(5)
            agent = system.find("/agents/coder")
            assert agent is not None
            agent.stop()
        assert trio.current_time() - began < 100


async def test_closing_the_system_ends_agents_that_are_still_connected(autojump_clock: MockClock) -> None:
    """The connection is left with errors, and nothing is left of the tree."""
    async with trio.open_nursery() as nursery:
        opened: list[actors.System] = []
        closing = trio.Event()

        async def run() -> None:
            async with actors.open_system("town") as system:
                opened.append(system)
                await closing.wait()

        nursery.start_soon(run)
        await trio.sleep(1)
        async with talking(build_server(opened[0], a_gate())) as talk:
            await talk("spawn", template="worker")
            closing.set()
            await opened[0].wait_stopped()
            assert "connect anew" in await talk.error("tree")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_may_go_in_the_midst_of_its_calls(autojump_clock: MockClock, mode: str) -> None:
    """They end with it, and so does what worked for them."""
    async with actors.open_system("town") as system:
        server = build_server(system, a_gate(adopt=True))
        with trio.move_on_after(5):
            async with talking(server, mode=mode) as talk, trio.open_nursery() as nursery:
                await talk("spawn", template="worker", name="w", adopt=True)
                message = {"$": "mcp-tests.Work", "seconds": 1000}
                nursery.start_soon(partial(talk, "ask", path="/agents/w", message=message))
                nursery.start_soon(partial(talk, "messages", wait=1000.0))
                nursery.start_soon(partial(talk, "spawn", template="worker", config={"start": 1000.0}))
                await trio.sleep_forever()
        await trio.sleep(1)
        assert system.find("/agents/coder") is None
        worker = system.find("/agents/w")
        assert worker is not None
        assert worker.state is actors.ActorState.IDLE


async def test_messages_that_an_agent_has_not_read_are_dead_letters(autojump_clock: MockClock) -> None:
    """Who asked gets an error, and what was told is kept."""
    async with actors.open_system("town") as system:
        async with talking(build_server(system, a_gate())):
            agent = system.find("/agents/coder")
            assert agent is not None
            agent.tell("never read")
            pending = agent.request(Work(1.0))
            await trio.sleep(1)
        with pytest.raises(actors.ActorStopped):
            await pending.wait()
        assert [letter.message for letter in system.dead_letters] == ["never read"]


async def test_an_agent_that_reads_nothing_fills_its_mailbox(autojump_clock: MockClock) -> None:
    """Senders are refused as by any actor; when it reads, there is room again."""
    gate = a_gate(inbox=2)
    async with a_talk(gate) as (system, talk):
        agent = system.find("/agents/coder")
        assert agent is not None
        agent.tell("one")
        agent.tell("two")
        await trio.sleep(1)
        agent.tell("three")
        await trio.sleep(1)
        assert agent.state is actors.ActorState.SUSPENDED
        assert [one["message"] for one in (await talk("messages"))["messages"]] == ["one", "two"]
        assert [one["message"] for one in (await talk("messages", wait=1.0))["messages"]] == ["three"]
        assert agent.state is actors.ActorState.IDLE


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Claude Code", "Claude-Code"),
        ("claude-ai", "claude-ai"),
        ("../../etc", "etc"),
        ("агент", "agent"),
        ("", "agent"),
        (None, "agent"),
        ("a" * 500, "a" * 64),
        ("x/y", "x-y"),
    ],
)
def test_what_a_client_calls_itself_becomes_a_name(said: str | None, name: str) -> None:
    """Whatever it is, an actor may be called so."""
    assert handle(said) == name
