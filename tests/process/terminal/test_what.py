"""What a `Terminal` is given is checked when it is written."""

from __future__ import annotations

from typing import Any

import pytest

import actors
from actors.process import NotAtPrompt, Terminal
from actors.process.terminal.prompt import Look, as_prompt


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"cooldown": -1}, ValueError, "cooldown"),
        ({"quiet": float("nan")}, ValueError, "quiet"),
        ({"prompt_timeout": "1"}, TypeError, "prompt_timeout"),
        ({"width": 0}, ValueError, "width must be a whole number from 1"),
        ({"history": 5}, ValueError, "history must be a whole number from 100"),
        ({"submit": "Entr"}, ValueError, "is no key"),
        ({"term": ""}, ValueError, "term must be a str that is not empty"),
        ({"echo": "no"}, TypeError, "echo"),
        ({"prompt": "("}, ValueError, "no regular expression"),
        ({"cwd": 7}, TypeError, "cwd must be"),
    ],
)
def test_mistakes_show_where_they_are_made(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    """Not at a start."""
    with pytest.raises((error, ValueError, TypeError), match=words):
        Terminal(["x"], **{"prompt": "^> $", **options})


def test_an_argv_is_a_list_of_what_tmux_takes() -> None:
    """No string, and no novel."""
    with pytest.raises(TypeError, match="must be a list"):
        Terminal("bash", prompt="^> $")
    with pytest.raises(ValueError, match="tmux takes 12288"):
        Terminal(["x", "y" * 12288], prompt="^> $")


def test_what_is_adopted_is_known_by_what_is_run() -> None:
    """Not by how it is spoken with."""
    one = Terminal(["x"], prompt="^> $")
    assert one.identity == Terminal(["x"], prompt="other", cooldown=7).identity
    different = [Terminal(["x", "y"], prompt="^> $"), Terminal(["x"], prompt="^> $", cwd="/tmp")]
    assert len({one.identity, *(other.identity for other in different)}) == 3


async def test_it_takes_no_arguments() -> None:
    """They belong into its argv."""
    async with actors.open_system("test") as system:
        with pytest.raises(TypeError, match="write them into its argv"):
            system.spawn(Terminal(["x"], prompt="^> $"), "more")


def test_an_empty_screen_is_called_so() -> None:
    """There is nothing to show."""
    assert "it is empty" in str(NotAtPrompt(as_prompt("x"), 1.0, ["", " "]))


def test_a_cursor_below_the_rows_that_came_is_in_an_empty_line() -> None:
    """While the size changes."""
    look = Look(("a",), 2, 3, 0, 100, 80, 24)
    assert look.lines == ["a"]
    assert look.before_cursor == "  "
