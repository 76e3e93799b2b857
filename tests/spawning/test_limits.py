"""The limits of growth at their boundaries, and the machine that admits by them (contract §7)."""

from __future__ import annotations

import math
from typing import Any

import attrs
import cattrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import actors
from actors.errors import CooldownActive, DepthExceeded, SpawnLimitReached
from actors.spawning.limits import Admission, SpawnLimits

RANGES: list[tuple[str, float, float, float]] = [
    # field, low, high, the step that leaves the range
    ("max_active", 1, 100, 1),
    ("cooldown", 0.1, 60.0, 1e-9),
    ("max_depth", 1, 10, 1),
    ("performance_threshold", 0.0, 1.0, 1e-9),
    ("workload_threshold", 1, 10_000, 1),
]
WHOLE = ("max_active", "max_depth", "workload_threshold")
NO_NUMBERS: list[Any] = [math.nan, math.inf, -math.inf, True, False, None, "5"]


# --- the record -----------------------------------------------------------------------


@pytest.mark.row(46)
def test_the_defaults_are_those_of_the_contract() -> None:
    assert attrs.asdict(actors.SpawnLimits()) == {
        "max_active": 10,
        "cooldown": 5.0,
        "max_depth": 3,
        "performance_threshold": 0.6,
        "workload_threshold": 100,
        "auto": False,
        "per": "template",
    }


@pytest.mark.row(46)
def test_the_fields_may_be_given_in_the_order_of_the_contract() -> None:
    assert SpawnLimits(1, 2.0, 3, 0.4, 5, True, "spawner") == SpawnLimits(
        max_active=1,
        cooldown=2.0,
        max_depth=3,
        performance_threshold=0.4,
        workload_threshold=5,
        auto=True,
        per="spawner",
    )


@pytest.mark.row(46)
@pytest.mark.parametrize(("field", "low", "high", "step"), RANGES)
def test_a_limit_may_be_at_its_bounds_and_not_beyond(
    field: str, low: float, high: float, step: float
) -> None:
    """The ValueError names the field, its range and the value."""
    for value in (low, high):
        made = SpawnLimits(**{field: value})  # type: ignore[arg-type]
        assert getattr(made, field) == value
    for value in (low - step, high + step):
        with pytest.raises(ValueError, match=rf"{field} .*from {low:g} to {high:g}") as caught:
            SpawnLimits(**{field: value})  # type: ignore[arg-type]
        assert repr(value) in str(caught.value)


@pytest.mark.row(46)
@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize("field", [field for field, *_ in RANGES])
def test_what_is_no_number_is_no_limit(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        SpawnLimits(**{field: value})


@pytest.mark.row(46)
@pytest.mark.parametrize("field", WHOLE)
def test_what_is_counted_is_a_whole_number(field: str) -> None:
    with pytest.raises(ValueError, match=rf"{field} must be a whole number from 1"):
        SpawnLimits(**{field: 2.0})  # type: ignore[arg-type]


def test_times_and_shares_may_be_whole_numbers() -> None:
    assert SpawnLimits(cooldown=60, performance_threshold=1) == SpawnLimits(
        cooldown=60.0, performance_threshold=1.0
    )


@pytest.mark.parametrize(("field", "value"), [("auto", 1), ("auto", "yes"), ("per", "node"), ("per", None)])
def test_a_choice_is_one_of_its_own(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        SpawnLimits(**{field: value})


@pytest.mark.row(46)
def test_an_unknown_field_is_refused() -> None:
    """By the constructor, and by a strict converter of plain data."""
    with pytest.raises(TypeError, match="max_spawns"):
        SpawnLimits(max_spawns=3)  # type: ignore[call-arg]
    strict = cattrs.Converter(forbid_extra_keys=True)
    with pytest.raises(cattrs.ClassValidationError) as caught:
        strict.structure({"max_active": 3, "max_spawns": 3}, SpawnLimits)
    assert "max_spawns" in repr(caught.value.exceptions)


def test_limits_are_structured_from_plain_data() -> None:
    plain = attrs.asdict(SpawnLimits.aggressive())
    assert cattrs.Converter(forbid_extra_keys=True).structure(plain, SpawnLimits) == SpawnLimits.aggressive()


@pytest.mark.row(47)
def test_the_three_named_limits_have_the_values_of_the_table() -> None:
    assert SpawnLimits.conservative() == SpawnLimits(
        max_active=5,
        cooldown=10.0,
        max_depth=2,
        performance_threshold=0.7,
        workload_threshold=200,
        auto=False,
    )
    assert SpawnLimits.aggressive() == SpawnLimits(
        max_active=20,
        cooldown=1.0,
        max_depth=5,
        performance_threshold=0.5,
        workload_threshold=50,
        auto=True,
    )
    assert SpawnLimits.minimal() == SpawnLimits(
        max_active=100,
        cooldown=0.1,
        max_depth=10,
        performance_threshold=0.0,
        workload_threshold=1,
        auto=True,
    )


# --- the machine ----------------------------------------------------------------------

times = st.floats(0, 1e6)
cooldowns = st.floats(0.1, 60)


@pytest.mark.row(51)
def test_what_no_waiting_cures_is_refused_first() -> None:
    """Depth before slots before cooldown."""
    machine = Admission(SpawnLimits(max_active=1, max_depth=3))
    machine.take()
    machine.succeeded(0.0, "a")
    deep = machine.refusal(1.0, "a", 4)
    assert isinstance(deep, DepthExceeded)
    assert (deep.depth, deep.max_depth) == (4, 3)
    full = machine.refusal(1.0, "a", 3)
    assert isinstance(full, SpawnLimitReached)
    assert (full.active, full.max_active) == (1, 1)
    machine.free()
    early = machine.refusal(1.0, "a", 3)
    assert isinstance(early, CooldownActive)
    assert early.retry_after == 4.0
    assert machine.refusal(1.0, "a", 3, check_cooldown=False) is None
    assert machine.refusal(5.0, "a", 3) is None


@pytest.mark.row(50)
def test_the_cooldown_ends_at_its_exact_time() -> None:
    machine = Admission(SpawnLimits(cooldown=5.0))
    machine.succeeded(100.0, "a")
    assert not machine.can_spawn(104.999, key="a")
    assert machine.can_spawn(104.999, check_cooldown=False, key="a")
    assert machine.can_spawn(105.0, key="a")


@given(times, cooldowns)
def test_the_cooldown_is_over_at_the_time_that_is_told_and_not_before(at: float, cooldown: float) -> None:
    """Whatever the rounding of the times."""
    machine = Admission(SpawnLimits(cooldown=cooldown))
    machine.succeeded(at, "a")
    end = machine.ready_at("a")
    assert end == at + cooldown
    assert machine.cooldown_remaining(end, "a") == 0.0
    before = math.nextafter(end, -math.inf)
    assert machine.cooldown_remaining(before, "a") > 0.0
    assert before + machine.cooldown_remaining(before, "a") == end


def test_a_cooldown_is_counted_for_each_template() -> None:
    machine = Admission(SpawnLimits(cooldown=5.0))
    machine.succeeded(0.0, "a")
    assert isinstance(machine.refusal(1.0, "a", 0), CooldownActive)
    assert machine.refusal(1.0, "b", 0) is None


def test_a_cooldown_may_be_counted_for_all_templates_together() -> None:
    machine = Admission(SpawnLimits(cooldown=5.0, per="spawner"))
    machine.succeeded(0.0, "a")
    assert machine.cooldown_remaining(1.0, "b") == 4.0
    assert isinstance(machine.refusal(1.0, "b", 0), CooldownActive)
    assert machine.cooldown_remaining(1.0) == 4.0


def test_without_a_template_the_longest_cooldown_counts() -> None:
    machine = Admission(SpawnLimits(cooldown=5.0))
    assert machine.cooldown_remaining(0.0) == 0.0
    assert machine.can_spawn(0.0)
    machine.succeeded(0.0, "a")
    machine.succeeded(3.0, "b")
    assert machine.cooldown_remaining(4.0) == 4.0
    assert not machine.can_spawn(7.0)
    assert machine.can_spawn(8.0)


@pytest.mark.parametrize("per", ["template", "spawner"])
def test_an_undone_success_leaves_the_cooldown_that_was_before_it(per: Any) -> None:
    machine = Admission(SpawnLimits(cooldown=5.0, per=per))
    assert machine.succeeded(0.0, "a") is None
    previous = machine.succeeded(2.0, "a")
    assert previous == 0.0
    machine.undo("a", 2.0, previous)
    assert machine.cooldown_remaining(3.0, "a") == 2.0
    machine.undo("a", 0.0, None)
    assert machine.can_spawn(3.0, key="a")


def test_a_success_is_not_undone_when_a_later_one_has_come() -> None:
    machine = Admission(SpawnLimits(cooldown=5.0))
    machine.succeeded(0.0, "a")
    machine.succeeded(5.0, "a")
    machine.undo("a", 0.0, None)
    assert machine.cooldown_remaining(6.0, "a") == 4.0
    machine.undo("b", 0.0, None)
    assert set(machine.last) == {"a"}


@given(st.permutations(range(3)), st.none() | st.just(2.0))
def test_successes_at_one_time_are_undone_one_by_one(order: list[int], before: float | None) -> None:
    """The cooldown of the others stands until the last of them is undone."""
    machine = Admission(SpawnLimits(cooldown=5.0))
    if before is not None:
        machine.succeeded(before, "a")
    previous = [machine.succeeded(4.0, "a") for _ in range(3)]
    assert previous == [before] * 3
    for which in order:
        assert machine.ready_at("a") == 9.0
        machine.undo("a", 4.0, previous[which])
    assert machine.last == ({} if before is None else {"a": before})


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 50)), max_size=60), cooldowns)
def test_only_templates_in_their_cooldown_are_remembered(
    steps: list[tuple[float, int]], cooldown: float
) -> None:
    """And what is forgotten makes no difference to any answer."""
    machine = Admission(SpawnLimits(cooldown=cooldown))
    model: dict[int, float] = {}
    now = 0.0
    for wait, key in steps:
        now += wait
        machine.succeeded(now, key)
        model[key] = now
        assert all(now < at + cooldown for at in machine.last.values())
        for each, at in model.items():
            expected = 0.0 if now >= at + cooldown else at + cooldown - now
            assert machine.cooldown_remaining(now, each) == expected


@given(st.integers(1, 100), st.lists(st.booleans(), max_size=150))
def test_no_more_are_admitted_than_there_are_slots(most: int, steps: list[bool]) -> None:
    """True asks for a slot, False gives one back."""
    machine = Admission(SpawnLimits(max_active=most))
    living = 0
    for wants in steps:
        if wants:
            refused = machine.refusal(0.0, "a", 0)
            assert (refused is None) == (living < most) == machine.can_spawn(0.0, key="a")
            if refused is None:
                machine.take()
                living += 1
        elif living:
            machine.free()
            living -= 1
        assert machine.taken == living <= most


def test_several_slots_are_taken_and_given_back_together() -> None:
    machine = Admission(SpawnLimits(max_active=3))
    machine.take(2)
    assert isinstance(machine.refusal(0.0, "a", 0, slots=2), SpawnLimitReached)
    assert machine.refusal(0.0, "a", 0, slots=1) is None
    with pytest.raises(RuntimeError, match=r"take\(\)"):
        machine.free(3)
    machine.free(2)
    assert machine.refusal(0.0, "a", 0, slots=3) is None


def test_a_full_machine_admits_nobody_when_it_is_asked() -> None:
    machine = Admission(SpawnLimits(max_active=1))
    machine.take()
    assert not machine.can_spawn(0.0, check_cooldown=False)


def test_a_machine_whose_cooldowns_were_forgotten_goes_on() -> None:
    machine = Admission(SpawnLimits(cooldown=5.0))
    machine.succeeded(1.0, "a")
    machine.last.clear()
    assert machine.succeeded(1.0, "a") is None
    machine.undo("a", 1.0, None)
    assert machine.can_spawn(1.0)


def test_a_slot_that_nobody_has_cannot_be_given_back() -> None:
    machine = Admission(SpawnLimits())
    machine.take()
    machine.free()
    with pytest.raises(RuntimeError, match=r"take\(\)"):
        machine.free()
    assert machine.taken == 0


@pytest.mark.row(53)
@pytest.mark.parametrize("most", [1, 3, 10])
def test_the_largest_depth_is_allowed_and_the_next_is_not(most: int) -> None:
    machine = Admission(SpawnLimits(max_depth=most))
    assert [machine.refusal(0.0, "a", depth) for depth in range(most + 1)] == [None] * (most + 1)
    assert isinstance(machine.refusal(0.0, "a", most + 1), DepthExceeded)
