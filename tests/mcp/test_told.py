"""What has happened is told within the reach of whoever asks, and without the insides of the program."""

from __future__ import annotations

import json
from typing import Any

import trio
from trio.testing import MockClock

import actors
from actors.mcp import build_server
from actors.mcp.told import Teller
from actors.observe.fact import Fact
from tests.mcp.world import Worker, a_gate, a_talk, talking


async def _events(talk: Any) -> list[dict[str, Any]]:
    found = await talk.client.read_resource("actors://events")
    return json.loads(found.contents[0].text)["facts"]


async def _stop(path: str, ctx: actors.Context) -> None:
    ref = ctx.system.find(path)
    assert ref is not None
    ref.stop()


async def test_why_goes_as_far_as_an_agent_reaches(autojump_clock: MockClock) -> None:
    """Somebody else has ended its child: who that was, it does not hear. With the whole tree it does."""

    async def boss(ctx: actors.Context) -> None:
        await _stop("/agents/coder/w", ctx)

    async with a_talk() as (system, talk):
        await talk("spawn", template="worker", name="w")
        await system.start(boss, name="boss")
        await trio.sleep(1)
        said = await talk("why", path="w")
        assert said["text"].endswith("it was told to stop by an actor out of your reach")
        assert "boss" not in str(said) + str(await _events(talk))
        async with talking(build_server(system, a_gate(reach="tree")), "chief") as chief:
            assert "by /boss" in (await chief("why", path="/agents/coder/w"))["text"]


async def test_an_unknown_path_is_not_compared_with_what_is_hidden(autojump_clock: MockClock) -> None:
    async with a_talk() as (system, talk):
        await system.start(Worker, name="private")
        for path in ("private", "/agents/private"):
            said = await talk.error("why", path=path)
            assert said.startswith("nothing is known of an actor")
            assert "did you mean" not in said


async def test_no_file_of_the_program_is_named(autojump_clock: MockClock) -> None:
    """Where it failed is said by the name of the function; the error of the request is, too."""
    async with a_talk(a_gate(reach="tree")) as (_, talk):
        await talk("spawn", template="worker", name="w")
        failed = await talk.error("ask", path="w", message="fail")
        await trio.sleep(1)
        said = str(await talk("why", path="w"))
        one = await talk.client.read_resource("actors://actor/agents/coder/w")
        assert "at Worker.on_unhandled" in said
        assert ".py" not in failed + said + str(await _events(talk)) + one.contents[0].text


async def test_what_a_peer_was_sent_is_not_told(autojump_clock: MockClock) -> None:
    """That it was not handled is."""
    async with actors.open_system("town") as system:
        server = build_server(system, a_gate())
        async with talking(server, "one") as one:
            async with talking(server, "other"):
                other = system.find("/agents/other")
                assert other is not None
                other.tell("for you alone")
                await trio.sleep(1)
            [dead] = [fact for fact in await _events(one) if fact["kind"] == "DeadLetter"]
            assert dead["path"] == "/agents/other"
            assert "for you alone" not in str(dead)


def test_a_text_that_was_cut_short_shows_nothing_of_a_message() -> None:
    """The message does not stand in it as a whole, and cannot be found."""
    fact = Fact(1, 0.0, "Failed", "/a", "with a long secre", {"message": "a long secret"})
    [told] = Teller(lambda _: True, lambda _: False, False).told([fact])
    assert (told.text, told.details) == ("Failed", {"message": "..."})


def test_the_causes_of_a_failure_are_told_without_the_files_they_were_raised_in() -> None:
    """However deep in the details of a fact they stand."""
    causes = {
        "error": "ValueError: no",
        "causes": [{"error": "KeyError: 'tea'", "where": "brew (/home/ada/shop.py:7)"}],
    }
    fact = Fact(1, 0.0, "Failed", "/a", "it failed: no", {"exit": causes})
    [told] = Teller(lambda _: True, lambda _: True, True).told([fact])
    assert told.details["exit"]["causes"] == [{"error": "KeyError: 'tea'", "where": "brew"}]


async def test_an_agent_at_the_root_does_not_see_the_framework_in_the_tree(autojump_clock: MockClock) -> None:
    async with a_talk(a_gate(parent="/")) as (_, talk):
        assert "system [" not in (await talk.text("tree")).partition("\n")[2]
