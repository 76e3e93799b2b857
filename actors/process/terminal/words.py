"""How words are written for tmux: on its command line, and in the commands of control mode. Pure."""

from __future__ import annotations

__all__ = ["as_argument", "as_format", "quoted"]


def as_argument(word: str | bytes) -> str | bytes:
    """A word of tmux's command line that means itself: one that ends in `;` would end a command."""
    if isinstance(word, bytes):
        return word[:-1] + b"\\;" if word.endswith(b";") else word
    return word[:-1] + "\\;" if word.endswith(";") else word


def as_format(text: str) -> str:
    """Text that means itself where tmux expands formats, as in the name of a file."""
    return text.replace("#", "##")


def quoted(word: str) -> str:
    """A word of a command in control mode or in a file of commands; on one line, whatever is in it."""
    return '"' + "".join(_quoted(char) for char in word) + '"'


def _quoted(char: str) -> str:
    if char in '"\\$~':
        return "\\" + char
    if ord(char) < 32 or ord(char) == 127:
        return f"\\{ord(char):03o}"
    return char
