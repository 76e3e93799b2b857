"""Nobody slips past the last slot, in whatever order tasks run; and nothing is left of what is cut short."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from actors import CooldownActive, Policy, Spawner, SpawnLimitReached, SpawnLimits, Template
from tests.cancellation.harness import At, Life, Lives, cut, sweep
from tests.spawning.crew import Agent, Fragile, Slow

TASKS = 100
SLOTS = 3


class Yielding:
    """Goes through as many checkpoints as were drawn, wherever it is asked to."""

    def __init__(self, draws: list[int]) -> None:
        self.draws = draws

    async def __call__(self, number: int) -> None:
        for _ in range(self.draws[number % len(self.draws)]):
            await trio.lowlevel.checkpoint()


@pytest.mark.row(49)
@settings(max_examples=60)
@given(
    order=st.permutations(range(TASKS)),
    hows=st.lists(st.sampled_from(["spawn", "start", "wait_spawn", "clone"]), min_size=1, max_size=20),
    before=st.lists(st.integers(0, 3), min_size=1, max_size=10),
    thinking=st.lists(st.integers(0, 3), min_size=1, max_size=10) | st.none(),
    same=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_of_a_hundred_that_race_for_three_slots_three_get_one(
    order: list[int],
    hows: list[str],
    before: list[int],
    thinking: list[int] | None,
    same: bool,
    seed: int,
) -> None:
    """Some think about it on the way, some wait for the cooldown of others; each is answered."""
    trio._core._run._r.seed(seed)  # type: ignore[attr-defined]  # the order of tasks in a batch
    trio.run(_race, order, hows, before, thinking, same, clock=MockClock(autojump_threshold=0))


async def _race(
    order: list[int], hows: list[str], before: list[int], thinking: list[int] | None, same: bool
) -> None:
    got: list[actors.Ref] = []
    refused: list[BaseException] = []
    most = 0

    async def approve(request: actors.SpawnRequest) -> bool:
        assert thinking is not None
        await Yielding(thinking)(int(request.specialisation["topic"]))
        return True

    async with actors.open_system("s") as system:
        limits = SpawnLimits(max_active=SLOTS, cooldown=0.1)
        spawner = Spawner(system, limits, approve=None if thinking is None else approve)
        model = system.spawn(Agent, name="model")

        async def attempt(number: int) -> None:
            nonlocal most
            await Yielding(before)(number)
            how = hows[number % len(hows)]
            if thinking is not None and how in ("spawn", "clone"):
                how = "start"
            template = Template(Agent) if same else Template(Agent, {"depth": number})
            config = {"topic": str(number)}
            try:
                if how == "clone":
                    ref = spawner.clone(model, modifications=config)
                elif how == "spawn":
                    ref = spawner.spawn(template, specialisation=config)
                else:
                    ref = await getattr(spawner, how)(template, specialisation=config)
            except (SpawnLimitReached, CooldownActive) as error:
                refused.append(error)
            else:
                got.append(ref)
            most = max(most, len(system.tree().children) - 1)
            assert spawner._book.admission.taken <= SLOTS

        async def rush(numbers: list[int]) -> None:
            async with trio.open_nursery() as nursery:
                for number in numbers:
                    nursery.start_soon(attempt, number)

        with trio.fail_after(1000):
            await rush(order)
            if len(got) < SLOTS:  # one template has one cooldown: who did not wait for it was refused
                assert same or "clone" in hows
                assert "wait_spawn" not in hows or len(got) >= 1
            for number in range(SLOTS - len(got)):
                await trio.sleep(0.1)
                await attempt(number)
        assert len(got) == most == SLOTS
        assert len(set(got)) == SLOTS
        assert len(got) + len(refused) >= TASKS
        metrics = spawner.metrics()
        assert (metrics.total, metrics.active) == (SLOTS, SLOTS)
        assert metrics.refused == metrics.failed == len(refused)
        for ref in got:
            assert await spawner.despawn(ref)
        assert spawner._book.admission.taken == 0


@pytest.mark.row(49)
@given(
    order=st.permutations(range(TASKS)),
    before=st.lists(st.integers(0, 3), min_size=1, max_size=10),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=30)
def test_of_a_hundred_different_ones_exactly_three_get_a_slot_at_once(
    order: list[int], before: list[int], seed: int
) -> None:
    """No cooldown is in the way, so that nobody who finds a slot is refused."""

    async def main() -> None:
        got: list[actors.Ref] = []
        async with actors.open_system("s") as system:
            spawner = Spawner(system, SpawnLimits(max_active=SLOTS))

            async def attempt(number: int) -> None:
                await Yielding(before)(number)
                how: Any = (spawner.start, spawner.wait_spawn)[number % 2]
                with contextlib.suppress(SpawnLimitReached):
                    got.append(await how(Template(Agent, name=f"n{number}")))

            async with trio.open_nursery() as nursery:
                for number in order:
                    nursery.start_soon(attempt, number)
            assert len(got) == len(system.tree().children) == SLOTS
            assert spawner.metrics().refused == TASKS - SLOTS

    trio._core._run._r.seed(seed)  # type: ignore[attr-defined]
    trio.run(main, clock=MockClock(autojump_threshold=0))


# --- cut at every step ----------------------------------------------------------------


class Noted(actors.Supervisor):
    """Takes its time to start, and to end."""

    def __init__(self, lives: Lives, fails: bool) -> None:
        self.fails = fails
        self.life = Life(self.ctx.ref.path)
        lives.all.append(self.life)
        lives.cells.append(self.ctx.ref.cell)

    async def on_start(self) -> None:
        await trio.sleep(0.5)
        await self.start(Agent)
        if self.fails:
            raise ValueError("does not start")

    async def on_stop(self, exit: actors.Exit) -> None:
        self.life.stops += 1
        await trio.sleep(0.5)
        self.life.tidied += 1


async def _approve(request: actors.SpawnRequest) -> bool:
    await trio.sleep(0.25)
    return True


@pytest.mark.row(63)
@pytest.mark.parametrize("how", ["start", "wait_spawn"])
@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_a_start_that_is_cut_at_any_step_leaves_a_child_that_is_ready_or_nothing(
    how: str, fails: bool, named: bool
) -> None:
    async def scenario(lives: Lives, step: int) -> At:
        async with actors.open_system("s") as system:
            spawner = Spawner(system, SpawnLimits(max_active=2, cooldown=5.0), approve=_approve)
            template = Template(Noted, {"lives": lives, "fails": fails}, "noted" if named else None)
            got: list[actors.Ref] = []
            with cut(step) as (at, _):
                try:
                    got.append(await getattr(spawner, how)(template))
                except actors.StartFailed:
                    assert fails
            metrics = spawner.metrics()
            assert metrics.active == len(got) == metrics.total == len(spawner.history())
            assert spawner._book.admission.taken == len(got)
            assert len(system.tree().children) == len(got)
            assert spawner._book._lines == {}
            assert (spawner.cooldown_remaining() > 0) == bool(got)
            assert metrics.failed <= fails
            if got:
                assert await spawner.despawn(got[0])
            again = await spawner.start(Slow, specialisation={"start": 0.0})
            assert await spawner.despawn(again)
            assert spawner._book.admission.taken == 0
        return at

    assert sweep(scenario, seed=1) > 5


@pytest.mark.row(62)
def test_a_despawn_that_is_cut_at_any_step_goes_on_without_the_caller() -> None:
    async def scenario(lives: Lives, step: int) -> At:
        async with actors.open_system("s") as system:
            spawner = Spawner(system, SpawnLimits(max_active=1, cooldown=0.1))
            ref = await spawner.start(Template(Noted, {"lives": lives, "fails": False}))
            with cut(step) as (at, scope):
                assert await spawner.despawn(ref)
            ended_at = trio.current_time()
            if scope.cancelled_caught:
                lives_still = ref.state is not actors.ActorState.STOPPED
                assert await spawner.despawn(ref) is lives_still
            await ref.wait_stopped()
            assert trio.current_time() <= ended_at + 0.5
            assert spawner.metrics().active == 0
        return at

    assert sweep(scenario, seed=1) > 3


@pytest.mark.row(63)
async def test_a_named_start_that_fails_is_not_tried_again(autojump_clock: MockClock) -> None:
    async with actors.open_system("s") as system:
        spawner = Spawner(system, SpawnLimits())
        template = Template(Fragile, name="f", policy=Policy(restart="permanent"))
        for name in ("f", "f"):
            with pytest.raises(actors.StartFailed):
                await spawner.start(template, name=name)
        assert trio.current_time() == 0.0
        assert system.tree().children == ()


@pytest.mark.row(63)
async def test_whatever_else_goes_wrong_a_child_that_lives_keeps_its_slot(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(ref: actors.Ref) -> actors.Ref:
        raise RuntimeError("a fault of the framework")

    async with actors.open_system("s") as system:
        spawner = Spawner(system, SpawnLimits(max_active=1))
        monkeypatch.setattr(type(spawner._family), "trial_of", staticmethod(broken))
        with pytest.raises(RuntimeError, match="a fault of the framework"):
            await spawner.start(Agent)
        assert (spawner.metrics().active, len(spawner.history())) == (1, 1)
