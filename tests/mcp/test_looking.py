"""What an agent sees, and what it does not."""

from __future__ import annotations

import json

import mcp
import pytest
import trio
from trio.testing import MockClock

import actors
from actors.mcp import build_server
from tests.mcp.test_orders import Boss
from tests.mcp.test_talking import work
from tests.mcp.world import Worker, a_gate, a_talk, talking


@pytest.mark.row(70)
async def test_the_tree_is_drawn_and_told_as_objects(autojump_clock: MockClock) -> None:
    """Four levels; who has ended is not in it."""
    gate = a_gate(templates={"boss": Boss, "worker": Worker})
    async with a_talk(gate) as (_, talk):
        await talk("spawn", template="boss", name="b")
        await talk("spawn", template="worker", name="gone")
        await talk("stop", paths=["gone"])
        drawn = await talk("tree")
        assert drawn["text"] == "\n".join(
            [
                "agents [idle] (supervisor)",
                "└── coder [idle] (supervisor)",
                "    └── b [idle] (supervisor)",
                "        ├── level-2 [idle] (supervisor)",
                "        │   ├── level-1 [idle] (supervisor)",
                "        │   │   └── worker [idle] (actor)",
                "        │   └── worker [idle] (actor)",
                "        └── worker [idle] (actor)",
            ]
        )
        assert await talk.text("tree") == drawn["text"]
        [coder] = drawn["tree"]["children"]
        assert (coder["path"], coder["state"]) == ("/agents/coder", "IDLE")
        assert [one["name"] for one in coder["children"]] == ["b"]
        assert (await talk("tree", path="b/level-2"))["tree"]["path"] == "/agents/coder/b/level-2"


@pytest.mark.row(71)
async def test_states_are_true(autojump_clock: MockClock) -> None:
    """Busy while a handler runs, idle with empty hands alone."""
    async with a_talk() as (_, talk):
        await talk("spawn", template="worker", name="w")
        await talk("ask", path="w", message=work(5), wait=False)
        await trio.sleep(1)
        assert "w [busy] (actor)" in await talk.text("tree")
        assert [one["state"] for one in (await talk("children"))["actors"]] == ["BUSY"]
        await trio.sleep(5)
        assert "w [idle] (actor)" in await talk.text("tree")


@pytest.mark.row(72)
async def test_children_and_peers_are_the_living_ones_without_oneself(autojump_clock: MockClock) -> None:
    """Of an actor that is unknown, or out of reach, nothing is said."""
    async with actors.open_system("town") as system:
        server = build_server(system, a_gate(templates={"boss": Boss, "worker": Worker}))
        async with talking(server, "one") as one, talking(server, "other") as other:
            assert await one("children") == {"actors": [], "count": 0}
            assert [peer["name"] for peer in (await one("peers"))["actors"]] == ["other"]
            await one("spawn", template="boss", name="b")
            await one("spawn", template="worker", name="w")
            await one("stop", paths=["w"])
            assert [child["name"] for child in (await one("children"))["actors"]] == ["b"]
            below = (await one("children", path="b"))["actors"]
            assert [child["name"] for child in below] == ["level-2", "worker"]
            assert "nothing below it" in await other.error("children", path="/agents/one")
            assert (await one("children", path="/agents/other"))["actors"] == []
            both = (await one("children", path="/agents"))["actors"]
            assert [child["name"] for child in both] == ["one", "other"]
            assert "no such actor: '/nobody'" in await one.error("children", path="/nobody")
            assert "no such actor" in await other.error("children", path="/agents/one/b")
            assert "path: Field required" in await one.error("tell", message="whom?")
        async with talking(server, "one") as one:
            assert (await one("peers"))["count"] == 0


async def test_an_agent_reaches_itself_its_parent_its_peers_and_what_is_below(
    autojump_clock: MockClock,
) -> None:
    """All else is not there for it: to tell, to ask, to post, or to look at."""
    async with actors.open_system("town") as system:
        await system.start(Worker, name="private")
        server = build_server(system, a_gate())
        async with talking(server, "one") as one, talking(server, "other") as other:
            await other("spawn", template="worker", name="w")
            assert "no such actor" not in str(await one("tell", path="/agents/other", message="hello"))
            for path in ("/private", "/agents/other/w", "/", "/system", "/system/desk", "/agents/nobody"):
                for tool in ("tell", "ask"):
                    assert "no such actor" in await one.error(tool, path=path, message="hello")
                assert "no such actor" in await one.error("tree", path=path)
            for path in ("/private", "/agents/other/w", "/system"):
                assert "no such actor" in await one.error("why", path=path)
                assert "no such actor" in await one.error("post", path=path, message="hello")
            drawn = await one.text("tree")
            assert "other" in drawn
            assert "─ w " not in drawn
            assert "private" not in drawn


async def test_a_gate_may_open_the_whole_tree(autojump_clock: MockClock) -> None:
    """All but the framework's own; what stands above the agent is never its to order."""
    async with actors.open_system("town") as system:
        await system.start(Worker, name="public")
        async with talking(build_server(system, a_gate(reach="tree"))) as talk:
            await talk("spawn", template="worker", name="w")
            drawn = await talk("tree")
            assert [one["name"] for one in drawn["tree"]["children"]] == ["public", "agents"]
            assert (await talk("ask", path="/public", message="you"))["reply"] == "hello, you"
            assert "no such actor" in await talk.error("tell", path="/system", message="hello")
            assert "not yours to order" in await talk.error_of_stop("/agents")
            await talk("stop", paths=["/public"])
            assert system.find("/public") is None


async def test_a_message_cannot_smuggle_a_ref_that_is_out_of_reach(autojump_clock: MockClock) -> None:
    """A ref in a message is one that the agent could have named."""
    async with actors.open_system("town") as system:
        private = await system.start(Worker, name="private")
        async with talking(build_server(system, a_gate(messages=[Carry]))) as talk:
            await talk("spawn", template="worker", name="w")
            mine = system.find("/agents/coder/w")
            assert mine is not None
            carried = {"$": "mcp-tests.Carry", "who": {"$ref": list(private.identity)}}
            assert "no such actor: '/private'" in await talk.error("tell", path="w", message=carried)
            carried = {"$": "mcp-tests.Carry", "who": {"$ref": list(mine.identity)}}
            await talk("tell", path="/agents/coder", message=carried)
            [letter] = (await talk("messages", wait=1))["messages"]
            assert letter["message"] == carried
            await talk("stop", paths=["w"])
            await talk("spawn", template="worker", name="w")
            assert "another one by now" in await talk.error("tell", path="w", message=carried)


@actors.message(tag="mcp-tests.Carry")
class Carry:
    """With a ref in it."""

    who: actors.Ref


async def test_why_tells_the_chain_of_causes(autojump_clock: MockClock) -> None:
    """Also of one that is gone; of one that never was, it says so."""
    policy = actors.Policy(restart="temporary")
    gate = a_gate(templates={"worker": actors.Template(Worker, policy=policy)})
    async with a_talk(gate) as (_, talk):
        await talk("spawn", template="worker", name="w")
        await talk("tell", path="w", message="before")
        await talk("ask", path="w", message="fail", wait=False)
        await trio.sleep(1)
        said = await talk("why", path="w")
        assert said["path"] == "/agents/coder/w"
        assert "RuntimeError" in said["text"]
        assert said["steps"][1]["text"] in said["text"]
        assert "nothing is known of" in await talk.error("why", path="never")


async def test_the_resources_show_what_the_tools_show(autojump_clock: MockClock) -> None:
    """The tree, as text and as JSON; what has happened, page by page; single actors."""
    async with actors.open_system("town") as system:
        await system.start(Worker, name="private")
        server = build_server(system, a_gate())
        async with talking(server) as talk:
            await talk("spawn", template="worker", name="w")

            async def read(uri: str) -> str:
                [content] = (await talk.client.read_resource(uri)).contents
                assert isinstance(content, mcp.types.TextResourceContents)
                return content.text

            assert await read("actors://tree") == await talk.text("tree")
            assert json.loads(await read("actors://tree.json")) == (await talk("tree"))["tree"]
            page = json.loads(await read("actors://events"))
            assert {fact["path"] for fact in page["facts"]} <= {"/agents", "/agents/coder", "/agents/coder/w"}
            await talk("stop", paths=["w"])
            page = json.loads(await read(f"actors://events/{page['after']}"))
            assert page["facts"][-1]["kind"] == "Stopped"
            assert json.loads(await read(f"actors://events/{page['after']}"))["facts"] == []
            actor = json.loads(await read("actors://actor/agents/coder"))
            assert actor["actor"]["state"] == "IDLE"
            gone = json.loads(await read("actors://actor/agents/coder/w"))
            assert gone["actor"] is None
            assert gone["facts"]
            for uri in ("actors://actor/private", "actors://nothing", "actors://events/x", "file:///etc"):
                with pytest.raises(mcp.MCPError, match=r"no such actor|no resource"):
                    await read(uri)
            listed = {str(one.uri) for one in (await talk.client.list_resources()).resources}
            assert listed == {"actors://tree", "actors://tree.json", "actors://events"}
            templates = (await talk.client.list_resource_templates()).resource_templates
            assert {one.uri_template for one in templates} == {
                "actors://events/{after}",
                "actors://actor/{+path}",
            }


async def test_whoever_listens_is_told_when_the_tree_changes(autojump_clock: MockClock) -> None:
    """Once for what happens in one moment, and nothing when nothing happens."""
    async with a_talk() as (_, talk):
        heard: list[str] = []

        async def listen() -> None:
            async with talk.client.listen(resource_subscriptions=["actors://tree"]) as events:
                async for event in events:
                    heard.append(str(getattr(event, "uri", event)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            await trio.sleep(1)
            assert heard == []
            await talk("spawn", template="worker", name="w")
            await trio.sleep(1)
            assert set(heard) == {"actors://tree"}
            nursery.cancel_scope.cancel()
