"""The spelling of the protocol, without any child."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.process.lines.words import (
    SHOWN,
    Alive,
    Answered,
    Cancelled,
    Chunk,
    Failed,
    Garbage,
    Logged,
    Protocol,
    Ready,
    TurnedDown,
    Used,
    cancel_line,
    message_line,
    read,
    shown,
    stop_line,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PROTOCOLS = st.sampled_from(["json", "text"])


@given(VALUES, st.integers(1, 2**53), st.booleans(), st.none() | st.floats(0, 1e6))
def test_what_is_said_in_json_is_one_line_of_ascii(
    value: Any, id: int, asked: bool, timeout: float | None
) -> None:
    """Whatever is in it: every child can read it."""
    line = message_line("json", value, id, asked, timeout)
    assert line.isascii()
    assert line.index(b"\n") == len(line) - 1
    said = json.loads(line)
    assert said.pop("request" if asked else "message") == value
    assert said.pop("id") == id
    assert (said == {}) == (timeout is None)


@given(st.text(st.characters(exclude_characters="\r\n")), st.none() | st.integers(1, 1000))
def test_what_is_said_in_text_is_one_line_behind_its_id(text: str, id: int | None) -> None:
    """A message that nobody waits for has a dash there."""
    line = message_line("text", text, id, asked=True)
    head, _, rest = line.decode().removesuffix("\n").partition(" ")
    assert head == ("-" if id is None else str(id))
    assert rest == text.encode(errors="replace").decode()


@pytest.mark.parametrize("value", ["a\nb", "a\r", None, 1, ["a"]])
def test_text_has_no_line_for_anything_else(value: object) -> None:
    """The error names the other protocol."""
    with pytest.raises(ValueError, match='use "json"'):
        message_line("text", value, 1, asked=True)


def test_words_of_our_own() -> None:
    """To cancel, and to stop."""
    assert (cancel_line("json", 7), stop_line("json")) == (b'{"cancel":7}\n', b'{"stop":true}\n')
    assert (cancel_line("text", 7), stop_line("text")) == (b"cancel 7\n", b"stop\n")


@pytest.mark.parametrize(
    ("protocol", "line", "said"),
    [
        ("json", b'{"ready": true}', [Ready()]),
        ("json", b'{"id": 1, "reply": null}\r', [Answered(1, None)]),
        ("json", b'{"id": 1.0, "reply": [1]}', [Answered(1, [1])]),
        ("json", b'{"id": 2, "error": "no"}', [Failed(2, "no")]),
        ("json", b'{"id": 2, "refused": "no"}', [TurnedDown(2, "no")]),
        ("json", b'{"id": 2, "cancelled": true}', [Cancelled(2)]),
        ("json", b'{"id": 2, "chunk": "a"}', [Chunk(2, "a")]),
        ("json", b'{"id": 2, "chunk": "a", "reply": 1}', [Chunk(2, "a"), Answered(2, 1)]),
        ("json", b'{"progress": true}', [Alive()]),
        ("json", b'{"progress": 12}', [Alive(12)]),
        ("json", b'{"progress": -1}', [Alive()]),
        ("json", b'{"progress": "half way", "id": 3}', [Alive()]),
        ("json", b'{"log": "a"}', [Logged("a")]),
        ("json", b'{"usage": {"tokens": 3, "money": 0.5, "more": 1}}', [Used(3, 0.5)]),
        ("json", b'{"id": 1, "reply": 2, "usage": {"tool_calls": 1}, "log": "x"}',
         [Logged("x"), Answered(1, 2), Used(tool_calls=1)]),
        ("json", b"   ", []),
        ("text", b"ready", [Ready()]),
        ("text", b"12 some words", [Answered(12, "some words")]),
        ("text", b"12", [Answered(12, "")]),
        ("text", b"error 1 it broke", [Failed(1, "it broke")]),
        ("text", b"refused 1 no", [TurnedDown(1, "no")]),
        ("text", b"cancelled 1", [Cancelled(1)]),
        ("text", b"chunk 1 a b", [Chunk(1, "a b")]),
        ("text", b"progress", [Alive()]),
        ("text", b"progress 7", [Alive(7)]),
        ("text", b"log a b", [Logged("a b")]),
        ("text", b"usage tokens=3 money=0.5 tool_calls=1", [Used(3, 0.5, 1)]),
    ],
)  # fmt: skip
def test_what_a_line_says(protocol: Protocol, line: bytes, said: list[object]) -> None:
    """All of it, in the order in which it counts."""
    assert read(protocol, line) == said


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"ready now",
        b"error x y",
        b"0 zero",
        b"-1 x",
        b"9" * 30,
        b"usage tokens=-1",
        b"usage",
        b"usage a=1",
        b"usage tokens=x",
    ],
)
def test_garbage_in_text(line: bytes) -> None:
    """What begins with no word of the protocol, or says something that cannot be."""
    (said,) = read("text", line)
    assert isinstance(said, Garbage)


@given(PROTOCOLS, st.binary(max_size=200))
def test_no_bytes_are_an_error(protocol: Protocol, line: bytes) -> None:
    """Whatever a child writes is said, or is garbage that is short enough to be shown."""
    for said in read(protocol, line.replace(b"\n", b"")):
        if isinstance(said, Garbage):
            assert len(said.line) <= SHOWN


ENDS = ["reply", "error", "refused", "cancelled"]
WORDS = st.sampled_from([*ENDS, "id", "chunk", "progress", "usage", "log", "ready", "x"])
AMOUNTS = st.dictionaries(st.sampled_from(["tokens", "money", "tool_calls"]), VALUES)


@given(st.dictionaries(WORDS, VALUES | st.integers(0, 5) | AMOUNTS))
def test_no_object_is_an_error(words: dict[str, Any]) -> None:
    """Whatever is behind the words: and at most one of them ends a request."""
    said = read("json", json.dumps(words).encode())
    assert said
    ends = [one for one in said if isinstance(one, Answered | Failed | TurnedDown | Cancelled)]
    assert len(ends) <= 1
    for one in said:
        if isinstance(one, Used):
            assert min(one.tokens, one.money, one.tool_calls) >= 0


def test_a_line_is_shown_shortened() -> None:
    """Bytes and text alike."""
    assert shown(b"x" * 1000) == shown("x" * 1000) == "x" * (SHOWN - 3) + "..."
    assert shown(b"\xffa") == "\ufffda"
