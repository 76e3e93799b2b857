"""Asking for the state of a breaker, and resetting it by hand."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, BreakerState, CircuitState, OneForAll, OneForOne
from tests.supervision.cast import ONE, TWO, Child, Crash, Diary, Ping, Work, opened

# --- asking and resetting -------------------------------------------------------------------


@pytest.mark.row(30)
async def test_asking_for_the_state_never_changes_it(autojump_clock: MockClock) -> None:
    """A hundred questions before, at and after the probe time leave everything to the actor."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await opened(system, diary)
        for seconds in (30.0, 29.0):
            views = {str(system.breaker("/a")) for _ in range(100)} | {str(system.breakers()["/a"])}
            assert len(views) == 1
            await trio.sleep(seconds)
        assert ref.state is ActorState.CIRCUIT_OPEN
        await trio.sleep(2)
        for _ in range(100):
            assert system.breaker("/a").state is CircuitState.HALF_OPEN
        assert await ref.ask(Ping()) == "a"
        assert system.breaker("/nobody") == BreakerState()
        assert "/nobody" not in system.breakers()


@pytest.mark.row(34)
async def test_the_health_of_all_is_one_call(autojump_clock: MockClock) -> None:
    """Every living named actor, and every path that has failed, with state, velocity and risk."""
    async with actors.open_system("s") as system:
        ref = await opened(system)
        ref.stop()
        await ref.wait_stopped()
        await system.start(Child, "b", Diary(), name="b", policy=TWO)
        c = await system.start(Child, "c", Diary(), name="c", policy=TWO)
        await system.start(Child, "x", Diary())
        c.tell(Crash())
        await trio.sleep(5)
        assert system.breakers() == {
            "/a": BreakerState(state=CircuitState.OPEN, failures=1, retry_after=55.0, risk="critical"),
            "/b": BreakerState(),
            "/c": BreakerState(failures=1, risk="medium"),
        }


@pytest.mark.row(30)
async def test_a_reset_starts_the_actor_now_and_forgets(autojump_clock: MockClock) -> None:
    """After a reset the actor is back at once, and one more failure leaves the breaker closed."""
    async with actors.open_system("s") as system:
        ref = await opened(system, policy=TWO)
        ref.tell(Ping())
        at = trio.current_time()
        system.reset_breaker("/a")
        assert await ref.ask(Ping()) == "a"
        assert trio.current_time() == at
        ref.tell(Crash())
        await trio.sleep(2)
        assert (ref.state, system.breaker("/a").failures) == (ActorState.IDLE, 1)


@pytest.mark.row(30)
async def test_a_reset_of_a_closed_breaker_forgets_its_failures(autojump_clock: MockClock) -> None:
    """One failure, a reset and one failure are not two failures."""
    async with actors.open_system("s") as system:
        ref = await system.start(Child, "a", Diary(), name="a", policy=TWO)
        for _ in range(4):
            ref.tell(Crash())
            await trio.sleep(2)
            system.reset_breaker("/a")
            system.reset_breaker("/nobody")
        assert (ref.state, ref.statistics().restarts) == (ActorState.IDLE, 4)


async def test_a_reset_while_on_stop_runs_restarts_the_actor_too(autojump_clock: MockClock) -> None:
    """Nothing holds an actor back whose breaker was reset before its `on_stop` had ended."""
    diary = Diary()
    async with actors.open_system("s") as system:
        ref = await opened(system, diary, stop=3.0)
        await trio.sleep(1)
        system.reset_breaker("/a")
        with trio.move_on_after(30):
            await ref.wait_started()
        assert system.breaker("/a").state is CircuitState.CLOSED
        assert ref.state is ActorState.IDLE
        assert 3.0 <= trio.current_time() <= 5.0


@pytest.mark.parametrize("strategy", [OneForOne(), OneForAll()], ids=lambda strategy: type(strategy).__name__)
async def test_after_a_reset_while_on_stop_runs_its_state_is_that_of_a_closed_breaker(
    autojump_clock: MockClock, strategy: actors.OneForOne | actors.OneForAll
) -> None:
    """It backs off until `on_stop` has ended, and waits no longer; its group comes back with it."""
    diary = Diary()
    async with actors.open_system("s", strategy=strategy) as system:
        other = await system.start(Child, "b", diary, name="b", policy=ONE)
        ref = await opened(system, diary, stop=3.0)
        assert ref.state is ActorState.CIRCUIT_OPEN
        system.reset_breaker("/a")
        assert (ref.state, system.breaker("/a").state) == (ActorState.BACKING_OFF, CircuitState.CLOSED)
        with trio.fail_after(30):
            await ref.wait_started()
            await other.wait_started()
        assert (trio.current_time(), ref.state) == (3.0, ActorState.IDLE)


async def test_a_reset_in_half_open_lets_everybody_in(autojump_clock: MockClock) -> None:
    """With the breaker closed by hand nobody needs a permit."""
    async with actors.open_system("s") as system:
        ref = await opened(system)
        await trio.sleep(61)
        probe = ref.request(Work(100.0))
        await wait_all_tasks_blocked()
        system.reset_breaker("/a")
        behind = ref.request(Ping())
        assert await probe.wait() == "a"
        assert await behind.wait() == "a"
        assert system.breaker("/a") == BreakerState()


async def test_a_breaker_can_be_reset_without_an_actor(autojump_clock: MockClock) -> None:
    """After a reset a path whose actor is gone can be started again."""
    async with actors.open_system("s") as system:
        ref = await opened(system)
        ref.stop()
        await ref.wait_stopped()
        system.reset_breaker("/a")
        assert await (await system.start(Child, "a", Diary(), name="a", policy=ONE)).ask(Ping()) == "a"
