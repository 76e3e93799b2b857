"""Programs with habits: some draw their whole screen each time, some show nothing of what is typed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import trio

import actors
from actors.process import Capture, Paste, Terminal
from tests.process.terminal.programs import agent

DRAWS = r"""
import os, sys, tty
tty.setraw(0)
seen, typed = ["welcome"], ""
def draw():
    rows = ["\x1b[?1049h\x1b[2J\x1b[H= agent =", *seen[-2:], "\x1b[20;1H> " + typed + "\x1b[21;1H- ready -"]
    os.write(1, ("\r\n".join(rows) + f"\x1b[20;{3 + len(typed)}H").encode())
draw()
while data := os.read(0, 4096).decode():
    for char in data:
        if char == "\r": seen, typed = [f"you: {typed}", f"bot: {typed.upper()}"], ""
        else: typed += char
    draw()
"""
"""Draws its prompt at a fixed place with a line below it, and shows the last answer only."""


async def test_who_draws_the_whole_screen_answers_with_it() -> None:
    """Also with the same answer twice, when nothing is different in the end."""
    draws = Terminal([sys.executable, "-S", "-c", DRAWS], prompt=r"^> \n- ready -$", cooldown=0, quiet=0.05)
    async with actors.open_system("test") as system:
        ref = await system.start(draws, name="ada")
        with trio.fail_after(20):
            for text in ("hello", "hello", "bye"):
                assert await ref.ask(Paste(text)) == f"= agent =\nyou: {text}\nbot: {text.upper()}"
        assert (await ref.ask(Capture())).text.endswith("> \n- ready -")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
async def test_a_screen_that_is_empty_before_and_after_is_an_answer() -> None:
    """It was another one between."""
    bash = Terminal(
        ["bash", "--norc", "--noprofile"],
        prompt=r"^> $",
        env={"PS1": "> ", "PATH": "/usr/bin:/bin"},
        cooldown=0,
    )
    async with actors.open_system("test") as system:
        ref = await system.start(bash, name="ada")
        with trio.fail_after(20):
            for _ in range(3):
                assert await ref.ask(Paste("clear")) == ""


@pytest.mark.parametrize("echo", [True, False])
async def test_who_turns_the_echo_off_is_heard(echo: bool) -> None:
    """Its answer stands in the line of the prompt, whatever it ends with."""
    script = "import os; os.system('stty -echo')\nwhile True: print('got ' + input('> '))"
    quiet = Terminal([sys.executable, "-S", "-c", script], prompt=r"^> $", cooldown=0, echo=echo)
    async with actors.open_system("test") as system:
        ref = await system.start(quiet, name="ada")
        assert await ref.ask(Paste("hello")) == "got hello"


async def test_a_line_like_a_prompt_in_the_midst_of_an_answer_is_part_of_it(fifo: Path) -> None:
    """Where it is followed by more within `quiet` seconds."""
    script = "out('> '); time.sleep(0.02); print('quoted'); print('done')"
    async with actors.open_system("test") as system:
        ref = await system.start(agent(quiet=0.5), name="ada")
        assert await ref.ask(Paste(f"!{script}")) == "> quoted\ndone"
