"""What may be pasted and pressed is checked when it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import actors
from actors.process import Capture, Keys, Paste, Resize
from actors.process.terminal.text import LONGEST_TEXT


@given(st.text(st.characters(blacklist_categories=["Cc", "Cs"]), min_size=1))
def test_text_without_control_characters_stays_as_it_is(text: str) -> None:
    """In any script."""
    assert Paste(text).text == text


def test_newlines_and_tabs_are_text() -> None:
    """Two ways to end a line are one."""
    assert Paste("a\r\nb\tc\n").text == "a\nb\tc\n"


@pytest.mark.parametrize("char", ["\x00", "\x03", "\x1b", "\r", "\x7f", "\x9b"])
def test_control_characters_are_refused(char: str) -> None:
    """In a terminal they are keys, and an escape could end the paste."""
    with pytest.raises(ValueError, match="has the control character"):
        Paste(f"a{char}b")


def test_what_no_program_could_read_is_refused() -> None:
    """With the cure in the text."""
    with pytest.raises(ValueError, match="press a key"):
        Paste("")
    with pytest.raises(ValueError, match="is no character"):
        Paste("a\ud800")
    with pytest.raises(TypeError, match="decode bytes first"):
        Paste(b"bytes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="put it in a file"):
        Paste("é" * (LONGEST_TEXT // 2 + 1))
    assert Paste("é" * (LONGEST_TEXT // 2))


@pytest.mark.parametrize("key", ["Enter", "a", "é", "C-c", "C-M-x", "F12", "S-Up", ";", "~"])
def test_keys_have_names(key: str) -> None:
    """Those of tmux, or one character."""
    assert Keys(key).keys == (key,)
    assert Keys([key, "Up"]).keys == (key, "Up")


@pytest.mark.parametrize("keys", ["", "Entr", "hello", "C-", [], ["Enter", "yes"], 7, "F13", "\n"])
def test_what_tmux_would_type_letter_by_letter_is_refused(keys: object) -> None:
    """A slip must not end in a program."""
    with pytest.raises(ValueError, match=r"no key|names of keys"):
        Keys(keys)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, -1, 1.5, True, 10_001])
def test_sizes_are_whole_numbers(size: int) -> None:
    """A screen has at least one row."""
    with pytest.raises(ValueError, match="width must be a whole number"):
        Resize(size, 10)
    with pytest.raises(ValueError, match="height must be a whole number"):
        Resize(10, size)


def test_a_capture_has_no_lines_below_zero() -> None:
    """It counts those above the screen."""
    with pytest.raises(ValueError, match="history must be a whole number"):
        Capture(history=-1)


def test_its_messages_may_travel() -> None:
    """They have stable tags."""
    assert actors.tag_of(Paste) == "actors.process.Paste"
