"""What is refused at the desk's door, and which answers a request takes."""

from __future__ import annotations

import enum
import math
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import actors
from actors import RAISE, Escalate, InvalidAnswer, PersonRequest
from actors.people.request import (
    check_answer,
    check_by,
    check_default,
    checked_request,
    plain_size,
    rungs_of,
    shown,
)

GOOD = PersonRequest("s:1", "approval", "Deploy?")


class Spiteful:
    """Its repr fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


class Colour(enum.StrEnum):
    RED = "red"


class Text(str):
    __slots__ = ()


def kind_of(value: object) -> str:
    """The name of a case, whatever its repr does."""
    return type(value).__name__


SPITEFUL = Spiteful()
deep: Any = []
for _ in range(100_000):
    deep = [deep]

BAD_QUESTIONS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"text": 1}, TypeError, "text must be text, not 1"),
    ({"text": None}, TypeError, "text must be text"),
    ({"text": SPITEFUL}, TypeError, "whose repr fails"),
    ({"text": ""}, ValueError, "text is empty"),
    ({"text": " \n\t"}, ValueError, "text is empty"),
    ({"text": "x" * 101}, ValueError, "has 101 characters, and may have 100.*Asking\\(max_text="),
    ({"text": "half \ud800"}, ValueError, "lone surrogate"),
    ({"kind": ""}, ValueError, "kind must be a text of 1 to 128"),
    ({"kind": " "}, ValueError, "kind must be"),
    ({"kind": "two\nlines"}, ValueError, "printable"),
    ({"kind": "k" * 129}, ValueError, "1 to 128"),
    ({"kind": 3}, TypeError, "kind must be text"),
    ({"to": ""}, ValueError, "to must be"),
    ({"to": "ada\x00"}, ValueError, "printable"),
    ({"to": "a" * 129}, ValueError, "1 to 128"),
    ({"to": 7}, TypeError, "to must be text"),
    ({"to": "\udfff"}, ValueError, "lone surrogate"),
    ({"key": ""}, ValueError, "key must be"),
    ({"key": "k" * 513}, ValueError, "1 to 512"),
    ({"key": b"k"}, TypeError, "key must be text"),
    ({"priority": True}, ValueError, "priority must be a whole number, not True"),
    ({"priority": 1.0}, ValueError, "priority must be a whole number"),
    ({"priority": None}, ValueError, "priority must be a whole number"),
    ({"priority": 2**31}, ValueError, "priority must be between"),
    ({"priority": -(10**5000)}, ValueError, "priority must be between"),
    ({"options": "yes"}, TypeError, "write options=\\('yes', 'no'\\)"),
    ({"options": 3}, TypeError, "must be a sequence"),
    ({"options": (1,)}, ValueError, "takes True or False, and no options"),
    ({"kind": "clarification", "options": ("a",)}, ValueError, "takes text, and no options"),
    ({"kind": "pick", "options": range(101)}, ValueError, "101 options are more"),
    ({"kind": "pick", "options": ("a" * 50, "b" * 51)}, ValueError, "options have 101 characters together"),
    ({"kind": "pick", "options": [None]}, TypeError, "None is none"),
    ({"kind": "pick", "options": [[1]]}, TypeError, "texts, finite numbers or truth values"),
    ({"kind": "pick", "options": [math.nan]}, TypeError, "nan is none"),
    ({"kind": "pick", "options": [math.inf]}, TypeError, "inf is none"),
    ({"kind": "pick", "options": [SPITEFUL]}, TypeError, "whose repr fails"),
    ({"kind": "pick", "options": [Colour.RED]}, TypeError, "texts, finite numbers"),
    ({"kind": "pick", "options": [Text("a")]}, TypeError, "texts, finite numbers"),
    ({"kind": "pick", "options": ["\ud800"]}, TypeError, "texts, finite numbers"),
    ({"kind": "pick", "options": [10**5000]}, TypeError, "texts, finite numbers"),
    ({"kind": "pick", "options": ["a", "b", "a"]}, ValueError, "'a' is there twice"),
    ({"kind": "pick", "options": [1, 1.0]}, ValueError, "1.0 is there twice"),
]


@pytest.mark.parametrize(("change", "error", "text"), BAD_QUESTIONS, ids=kind_of)
def test_a_bad_question_is_refused_with_the_cure(
    change: dict[str, Any], error: type[Exception], text: str
) -> None:
    """Nobody is asked it."""
    with pytest.raises(error, match=text):
        checked_request(attrs.evolve(GOOD, **change), 100)


@pytest.mark.parametrize(
    "change",
    [
        {"text": "x" * 100},
        {"kind": "k" * 128},
        {"to": "Zoë O'Neill"},
        {"key": "k" * 512},
        {"priority": -5},
        {"priority": -(2**31)},
        {"kind": "pick", "options": ("a" * 50, "b" * 50)},
        {"kind": "pick", "options": (True, 1, "1", 2.5, "")},
        {"kind": "pick", "options": range(100)},
    ],
    ids=kind_of,
)
def test_a_question_at_the_edge_is_taken(change: dict[str, Any]) -> None:
    """Options become a tuple; all else is as it was given."""
    question = attrs.evolve(GOOD, **change)
    assert checked_request(question, 100) == attrs.evolve(question, options=tuple(question.options))


@pytest.mark.parametrize(
    ("kind", "default", "cure"),
    [
        ("approval", 1, "write a bool, actors.RAISE, or actors.Escalate"),
        ("approval", None, "default=None is no answer"),
        ("approval", "no", "write a bool"),
        ("approval", SPITEFUL, "whose repr fails"),
        ("clarification", False, "write a str"),
        ("clarification", Escalate("bo", default=Escalate("cy", default=3)), "default=3"),
    ],
    ids=kind_of,
)
def test_a_default_that_is_no_answer_is_refused(kind: str, default: Any, cure: str) -> None:
    """Also the one at the end of a ladder."""
    with pytest.raises(TypeError, match=cure):
        check_default(kind, default)


def test_a_default_of_a_free_request_may_be_anything() -> None:
    """It is handed back as it is, and never travels."""
    for default in (None, object(), RAISE, Escalate("bo", default=[])):
        check_default("pick", default)


@pytest.mark.parametrize(
    ("to", "timeout"), [("", 1.0), (3, 1.0), ("bo", -1.0), ("bo", math.nan), ("bo", "soon"), ("bo", True)]
)
def test_a_rung_is_checked_when_it_is_made(to: Any, timeout: Any) -> None:
    """And not when its turn comes."""
    with pytest.raises((TypeError, ValueError), match=r"Escalate\.(to|timeout) must be"):
        Escalate(to, timeout)


def test_a_ladder_is_who_is_asked_after_the_first_and_what_is_taken_in_the_end() -> None:
    """Without an end of its own it raises."""
    rungs, last = rungs_of(Escalate("bo", 5.0, Escalate("cy", 7.0)))
    assert [(rung.to, rung.timeout) for rung in rungs] == [("bo", 5.0), ("cy", 7.0)]
    assert last is RAISE
    assert rungs_of("tea") == ((), "tea")


# --- answers --------------------------------------------------------------------------


def ask(kind: str, *options: Any) -> PersonRequest:
    return PersonRequest("s:1", kind, "?", options)


BAD_ANSWERS: list[tuple[PersonRequest, Any, str]] = [
    (ask("approval"), 1, "s:1 takes True or False, not 1: it waits on"),
    (ask("approval"), 0.0, "not 0.0"),
    (ask("approval"), "yes", "not 'yes'"),
    (ask("approval"), None, "not None"),
    (ask("approval"), [True], "True or False"),
    (ask("approval"), SPITEFUL, "a Spiteful whose repr fails with RuntimeError"),
    (ask("clarification"), 5, "takes text, not 5"),
    (ask("clarification"), b"tea", "takes text"),
    (ask("clarification"), "half \ud83d", "plain data"),
    (ask("clarification"), Text("tea"), "plain data"),
    (ask("clarification"), "x" * 101, "an answer of 100 characters at most, not 101"),
    (ask("clarification"), "\n" * 99, "an answer of 100 characters at most, not 200"),
    (ask("clarification"), "x" * 1_000_000, "not 1000000"),
    (ask("pick", "a", 1), "b", "takes one of 'a', 1, not 'b'"),
    (ask("pick", "a", 1), True, "not True"),
    (ask("pick", True), 1, "one of True, not 1"),
    (ask("pick", "1"), 1, "one of '1', not 1"),
    (ask("pick", 0), None, "one of 0"),
    (ask("pick", 0), [], "one of 0"),
    (ask("pick", 0), SPITEFUL, "whose repr fails"),
    (ask("pick", 0.5), math.nan, "not nan"),
    (ask("free"), math.nan, "plain data as JSON has it, not nan"),
    (ask("free"), {"a": [math.inf]}, "plain data"),
    (ask("free"), (1, 2), "plain data"),
    (ask("free"), {1: 2}, "plain data"),
    (ask("free"), {"a": {3}}, "plain data"),
    (ask("free"), Colour.RED, "plain data"),
    (ask("free"), SPITEFUL, "whose repr fails"),
    (ask("free"), deep, "plain data"),
    (ask("free"), 10**5000, "whose repr fails with ValueError"),
    (ask("free"), {"half": "\ud800"}, "plain data"),
    (ask("free"), ["x" * 99], "an answer of 100 characters at most, not 103"),
    (ask("free"), ["x" * 97], "not 101"),
    (ask("clarification"), "x" * 99, "not 101"),
    (ask("pick", "a" * 50_000, "b"), "c", "takes one of 'aaa.*, 'b', not 'c'"),
]


@pytest.mark.parametrize(("request_", "value", "text"), BAD_ANSWERS, ids=kind_of)
def test_a_bad_answer_is_refused_and_says_what_is_taken(
    request_: PersonRequest, value: object, text: str
) -> None:
    """In a text of bounded length."""
    with pytest.raises(InvalidAnswer, match=text) as caught:
        check_answer(request_, value, 100)
    assert len(str(caught.value)) < 300
    assert caught.value.request_id == "s:1"


@pytest.mark.parametrize(
    ("request_", "value", "taken"),
    [
        (ask("approval"), True, True),
        (ask("approval"), False, False),
        (ask("clarification"), "", ""),
        (ask("clarification"), "x" * 98, "x" * 98),
        (ask("clarification"), "tea \U0001f375", "tea \U0001f375"),
        (ask("pick", "a", 1, True), True, True),
        (ask("pick", "a", True, 1), 1, 1),
        (ask("pick", 0.5, 1.0), 1, 1.0),
        (ask("pick", 1), 1.0, 1),
        (ask("free"), None, None),
        (ask("free"), {"a": [1, 2.5, None, "b", {"c": True}]}, {"a": [1, 2.5, None, "b", {"c": True}]}),
    ],
    ids=kind_of,
)
def test_a_good_answer_is_taken(request_: PersonRequest, value: object, taken: object) -> None:
    """Of the options the very one that was offered: other languages write 1.0 as 1."""
    found = check_answer(request_, value, 100)
    assert (found, type(found)) == (taken, type(taken))


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
def test_plain_data_is_taken_as_a_copy(value: Any) -> None:
    """Whoever has answered changes nothing afterwards."""
    found = check_answer(ask("free"), value, 1_000_000)
    assert repr(found) == repr(value)
    if isinstance(value, list | dict):
        assert found is not value
    assert plain_size(value) is not None


@given(st.text(alphabet=st.characters(categories=["Cs", "Lu", "Cc"])))
def test_text_with_half_a_character_is_no_plain_data(text: str) -> None:
    """All other text is."""
    has_half = any(0xD800 <= ord(one) <= 0xDFFF for one in text)
    assert (plain_size(text) is None) is has_half


@pytest.mark.parametrize("by", [1, b"ada", "", "a" * 129, "a\nb", "\ud800"])
def test_who_answers_has_a_name(by: Any) -> None:
    """Or says nothing."""
    check_by(None)
    check_by("Ada")
    with pytest.raises((TypeError, ValueError), match="by "):
        check_by(by)


@given(plain | st.just(SPITEFUL) | st.just(deep))
def test_any_value_can_be_shown_on_a_line(value: object) -> None:
    """Of 80 characters at most."""
    assert len(shown(value)) <= 80
    assert "\n" not in shown(value)


def test_higher_priority_stands_before_age() -> None:
    """And of equal ones the older."""
    made = [attrs.evolve(GOOD, priority=p, asked=a) for p, a in [(0, 1.0), (2, 5.0), (0, 0.0), (2, 4.0)]]
    in_order = sorted(made, key=lambda one: one.place)
    assert [(one.priority, one.asked) for one in in_order] == [(2, 4.0), (2, 5.0), (0, 0.0), (0, 1.0)]


def test_questions_are_the_same_by_kind_text_options_and_action() -> None:
    """Whom they are for, and how urgent, makes no other question; True and 1 are two options."""
    same = attrs.evolve(GOOD, id="s:2", to="bo", priority=5, asked=9.0, sender="/a")
    assert GOOD.is_same_question(same)
    for change in ({"kind": "x"}, {"text": "?"}, {"digest": "d"}, {"options": (1,)}):
        assert not GOOD.is_same_question(attrs.evolve(GOOD, **change))
    assert not ask("pick", 1).is_same_question(ask("pick", True))
    assert not ask("pick", 1).is_same_question(ask("pick", 1, 2))


def test_errors_have_bounded_texts_and_the_whole_in_fields() -> None:
    """A question may be long, and an id anything; whoever asked is told what to do."""
    late = actors.NoAnswer("s:1", "x" * 60_000, 5.0)
    reused = actors.KeyReused("k", "s:1", "x" * 60_000)
    unknown = [actors.UnknownRequest("x" * 60_000), actors.UnknownRequest(SPITEFUL)]
    assert all(len(str(error)) < 450 for error in (late, reused, *unknown))
    assert len(late.text) == 60_000
    assert str(late).endswith("give it more time, a default, or another person with actors.Escalate(...)")
    assert str(actors.NoAnswer("s:1", "Deploy?", 5.0)).startswith("nobody has answered 'Deploy?' within 5 s")


def test_the_mark_for_raising_is_shown_as_it_is_written() -> None:
    assert repr(RAISE) == "actors.RAISE"
