"""Words for tmux mean themselves."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from actors.process.terminal.words import as_argument, quoted


def read_argument(word: bytes) -> bytes | None:
    """As tmux reads a word of its command line; None when it ends a command."""
    if not word.endswith(b";"):
        return word
    return word[:-2] + b";" if word.endswith(b"\\;") else None


@given(st.binary())
def test_no_word_of_a_command_line_ends_a_command(word: bytes) -> None:
    """A semicolon at its end is part of it."""
    written = as_argument(word)
    assert isinstance(written, bytes)
    assert read_argument(written) == word


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_a_quoted_word_is_on_one_line_and_comes_out_as_it_was(word: str) -> None:
    """Nothing in it is expanded."""
    written = quoted(word)
    assert not re.search("[\x00-\x1f\x7f]", written)
    assert (written[0], written[-1]) == ('"', '"')
    back = re.sub(
        r"\\([0-7]{3})|\\(.)", lambda m: chr(int(m[1], 8)) if m[1] else m[2], written[1:-1], flags=re.S
    )
    assert back == word
    assert not re.search(r'(?<!\\)(\\\\)*["$~]', written[1:-1])


def test_text_and_bytes_are_written_alike() -> None:
    """An argv may have both."""
    assert as_argument("a;") == "a\\;"
    assert as_argument(b"a;") == b"a\\;"
    assert as_argument("a;b") == "a;b"
