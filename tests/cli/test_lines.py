"""Events as lines: stable keys, strict JSON, one line each."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import attrs
import pytest
import trio

import actors
from actors import events
from actors.cli.lines import Output, as_json, as_text, causes, exit_text, plain, to_json
from actors.errors import RestartsExhausted, SupervisorFailed
from actors.exits import Exit, ExitKind
from actors.process import Completed, ProcessFailed

KINDS = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type)
    and issubclass(kind, events.Event)
    and kind not in (events.Event, events.ActorEvent)
]
FAILED = Exit(ExitKind.FAILED, error=ValueError("a\nb"))
VALUES: dict[str, Any] = {
    "at": 12.5,
    "exit": FAILED,
    "error": ValueError("a\nb"),
    "message": object(),
    "path": "/writer",
    "sender": None,
    "reason": events.DeadLetterReason.FULL,
    "delay": math.inf,
}


async def idle(ctx: actors.Context) -> None:
    await trio.sleep_forever()


def made(kind: type[events.Event], ref: actors.Ref) -> events.Event:
    """An event of this kind, with something in each field."""
    values = VALUES | {"ref": ref, "child": ref}
    return kind(**{field.name: values.get(field.name, 1) for field in attrs.fields(kind)})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
async def test_every_event_is_one_line_of_json(kind: type[events.Event], autojump_clock: object) -> None:
    """`at`, `event` and `path` first, then the fields of the event; nothing that JSON cannot say."""
    async with actors.open_system("alpha") as system:
        event = made(kind, system.spawn(idle, name="worker"))
        line = as_json(event, since=10.0)
        found = json.loads(line, parse_constant=pytest.fail)
        fields = [field.name for field in attrs.fields(kind) if field.name not in ("at", "ref", "path")]
        assert "\n" not in line
        assert list(found) == ["at", "event", "path", *fields]
        assert (found["at"], found["event"]) == (2.5, kind.__name__)
        assert found["path"] == ("/worker" if hasattr(event, "ref") else getattr(event, "path", "/"))
        assert "\n" not in as_text(event, since=10.0)
        assert kind.__name__ in as_text(event, since=10.0)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (b"a\xff", "a\ufffd"),
        ("\ud800", "?"),
        ({1: (2, None)}, {"1": [2, None]}),
        (ExitKind.FAILED, "FAILED"),
        (Exit(ExitKind.NORMAL, value=7), {"kind": "NORMAL", "value": 7, "error": None, "reason": "normal"}),
        (ValueError("x"), "ValueError: x"),
        (True, True),
    ],
)
def test_what_json_cannot_say_is_text(value: object, said: object) -> None:
    """Strictly: other programs read it."""
    assert plain(value) == said
    assert json.loads(to_json(plain(value))) == said


def test_a_long_text_keeps_its_end() -> None:
    """With the output of a process the end says most."""
    assert plain("a" * 5000 + "end") == "…" + "a" * 996 + "end"


def test_a_line_of_a_process_has_its_path() -> None:
    """As text and as JSON."""
    output = Output(1.0, "/a", "stderr", "oh no")
    assert as_text(output, 0.0) == "/a | oh no"
    assert json.loads(as_json(output, 0.5)) == {
        "at": 0.5,
        "event": "Output",
        "path": "/a",
        "stream": "stderr",
        "line": "oh no",
    }


@pytest.mark.parametrize(
    ("exit", "said"),
    [
        (Exit(ExitKind.NORMAL), "NORMAL"),
        (Exit(ExitKind.SHUTDOWN, reason="drained"), "SHUTDOWN (drained)"),
        (Exit(ExitKind.FAILED, error=ValueError("x")), "FAILED (ValueError: x)"),
        (Exit(ExitKind.FAILED, error=ProcessFailed(Completed(3, b"", b""))), "FAILED (code 3)"),
        (Exit(ExitKind.FAILED, error=ProcessFailed(Completed(-9, b"", b"a\nb \n"))), "FAILED (signal 9: b)"),
        (
            Exit(ExitKind.START_FAILED, error=ProcessFailed(Completed(0, b"", b"no"), (), re.compile("up"))),
            "START_FAILED (code 0 before it was ready: no)",
        ),
    ],
)
def test_an_exit_in_a_few_words(exit: Exit, said: str) -> None:
    """The last words of a process say more than the whole error."""
    assert exit_text(exit) == said


async def test_the_causes_are_one_line_each(autojump_clock: object) -> None:
    """None repeats the one below it."""
    async with actors.open_system("alpha") as system:
        ref = system.spawn(idle, name="worker")
        error = SupervisorFailed("alpha", RestartsExhausted(ref, 5, 30.0, ValueError("why")))
    first, second, third = causes(error)
    assert first == "SupervisorFailed: the root supervisor of the system 'alpha' gave up"
    assert second.startswith("RestartsExhausted: /worker needs more than the 5 restarts")
    assert "why" not in second
    assert third == "ValueError: why"
