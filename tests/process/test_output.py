from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.process.output import Lines, Tail

TEXTS = st.lists(st.sampled_from([b"\n", b"a", b"bc", b"\r", b"\xff", b"xxxxxxxx"]), max_size=30).map(
    b"".join
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in portions, cut at `places`."""
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(bounds)]


def lines_of(portions: list[bytes], limit: int = 1000) -> list[bytes]:
    lines = Lines(limit)
    return [line for portion in portions for line in lines.feed(portion)] + lines.flush()


def test_lines_come_without_their_newline() -> None:
    """A newline ends a line and is no part of it."""
    assert Lines(10).feed(b"one\ntwo\n\n") == [b"one", b"two", b""]


def test_a_line_waits_for_its_end() -> None:
    """A line comes when its newline does, in whatever portions."""
    lines = Lines(10)
    assert lines.feed(b"o") == []
    assert lines.feed(b"ne") == []
    assert lines.feed(b"\nt") == [b"one"]


def test_the_last_line_needs_no_newline() -> None:
    """What waits at the end is a line too."""
    lines = Lines(10)
    lines.feed(b"one\ntw")
    assert lines.flush() == [b"tw"]
    assert lines.flush() == []


def test_no_empty_line_follows_the_last_newline() -> None:
    """A stream that ends with a newline has no more lines."""
    assert lines_of([b"one\n"]) == [b"one"]


def test_a_carriage_return_stays() -> None:
    """Only the newline is taken away."""
    assert lines_of([b"one\r\n10%\r20%\n"]) == [b"one\r", b"10%\r20%"]


def test_a_line_that_is_too_long_comes_in_pieces() -> None:
    """Nothing of it is lost."""
    assert lines_of([b"abcdefgh\nij\n"], limit=3) == [b"abc", b"def", b"gh", b"ij"]


def test_a_line_of_just_the_limit_is_one_piece() -> None:
    """No empty line follows it."""
    assert lines_of([b"abc", b"\nd"], limit=3) == [b"abc", b"d"]


def test_a_line_without_end_does_not_wait_for_it() -> None:
    """At most the limit is kept waiting."""
    lines = Lines(4)
    assert lines.feed(b"x" * 11) == [b"xxxx", b"xxxx"]
    assert lines.flush() == [b"xxx"]


@given(TEXTS, st.lists(st.integers(0, 1000)), st.integers(1, 12))
def test_portions_change_nothing(data: bytes, places: list[int], limit: int) -> None:
    """However the bytes arrive, the lines are the same."""
    assert lines_of(cut(data, places), limit) == lines_of([data], limit)


@given(TEXTS, st.integers(1, 12))
def test_no_line_is_longer_than_the_limit_and_no_byte_is_lost(data: bytes, limit: int) -> None:
    """Pieces are bounded, and together they are the stream."""
    lines = lines_of([data], limit)
    assert all(len(line) <= limit for line in lines)
    assert b"".join(lines) == data.replace(b"\n", b"")


@given(TEXTS, st.lists(st.integers(0, 1000)))
def test_lines_within_the_limit_are_those_of_split(data: bytes, places: list[int]) -> None:
    """Without long lines it is `split`, less the empty end."""
    parts = data.split(b"\n")
    assert lines_of(cut(data, places)) == (parts if parts[-1] else parts[:-1])


@given(TEXTS, st.lists(st.integers(0, 1000)), st.integers(0, 20))
def test_a_tail_keeps_the_last_bytes_and_counts_the_rest(data: bytes, places: list[int], limit: int) -> None:
    """What is kept and what was dropped are together what came."""
    tail = Tail(limit)
    for portion in cut(data, places):
        tail.feed(portion)
        assert len(tail.value()) <= limit
    assert tail.value() == data[max(0, len(data) - limit) :]
    assert tail.dropped == len(data) - len(tail.value())


def test_a_tail_of_nothing_only_counts() -> None:
    """A limit of 0 keeps no byte."""
    tail = Tail(0)
    tail.feed(b"abc")
    assert (tail.value(), tail.dropped) == (b"", 3)


def test_limits_that_make_no_sense_are_refused() -> None:
    """A line of nothing and a tail of less than nothing cannot be."""
    with pytest.raises(ValueError, match="1 byte or more"):
        Lines(0)
    with pytest.raises(ValueError, match="0 bytes or more"):
        Tail(-1)
