"""What stands on the screen, and whether it is the prompt. Pure.

The expression is matched against the end of the screen: its last lines, down to the last one
that is not empty or has the cursor. Its match must reach to the very end, so that a prompt
behind which somebody types is none. The line of the cursor ends where the cursor is, or later:
a space that a prompt ends with cannot be seen, but the cursor stands behind it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import attrs

__all__ = ["LAST_LINES", "Look", "Prompt", "as_prompt", "at_prompt", "columns"]

LAST_LINES: Final = 10
"""So many lines at the end of the screen are looked at."""


@attrs.frozen
class Look:
    """The screen at one moment. Rows count from 0 at its top, `history` rows are above it."""

    rows: tuple[str, ...]
    x: int
    y: int
    history: int
    limit: int
    width: int
    height: int
    full: bool = False
    """A program that draws its whole screen has it."""

    @property
    def line(self) -> int:
        """The line of the cursor, counted from the oldest that is kept."""
        return self.history + self.y

    @property
    def place(self) -> str:
        """Where the cursor is, in one word."""
        return f"{self.history}.{self.x}.{self.y}"

    @property
    def before_cursor(self) -> str:
        """The cursor's line, at least as long as the cursor stands to the right."""
        row = self.rows[self.y].rstrip() if self.y < len(self.rows) else ""
        return row + " " * (self.x - columns(row))

    @property
    def lines(self) -> list[str]:
        """Down to the last that is not empty, or has the cursor."""
        rows = [row.rstrip() for row in self.rows]
        if self.y < len(rows):
            rows[self.y] = self.before_cursor
        end = len(rows)
        while end > self.y + 1 and not rows[end - 1]:
            end -= 1
        return rows[:end]


@attrs.frozen
class Prompt:
    """Where on the screen the prompt begins."""

    row: int
    column: int


def columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Cf", "Me", "Mn"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def as_prompt(prompt: object) -> re.Pattern[str]:
    """The expression, in which `^` and `$` are the ends of lines. ValueError for one that says nothing."""
    if isinstance(prompt, re.Pattern):
        source, flags = prompt.pattern, prompt.flags  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    else:
        source, flags = prompt, 0
    if not isinstance(source, str):
        raise TypeError(
            f"prompt must be a regular expression of str, not {prompt!r:.80}: "
            r"write what stands before the cursor when the program waits, as in r'^> $'"
        )
    try:
        regex = re.compile(source, flags | re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(
            f"prompt {source!r} is no regular expression: {error}; "
            f"for just this text write {re.escape(source)!r}"
        ) from None
    if regex.search("") is not None:
        raise ValueError(
            f"prompt {source!r} matches the empty string, and so does every screen: "
            r"write what stands before the cursor when the program waits, as in r'^> $'"
        )
    return regex


def at_prompt(regex: re.Pattern[str], look: Look) -> Prompt | None:
    """Where the prompt begins with which the screen ends; None when it does not."""
    lines = look.lines
    first = max(0, len(lines) - LAST_LINES)
    text = "\n".join(lines[first:])
    for found in regex.finditer(text):
        if found.end() == len(text) or regex.fullmatch(text, found.start()) is not None:
            before = text[: found.start()]
            return Prompt(first + before.count("\n"), len(before) - (before.rfind("\n") + 1))
    return None
