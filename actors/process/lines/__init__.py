"""Programs that are spoken to in lines, over their stdin and stdout."""

from actors.process.lines.errors import ChildError, ProtocolBroken
from actors.process.lines.values import Call
from actors.process.lines.what import Lines

__all__ = ["Call", "ChildError", "Lines", "ProtocolBroken"]
