"""What may be said as it is, checked where it is written."""

from __future__ import annotations

import math
from typing import Any

import pytest

import actors
from actors.process import Call
from actors.process.lines.values import as_plain


def test_a_call_has_a_copy() -> None:
    """Nobody changes it afterwards; a tuple is a list in JSON."""
    words = ["a"]
    call = Call({"words": words, "pair": (1, 2.5), "none": None, "yes": True})
    words.append("b")
    assert call.value == {"words": ["a"], "pair": [1, 2.5], "none": None, "yes": True}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({1, 2}, "set is no JSON value"),
        ([{"a": b"bytes"}], "bytes is no JSON value"),
        (math.nan, "nan has no word in JSON"),
        ([math.inf], "inf has no word in JSON"),
        ({1: "a"}, r"int cannot be a key in JSON, as 1 would be: write str\(1\)"),
        (object(), "make it a class with @actors.message"),
    ],
)
def test_what_json_has_no_word_for_is_refused_at_once(value: Any, why: str) -> None:
    """With the type and the cure."""
    with pytest.raises(actors.NotSerializable, match=why):
        Call(value)


def test_a_list_in_itself_is_refused() -> None:
    """However deep one looks."""
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(actors.NotSerializable, match="nested more than 100 deep"):
        as_plain(endless)


def test_a_call_is_a_message() -> None:
    """It can be posted, and asked over a link."""
    assert actors.tag_of(Call) == "actors.process.Call"
