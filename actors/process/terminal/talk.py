"""How a terminal is spoken with: wait for the prompt, paste, press the key, wait for the next prompt.

Every wait is for output: the screen is looked at when something was written and nothing more for
`quiet` seconds, never again and again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs
import trio

from actors.process.terminal.answer import answer_of
from actors.process.terminal.cooldown import Cooldown
from actors.process.terminal.errors import AnswerTruncated, NotAtPrompt, NotPasteable
from actors.process.terminal.prompt import LAST_LINES, Look, Prompt, at_prompt
from actors.process.terminal.text import LONGEST_LINE

if TYPE_CHECKING:
    from actors.process.terminal.modes import PasteMode
    from actors.process.terminal.terminal import Terminal

__all__ = ["Pasted", "Screenlike", "Talk"]

_ECHO_WITHIN = 1.0
"""Seconds in which a program shows what was pasted; then the key is pressed all the same."""
_NEARLY_FULL = 0.9
"""tmux drops a tenth of the history when it is full."""


class Screenlike(Protocol):
    """What is spoken with: a `Pane`, or in tests something that behaves like one."""

    changed: trio.Event
    mode: PasteMode
    wrote_at: float

    async def look(self) -> Look:
        """The screen now."""
        ...

    async def lines(self, start: int, end: int, look: Look) -> list[str]:
        """Lines from `start` up to `end`, as `look` counts them."""
        ...

    async def note_mode(self) -> None:
        """Keep in mind how the program takes pastes at its prompt, where it is now."""
        ...

    async def forget(self) -> None:
        """Drop what has scrolled out at the top."""
        ...

    async def paste(self, text: str, look: Look) -> bool:
        """Paste at the cursor of `look`; False, and nothing is pasted, when it has moved."""
        ...

    async def press(self, *keys: str) -> str:
        """Press keys; the place of the cursor before, as in `Look`."""
        ...

    def collects_lines(self) -> bool:
        """True when lines of more than 4095 bytes would be cut."""
        ...


@attrs.frozen
class Pasted:
    """What was pasted where: `before` is the screen as it was."""

    text: str
    before: Look
    moved: bool
    """It was seen on the screen: when that is as before, the program has taken it away."""


class Talk:
    """The rules by which one program is spoken with. One task at a time."""

    def __init__(self, terminal: Terminal, pane: Screenlike) -> None:
        self._terminal = terminal
        self._pane = pane
        self._cooldown = Cooldown(terminal.cooldown)

    def finds(self, look: Look) -> Prompt | None:
        """Where its prompt is, if it waits there."""
        return at_prompt(self._terminal.prompt, look)

    async def wait_prompt(self, pasted: Pasted | None = None) -> tuple[Look, Prompt]:
        """The screen when it ends with the prompt; with `pasted`, the next one, not that before."""
        quiet = self._terminal.quiet
        while True:
            changed = self._pane.changed
            left = self._pane.wrote_at + quiet - trio.current_time()
            if left > 0:
                with trio.move_on_after(left):
                    await changed.wait()
                continue
            look = await self._pane.look()
            if quiet and changed.is_set():
                continue
            prompt = self.finds(look)
            if prompt is not None and (pasted is None or pasted.moved or look != pasted.before):
                await self._pane.note_mode()
                return look, prompt
            await changed.wait()

    async def admit(self) -> Look:
        """Wait until something may be pasted: the cooldown is over, and the prompt is there.

        Raises `NotAtPrompt` when it is not there in time.
        """
        await self.cool_down()
        limit = self._terminal.prompt_timeout
        with trio.move_on_after(limit):
            look, _ = await self.wait_prompt()
            return look
        look = await self._pane.look()
        if self.finds(look) is not None:  # it came in the last moment
            return look
        raise NotAtPrompt(self._terminal.prompt, limit, look.lines[-LAST_LINES:])

    async def cool_down(self) -> None:
        """Wait for the end of the cooldown."""
        await trio.sleep(self._cooldown.left(trio.current_time()))

    async def press(self, *keys: str) -> str:
        """Press keys; the cooldown begins. The place of the cursor before."""
        try:
            return await self._pane.press(*keys)
        finally:
            self._cooldown.injected(trio.current_time())

    async def paste(self, text: str, look: Look) -> Pasted | None:
        """Paste at the prompt of `look` and submit; None when somebody was faster, and nothing was typed.

        Raises `NotPasteable`. Whoever calls it shields it: half of it would be no answer to anything.
        """
        self._check(text)
        if look.history > look.limit // 2:
            await self._pane.forget()  # so that the answer has room
            look = await self._pane.look()
            if self.finds(look) is None:
                return None
        changed = self._pane.changed
        if not await self._pane.paste(text, look):
            return None
        await self._shown(changed)
        place = await self.press(self._terminal.submit)
        return Pasted(text, look, place != look.place)

    async def type(self, *keys: str) -> None:
        """Press keys after the cooldown, and wait until something of them is seen: they are no prompt."""
        await self.cool_down()
        changed = self._pane.changed
        await self.press(*keys)
        await self._shown(changed)

    async def _shown(self, changed: trio.Event) -> None:
        if self._terminal.echo:
            with trio.move_on_after(_ECHO_WITHIN):
                await changed.wait()

    def _check(self, text: str) -> None:
        if "\n" in text and not self._terminal.multiline and not self._pane.mode.takes_pastes:
            raise NotPasteable(
                "nothing was typed: the program has not asked for bracketed paste, so that each line would "
                "be an input of its own: paste one line, or pass multiline=True to Terminal"
            )
        longest = max(len(line.encode()) for line in text.split("\n"))
        if longest > LONGEST_LINE and self._pane.collects_lines():
            raise NotPasteable(
                f"nothing was typed: a line has {longest} bytes, and the terminal of a program that reads "
                f"lines holds {LONGEST_LINE}: break the line, or put the text in a file and paste its name"
            )

    async def answer(self, pasted: Pasted) -> str:
        """Wait for the next prompt; what was printed until then. Raises `AnswerTruncated`."""
        look, prompt = await self.wait_prompt(pasted)
        return await self.text_until(pasted, look, look.history + prompt.row, prompt.column)

    async def text_until(self, pasted: Pasted, look: Look, end: int, column: int = 0) -> str:
        """What was printed since `pasted`, up to a place."""
        before = pasted.before
        start = before.line
        scrolled = look.limit and look.history >= look.limit * _NEARLY_FULL
        if scrolled:
            start = 0
        elif end < start or look.full:  # it has cleared its screen, or draws it anew each time
            start = look.history
        lines = await self._pane.lines(start, end, look)
        if column:
            lines.append(look.rows[end - look.history][:column])
        text = answer_of(lines, before.before_cursor, pasted.text, echo=self._terminal.echo)
        if scrolled:
            raise AnswerTruncated(text, look.limit)
        return text
