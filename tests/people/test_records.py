"""What is kept of a request says all of it, on the clock of whoever reads it later."""

from __future__ import annotations

import json
import math
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from actors.people.book import Grant, GrantState, Kept, Matter, Wait
from actors.people.records import is_open, kept_of, kept_record, matter_record, parked_of
from actors.people.request import Answer, PersonRequest, Rung

SECONDS = st.integers(-10_000, 10_000).map(float)
SHIFT = st.integers(1, 10**9).map(float)
NAME = st.none() | st.text(max_size=5)
OPTION = (
    st.text(max_size=3) | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
PLAIN = st.recursive(st.none() | OPTION, lambda one: st.lists(one, max_size=2))
REQUEST = st.builds(
    PersonRequest,
    id=st.text(max_size=5),
    kind=st.sampled_from(["approval", "colour"]),
    text=st.text(max_size=5),
    options=st.lists(OPTION, max_size=3).map(tuple),
    to=NAME,
    deadline=SECONDS | st.just(math.inf),
    priority=st.integers(-9, 9),
    asked=SECONDS,
    sender=NAME,
    node=st.text(max_size=5),
    key=st.text(max_size=5),
    digest=NAME,
)
RUNGS = st.lists(st.builds(Rung, st.text(max_size=3), SECONDS), max_size=3).map(tuple)


def through(record: dict[str, Any]) -> Any:
    return json.loads(json.dumps(record))


@given(REQUEST, RUNGS, st.just(math.inf) | SECONDS, SECONDS, st.booleans(), SHIFT, SHIFT)
def test_an_open_request_comes_back_as_it_was(
    request: PersonRequest,
    rungs: tuple[Rung, ...],
    limit: float,
    base: float,
    has_warned: bool,
    before: float,
    after: float,
) -> None:
    """Parked, with every time as far from now as it was."""
    wait = Wait(request.deadline, rungs, request.asked, limit)
    sooner = Wait(-20_000.0, (), request.asked, 1.0)
    record = through(matter_record(Matter(request, [sooner, wait], base=base, has_warned=has_warned), before))
    assert is_open(record)
    found = parked_of(record, after)
    moved = before - after
    wanted = attrs.evolve(request, asked=request.asked + moved, deadline=request.deadline + moved)
    assert repr(found.request) == repr(wanted)  # True is not 1
    assert (found.base, found.has_warned, found.is_parked, found.is_shown) == (
        base + moved,
        has_warned,
        True,
        True,
    )
    [kept] = found.waits
    assert (kept.deadline, kept.rungs, kept.limit) == (wanted.deadline, rungs, limit)


@given(REQUEST, PLAIN, NAME, SECONDS, SECONDS, st.sampled_from(GrantState), SHIFT, SHIFT)
def test_an_answer_comes_back_as_it_was(
    request: PersonRequest,
    value: Any,
    by: str | None,
    at: float,
    until: float,
    state: GrantState,
    before: float,
    after: float,
) -> None:
    kept = Kept(request, Answer(request.id, request.kind, value, by, at), until, Grant(state))
    record = through(kept_record(kept, before))
    assert not is_open(record)
    found = kept_of(record, after)
    moved = before - after
    assert repr(found.answer) == repr(attrs.evolve(kept.answer, at=at + moved))
    assert (found.until, found.grant.state) == (until + moved, state)
    assert found.request.is_same_question(request)
