"""What a spawner remembers: filters against a plain list, and a bound that holds (contract §7)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.spawning.history import History, SpawnRecord, SpawnTally
from actors.spawning.template import Template
from actors.spawning.triggers import SpawnTrigger
from tests.spawning.crew import Agent

TEMPLATE = Template(Agent)


def record(ref: Any, trigger: SpawnTrigger = SpawnTrigger.MANUAL) -> SpawnRecord:
    return SpawnRecord(
        id="spawn_00000000",
        ref=ref,
        template=TEMPLATE,
        origin=None,
        trigger=trigger,
        at=0.0,
        specialisation={},
        definition=TEMPLATE,
        depth=0,
    )


steps = st.lists(
    st.tuples(st.just("add"), st.sampled_from(SpawnTrigger))
    | st.tuples(st.sampled_from(["went", "drop"]), st.integers(0, 20))
    | st.tuples(st.just("keep"), st.integers(0, 5))
    | st.tuples(st.just("clear"), st.none()),
    max_size=40,
)


@pytest.mark.row(56)
@given(steps, st.integers(0, 5), st.none() | st.integers(0, 20), st.none() | st.sampled_from(SpawnTrigger))
def test_the_history_is_as_a_plain_list_with_filters(
    steps: list[tuple[str, Any]], bound: int, ref: int | None, trigger: SpawnTrigger | None
) -> None:
    history = History(bound)
    model: list[SpawnRecord] = []
    gone: list[int] = []
    number = 0
    for what, value in steps:
        if what == "add":
            history.add(record(number, value))
            model.append(record(number, value))
            number += 1
        elif what == "went":
            history.went(value)
            if value in [one.ref for one in model] and value not in gone:
                gone.append(value)
        elif what == "drop":
            history.drop(value)
            model = [one for one in model if one.ref != value]
            gone = [one for one in gone if one != value]
        elif what == "keep":
            history.keep(value)
            bound = value
        else:
            history.clear()
            model = [one for one in model if one.ref not in gone]
            gone = []
        while len(gone) > bound:
            oldest = gone.pop(0)
            model = [one for one in model if one.ref != oldest]
        assert list(history) == model
        assert len(history) == len(model)
        assert len(history._past) <= bound
    wanted = [
        one
        for one in reversed(model)
        if (ref is None or one.ref == ref) and (trigger is None or one.trigger == trigger)
    ]
    for limit in (None, 0, 1, 2, 100):
        assert history.select(ref=ref, trigger=trigger, limit=limit) == wanted[:limit]  # type: ignore[arg-type]
    for number in range(21):
        assert history.get(number) == next((one for one in model if one.ref == number), None)  # type: ignore[arg-type]


@pytest.mark.row(56)
def test_a_limit_of_none_is_all_and_of_zero_is_none_of_them() -> None:
    history = History()
    for number in range(3):
        history.add(record(number))
    assert [one.ref for one in history.select()] == [2, 1, 0]
    assert history.select(limit=0) == []


@pytest.mark.row(56)
@pytest.mark.parametrize("limit", [-1, 1.5, "1", True])
def test_a_limit_that_is_no_number_of_records_is_refused(limit: Any) -> None:
    with pytest.raises(ValueError, match="limit must be a whole number of 0 or more"):
        History().select(limit=limit)


@pytest.mark.row(58)
@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_the_mean_latency_is_that_of_all_that_became_ready(latencies: list[float]) -> None:
    tally = SpawnTally()
    for latency in latencies:
        tally.ready(latency)
    assert tally.metrics(0).mean_latency == pytest.approx(sum(latencies) / len(latencies))


@pytest.mark.row(51)
@given(st.integers(0, 300), st.integers(0, 300))
def test_more_than_a_tenth_is_strictly_more(failed: int, total: int) -> None:
    assert SpawnTally(total=total, failed=failed).fails_often == (failed * 10 > total)
