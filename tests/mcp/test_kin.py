"""Nobody answers for a person what their own team has asked, whichever way it was asked."""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

import actors
from actors.mcp import build_server
from actors.mcp.kin import kin_of
from tests.mcp.reached import reached, said, until
from tests.mcp.test_http import _fail
from tests.mcp.test_people import asking
from tests.mcp.world import a_gate, a_talk, talking

pytestmark = pytest.mark.filterwarnings("ignore:Async generator '(httpx2|httpcore2):ResourceWarning")


@actors.function(readiness=True)
async def begging(ctx: actors.Context) -> None:
    """Asks a person before it is ready."""
    await ctx.system.desk.approval("May I begin?", timeout=60.0, default=False)
    ctx.ready()
    await trio.sleep_forever()


async def handing_on(ctx: actors.Context) -> None:
    """Asks another one to ask a person."""
    async for message in ctx.inbox:
        asker = ctx.system.find("/asker")
        assert asker is not None
        ctx.reply(await asker.ask(actors.Text(str(message))))


async def _cannot_answer(system: actors.System, talk: Any) -> None:
    [question] = system.desk.pending()
    assert await talk("pending_requests") == {"requests": [], "count": 0}
    assert "your own team" in await talk.error("answer", id=question.id, value=True)
    assert system.desk.pending() == (question,)


@pytest.mark.parametrize("way", ["tell", "ask", "post", "through another"])
async def test_what_others_ask_for_an_agent_is_its_own(autojump_clock: MockClock, way: str) -> None:
    """As long as they have its message in hand; another gate may answer."""
    gate = a_gate(people=True, reach="tree")
    async with a_talk(gate) as (system, talk):
        await system.start(asking, name="asker")
        await system.start(handing_on, name="other")
        if way == "ask":
            await talk("ask", path="/asker", message="May I?", wait=False)
        elif way == "through another":
            await talk("tell", path="/other", message="May I?")
        else:
            await talk(way, path="/asker", message="May I?")
        await trio.sleep(1)
        await _cannot_answer(system, talk)
        async with talking(build_server(system, a_gate(people=True)), "reviewer") as reviewer:
            [question] = (await reviewer("pending_requests"))["requests"]
            await reviewer("answer", id=question["id"], value=True)


@pytest.mark.parametrize("name", ["kept", None])
async def test_what_is_adopted_is_of_the_team_before_it_is_ready(
    autojump_clock: MockClock, name: str | None
) -> None:
    """It asks in its start, while its spawn is under way."""
    gate = a_gate(people=True, adopt=True, templates={"begging": begging})
    async with a_talk(gate) as (system, talk), trio.open_nursery() as nursery:
        nursery.start_soon(partial(talk, "spawn", template="begging", name=name, adopt=True))
        await trio.sleep(1)
        await _cannot_answer(system, talk)


async def test_who_could_not_be_adopted_is_not_of_the_team(autojump_clock: MockClock) -> None:
    """Its name belongs to somebody else, or is free again."""
    gate = a_gate(people=True, adopt=True, templates={"begging": begging})
    async with a_talk(gate) as (system, talk):
        assert "not ready" in await talk.error(
            "spawn", template="begging", name="late", adopt=True, timeout=1.0
        )
        parent = system.find("/agents")
        assert parent is not None
        async with talking(build_server(system, a_gate(name="late", templates={"asking": asking}))) as other:
            assert "is taken" in await talk.error("spawn", template="begging", name="late", adopt=True)
            await other("spawn", template="asking", name="a")
            await other("tell", path="a", message="May I?")
            await trio.sleep(1)
            assert (await talk("pending_requests"))["count"] == 1


async def test_servers_of_one_gate_are_one_team(autojump_clock: MockClock) -> None:
    """Of an equal one, too."""
    async with a_talk(a_gate(people=True, templates={"asking": asking})) as (system, talk):
        server = build_server(system, a_gate(people=True, templates={"asking": asking}))
        async with talking(server, "second") as second:
            await second("spawn", template="asking", name="a")
            await second("tell", path="a", message="May I?")
            await trio.sleep(1)
            await _cannot_answer(system, talk)


async def test_tokens_of_one_gate_are_one_team_and_stay_so_when_the_server_begins_anew() -> None:
    """Over real sockets, with what one of them had adopted."""
    gate = a_gate(people=True, adopt=True, templates={"asking": asking})
    async with reached(tokens={"one": gate, "two": gate}) as here:
        async with here.client("one") as one:
            said(await one.call_tool("spawn", {"template": "asking", "name": "kept", "adopt": True}))
            said(await one.call_tool("tell", {"path": "/agents/kept", "message": "May I?"}))
            async with here.client("two") as two:
                assert said(await two.call_tool("pending_requests", {}))["count"] == 0
        kept = here.system.find("/agents/kept")
        assert kept is not None
        at_work = here.server._site.sessions
        at_work._nursery.start_soon(_fail)
        await until(lambda: here.server._site.sessions is not at_work)
        await here.server.ref.wait_started()
        async with here.client("two") as two:
            [question] = here.system.desk.pending()
            assert said(await two.call_tool("pending_requests", {}))["count"] == 0
        here.system.desk.answer(question.id, False)  # nobody waits for it at the end


async def test_whoever_takes_the_place_of_what_was_adopted_is_a_stranger(autojump_clock: MockClock) -> None:
    """A path that is used again gives no right."""
    async with a_talk(a_gate(adopt=True)) as (system, talk):
        await talk("spawn", template="worker", name="w", adopt=True)
        assert "not yours" not in str(await talk("suspend", path="/agents/w"))
        worker = system.find("/agents/w")
        assert worker is not None
        worker.kill()
        await worker.wait_stopped()
        async with talking(build_server(system, a_gate(name="w"))) as stranger:
            await stranger("spawn", template="worker", name="below")
            assert "not yours to order" in await talk.error_of_stop("/agents/w")
            assert "no such actor" in await talk.error("ask", path="/agents/w/below", message="notes")


async def test_a_key_is_that_of_the_agent_who_posts(autojump_clock: MockClock) -> None:
    """Whoever finds it out has a ticket of its own, and cannot withdraw that of another."""
    async with actors.open_system("town") as system:
        server = build_server(system, a_gate(reach="tree"))
        async with talking(server, "one") as one, talking(server, "other") as other:
            mine = await one("post", path="/nobody", message="x", key="k")
            theirs = await other("post", path="/nobody", message="x", key="k")
            assert theirs["ticket"] != mine["ticket"]
            await other("ticket", id=theirs["ticket"], cancel=True)
            assert (await one("ticket", id=mine["ticket"]))["state"] == "pending"


@pytest.mark.parametrize("way", ["tell", "post"])
async def test_what_one_who_has_gone_wanted_is_still_the_teams(autojump_clock: MockClock, way: str) -> None:
    """Also where paths of those that are gone are forgotten, and where who it was posted to came later."""
    gate = a_gate(people=True, reach="tree")
    async with actors.open_system("town") as system:
        server = build_server(system, gate)
        if way == "tell":
            await system.start(asking, name="asker")
        async with talking(server, "first") as first:
            await first(way, path="/asker", message="May I?")
            await trio.sleep(1)
        await trio.sleep(1)
        if way == "post":
            await system.start(asking, name="asker")
            await trio.sleep(1)
        async with talking(server, "second") as second:
            await second("tree")
            kin = server.house.kin
            kin._crowded = len(kin) + 1
            kin.add("/agents/nobody")
            assert "/agents/nobody" not in kin
            await _cannot_answer(system, second)


async def test_who_has_the_same_path_on_another_node_is_a_stranger(autojump_clock: MockClock) -> None:
    """A path says nothing of the node."""
    async with a_talk(a_gate(people=True, templates={"asking": asking})) as (system, talk):
        await talk("spawn", template="asking", name="a")
        await talk("tell", path="a", message="May I?")
        await trio.sleep(1)
        [question] = system.desk.pending()
        kin = kin_of(system, a_gate(people=True, templates={"asking": asking}))
        assert kin.has_asked(question)
        assert not kin.has_asked(attrs.evolve(question, node="village"))
