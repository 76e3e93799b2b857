"""The line by which a process says that it is ready: what is looked at, and what is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.monitor.patterns import OVERLAP
from actors.process import Command
from actors.process.ready import Expression, ReadyLine, as_expression
from tests.process.test_output import cut


def says(ready: str | bytes | Expression, *portions: bytes, stream: str = "stdout") -> bool:
    """Whether one of these portions ends or goes on a line that matches."""
    regex = as_expression(ready)
    assert regex is not None
    line = ReadyLine(regex)
    return any([line.feed(stream, portion) for portion in portions])


# --- the line ---------------------------------------------------------------------


def test_an_expression_is_searched_in_each_line() -> None:
    """Anywhere in it; `^` and `$` are the ends of the line; case counts."""
    assert says("listening on", b"one\nnow listening on 80\n")
    assert says("^ready$", b"not yet\nready\nmore\n")
    assert not says("^ready$", b"not ready\nready now\n")
    assert not says("Ready", b"ready\n")
    assert says("(?i)Ready", b"ready\n")


def test_no_match_goes_over_the_end_of_a_line() -> None:
    """Lines are looked at one by one."""
    assert not says(r"listening\s+on", b"listening\n", b"on\n")


def test_each_stream_has_lines_of_its_own() -> None:
    """Half a line on one and half on the other are no line."""
    line = ReadyLine(re.compile("ready"))
    assert [line.feed("stdout", b"rea"), line.feed("stderr", b"dy"), line.feed("stdout", b"dy")] == [
        False,
        False,
        True,
    ]


def test_a_prompt_needs_no_newline() -> None:
    """The line that is not ended is looked at as it stands."""
    assert says("> $", b"welcome\n> ")


def test_a_newline_in_the_expression_waits_for_the_whole_line() -> None:
    """Else a line that comes in portions is found by a part of it."""
    assert says(r"port \d+", b"port 8", b"0")
    assert not says(r"port \d+\n", b"port 8", b"0")
    assert says(r"port \d+\n", b"port 8", b"0", b"\n")
    assert says(rb"port \d+\r?\n", b"port 8", b"0\r", b"\n")


def test_text_is_searched_in_utf_8_and_bytes_in_what_came() -> None:
    """A character may come in two portions; what is no UTF-8 is in the way of nothing."""
    assert says("grün", b"gr\xc3", b"\xbcn\n")
    assert says("ok", b"\xff\xfe ok\n")
    assert says(rb"\xff\xfe", b"\xff\xfe ok\n")
    assert says(re.compile(b"OK", re.IGNORECASE), b"\xff\xfe ok\n")


def test_of_a_long_line_a_match_is_found_wherever_it_begins() -> None:
    """Up to so many characters, also over the border of two portions."""
    for text in ("x" * OVERLAP, "ready"):
        regex, data = f"y{text}", text.encode()
        assert says(regex, b"-" * 100_000 + b"y" + data[:-1], data[-1:])
    assert not says("ready", b"-" * 100_000 + b"rea", b"-" * 100_000 + b"dy")


def test_a_long_line_begins_only_once() -> None:
    """What is left of it does not look like a beginning, and the next line does."""
    assert not says("^-*ready", b"+" + b"-" * 5000, b"-" * 5000, b"ready")
    assert not says("^-+ü", b"+" + b"-" * 5000, b"\xc3", b"\xbc")
    assert says("^ready", b"-" * 5000, b"-" * 5000 + b"\nready")


@given(
    st.lists(st.sampled_from([b"\n", b"re", b"ady", b"\xc3\xbc", b"\xff", b" "]), max_size=30).map(b"".join),
    st.lists(st.integers(0, 1000)),
    st.sampled_from(["ready", "^re", "ü", "a.y", b"ready", b"\xc3", "y.+re", r"ready\n", rb"\s"]),
)
def test_portions_change_nothing(data: bytes, places: list[int], ready: str | bytes) -> None:
    """However the bytes arrive, the line is found when it is there, and else not."""
    regex: Any = re.compile(ready)
    text: Any = data if isinstance(ready, bytes) else data.decode(errors="replace")
    newline: Any = b"\n" if isinstance(ready, bytes) else "\n"
    *ended, rest = text.split(newline)
    lines = [*(line + newline for line in ended), rest]
    assert says(ready, *cut(data, places)) == any(regex.search(line) for line in lines)


# --- at the door ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ready", "said"),
    [
        ("ready (", r"is no regular expression: missing \).*for just this text write 'ready.* \\"),
        (b"[", r"is no regular expression: unterminated character set.*write b'"),
        ("a{99999999999999999999}", "is no regular expression: the repetition number is too large"),
        ("(ready)?", "matches the empty string, and so does every line: write what the line has in it"),
        (re.compile(b""), "matches the empty string"),
    ],
)
def test_a_bad_expression_is_refused_with_the_cure(ready: Any, said: str) -> None:
    """When the command is written, not when it is started."""
    with pytest.raises(ValueError, match=said):
        Command(["true"], ready=ready)


def test_what_is_no_expression_at_all_is_refused() -> None:
    """The error shows one."""
    with pytest.raises(TypeError, match="not True: write ready='listening on', or None"):
        Command(["true"], ready=True)  # type: ignore[arg-type]


def test_commands_are_equal_by_their_expressions() -> None:
    """However they were written; they are plain data."""
    assert Command(["true"], ready="x") == Command(["true"], ready=re.compile("x"))
    assert hash(Command(["true"], ready="x")) == hash(Command(["true"], ready="x"))
    assert Command(["true"], ready="x") != Command(["true"], ready=b"x")
    assert Command(["true"], ready=None) == Command(["true"])


@pytest.mark.parametrize("ready", ["^READY$", rb"^READY$"])
def test_a_line_that_ends_with_a_carriage_return_has_its_end_before_it(ready: str | bytes) -> None:
    regex = as_expression(ready)
    assert regex is not None
    assert ReadyLine(regex).feed("stdout", b"booting\r\nREADY\r\n")
