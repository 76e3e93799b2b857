"""What is an answer, in what stands between two prompts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.process.terminal.answer import answer_of

words = st.text("abc xyz>", min_size=1, max_size=30).map(str.strip).filter(bool)


@given(words, st.lists(words, max_size=5))
def test_prompt_and_echo_are_taken_away(text: str, answer: list[str]) -> None:
    """Each in the first line."""
    assert answer_of([f"> {text}", *answer], "> ", text, echo=True) == "\n".join(answer)


@given(st.lists(words, min_size=1, max_size=5), st.lists(words, max_size=5))
def test_so_is_the_echo_of_many_lines(typed: list[str], answer: list[str]) -> None:
    """Whatever stands before the later ones."""
    echo = [f"> {typed[0]}", *(f"... {line}" for line in typed[1:])]
    assert answer_of([*echo, *answer], "> ", "\n".join(typed), echo=True) == "\n".join(answer)


def test_an_echo_that_the_program_has_broken_itself_is_found() -> None:
    """By its characters."""
    assert answer_of(["> one two", "three", "answer"], "> ", "one two three", echo=True) == "answer"
    assert answer_of(["> one two: answer"], "> ", "one two", echo=True) == ": answer"


def test_what_is_not_found_is_not_taken_away() -> None:
    """A program that shows nothing of it answers at once."""
    assert answer_of(["> answer", "more"], "> ", "question", echo=True) == "answer\nmore"
    assert answer_of([], "> ", "question", echo=True) == ""


def test_a_program_without_echo_may_repeat_what_it_got() -> None:
    """With `echo=False` nothing is taken for one."""
    assert answer_of(["> hello"], "> ", "hello", echo=False) == "hello"


@pytest.mark.parametrize("lines", [["> a\tb", "x"], ["> a      b", "x"]])
def test_tabs_are_spaces_on_a_screen(lines: list[str]) -> None:
    """However many."""
    assert answer_of(lines, "> ", "a\tb", echo=True) == "x"


def test_empty_lines_at_the_end_are_not_kept() -> None:
    """Those in the middle are."""
    assert answer_of(["> a", "x", "", "y  ", "", ""], "> ", "a", echo=True) == "x\n\ny"


def test_an_answer_in_the_line_of_the_prompt_may_end_with_what_was_asked() -> None:
    """No echo ends so: the line is what was typed, or begins with it."""
    assert answer_of(["> got hello", "more"], "> ", "hello", echo=True) == "got hello\nmore"
    assert answer_of(["> hello: got hello"], "> ", "hello", echo=True) == ": got hello"
