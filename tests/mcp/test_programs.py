"""Programs in lines and in terminals, asked in plain text by tools: a real tmux, a real child."""

from __future__ import annotations

import sys
from pathlib import Path

import trio

import actors
from actors.process import Lines, Terminal
from tests.mcp.reached import until
from tests.mcp.world import a_gate, a_talk
from tests.process.terminal.conftest import folder as folder
from tests.process.terminal.programs import says

LINES = """
import sys
for line in sys.stdin:
    number, _, text = line.rstrip().partition(" ")
    if number.isdigit():
        print(number, text.upper(), flush=True)
"""


async def test_a_terminal_is_asked_and_told_in_text(folder: Path) -> None:
    """The answer is what it has printed; it is in the tree, and ends with who has spawned it."""
    async with a_talk(a_gate(templates={"says": says()})) as (system, talk):
        seen = await talk("spawn", template="says", name="t")
        assert (seen["path"], seen["kind"], seen["state"]) == ("/agents/coder/t", "process", "IDLE")
        for text in ("hello", 'it\'s {"a": "json"} $HOME', "ünï"):
            assert (await talk("ask", path="t", message=text))["reply"] == f"you said: {text}"
        await talk("tell", path="t", message="by the way")
        assert (await talk("ask", path="t", message="on"))["reply"] == "you said: on"
        assert system.find("/agents/coder/t") is not None


async def test_a_client_that_cancels_gets_the_terminal_back(folder: Path) -> None:
    """What runs in it is interrupted, and it can be asked again."""
    bash = Terminal(["bash", "--norc", "--noprofile", "-i"], prompt=r"\$ $", env={"PS1": "$ "})
    async with a_talk(a_gate(templates={"shell": bash})) as (system, talk):
        await talk("spawn", template="shell", name="t")
        terminal = system.find("/agents/coder/t")
        assert terminal is not None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: talk("ask", path="t", message="sleep 1000"))
            await until(lambda: terminal.state is actors.ActorState.BUSY)
            nursery.cancel_scope.cancel()
        with trio.fail_after(10):
            assert (await talk("ask", path="t", message="echo on"))["reply"] == "on"


async def test_lines_are_asked_in_text() -> None:
    lines = Lines([sys.executable, "-c", LINES], protocol="text", ready=False)
    async with a_talk(a_gate(templates={"lines": lines})) as (_, talk):
        await talk("spawn", template="lines", name="l")
        assert (await talk("ask", path="l", message="all is well"))["reply"] == "ALL IS WELL"
