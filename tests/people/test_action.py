"""An approval holds for one action: equal digests mean equal actions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import Action
from tests.people.test_request import SPITEFUL, Spiteful, deep, kind_of, plain

arguments = st.dictionaries(st.text(max_size=5), plain, max_size=4)
names = st.sampled_from(["delete", "delete(path='/')", "send mail", "fs/read"])


def told_apart(value: Any) -> Any:
    """The same for equal plain data alone: True is not 1, 1 is not 1.0, the order of keys is nothing."""
    if isinstance(value, dict):
        return "dict", frozenset((name, told_apart(one)) for name, one in value.items())
    if isinstance(value, list):
        return "list", tuple(map(told_apart, value))
    return type(value).__name__, repr(value)


@given(names, arguments, names, arguments)
def test_digests_are_equal_for_equal_actions_alone(
    name: str, given_: dict[str, Any], other: str, others: dict[str, Any]
) -> None:
    """And so is what a person is shown."""
    one, two = Action(name, given_), Action(other, others)
    are_equal = (name, told_apart(given_)) == (other, told_apart(others))
    assert (one.digest == two.digest) is are_equal
    assert (one.call == two.call) is are_equal


@given(arguments)
def test_the_order_of_arguments_makes_no_other_action(given_: dict[str, Any]) -> None:
    """Also inside of them; and what they were is found again."""
    turned = dict(reversed(given_.items()))
    assert Action("do", turned).digest == Action("do", given_).digest
    assert told_apart(Action("do", given_).arguments) == told_apart(given_)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), (1, True), (0, False), (0, None), ("1", 1), ([], {}), ("", None), ([1, 2], [2, 1])],
)
def test_values_of_other_types_make_other_actions(one: Any, other: Any) -> None:
    """Python takes some of them for equal."""
    assert Action("do", {"n": one}).digest != Action("do", {"n": other}).digest


def test_what_is_changed_afterwards_changes_no_action() -> None:
    """Neither what it was made of nor what it hands out."""
    paths = ["/a"]
    action = Action("delete", {"paths": paths})
    before = action.digest
    paths.append("/b")
    action.arguments["paths"].append("/c")
    assert action.arguments == {"paths": ["/a"]}
    assert action.digest == before
    with pytest.raises(AttributeError):
        action.name = "create"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "given_", "error", "text"),
    [
        ("do", [1], TypeError, "arguments must be a mapping, not \\[1\\]: write"),
        ("do", SPITEFUL, TypeError, "whose repr fails"),
        ("do", {1: 2}, TypeError, "the argument 1 has no name"),
        ("do", {"\ud800": 2}, TypeError, "has no name"),
        ("do", {"a": object}, TypeError, "the argument a=.* is no plain data"),
        ("do", {"a": Spiteful()}, TypeError, "whose repr fails"),
        ("do", {"a": deep}, TypeError, "is no plain data"),
        ("do", {"a": float("nan")}, TypeError, "a=nan is no plain data"),
        ("do", {"a": (1,)}, TypeError, "a=\\(1,\\) is no plain data"),
        ("", {}, ValueError, "the name of an action must be"),
        ("do\nit", {}, ValueError, "the name of an action"),
        (3, {}, TypeError, "the name of an action must be text"),
    ],
    ids=kind_of,
)
def test_what_is_no_action_is_refused(name: Any, given_: Any, error: type[Exception], text: str) -> None:
    """When it is made, not when somebody has approved it."""
    with pytest.raises(error, match=text):
        Action(name, given_)


def test_an_action_is_shown_as_a_call() -> None:
    """In full, on one line; a name that could be taken for something else is quoted."""
    assert Action("delete", {"path": "/srv", "all": True}).call == "delete(all=True, path='/srv')"
    assert Action("send mail", {"x=1, y": 2}).call == "'send mail'('x=1, y'=2)"
    long = Action("write", {"text": "a\u202eb\n" * 1000})
    assert long.call.isprintable()
    assert len(long.call) > 9000
    assert str(long).endswith(f"... ({len(long.call)} characters)")
    assert len(str(long)) < 250
