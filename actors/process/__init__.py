"""Processes of the operating system as actors: `Command` runs one, `Lines` and `Terminal` talk to one."""

from actors.process.command import Command
from actors.process.completed import Completed, ProcessFailed, ProcessNotStarted
from actors.process.lines import Call, ChildError, Lines, ProtocolBroken
from actors.process.terminal import (
    AnswerTruncated,
    AttachCommand,
    Capture,
    Keys,
    NotAtPrompt,
    NotPasteable,
    Paste,
    Resize,
    Screen,
    Terminal,
    TerminalLost,
    TerminalNotStarted,
)

__all__ = [
    "AnswerTruncated",
    "AttachCommand",
    "Call",
    "Capture",
    "ChildError",
    "Command",
    "Completed",
    "Keys",
    "Lines",
    "NotAtPrompt",
    "NotPasteable",
    "Paste",
    "ProcessFailed",
    "ProcessNotStarted",
    "ProtocolBroken",
    "Resize",
    "Screen",
    "Terminal",
    "TerminalLost",
    "TerminalNotStarted",
]
