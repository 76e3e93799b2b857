"""Calls for many actors that are cancelled, or lose an actor, at every step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

import actors
from actors import Backoff, Policy, Ref, System
from tests.cancellation.harness import Act, At, Lives, Player, cut, sweep

SEEDS = [0, 1]
POLICY = Policy(backoff=Backoff.fixed(1.0), breaker=None)


async def crew(system: System, lives: Lives) -> list[Ref]:
    """Three players; the last has something in hand, and one comes back from a failure."""
    refs = [await system.start(Player, lives, name=name, policy=POLICY) for name in "abc"]
    refs[1].tell(Act(0.25, then="fail"))
    refs[2].tell(Act(1.0))
    return refs


def numbered(ref: Ref, so_far: object) -> Act:
    """Something else for each."""
    return Act(0.5, key=ord(ref.path[-1]))


Call = Callable[[list[Ref]], Awaitable[Any]]
CALLS: dict[str, Call] = {
    "sequential": lambda refs: actors.sequential(refs, numbered, timeout=30.0),
    "parallel": lambda refs: actors.parallel(refs, Act(0.5, key=1), timeout=30.0),
    "parallel, two at a time": lambda refs: actors.parallel(refs, Act(0.5, key=1), limit=2),
    "consensus": lambda refs: actors.consensus(refs, Act(0.5, key=1), quorum=1),
    "consensus of none": lambda refs: actors.consensus(refs, Act(0.5, key=1), timeout=30.0),
}


def named(result: Any) -> set[Ref]:
    """Whom a result speaks of."""
    return set(result) if isinstance(result, dict) else {*result.votes, *result.open}


calls = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
seeds = pytest.mark.parametrize("seed", SEEDS)


@pytest.mark.row(82)
@calls
@seeds
def test_a_call_that_is_cancelled_anywhere_leaves_a_sound_system(call: Call, seed: int) -> None:
    """No request is open with anybody: what had not been taken is never handled."""

    async def scenario(lives: Lives, step: int) -> At:
        async with actors.open_system("s") as system:
            refs = await crew(system, lives)
            results: list[Any] = []
            with cut(step) as (at, scope):
                results.append(await call(refs))
            assert scope.cancelled_caught is not bool(results)
            assert all(named(result) == set(refs) for result in results)
            in_hand = sum(ref.state is actors.ActorState.BUSY for ref in refs)
            before = len(lives.handled)
            await trio.sleep(20)
            assert len(lives.handled) - before <= in_hand
            for ref in refs:
                assert await ref.ask(Act()) == ref.path
        return at

    assert sweep(scenario, seed) > 10


@pytest.mark.row(82)
@calls
@seeds
def test_a_system_that_is_cancelled_anywhere_in_a_call_leaves_nothing(call: Call, seed: int) -> None:
    """Every life ends once, with its `on_stop`."""

    async def scenario(lives: Lives, step: int) -> At:
        with cut(step) as (at, _):
            async with actors.open_system("s") as system:
                await call(await crew(system, lives))
        return at

    assert sweep(scenario, seed) > 50


class Lead(Player):
    """Makes the call itself, with its children."""

    @actors.receive
    async def lead(self, call: list) -> None:  # type: ignore[type-arg]
        await call[0](list(self.children))


@calls
def test_an_actor_that_is_interrupted_anywhere_in_a_call_goes_on(call: Call) -> None:
    """So do its children."""

    async def scenario(lives: Lives, step: int) -> At:
        async with actors.open_system("s") as system:
            ref = await system.start(Lead, lives, "x", "y", "z", name="lead", policy=POLICY)
            async with trio.open_nursery() as nursery:
                with At(step, lambda: nursery.start_soon(ref.interrupt)) as at:
                    ref.tell([call])
                    await trio.sleep(2)
            for one in (ref, *system.children(ref)):
                assert await one.ask(Act()) == one.path
        return at

    assert sweep(scenario, 0) > 10


@pytest.mark.parametrize("order", ["stop", "kill"])
@calls
def test_a_call_ends_when_an_actor_ends_anywhere(call: Call, order: str) -> None:
    """It never hangs, and each who was asked has an outcome or was not waited for."""

    async def scenario(lives: Lives, step: int) -> At:
        async with actors.open_system("s") as system:
            refs = await crew(system, lives)
            with At(step, getattr(refs[1], order)) as at:
                result = await call(refs)
            assert named(result) == set(refs)
        return at

    assert sweep(scenario, 0) > 10


@pytest.mark.row(79)
@pytest.mark.parametrize("kill", [False, True])
@seeds
def test_a_stop_of_all_that_is_cancelled_anywhere_is_done_for_all_or_none(kill: bool, seed: int) -> None:
    """Once the first was ordered to end, all are."""

    async def scenario(lives: Lives, step: int) -> At:
        async with actors.open_system("s") as system:
            refs = await crew(system, lives)
            with cut(step) as (at, scope):
                exits = await actors.stop_all(refs, kill=kill)
                assert list(exits) == refs
            ending = {ref.state in (actors.ActorState.STOPPING, actors.ActorState.STOPPED) for ref in refs}
            assert len(ending) == 1
            if ending == {True}:
                for ref in refs:
                    await ref.wait_stopped()
                assert system.tree().children == ()
            else:
                assert scope.cancelled_caught
        return at

    assert sweep(scenario, seed) > 5
