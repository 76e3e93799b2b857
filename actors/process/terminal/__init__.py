"""Agents in terminals: a program in a pane of a private tmux server, spoken with through its prompt."""

from actors.process.terminal.errors import (
    AnswerTruncated,
    NotAtPrompt,
    NotPasteable,
    TerminalLost,
    TerminalNotStarted,
)
from actors.process.terminal.messages import AttachCommand, Capture, Keys, Paste, Resize, Screen
from actors.process.terminal.terminal import Terminal

__all__ = [
    "AnswerTruncated",
    "AttachCommand",
    "Capture",
    "Keys",
    "NotAtPrompt",
    "NotPasteable",
    "Paste",
    "Resize",
    "Screen",
    "Terminal",
    "TerminalLost",
    "TerminalNotStarted",
]
