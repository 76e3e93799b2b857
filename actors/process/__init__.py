"""Processes of the operating system as actors: `actors.process.Command`."""

from actors.process.command import Command
from actors.process.completed import Completed, ProcessFailed, ProcessNotStarted

__all__ = ["Command", "Completed", "ProcessFailed", "ProcessNotStarted"]
