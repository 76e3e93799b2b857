"""When a pool grows and shrinks: each rule at its boundary, and what holds for every load (contract §7)."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.spawning.limits import SpawnLimits
from actors.spawning.scale import Grow, Load, Scaling, Shrink, Stay, decide
from actors.spawning.triggers import SpawnTrigger
from tests.spawning.world import Pool

AUTO = SpawnLimits(auto=True)
SPIKE = SpawnTrigger.WORKLOAD_SPIKE
POOR = SpawnTrigger.PERFORMANCE_THRESHOLD
BUSY = Load(workers=2, free=0)


def scaling(minimum: int = 1, maximum: int = 5, limits: SpawnLimits = AUTO, **more: Any) -> Scaling:
    return Scaling(minimum, maximum, limits, **more)


# --- the record -----------------------------------------------------------------------


def test_a_pool_may_have_no_workers_and_at_most_a_hundred() -> None:
    assert Scaling(0, 100, SpawnLimits(max_active=100)).ceiling == 100
    assert Scaling(0, 100).ceiling == 10
    assert Scaling(3, 3).ceiling == 3


@pytest.mark.parametrize(
    ("minimum", "maximum", "said"),
    [
        (-1, 5, "minimum"),
        (1.0, 5, "minimum"),
        (True, 5, "minimum"),
        (0, 0, "maximum must be a whole number from 1 to 100"),
        (0, 101, "maximum"),
        (0, 2.0, "maximum"),
        (5, 3, r"minimum \(5\) is above maximum \(3\)"),
        (11, 20, r"minimum \(11\) is above max_active \(10\)"),
    ],
)
def test_bounds_that_contradict_are_refused_with_both_numbers(minimum: Any, maximum: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Scaling(minimum, maximum)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, True, "1", None])
@pytest.mark.parametrize("field", ["max_wait", "idle"])
def test_a_wait_is_a_time_above_zero(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        scaling(**{field: value})
    assert scaling(**{field: math.inf}) is not None


def test_limits_are_a_record_of_limits() -> None:
    with pytest.raises(TypeError, match="limits"):
        Scaling(1, 5, {"max_active": 3})  # type: ignore[arg-type]


# --- what a pool needs ----------------------------------------------------------------


@pytest.mark.parametrize("auto", [True, False])
def test_a_pool_below_its_minimum_is_filled_up(auto: bool) -> None:
    pool = scaling(3, 5, SpawnLimits(auto=auto))
    assert decide(pool, Load(workers=0), 0.0, 0.0, None) == Grow(SpawnTrigger.MANUAL, 3)
    assert decide(pool, Load(workers=2, booting=2), 9.0, 0.0, 9.0) == Grow(SpawnTrigger.MANUAL, 1)
    assert decide(pool, Load(workers=3, booting=3), 9.0, 0.0, 9.0) == Stay(None)


@pytest.mark.parametrize("auto", [True, False])
def test_an_empty_pool_gets_a_worker_for_what_waits(auto: bool) -> None:
    pool = scaling(0, 5, SpawnLimits(auto=auto))
    assert decide(pool, Load(workers=0), 0.0, 0.0, None) == Stay(None)
    assert decide(pool, Load(workers=0, waiting=1), 1.0, 0.0, 1.0) == Grow(SPIKE, 1)
    assert decide(pool, Load(workers=1, booting=1, waiting=2), 1.0, 4.0, 1.0) == Stay(None)


@pytest.mark.parametrize("load", [Load(workers=0), Load(workers=2, waiting=500)])
def test_a_need_waits_for_the_cooldown_too(load: Load) -> None:
    """So that a worker that cannot start is not started without pause."""
    assert decide(scaling(3, 5), load, 10.0, 2.0, None) == Stay(12.0)


# --- what asks for more ---------------------------------------------------------------


@pytest.mark.row(59)
def test_a_queue_asks_for_a_worker_strictly_above_its_threshold() -> None:
    pool = scaling(max_wait=math.inf)
    assert decide(pool, attrs.evolve(BUSY, waiting=100), 9.0, 0.0, None) == Stay(None)
    assert decide(pool, attrs.evolve(BUSY, waiting=101), 9.0, 0.0, None) == Grow(SPIKE, 1)


def test_a_message_that_has_waited_for_long_asks_when_nobody_is_free() -> None:
    pool = scaling(max_wait=2.0)
    assert decide(pool, attrs.evolve(BUSY, waiting=1, oldest=1.5), 9.0, 0.0, None) == Stay(9.5)
    assert decide(pool, attrs.evolve(BUSY, waiting=1, oldest=2.0), 9.5, 0.0, None) == Grow(SPIKE, 1)
    assert decide(pool, attrs.evolve(BUSY, waiting=1, oldest=2.0, free=1), 9.5, 0.0, None) == Stay(None)


@pytest.mark.row(59)
def test_a_success_rate_asks_strictly_below_its_threshold() -> None:
    pool = scaling()
    assert decide(pool, attrs.evolve(BUSY, success=None), 9.0, 0.0, None) == Stay(None)
    assert decide(pool, attrs.evolve(BUSY, success=0.6), 9.0, 0.0, None) == Stay(None)
    assert decide(pool, attrs.evolve(BUSY, success=0.59), 9.0, 0.0, None) == Grow(POOR, 1)


@pytest.mark.row(59)
@pytest.mark.parametrize("more", [{"waiting": 10_000}, {"waiting": 1, "oldest": 60.0}, {"success": 0.0}])
def test_without_auto_nobody_asks(more: dict[str, Any]) -> None:
    load = attrs.evolve(BUSY, **more)
    assert decide(scaling(limits=SpawnLimits(auto=False)), load, 9.0, 0.0, None) == Stay(None)
    assert isinstance(decide(scaling(), load, 9.0, 0.0, None), Grow)


def test_whoever_boots_is_an_answer_on_its_way() -> None:
    """Only a queue that has outgrown all the answers asks again."""
    load = attrs.evolve(BUSY, booting=1, waiting=200, oldest=60.0, success=0.0)
    assert decide(scaling(), load, 9.0, 0.0, None) == Stay(None)
    assert decide(scaling(), attrs.evolve(load, waiting=201), 9.0, 0.0, None) == Grow(SPIKE, 1)
    assert decide(scaling(), attrs.evolve(load, waiting=300, booting=2), 9.0, 0.0, None) == Stay(None)
    assert decide(scaling(), attrs.evolve(load, waiting=301, booting=2), 9.0, 0.0, None) == Grow(SPIKE, 1)


@pytest.mark.parametrize(("maximum", "most"), [(2, 10), (10, 2)])
def test_a_pool_at_its_ceiling_does_not_grow(maximum: int, most: int) -> None:
    pool = scaling(1, maximum, SpawnLimits(auto=True, max_active=most))
    load = attrs.evolve(BUSY, waiting=5000, oldest=60.0, success=0.0)
    assert decide(pool, load, 9.0, 0.0, None) == Stay(None)
    assert decide(pool, attrs.evolve(load, waiting=1, oldest=0.5, success=None), 9.0, 3.0, 8.0) == Stay(None)


def test_growth_is_one_step_per_cooldown() -> None:
    load = attrs.evolve(BUSY, waiting=500)
    assert decide(scaling(), load, 12.0, 0.0, 10.0) == Stay(15.0)
    assert decide(scaling(), load, 12.0, 4.0, 10.0) == Stay(16.0)
    assert decide(scaling(), load, 15.0, 0.0, 10.0) == Grow(SPIKE, 1)


# --- what is too many -----------------------------------------------------------------


@pytest.mark.parametrize("auto", [True, False])
def test_a_worker_that_has_been_idle_for_long_goes(auto: bool) -> None:
    pool = scaling(1, 5, SpawnLimits(auto=auto), idle=30.0)
    load = Load(workers=3, free=2, idle=(20.0, 10.0))
    assert decide(pool, load, 30.0, 0.0, None) == Stay(40.0)
    assert decide(pool, load, 40.0, 0.0, None) == Shrink(1)
    assert decide(pool, load, 40.0, 60.0, 38.0) == Stay(43.0)
    assert decide(pool, attrs.evolve(load, waiting=1), 40.0, 0.0, None) == Stay(None)
    assert decide(pool, attrs.evolve(load, workers=1), 40.0, 0.0, None) == Stay(None)
    assert decide(pool, attrs.evolve(load, idle=()), 40.0, 0.0, None) == Stay(None)


def test_nobody_goes_when_the_idle_may_stay_for_ever() -> None:
    load = Load(workers=5, free=5, idle=(0.0,) * 5)
    assert decide(scaling(idle=math.inf), load, 1e9, 0.0, None, last_growth=0.0) == Stay(None)


def test_nobody_goes_soon_after_a_growth() -> None:
    """However long another worker has been idle, as those are whom no key leads to."""
    load = Load(workers=3, free=2, idle=(0.0, 49.0))
    assert decide(scaling(idle=30.0), load, 50.0, 0.0, 40.0, last_growth=40.0) == Stay(70.0)
    assert decide(scaling(idle=30.0), load, 70.0, 0.0, 40.0, last_growth=40.0) == Shrink(1)


def test_a_pool_that_asks_for_more_gives_nobody_away() -> None:
    load = Load(workers=5, free=5, idle=(0.0,) * 5, success=0.1)
    assert decide(scaling(maximum=5), load, 100.0, 0.0, None) == Stay(None)
    assert decide(scaling(maximum=6), attrs.evolve(load, booting=1), 100.0, 0.0, None) == Stay(None)


# --- what holds for every load --------------------------------------------------------

ticks = st.integers(0, 64 * 64).map(lambda tick: tick / 64)
"""Times whose sums are exact."""


@st.composite
def scalings(draw: st.DrawFn) -> Scaling:
    limits = SpawnLimits(
        max_active=draw(st.integers(1, 12)),
        cooldown=draw(st.integers(8, 640)) / 64,
        performance_threshold=0.5,
        workload_threshold=draw(st.integers(1, 20)),
        auto=draw(st.booleans()),
    )
    minimum = draw(st.integers(0, limits.max_active))
    times = st.one_of(st.integers(1, 640).map(lambda tick: tick / 64), st.just(math.inf))
    return Scaling(
        minimum, draw(st.integers(max(1, minimum), 15)), limits, max_wait=draw(times), idle=draw(times)
    )


@st.composite
def facts(draw: st.DrawFn) -> tuple[Scaling, Load, float, float, float | None, float | None]:
    pool, now = draw(scalings()), draw(ticks)
    workers = draw(st.integers(0, pool.ceiling))
    booting = draw(st.integers(0, workers))
    past = st.integers(0, int(now * 64)).map(lambda tick: tick / 64)
    idle = tuple(draw(st.lists(past, max_size=workers - booting)))
    waiting = draw(st.integers(0, 60))
    load = Load(
        workers,
        booting,
        draw(st.integers(0, workers - booting)),
        waiting,
        draw(ticks) if waiting else 0.0,
        draw(st.sampled_from([None, 0.0, 0.5, 1.0])),
        idle,
    )
    last_change = draw(st.none() | past)
    last_growth = None if last_change is None else draw(st.none() | past.filter(lambda at: at <= last_change))
    return pool, load, now, draw(ticks) if draw(st.booleans()) else 0.0, last_change, last_growth


def later(load: Load, cooldown_left: float, wait: float) -> tuple[Load, float]:
    """The same facts, older."""
    aged = attrs.evolve(load, oldest=load.oldest + wait) if load.waiting else load
    return aged, max(0.0, cooldown_left - wait)


@given(facts())
def test_the_number_of_workers_stays_within_its_bounds(case: Any) -> None:
    pool, load, now, left, changed, grown = case
    decision = decide(pool, load, now, left, changed, last_growth=grown)
    if isinstance(decision, Grow):
        assert decision.count >= 1
        assert left == 0
        assert load.workers + decision.count <= max(pool.minimum, pool.ceiling)
    elif isinstance(decision, Shrink):
        assert load.workers - decision.count >= pool.minimum
        assert load.waiting == 0
        assert grown is None or now >= grown + pool.idle


@given(facts(), st.data())
def test_an_answer_stands_until_the_time_it_names_and_changes_then(case: Any, data: st.DataObject) -> None:
    pool, load, now, left, changed, grown = case
    decision = decide(pool, load, now, left, changed, last_growth=grown)
    if not isinstance(decision, Stay):
        return
    end = 100_000 if decision.until is None else int((decision.until - now) * 64)
    wait = data.draw(st.integers(0, end - 1)) / 64
    aged, still = later(load, left, wait)
    assert decide(pool, aged, now + wait, still, changed, last_growth=grown) == decision
    if decision.until is not None:
        assert decision.until > now
        aged, still = later(load, left, decision.until - now)
        assert not isinstance(decide(pool, aged, decision.until, still, changed, last_growth=grown), Stay)


@given(
    st.floats(0, 1e9),
    st.floats(0.1, 60),
    st.floats(1e-6, 1e3),
    st.floats(0, 1, exclude_max=True),
)
def test_whoever_looks_again_at_the_time_that_is_named_comes_to_an_end(
    arrived: float, cooldown: float, max_wait: float, share: float
) -> None:
    """Also where the times are rounded: each look is later than the one before, or is the last."""
    pool = scaling(limits=SpawnLimits(auto=True, cooldown=cooldown), max_wait=max_wait)
    now = arrived + share * max_wait
    grown = now - share * cooldown
    for _ in range(5):
        left = max(0.0, grown + cooldown - now)
        decision = decide(pool, attrs.evolve(BUSY, waiting=1, oldest=now - arrived), now, left, grown)
        if not isinstance(decision, Stay):
            return
        assert decision.until is not None
        assert decision.until > now
        now = decision.until
    raise AssertionError("it looks again and again")


# --- a pool under load ----------------------------------------------------------------


UP = [(0.0, 1), (10.0, 2), (15.0, 3), (20.0, 4), (25.0, 5)]
"""Each is ready a second later; by 46 s they have taken 36 + 35 + 30 + 25 + 20 of the messages."""

DOWN = [(76.0, 4), (81.0, 3), (86.0, 2), (91.0, 1)]
"""Four are left for five workers, so one is idle from 46 s on."""


@pytest.mark.row(60)
def test_a_pool_follows_its_load_up_and_down_again() -> None:
    """0, then 150 messages of a second each at 10 s, then 0: one worker more each cooldown, then one less."""
    pool = Pool(scaling(1, 5), boot=1.0, service=1.0)
    pool.arrive(10.0, 150)
    pool.run(300.0)
    assert pool.served == 150
    assert pool.curve() == UP + DOWN


def test_a_pool_without_auto_keeps_its_minimum_whatever_comes() -> None:
    pool = Pool(scaling(2, 5, SpawnLimits()))
    pool.arrive(10.0, 150)
    pool.run(300.0)
    assert pool.served == 150
    assert pool.curve() == [(0.0, 2)]


def test_a_pool_of_none_wakes_for_its_messages_and_goes_to_sleep_again() -> None:
    pool = Pool(scaling(0, 5, SpawnLimits(), idle=30.0))
    pool.arrive(10.0, 3)
    pool.run(300.0)
    assert pool.served == 3
    assert pool.curve() == [(10.0, 1), (44.0, 0)]


@pytest.mark.row(60)
def test_a_pool_whose_work_fails_grows_as_far_as_it_may() -> None:
    pool = Pool(scaling(1, 3, max_wait=math.inf), failing=True)
    for second in range(60):
        pool.arrive(10.0 + second, 1)
    pool.run(70.0)
    assert [(by, why) for _, by, why in pool.changes[1:]] == [(1, POOR), (1, POOR)]


@given(
    scalings(),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 40)), max_size=6),
    st.integers(1, 256),
    st.integers(1, 256),
    st.booleans(),
    st.booleans(),
)
def test_a_pool_never_flaps_and_comes_to_rest_at_its_minimum(
    pool: Scaling,
    bursts: list[tuple[int, int]],
    boot: int,
    service: int,
    hot: bool,
    failing: bool,
) -> None:
    """In bounds, no way back within `idle`, one step per cooldown, and nothing is left waiting."""
    world = Pool(pool, boot / 64, service / 64, hot=hot, failing=failing)
    for tick, many in bursts:
        world.arrive(tick / 64, many)
    world.run(5000.0)
    total, growths, shrinks = 0, [-math.inf], [-math.inf]
    for at, by, why in world.changes:
        total += by
        assert pool.minimum <= total <= pool.ceiling
        if by > 0:
            assert at >= growths[-1] + pool.limits.cooldown
            assert why is SpawnTrigger.MANUAL or total == 1 or at >= shrinks[-1] + pool.limits.cooldown
            growths.append(at)
        else:
            assert at >= growths[-1] + pool.idle
            assert at >= shrinks[-1] + pool.limits.cooldown
            shrinks.append(at)
    assert world.queue == []
    assert world.served == sum(many for _, many in bursts)
    poor = pool.limits.auto and world.rate.value is not None and world.rate.value < 0.5
    if pool.idle < math.inf and not poor:
        assert world.workers == pool.minimum
