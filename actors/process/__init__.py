"""Processes of the operating system as actors: `Command` runs one, `Lines` talks to one."""

from actors.process.command import Command
from actors.process.completed import Completed, ProcessFailed, ProcessNotStarted
from actors.process.lines import Call, ChildError, Lines, ProtocolBroken

__all__ = [
    "Call",
    "ChildError",
    "Command",
    "Completed",
    "Lines",
    "ProcessFailed",
    "ProcessNotStarted",
    "ProtocolBroken",
]
