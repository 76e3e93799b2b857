"""Requests to people, where the gate says that a person is there."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.mcp import build_server
from tests.mcp.world import a_gate, talking


async def asking(ctx: actors.Context) -> None:
    """Asks a person once for each text that it is told, and keeps the answers."""
    async for message in ctx.inbox:
        said = await ctx.system.desk.approval(str(message), timeout=60.0, default=False)
        ctx.reply(said)


async def test_questions_are_listed_and_answered(autojump_clock: MockClock) -> None:
    """Whoever asks goes on with the answer; it stands, and cannot be given twice."""
    async with actors.open_system("town") as system:
        asker = await system.start(asking, name="asker")
        async with talking(build_server(system, a_gate(people=True))) as talk:
            assert await talk("pending_requests") == {"requests": [], "count": 0}
            asker.tell("May I?")
            await trio.sleep(1)
            [question] = (await talk("pending_requests"))["requests"]
            assert (question["text"], question["kind"], question["sender"]) == (
                "May I?",
                "approval",
                "/asker",
            )
            assert question["left"] == 59.0
            assert (await talk("pending_requests", to="somebody"))["count"] == 0
            said = await talk.error("answer", id=question["id"], value="perhaps")
            assert said.startswith("InvalidAnswer: ")
            assert await talk("answer", id=question["id"], value=True) == {
                "id": question["id"],
                "value": True,
            }
            assert (await talk("pending_requests"))["count"] == 0
            assert (await talk.error("answer", id="none", value=True)).startswith("UnknownRequest: ")


async def test_nobody_answers_what_their_own_team_has_asked(autojump_clock: MockClock) -> None:
    """Neither over another connection of the same gate, nor after coming back; another gate may."""
    async with actors.open_system("town") as system:
        gate = a_gate(people=True, adopt=True, templates={"asking": asking})
        server, elsewhere = build_server(system, gate), build_server(system, a_gate(people=True))
        async with talking(server, "one") as one:
            await one("spawn", template="asking", name="a")
            await one("spawn", template="asking", name="kept", adopt=True)
            await one("tell", path="a", message="May I?")
            await one("tell", path="/agents/kept", message="And I?")
            await trio.sleep(1)
            async with talking(server, "other") as other, talking(elsewhere, "reviewer") as reviewer:
                for talk in (one, other):
                    assert (await talk("pending_requests"))["count"] == 0
                    for question in system.desk.pending():
                        said = await talk.error("answer", id=question.id, value=True)
                        assert said == "this was asked by your own team: somebody else has to answer it"
                assert (await reviewer("pending_requests"))["count"] == 2
                for question in system.desk.pending():
                    await reviewer("answer", id=question.id, value=False)
        async with talking(server, "one") as one:
            await one("tell", path="/agents/kept", message="And now?")
            await trio.sleep(1)
            assert (await one("pending_requests"))["count"] == 0


@pytest.mark.parametrize("tool", ["answer", "pending_requests"])
async def test_without_a_person_there_is_nothing_to_answer(autojump_clock: MockClock, tool: str) -> None:
    """The tools are not there."""
    async with actors.open_system("town") as system, talking(build_server(system, a_gate())) as talk:
        assert f"no tool is called '{tool}'" in await talk.error(tool)
