"""Whether a program takes a paste as one piece."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from actors.process.terminal.modes import PasteMode

SAID = b"hello\x1b[1m\x1b[?2004hx\x1b[?25l\x1b[?1;2004l\x1b[0m...\x1b[?2004h> "


@given(st.lists(st.integers(0, len(SAID)), max_size=20))
def test_the_last_word_counts_in_whatever_portions(cuts: list[int]) -> None:
    """A sequence may come in pieces."""
    mode = PasteMode()
    assert mode.bracketed is None
    edges = [0, *sorted(cuts), len(SAID)]
    for start, end in itertools.pairwise(edges):
        mode.feed(SAID[start:end])
    assert mode.bracketed is True
    mode.feed(b"\x1b[?2004l")
    assert mode.bracketed is False


def test_what_was_missed_is_taken_for_what_holds_at_its_prompt() -> None:
    """A program that floods its terminal is not read to the end."""
    mode = PasteMode()
    assert not mode.takes_pastes
    mode.at_prompt = True
    mode.feed(b"\x1b[?2004l...\x1b[?20")
    assert not mode.takes_pastes
    mode.missed()
    assert mode.takes_pastes
    mode.feed(b"04l")
    assert mode.takes_pastes
    mode.feed(b"\x1b[?2004l")
    assert not mode.takes_pastes


@given(st.binary())
def test_anything_may_be_written(data: bytes) -> None:
    """And little of it is kept."""
    mode = PasteMode()
    mode.feed(data)
    mode.feed(data)
    mode.feed(b"\x1b[?2004h")
    assert mode.bracketed is True
