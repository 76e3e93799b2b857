"""What a terminal is told and asked. Pure: plain values that may cross a link or wait in a store."""

from __future__ import annotations

import attrs

from actors.messages import Request, message
from actors.process.terminal.text import as_keys, as_text

__all__ = ["AttachCommand", "Capture", "Keys", "Paste", "Resize", "Screen"]

_MOST = 10_000


def _cells(_: object, field: attrs.Attribute[int], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST:
        raise ValueError(f"{field.name} must be a whole number from 1 to {_MOST}, not {value!r}")


def _lines(_: object, field: attrs.Attribute[int], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{field.name} must be a whole number, 0 or more, not {value!r}")


@message(tag="actors.process.Paste")
class Paste(Request[str]):
    """Paste `text` at the prompt, in one piece, and press the key that submits it.

    The answer is what the program has printed until its next prompt, as it stands on the
    screen: without the echo of the text, escape sequences and trailing spaces, lines that were
    wrapped in one piece. Refused with `NotAtPrompt` when the prompt does not come in time,
    and with `NotPasteable` where the program could not take the text as it is; in both
    cases nothing was typed.

    TypeError and ValueError, here, for text that is empty, longer than 1 MiB in UTF-8, or
    has control characters other than newline and tab.
    """

    text: str = attrs.field(converter=as_text)


@message(tag="actors.process.Keys")
class Keys(Request[None]):
    """Press keys, whether or not the prompt is there: for menus and dialogs.

    A key is one character, or a name of tmux's: `Enter`, `Escape`, `Up`, `F1`, `C-c`, `M-x`. Answered
    when the program has shown something since, or a second has passed. ValueError for anything
    else, which tmux would type letter by letter.
    """

    keys: tuple[str, ...] = attrs.field(converter=as_keys)


@message(tag="actors.process.Capture")
class Capture(Request["Screen"]):
    """What is on the screen now, with up to `history` lines that have scrolled out at its top.

    Asked, it does not wait behind a message in hand, nor for the first prompt.
    """

    history: int = attrs.field(default=0, validator=_lines)


@message(tag="actors.process.Resize")
class Resize(Request[None]):
    """Give the terminal another size, in columns and rows."""

    width: int = attrs.field(validator=_cells)
    height: int = attrs.field(validator=_cells)


@message(tag="actors.process.AttachCommand")
class AttachCommand(Request[tuple[str, ...]]):
    """The command by which a person on this machine sees the terminal and types into it: an argv.

    Asked, it does not wait behind a message in hand, nor for the first prompt.
    """


@message(tag="actors.process.Screen")
class Screen:
    """A screen at one moment, as plain text; the cursor counts from 0 at the top left."""

    text: str
    width: int
    height: int
    cursor_x: int
    cursor_y: int
    at_prompt: bool
