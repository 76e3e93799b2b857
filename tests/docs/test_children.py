"""The children of the page on lines, in three languages, run as they stand."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import trio

import actors
from actors.process import Call, ChildError, Lines

CHILDREN = Path(__file__).resolve().parents[2] / "docs" / "examples" / "children"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="there is no node")


def speaker(**options: int) -> Lines:
    return Lines([NODE or "node", CHILDREN / "speaker.mjs"], **options)


async def test_the_child_in_python_counts() -> None:
    """It answers, says what is wrong with a request, and ends when it is told to."""
    async with actors.open_system("test") as system:
        ref = await system.start(Lines([sys.executable, CHILDREN / "word_count.py"]))
        assert await ref.ask(Call("how many words are these")) == 5
        with pytest.raises(ChildError, match="a text is a string, not 7"):
            await ref.ask(Call(7))
        ref.stop()
        assert (await ref.wait_stopped()).value.returncode == 0


async def test_the_child_in_shell_counts() -> None:
    """The same, in words."""
    async with actors.open_system("test") as system:
        ref = await system.start(Lines(["sh", CHILDREN / "word_count.sh"], protocol="text"))
        assert await ref.ask(Call("how many words are these")) == "5"
        with pytest.raises(actors.Refused, match="there is nothing to count"):
            await ref.ask(Call(""))
        ref.tell("a message")
        ref.drain()
        assert (await ref.wait_stopped()).value.returncode == 0


@needs_node
async def test_the_child_in_javascript_speaks_word_by_word() -> None:
    """Whoever streams has the words as they come; whoever asks has all of them."""
    async with actors.open_system("test") as system:
        ref = await system.start(speaker())
        async with ref.stream(Call({"text": "one two three"})) as words:
            assert [word async for word in words] == ["one", "two", "three"]
        assert await ref.ask(Call({"text": "one two"})) == ("one", "two")
        for wrong in ({}, None):
            with pytest.raises(ChildError, match="undefined"):
                await ref.ask(Call(wrong))
        ref.stop()
        assert (await ref.wait_stopped()).value.returncode == 0


@needs_node
async def test_the_child_in_javascript_has_many_in_hand_and_cancels_them() -> None:
    """The short one is not held up by the long one, which an interrupt ends."""
    async with actors.open_system("test") as system:
        ref = await system.start(speaker(in_flight=2))
        async with ref.stream(Call({"text": "a very long text", "pause": 20})) as words:
            assert await anext(words) == "a"
            assert await ref.ask(Call({"text": "short"})) == ("short",)
        endless = ref.request(Call({"text": "never", "pause": 1_000_000}))
        assert await ref.ask(Call({"text": "still there"})) == ("still", "there")
        with trio.fail_after(20):
            assert await ref.interrupt() is True
            with pytest.raises(actors.Interrupted):
                await endless.wait()


@needs_node
async def test_what_a_child_has_spent_is_charged() -> None:
    """Its `usage` lines count against the budget of its actor."""
    async with actors.open_system("test") as system:
        ref = await system.start(
            speaker(), name="model", policy=actors.Policy(budget=actors.Budget(tokens=4), restart="permanent")
        )
        assert await ref.ask(Call({"text": "one two three"})) == ("one", "two", "three")
        assert system.budget("/model").spent.tokens == 3
        assert await ref.ask(Call({"text": "four five"})) == ("four", "five")  # it was answered, and paid for
        with pytest.raises(actors.BudgetSpent):
            await ref.ask(Call({"text": "six"}))
        system.top_up("/model", tokens=10)
        assert await ref.ask(Call({"text": "six"})) == ("six",)
