"""What an agent may spend, and what comes in chunks."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.mcp import Offer
from tests.mcp.world import Worker, a_gate, a_talk


@actors.message(tag="mcp-tests.Spend")
class Spend(actors.Request[None]):
    """Spend tokens."""

    tokens: int


class Spender(Worker):
    """Spends what it is told to."""

    @actors.receive
    def spend(self, message: Spend) -> None:
        actors.spend(tokens=message.tokens)


@pytest.mark.row(86)
async def test_calls_are_charged_and_refused_when_the_budget_is_spent(autojump_clock: MockClock) -> None:
    """Looking costs nothing; what is topped up goes on. The session lives."""
    async with a_talk(a_gate(budget=actors.Budget(tool_calls=3))) as (system, talk):
        await talk("spawn", template="worker", name="w")
        for _ in range(2):
            await talk("tell", path="w", message="hello")
            await talk("tree")
        said = await talk.error("tell", path="w", message="too much")
        assert said.startswith("BudgetSpent: the budget of /agents/coder is spent: ")
        assert "3 tool calls" in said
        assert "/agents/coder/w" in (await talk("tree"))["text"] or (await talk("children"))["count"] == 1
        system.top_up("/agents/coder", tool_calls=1)
        await talk("tell", path="w", message="once more")


@pytest.mark.row(86)
async def test_what_is_spawned_spends_from_the_budget_of_its_agent(autojump_clock: MockClock) -> None:
    """Its tokens are the agent's tokens, and its spawns are counted."""
    gate = a_gate(
        templates={"spender": Spender},
        messages=[Spend],
        budget=actors.Budget(tokens=100, spawns=2),
    )
    async with a_talk(gate) as (system, talk):
        await talk("spawn", template="spender", name="a")
        await talk("spawn", template="spender", name="b")
        assert "BudgetSpent" in await talk.error("spawn", template="spender", name="c")
        await talk("ask", path="a", message={"$": "mcp-tests.Spend", "tokens": 60})
        said = await talk.error("ask", path="b", message={"$": "mcp-tests.Spend", "tokens": 60})
        assert "BudgetSpent: the budget of /agents/coder is spent: 120 of 100 tokens" in said
        state = system.budget("/agents/coder")
        assert state is not None
        assert state.spent.tokens == 120


async def test_what_is_adopted_is_one_of_the_spawns_of_the_agent(autojump_clock: MockClock) -> None:
    """It spends by itself afterwards."""
    async with a_talk(a_gate(adopt=True, budget=actors.Budget(spawns=1))) as (_, talk):
        await talk("spawn", template="worker", adopt=True)
        assert "BudgetSpent" in await talk.error("spawn", template="worker", adopt=True)
        assert "BudgetSpent" in await talk.error("spawn", template="worker")


def test_a_wrong_budget_is_refused_at_the_door() -> None:
    """With the cure."""
    with pytest.raises(TypeError, match=r"actors\.Budget"):
        a_gate(budget=5)
    with pytest.raises(ValueError, match=r"Gate\(idle=\.\.\.\)"):
        a_gate(budget=actors.Budget(idle=5.0))


@actors.message(tag="mcp-tests.Complete")
class Complete(actors.StreamRequest[str]):
    """Ask for words."""

    text: str


class Model(actors.Actor):
    """Answers in words."""

    @actors.receive
    async def complete(self, message: Complete) -> AsyncIterator[str]:
        for word in message.text.split():
            await trio.sleep(1.0)
            yield word


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_chunks_come_as_progress_and_all_of_them_as_the_reply(
    autojump_clock: MockClock, mode: str
) -> None:
    """Each when it is there."""
    heard: list[tuple[float, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        heard.append((trio.current_time() - began, message))

    async with a_talk(a_gate(templates={"model": Offer(Model, text=Complete)}), mode=mode) as (_, talk):
        await talk("spawn", template="model", name="m")
        began = trio.current_time()
        done = await talk.client.call_tool(
            "ask", {"path": "m", "message": "one two three"}, progress_callback=note
        )
        assert done.structured_content is not None
        assert done.structured_content["reply"] == ["one", "two", "three"]
    assert [word for _, word in heard] == ["one", "two", "three"]
    assert [at for at, _ in heard] == [1.0, 2.0, 3.0]


async def test_a_stream_that_nobody_wants_any_more_is_cancelled(autojump_clock: MockClock) -> None:
    """And one that is silent for too long."""
    async with a_talk(a_gate(templates={"model": Offer(Model, text=Complete)})) as (system, talk):
        await talk("spawn", template="model", name="m")
        model = system.find("/agents/coder/m")
        assert model is not None
        with trio.move_on_after(1.5):
            await talk("ask", path="m", message="word " * 1000)
        await trio.sleep(0.1)
        assert model.state is actors.ActorState.IDLE
        assert "AskTimeout" in await talk.error("ask", path="m", message="word", idle=0.5)
        assert (await talk("ask", path="m", message="a b", idle=1.5))["reply"] == ["a", "b"]


async def test_a_program_is_asked_text_in_its_own_class() -> None:
    """It hears the text, and not an object around it."""
    program = """
        import json, sys
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            said = json.loads(line)
            if "id" in said:
                print(json.dumps({"id": said["id"], "reply": [said["request"]]}), flush=True)
            if "stop" in said:
                break
    """
    lines = actors.process.Lines([sys.executable, "-c", textwrap.dedent(program)])
    async with a_talk(a_gate(templates={"program": lines})) as (_, talk):
        await talk("spawn", template="program", name="p")
        assert (await talk("ask", path="p", message="hello"))["reply"] == ["hello"]
