"""JSON that is too deep is refused before it is read; what is deep in a text alone is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.remote.jsontext import DEEPEST, BadFrame, parse

TEXTS = st.text(alphabet='[]{}"\\:,ab☃\n')


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def wrapped(value: Any, levels: int, beside: list[str]) -> Any:
    for level in range(levels):
        text = beside[level % len(beside)] if beside else ""
        value = [text, value, text] if level % 3 else {text: value, f"{text}2": text}
    return value


@given(
    st.recursive(
        TEXTS | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)
    ),
    st.integers(0, DEEPEST + 10),
    st.lists(TEXTS, max_size=5),
    st.booleans(),
)
def test_the_depth_of_values_counts_and_that_of_texts_does_not(
    core: Any, levels: int, beside: list[str], ascii_only: bool
) -> None:
    value = wrapped(core, levels, beside)
    text = json.dumps(value, ensure_ascii=ascii_only)
    if depth(value) <= DEEPEST:
        assert parse(text) == value
    else:
        with pytest.raises(BadFrame, match="in each other"):
            parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1,]",
        "nul",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e999",
        "[-1e400]",
        '"\\x"',
        "[" * 10,
        "9" * 5000,
    ],
)
def test_what_is_no_json_is_a_bad_frame(text: str) -> None:
    with pytest.raises(BadFrame, match="no JSON"):
        parse(text)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "]" * 100_000, "{" * 100_000, '{"a":' * 100_000, '["]",' * 5000]
)
def test_brackets_that_never_close_are_no_json(text: str) -> None:
    with pytest.raises(BadFrame, match="no JSON"):
        parse(text)


def test_many_values_beside_each_other_are_not_deep() -> None:
    value = [{"a": [index, {"b": []}]} for index in range(10_000)]
    assert parse(json.dumps(value)) == value


def test_numbers_are_as_in_json() -> None:
    assert parse("[1, -2, 2.5, 1e3, 1e-400]") == [1, -2, 2.5, 1000.0, 0.0]
