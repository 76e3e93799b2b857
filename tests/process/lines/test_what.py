"""What `Lines` takes: mistakes show where they are written, with the cure."""

from __future__ import annotations

import re
from typing import Any

import pytest

import actors
from actors.process import Lines


@pytest.mark.parametrize(
    ("argument", "value", "why"),
    [
        ("protocol", "xml", "protocol must be one of json, text, not 'xml'"),
        ("ready", 1, "ready must be a regular expression, not 1"),
        ("ready", "(", "is no regular expression"),
        ("ready", "x*", "matches the empty string"),
        ("ready_within", 0, "ready_within must be more than 0 seconds"),
        ("in_flight", 0, "in_flight must be a whole number of 1 or more, not 0"),
        ("in_flight", 1.5, "in_flight must be a whole number"),
        ("confirm", 1, "confirm must be True or False, not 1"),
        ("max_line", 0, "max_line must be a whole number of bytes, 1 or more"),
        ("max_garbage", -1, "max_garbage must be a whole number of 0 or more"),
        ("max_output", -1, "max_output must be a whole number of bytes, 0 or more"),
        ("stop_within", -1, "stop_within must be 0 or more seconds"),
        ("linger", "1", "linger must be a number of seconds"),
        ("env", {"a=b": "c"}, "cannot be the name of a variable"),
        ("cwd", 7, "cwd must be str, bytes or a path"),
    ],
)
def test_a_wrong_argument_shows_at_once(argument: str, value: Any, why: str) -> None:
    """It is named, and what it must be."""
    with pytest.raises((ValueError, TypeError), match=re.escape(why)):
        Lines(["true"], **{argument: value})


def test_a_string_is_no_argv() -> None:
    """The error shows the list to write, for this class."""
    with pytest.raises(TypeError, match=re.escape("write Lines(['node', 'model.js'])")):
        Lines("node model.js")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=re.escape("as in Lines(['ls', '-l'])")):
        Lines([])


async def test_it_takes_no_arguments_of_a_spawn() -> None:
    """They belong into its argv."""
    async with actors.open_system("test") as system:
        with pytest.raises(TypeError, match="write them into its argv"):
            system.spawn(Lines(["true"]), "more")


def test_it_is_frozen_and_hashable() -> None:
    """Plain data, as a template may hold it."""
    assert {Lines(["true"]), Lines(["true"], in_flight=2)} == {Lines(["true"], in_flight=2), Lines(["true"])}
