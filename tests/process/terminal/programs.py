"""Programs for terminals: small, scripted, and each with a habit of its own."""

from __future__ import annotations

import sys
from typing import Any, Self

import trio

import actors
from actors.events import Progressed
from actors.process import AttachCommand, Terminal

__all__ = ["AGENT", "SAYS", "Onlooker", "agent", "says", "shell"]

SAYS = "while printf '> ' && IFS= read -r line; do printf 'you said: %s\\n' \"$line\"; done"
"""Reads lines, as the kernel collects and echoes them, and repeats each."""

AGENT = r"""
import os, signal, sys, termios, time, tty
TTY = sys.stdin.fileno()
was = termios.tcgetattr(TTY)
tty.setraw(TTY)
def out(text): sys.stdout.write(text.replace("\n", "\r\n")); sys.stdout.flush()
def ask():
    out("\x1b[?2004h\x1b[1m> \x1b[0m")
    typed, pasting, data = "", False, b""
    while True:
        data += os.read(TTY, 65536)
        while data:
            if data.startswith(b"\x1b[200~"): pasting, data = True, data[6:]
            elif data.startswith(b"\x1b[201~"): pasting, data = False, data[6:]
            elif b"\x1b[201~".startswith(data[:6]) or b"\x1b[200~".startswith(data[:6]): break
            elif data[:1] == b"\r" and not pasting:
                out("\n\x1b[?2004l"); return typed
            elif data[:1] == b"\x03": out("^C\n> "); typed, data = "", data[1:]
            elif data[:1] == b"\x04": return None
            else:
                size = 1 if data[0] < 0x80 else 2 if data[0] < 0xe0 else 3 if data[0] < 0xf0 else 4
                if len(data) < size: break
                char, data = data[:size].decode(), data[size:]
                typed += char
                out(char)
while (text := ask()) is not None:
    if text.startswith("!"):
        termios.tcsetattr(TTY, termios.TCSANOW, was)
        try: exec(text[1:])
        except KeyboardInterrupt: out("interrupted\n")
        tty.setraw(TTY)
    else: out(f"{len(text)} characters: {text[:20]!a}...{text[-20:]!a}\n")
"""
"""Takes text as one paste, edits it itself, and tells what it got; `!` and Python does something."""


def says(**options: Any) -> Terminal:
    """Repeats each line."""
    return shell(SAYS, **options)


def shell(script: str, **options: Any) -> Terminal:
    """A script at the prompt `> `, without waits."""
    return Terminal(["sh", "-c", script], **{"prompt": r"^> $", "cooldown": 0, "quiet": 0, **options})


def agent(**options: Any) -> Terminal:
    """Asks for bracketed paste."""
    return Terminal(
        [sys.executable, "-S", "-c", AGENT], **{"prompt": r"^> $", "cooldown": 0, "quiet": 0, **options}
    )


class Onlooker:
    """A person who looks at a terminal, whatever its actor does."""

    def __init__(self, system: actors.System, attach: tuple[str, ...]) -> None:
        self.system = system
        self.tmux = attach[:-3]

    @classmethod
    async def at(cls, system: actors.System, ref: actors.Ref) -> Self:
        return cls(system, await ref.ask(AttachCommand()))

    async def does(self, *command: str) -> str:
        """Have tmux do something; what it says."""
        done = await trio.run_process([*self.tmux, *command], capture_stdout=True)
        return done.stdout.decode()

    async def sees(self, text: str) -> None:
        """Wait until the screen has it."""
        with trio.fail_after(20):
            async with self.system.subscribe(Progressed) as events:
                while text not in await self.does("capture-pane", "-p"):
                    async for _ in events:
                        break
