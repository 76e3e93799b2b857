"""Posted messages and their tickets, by tools."""

from __future__ import annotations

from trio.testing import MockClock

import actors
from actors.mcp import build_server
from tests.mcp.test_talking import add, work
from tests.mcp.world import a_gate, a_talk, talking


async def test_a_posted_message_waits_for_its_actor(autojump_clock: MockClock) -> None:
    """It is delivered when that is ready; its reply comes by the ticket."""
    async with a_talk() as (_, talk):
        receipt = await talk("post", path="w", message=add(1, 2))
        assert (receipt["to"], receipt["state"], receipt["ended"]) == ("/agents/coder/w", "pending", False)
        assert (await talk("ticket", id=receipt["ticket"], wait=1.5))["state"] == "pending"
        await talk("spawn", template="worker", name="w")
        done = await talk("ticket", id=receipt["ticket"], wait=10)
        assert (done["state"], done["reply"], done["attempts"]) == ("responded", 3, 1)
        assert (await talk("messages", wait=1))["messages"] == []


async def test_the_reply_to_a_posted_message_is_a_message(autojump_clock: MockClock) -> None:
    """For whoever does not look after the ticket."""
    async with a_talk() as (_, talk):
        await talk("spawn", template="worker", name="w")
        receipt = await talk("post", path="w", message=work(3))
        [letter] = (await talk("messages", wait=10))["messages"]
        assert letter["message"] == {"ticket": receipt["ticket"], "reply": "worked 3 s", "error": None}
        assert not letter["needs_reply"]


async def test_a_key_posts_once_and_a_ticket_can_be_withdrawn(autojump_clock: MockClock) -> None:
    """It says what became of it."""
    async with a_talk() as (_, talk):
        receipt = await talk("post", path="w", message=add(1, 2), key="once")
        assert (await talk("post", path="w", message=add(1, 2), key="once"))["ticket"] == receipt["ticket"]
        assert (await talk("ticket", id=receipt["ticket"], cancel=True))["state"] == "cancelled"
        said = await talk("ticket", id=receipt["ticket"], wait=1)
        assert said["ended"]
        assert said["error"].startswith("TicketCancelled: ")


async def test_tickets_of_others_are_unknown(autojump_clock: MockClock) -> None:
    """Each agent looks after its own."""
    async with actors.open_system("town") as system:
        server = build_server(system, a_gate())
        async with talking(server, "one") as one, talking(server, "other") as other:
            receipt = await one("post", path="w", message="hello")
            assert "is yours" in await other.error("ticket", id=receipt["ticket"])
