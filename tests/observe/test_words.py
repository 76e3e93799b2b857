"""Each kind of event says what it is in words of its own; a kind that has none is found here."""

from __future__ import annotations

import inspect
import math

import attrs
import pytest

from actors import events
from actors.events import ActorEvent, Event, NodeEvent, PersonEvent
from actors.observe.recorder import Recorder
from actors.observe.words import WORDS
from actors.people.request import Answer
from tests.observe.sample import ASKED, made

BASES = (Event, ActorEvent, NodeEvent, PersonEvent)
KINDS = [
    kind
    for _, kind in inspect.getmembers(events, inspect.isclass)
    if issubclass(kind, Event) and kind not in BASES
]


def said(event: Event) -> str:
    return Recorder(lambda at: at).fact(1, event).text


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_event_has_words_of_its_own(kind: type[Event]) -> None:
    assert kind.__name__ in WORDS
    text = said(made(kind))
    assert text
    assert "None" not in text


def test_words_are_of_kinds_that_there_are() -> None:
    assert WORDS.keys() == {kind.__name__ for kind in KINDS}


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (made(events.PersonAsked), "asked ada for approval alpha:1: Boil the water?"),
        (
            made(events.PersonAsked, request=attrs.evolve(ASKED, to=None)),
            "asked anybody for approval alpha:1: Boil the water?",
        ),
        (made(events.PersonAnswered), "answered by bob after 2.5 s with True: Boil the water?"),
        (
            made(events.PersonAnswered, answer=Answer("alpha:1", "approval", False, None, 9.0)),
            "answered after 2.5 s with False: Boil the water?",
        ),
        (made(events.TicketMoved, state="pending", attempts=0, why=""), "ticket a text is pending"),
        (
            made(events.TicketMoved, state="dead", attempts=3, why="no"),
            "ticket a text is dead, tried 3 times: no",
        ),
        (made(events.SpawnRolledBack, error=None), "never became ready"),
        (made(events.MessageUnread, to=None), "a message from the node a text could not be read: a text"),
        (made(events.AnswerRefused, by=None), "an answer is refused: ValueError: no"),
    ],
)
def test_what_an_event_leaves_out_is_not_said(event: Event, text: str) -> None:
    assert said(event) == text


def test_the_times_of_a_request_are_those_of_the_world() -> None:
    recorder = Recorder(lambda at: at + 1000)
    details = recorder.fact(1, made(events.PersonAnswered)).details
    assert (details["request"]["asked"], details["request"]["deadline"]) == (1005.0, 1065.0)
    assert details["answer"]["at"] == 1009.0
    endless = made(events.PersonAsked, request=attrs.evolve(ASKED, deadline=math.inf))
    assert recorder.fact(1, endless).details["request"]["deadline"] is None
