"""Whether the screen ends with the prompt."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.process.terminal.prompt import Look, Prompt, as_prompt, at_prompt, columns


def screen(text: str, x: int | None = None, y: int | None = None) -> Look:
    """As tmux shows it: without spaces at the ends of rows, and with empty rows below."""
    lines = text.split("\n")
    x = columns(lines[-1]) if x is None else x
    y = len(lines) - 1 if y is None else y
    rows = (*tuple(line.rstrip() for line in lines), "", "")
    return Look(rows, x, y, 0, 100, 80, len(rows))


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        (r"^> $", "> "),
        (r"^> $", "hello\n> "),
        (r"\$ $", "you@host:~$ "),
        (r"^» $", "done\n» "),
        (r"^日本> $", "日本> "),
        (r"╭─╮\n│> $", "x\n╭─╮\n│> "),
        (r"[$#>]\s*$", "root# "),
    ],
)
def test_a_prompt_at_the_end_is_found(prompt: str, text: str) -> None:
    """Whatever is above it, and with the space before the cursor."""
    assert at_prompt(as_prompt(prompt), screen(text)) is not None


@pytest.mark.parametrize(
    ("text", "x"),
    [
        ("> hello", None),
        ("> h", 2),
        (">  ", None),
        ("> \nbusy", None),
        ("a > ", None),
        (">", None),
        ("", None),
    ],
)
def test_what_is_no_end_of_the_screen_is_no_prompt(text: str, x: int | None) -> None:
    """Also when the cursor stands before what somebody has typed."""
    assert at_prompt(as_prompt(r"^> $"), screen(text, x)) is None


def test_it_is_known_where_it_begins() -> None:
    """What stands before it is part of the answer."""
    assert at_prompt(as_prompt(r"> $"), screen("one\ntwo> ")) == Prompt(1, 3)
    long = "\n".join("x" * 20) + "\n> "
    assert at_prompt(as_prompt(r"^> $"), screen(long)) == Prompt(20, 0)


def test_rows_below_the_cursor_count() -> None:
    """A box around the prompt is part of it."""
    look = Look(("> ", "[help]", "", ""), 2, 0, 0, 100, 80, 4)
    assert at_prompt(as_prompt(r"^> $"), look) is None
    assert at_prompt(as_prompt(r"^> \n\[help\]$"), look) == Prompt(0, 0)


def test_flags_of_a_compiled_expression_stay() -> None:
    """And a line is a line in it, too."""
    assert at_prompt(as_prompt(re.compile("^READY$", re.I)), screen("x\nready")) is not None


@pytest.mark.parametrize("prompt", ["", "x*", "$", ".*"])
def test_what_matches_nothing_at_all_is_refused(prompt: str) -> None:
    """It would always be there."""
    with pytest.raises(ValueError, match="matches the empty string"):
        as_prompt(prompt)


def test_what_is_no_expression_is_refused() -> None:
    """With the cure."""
    with pytest.raises(ValueError, match="for just this text write"):
        as_prompt("(")
    with pytest.raises(TypeError, match="write what stands before the cursor"):
        as_prompt(b"> ")


@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=30), st.integers(0, 5))
def test_the_line_of_the_cursor_reaches_to_it(text: str, spaces: int) -> None:
    """Spaces at its end come back, as many as there were."""
    wanted = text.rstrip() + " " * spaces
    assert screen(wanted).before_cursor == wanted
