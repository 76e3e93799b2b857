"""What can go wrong with a terminal. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from actors.errors import ActorError, Refused

__all__ = ["AnswerTruncated", "NotAtPrompt", "NotPasteable", "TerminalLost", "TerminalNotStarted"]

_SHOWN_LINES = 5
_SHOWN = 200


class NotAtPrompt(Refused):
    """The prompt did not come in time, so nothing was typed. `.screen` are the last lines."""

    def __init__(self, prompt: re.Pattern[str], seconds: float, screen: Sequence[str]) -> None:
        self.prompt = prompt
        self.seconds = seconds
        self.screen = tuple(screen)
        super().__init__(
            f"nothing was typed: in {seconds:g} s the screen did not end with the prompt {prompt.pattern!r}; "
            f"{_shown(screen)}\nThe program may be busy, or somebody types: interrupt it, wait, "
            f"or pass a prompt= that matches to the end of the line"
        )


class NotPasteable(Refused):
    """The program could not take this text as one paste, so nothing was typed."""


class AnswerTruncated(ActorError):
    """The answer was longer than the terminal's history; `.text` is its end."""

    def __init__(self, text: str, limit: int) -> None:
        self.text = text
        self.limit = limit
        super().__init__(
            f"the beginning of the answer may have scrolled out of the {limit} lines that are kept: "
            f"pass a larger history= to Terminal; .text is what is left"
        )


class TerminalNotStarted(ActorError):
    """There is no tmux that could be used, or no place for its socket."""


class TerminalLost(ActorError):
    """The tmux server of the terminal has gone or does not answer, and the program with it."""


def _shown(screen: Sequence[str]) -> str:
    lines = [line.rstrip()[:_SHOWN] for line in screen if line.strip()][-_SHOWN_LINES:]
    if not lines:
        return "it is empty."
    return "it ends with\n" + "\n".join(f"    {line}" for line in lines)
