"""What tmux says in control mode, taken apart: whatever the portions, and whatever a pane writes."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.process.terminal.control import (
    ControlParser,
    Exited,
    NotControlMode,
    Notice,
    Output,
    Paused,
    Reply,
    unescape,
)

SESSION = (
    b"%begin 1 260 0\n%end 1 260 0\n"
    b"%window-add @0\n"
    b"%output %0 h\xc3\xa9\\134 \\015\\012> \n"
    b"%begin 1 261 1\n%end 1 99 1\n%exit\n\xc3\xa4\n%end 1 261 1\n"
    b"%extended-output %0 12 : a : b\n"
    b"%pause %0\n"
    b"%begin 2 262 1\nparse error: no\n%error 2 262 1\n"
    b"%exit lost server\n"
)
SAID = [
    Reply(True, (), ours=False),
    Notice("window-add", "@0"),
    Output("%0", "hé\\ \r\n> ".encode()),
    Reply(True, ("%end 1 99 1", "%exit", "ä")),
    Output("%0", b"a : b"),
    Paused("%0"),
    Reply(False, ("parse error: no",)),
    Exited("lost server"),
]


@given(st.lists(st.integers(0, len(SESSION)), max_size=20))
def test_portions_make_no_difference(cuts: list[int]) -> None:
    """A line may come in any number of pieces, inside a character too."""
    parser = ControlParser()
    edges = [0, *sorted(cuts), len(SESSION)]
    said = [one for start, end in itertools.pairwise(edges) for one in parser.feed(SESSION[start:end])]
    assert said == SAID


def escaped(data: bytes) -> bytes:
    """As tmux writes what a pane has written."""
    return b"".join(b"\\%03o" % byte if byte < 32 or byte == 92 else bytes((byte,)) for byte in data)


@given(st.binary())
def test_what_a_pane_writes_comes_out_as_it_was(data: bytes) -> None:
    """Every byte, escaped or not."""
    assert unescape(escaped(data)) == data
    assert ControlParser().feed(b"%output %1 " + escaped(data) + b"\n") == [Output("%1", data)]


@given(st.lists(st.text(st.characters(blacklist_characters="\n\r", blacklist_categories=["Cs"]))))
def test_a_reply_holds_whatever_a_pane_shows(lines: list[str]) -> None:
    """Only the end with the very numbers of its beginning ends it."""
    data = "".join(f"{line}\n" for line in lines).encode()
    said = ControlParser().feed(b"%begin 7 8 1\n" + data + b"%end 7 8 1\n")
    assert said == [Reply(True, tuple(lines))]


@given(st.binary())
def test_nothing_else_escapes_from_it(data: bytes) -> None:
    """It takes what comes, or says that it is no tmux."""
    with contextlib.suppress(NotControlMode):
        ControlParser().feed(data)


@pytest.mark.parametrize("data", [b"hello\n", b"%begin\n", b"\n"])
def test_what_is_no_tmux_is_refused(data: bytes) -> None:
    """Such as a program that only has its name."""
    with pytest.raises(NotControlMode):
        ControlParser().feed(data)


def test_a_line_has_a_bound() -> None:
    """Who never ends one is no tmux."""
    parser = ControlParser(longest=100)
    assert parser.feed(b"x" * 100) == []
    with pytest.raises(NotControlMode, match="more than 100"):
        parser.feed(b"x")
