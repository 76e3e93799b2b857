"""Whether a program takes a paste as one piece: what it has asked its terminal for. Pure."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["PasteMode"]

_ASKS: Final = re.compile(rb"\x1b\[\?(?:\d+;)*2004(?:;\d+)*([hl])")
_LONGEST: Final = 64


class PasteMode:
    """Reads a program's output, in whatever portions, for bracketed paste being turned on or off."""

    __slots__ = ("_rest", "at_prompt", "bracketed")

    def __init__(self) -> None:
        self.bracketed: bool | None = None
        """What the program has said last; None where we have not heard it."""
        self.at_prompt: bool | None = None
        """What held when its prompt was there; None: not known."""
        self._rest = b""

    @property
    def takes_pastes(self) -> bool:
        """True where it has asked for brackets: as it said, or, if we could not hear it, as the last time."""
        return bool(self.at_prompt if self.bracketed is None else self.bracketed)

    def missed(self) -> None:
        """Some of its output did not reach us."""
        self.bracketed = None
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """It has written `data`."""
        if not self._rest and b"\x1b" not in data:
            return
        data = self._rest + data
        for found in _ASKS.finditer(data):
            self.bracketed = found[1] == b"h"
        escape = data.rfind(b"\x1b", -_LONGEST)
        self._rest = b"" if escape < 0 or _ASKS.match(data, escape) else data[escape:]
