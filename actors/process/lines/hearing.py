"""What a child says, and what is done about it.

That waits at one place alone: for room in the stream that a part of a reply goes to. Then nothing more is
heard, and the pipe holds up the child.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors.core.giving import Hand as Giving
from actors.errors import Refused
from actors.events import LineIgnored
from actors.messages import StreamRequest
from actors.process.lines.conversation import Broken, Conversation, Ignored, Meant
from actors.process.lines.errors import ChildError
from actors.process.lines.hands import Hand, Hands
from actors.process.lines.words import (
    Alive,
    Answered,
    Cancelled,
    Chunk,
    Failed,
    Logged,
    Ready,
    TurnedDown,
    Used,
    shown,
)
from actors.process.ready import ReadyLine

if TYPE_CHECKING:
    from actors.core.context import Context
    from actors.process.lines.what import Lines

__all__ = ["Hearing"]

_log = logging.getLogger("actors.process")


class Hearing:
    """The ears of one incarnation: `ready` and `broken` are told what they say of the child itself."""

    def __init__(
        self,
        lines: Lines,
        ctx: Context,
        said: Conversation,
        hands: Hands,
        ready: Callable[[], None],
        broken: Callable[[str], None],
    ) -> None:
        self._ctx = ctx
        self._cell = ctx.cell
        self._said = said
        self._hands = hands
        self._ready = ready
        self._broken = broken
        self._is_handshake = lines.is_handshake
        self._awaited = ReadyLine(lines.ready) if lines.ready is not None and not lines.is_handshake else None
        self._unheeded: deque[Meant] = deque()
        """What was heard and waits, for room in a stream at most."""
        self.error: Exception | None = None
        """What ends the incarnation, behind what was heard with it."""

    def stderr(self, data: bytes) -> None:
        """It has written this."""
        self._ctx.output(data, "stderr")
        self._look("stderr", data)

    async def stdout(self, data: bytes) -> None:
        """It has said this. A checkpoint where a stream has no room."""
        self._ctx.output(data, "stdout")
        self._unheeded.extend(self._said.feed(data))
        await self.heed_all()
        self._look("stdout", data)

    async def end(self) -> None:
        """Its output has ended. As `stdout`."""
        self._unheeded.extend(self._said.end())
        await self.heed_all()

    async def heed_all(self) -> None:
        """One after the other; what is cut off while it waits for room has done nothing, and waits on."""
        while self._unheeded:
            await self._heed(self._unheeded[0])
            self._unheeded.popleft()

    def _look(self, stream: str, data: bytes) -> None:
        if self._awaited is not None and self._awaited.feed(stream, data):
            self._awaited = None
            self._ready()

    async def _heed(self, meant: Meant) -> None:
        match meant:
            case Answered(id, value):
                self._answered(self._hands.find(id), value)
            case Failed(id, text):
                hand = self._hands.find(id)
                self._hands.fail(hand, ChildError(self._ctx.ref, hand.message, text))
            case TurnedDown(id, why):
                self._hands.fail(self._hands.find(id), Refused(why))
            case Cancelled(id):
                self._hands.interrupt(self._hands.find(id))
            case Chunk(id, value):
                await self._chunk(self._hands.find(id), value)
            case Alive(n_bytes):
                self._ctx.progress(n_bytes)
            case Used(tokens, money, tool_calls):
                self._spend(tokens, money, tool_calls)
            case Logged(text):
                _log.info("%s: %s", self._cell.path, text)
            case Ready():
                if self._is_handshake:
                    self._ready()
            case Ignored(line, why):
                _log.warning("%s wrote a line that %s: %r", self._cell.path, why, line)
                self._cell.kernel.emit(LineIgnored, self._ctx.ref, line, why)
            case Broken(why):
                self._broken(why)

    def _answered(self, hand: Hand, value: Any) -> None:
        try:
            reply = self._whole(hand, self._value(value))
        except Exception as error:  # of a class of users', or a value that describes itself wrongly
            why = f"its reply cannot be read: {shown(str(error))}"
            self._hands.fail(hand, ChildError(self._ctx.ref, hand.message, why))
        else:
            self._hands.settle(hand, reply)

    def _value(self, value: Any) -> Any:
        return self._cell.kernel.codec.value_in(value) if isinstance(value, list | dict) else value

    def _whole(self, hand: Hand, reply: Any) -> Any:
        """The reply, with the parts that came before it, where they were not given one by one."""
        giving = hand.giving
        if giving is None and isinstance(hand.message, StreamRequest):
            giving = Giving(self._cell, hand.item)
        return reply if giving is None else giving.whole(reply)

    async def _chunk(self, hand: Hand, value: Any) -> None:
        """A part of a reply. While there is no room for it nothing more is heard."""
        try:
            chunk = self._value(value)
        except Exception as error:
            why = f"a chunk of its reply cannot be read: {shown(str(error))}"
            if hand.asked is not None:
                hand.asked.fail(ChildError(self._ctx.ref, hand.message, why))  # what is left is cancelled
            return
        if hand.giving is None:
            hand.giving = Giving(self._cell, hand.item)
        await hand.giving.give(chunk)

    def _spend(self, tokens: int, money: float, tool_calls: int) -> None:
        """Charge the actor. What that raises ends the incarnation, behind what was heard with it."""
        try:
            self._ctx.spend(tokens=tokens, money=money, tool_calls=tool_calls)
        except Exception as error:
            self.error = self.error or error
