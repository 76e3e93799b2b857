"""Interrupting, stopping, suspending and resuming, by tools."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.mcp import build_server
from tests.mcp.test_talking import work
from tests.mcp.world import Work, Worker, a_gate, a_talk, talking


@pytest.mark.row(77)
async def test_an_interrupt_ends_the_handler_and_keeps_the_actor(autojump_clock: MockClock) -> None:
    """With its state and its mailbox; the next message is handled."""
    async with a_talk() as (_, talk):
        await talk("spawn", template="worker", name="w")
        await talk("tell", path="w", message="kept")
        first = await talk("ask", path="w", message=work(1000), wait=False)
        second = await talk("ask", path="w", message="notes", wait=False)
        await trio.sleep(1)
        assert await talk("interrupt", path="w") == {"path": "/agents/coder/w", "confirmed": True}
        replies = {one["request"]: one for one in (await talk("pending_replies", wait=5))["replies"]}
        await trio.sleep(1)
        replies |= {one["request"]: one for one in (await talk("pending_replies"))["replies"]}
        assert replies[first["request"]]["error"].startswith("Interrupted: ")
        assert replies[second["request"]]["reply"] == ["kept"]


@pytest.mark.row(77)
async def test_an_interrupt_is_confirmed_only_if_it_ended_the_handler(autojump_clock: MockClock) -> None:
    """Not with empty hands, and not of a handler that goes on to its own end."""

    class Deaf(actors.Actor):
        def on_unhandled(self, message: object) -> object:
            return self.wait()

        async def wait(self) -> str:
            with trio.CancelScope(shield=True):
                await trio.sleep(5)
            return "done"

    async with a_talk(a_gate(templates={"worker": Worker, "deaf": Deaf})) as (_, talk):
        await talk("spawn", template="worker", name="w")
        assert not (await talk("interrupt", path="w"))["confirmed"]
        await talk("spawn", template="deaf", name="d")
        await talk("ask", path="d", message="go", wait=False)
        await trio.sleep(1)
        began = trio.current_time()
        assert not (await talk("interrupt", path="d"))["confirmed"]
        assert trio.current_time() - began == 4.0


class Boss(actors.Supervisor):
    """Has another one below it."""

    def __init__(self, depth: int = 2) -> None:
        self.depth = depth

    def on_start(self) -> None:
        if self.depth:
            self.spawn(Boss, self.depth - 1, name=f"level-{self.depth}")
        self.spawn(Worker, name="worker")


@pytest.mark.row(78)
async def test_stopping_refuses_who_is_busy_and_goes_deepest_first(autojump_clock: MockClock) -> None:
    """With force the work is cancelled; nobody is left behind."""
    async with a_talk(a_gate(templates={"boss": Boss})) as (system, talk):
        await talk("spawn", template="boss", name="b")
        worker = system.find("/agents/coder/b/level-2/worker")
        assert worker is not None
        pending = worker.request(Work(1000.0))
        await trio.sleep(1)
        said = await talk("stop", paths=["b"])
        assert "/agents/coder/b/level-2/worker is busy" in said["results"][0]["error"]
        assert said["ended"] == []
        assert system.find("/agents/coder/b") is not None
        said = await talk("stop", paths=["b"], force=True)
        assert said["results"] == [{"path": "/agents/coder/b", "stopped": True, "exit": "KILLED"}]
        below = [path for path in said["ended"] if path != "/agents/coder/b"]
        assert len(below) == 5
        for path in below:
            assert said["ended"].index(path) < said["ended"].index(path.rpartition("/")[0])
        assert (await talk("children"))["count"] == 0
        with pytest.raises(actors.ActorError):
            await pending.wait()


@pytest.mark.row(78)
async def test_all_that_an_agent_has_spawned_ends_with_it_the_deepest_first(
    autojump_clock: MockClock,
) -> None:
    """Also what was spawned by what it has spawned."""
    async with actors.open_system("town") as system:
        server = build_server(system, a_gate(templates={"boss": Boss}))
        ended: list[str] = []
        async with system.subscribe(actors.events.Stopped) as stops:
            async with talking(server) as talk:
                await talk("spawn", template="boss", name="b")
                count = len(list(system.tree().walk()))
            assert len(list(system.tree().walk())) == count - 7
            for _ in range(7):
                stop = await anext(stops)
                assert isinstance(stop, actors.events.Stopped)
                ended.append(stop.ref.path)
        assert ended[-1] == "/agents/coder"
        for path in ended[:-1]:
            assert ended.index(path) < ended.index(path.rpartition("/")[0])


@pytest.mark.row(79)
async def test_ten_ends_of_a_second_each_take_a_second(autojump_clock: MockClock) -> None:
    """They are concurrent; one that is refused stops no other."""
    async with a_talk() as (_, talk):
        names = [f"w{number}" for number in range(10)]
        for name in names:
            await talk("spawn", template="worker", name=name, config={"stop": 1.0})
        began = trio.current_time()
        said = await talk("stop", paths=[*names, "nobody"])
        assert trio.current_time() - began == 1.0
        assert [one["stopped"] for one in said["results"]] == [True] * 10 + [False]
        assert "no such actor" in said["results"][-1]["error"]
        assert len(said["ended"]) == 10


async def _note_resumes(system: actors.System, paths: list[str]) -> None:
    async with system.subscribe(actors.events.Resumed) as resumes:
        async for one in resumes:
            assert isinstance(one, actors.events.Resumed)
            paths.append(one.ref.path)


@pytest.mark.row(80)
async def test_a_message_resumes_who_is_suspended_once(autojump_clock: MockClock) -> None:
    """Ten at the same time resume it once; without `until_message` they wait."""
    async with actors.open_system("town") as system:
        server = build_server(system, a_gate())
        resumed: list[str] = []
        async with talking(server) as talk, trio.open_nursery() as listening:
            listening.start_soon(_note_resumes, system, resumed)
            await talk("spawn", template="worker", name="w")
            assert (await talk("suspend", path="w", until_message=True))["state"] == "SUSPENDED"
            async with trio.open_nursery() as nursery:
                for number in range(10):

                    async def tell(text: str = str(number)) -> None:
                        await talk("tell", path="w", message=text)

                    nursery.start_soon(tell)
            assert len((await talk("ask", path="w", message="notes"))["reply"]) == 10
            await talk("suspend", path="w")
            await talk("tell", path="w", message="later")
            await trio.sleep(5)
            [seen] = (await talk("children"))["actors"]
            assert (seen["state"], seen["waiting"]) == ("SUSPENDED", 1)
            assert (await talk("resume", path="w"))["state"] in ("IDLE", "BUSY")
            assert len((await talk("ask", path="w", message="notes"))["reply"]) == 11
            listening.cancel_scope.cancel()
        assert resumed == ["/agents/coder/w", "/agents/coder/w"]


async def test_only_what_is_below_may_be_ordered(autojump_clock: MockClock) -> None:
    """Neither a peer, nor the parent, nor oneself."""
    async with actors.open_system("town") as system:
        server = build_server(system, a_gate())
        async with talking(server, "one") as one, talking(server, "other") as other:
            await other("spawn", template="worker", name="w")
            for tool in ("interrupt", "suspend", "resume"):
                assert "not yours to order" in await one.error(tool, path="/agents/other")
                assert "not yours to order" in await one.error(tool, path="/agents")
                assert "that is yourself" in await one.error(tool, path="/agents/one")
            assert "not yours to order" in await one.error_of_stop("/agents/other")
            assert "no such actor" in await one.error_of_stop("/agents/other/w")
            assert "that is yourself" in await one.error_of_stop("/agents/one")
