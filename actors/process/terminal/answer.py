"""What a program answered: the lines between what was pasted and its next prompt. Pure."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["answer_of"]


def answer_of(lines: Sequence[str], prompt: str, text: str, *, echo: bool) -> str:
    """The answer in `lines`, the first of which began with `prompt` when `text` was pasted there.

    With `echo` the program shows what is typed, and that is taken away: a line for each line of
    `text`, whatever prompt stands before it; or, where the program broke the lines
    differently, as many characters. What is not found is not taken away.
    """
    rest = [line.rstrip() for line in lines]
    begins = bool(rest) and rest[0].startswith(prompt.rstrip())
    if begins:
        rest[0] = rest[0][len(prompt) :]
    if echo:
        rest = _without_echo(rest, text, begins)
    while rest and not rest[-1]:
        rest.pop()
    return "\n".join(rest)


def _without_echo(lines: list[str], text: str, begins: bool) -> list[str]:
    """`begins`: the first line is without its prompt already."""
    typed = text.split("\n")
    if (
        len(lines) >= len(typed)
        and all(_even(line).endswith(_even(word)) for line, word in zip(lines, typed, strict=False))
        and not (begins and _even(lines[0]) != _even(typed[0]))
    ):
        return lines[len(typed) :]
    return _without_characters(lines, "".join(text.split()))


def _even(line: str) -> str:
    """Tabs and spaces are the same on a screen."""
    return " ".join(line.split())


def _without_characters(lines: list[str], wanted: str) -> list[str]:
    """Without the first characters, when they are `wanted`, spaces and ends of lines aside."""
    at = 0
    for index, line in enumerate(lines):
        for column, char in enumerate(line):
            if at == len(wanted):
                return [line[column:], *lines[index + 1 :]]
            if char.isspace():
                continue
            if char != wanted[at]:
                return lines
            at += 1
        if at == len(wanted):
            return lines[index + 1 :]
    return lines
