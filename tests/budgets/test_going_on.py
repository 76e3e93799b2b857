"""Who was parked goes on when it has enough of all, and not before; who was suspended as well waits on."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, Breaker, Budget, BudgetSpent, CircuitOpen, Context, Policy
from tests.budgets.cast import Agent, Burn, Count, Note, Raise, Use, spent_by


def tokens(limit: int) -> Policy:
    return Policy(budget=Budget(tokens=limit))


class Team(actors.Supervisor):
    async def on_start(self) -> None:
        self.spawn(Agent, name="one", policy=tokens(10))
        self.spawn(Agent, name="two")


async def test_one_goes_on_when_the_budget_above_its_own_has_enough_too(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        await system.start(Team, name="team", policy=tokens(20))
        one, two = system.find("/team/one"), system.find("/team/two")
        assert one is not None
        assert two is not None
        one.tell(Burn(11))
        await wait_all_tasks_blocked()
        two.tell(Burn(15))
        await wait_all_tasks_blocked()
        system.top_up(one, tokens=100)
        assert one.state is ActorState.SUSPENDED
        system.top_up("/team", tokens=1000)
        assert (one.state, two.state) == (ActorState.IDLE, ActorState.IDLE)


async def test_a_function_goes_on_when_the_budget_is_topped_up_that_ended_it(
    autojump_clock: MockClock,
) -> None:
    """It had asked another actor, and had not caught what that could not spend."""
    async with actors.open_system("alpha") as system:
        back = await system.start(Agent, name="back", policy=tokens(10))

        async def front(ctx: Context) -> None:
            async for message in ctx.inbox:
                await back.ask(message)

        ref = await system.start(front, name="front", policy=Policy(restart="permanent"))
        ref.tell(Burn(11))
        await trio.sleep(1)
        assert ref.state is ActorState.SUSPENDED
        system.top_up(back, tokens=100)
        await trio.sleep(1)
        assert ref.state is ActorState.IDLE
        assert await back.ask(Count()) == ["burnt 11"]


async def test_who_was_refused_a_call_waits_for_more_calls(autojump_clock: MockClock) -> None:
    """What it would spend before it asks for the same again is not spent in vain."""
    async with actors.open_system("alpha") as system:
        limits = Budget(tokens=100, tool_calls=2)
        agent = await system.start(Agent, name="agent", policy=Policy(budget=limits))
        agent.tell(Use(tokens=5, tool_calls=3))
        await wait_all_tasks_blocked()
        system.top_up(agent, tokens=100)
        await wait_all_tasks_blocked()
        assert spent_by(system, agent) == 5
        system.top_up(agent, tool_calls=1)
        assert await agent.ask(Count()) == []
        assert spent_by(system, agent) == 10


@pytest.mark.parametrize("what", ["class", "function"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_who_was_suspended_too_is_not_resumed_by_a_top_up(
    autojump_clock: MockClock, what: str, when: str
) -> None:
    async def spends(ctx: Context) -> None:
        async for _ in ctx.inbox:
            await trio.sleep(1)
            actors.spend(tokens=11)

    class Spends(Agent):
        @actors.receive
        async def note(self, message: Note) -> None:
            await spends_once()

    async def spends_once() -> None:
        await trio.sleep(1)
        actors.spend(tokens=11)

    async with actors.open_system("alpha") as system:
        ref = await system.start(Spends if what == "class" else spends, name="agent", policy=tokens(10))
        ref.tell(Note("spend"))
        await wait_all_tasks_blocked()
        if when == "before":
            ref.suspend()
        await trio.sleep(2)
        assert ref.cell.held is not None
        if when == "after":
            ref.suspend()
        system.top_up(ref, tokens=100)
        await trio.sleep(5)
        assert ref.state is ActorState.SUSPENDED
        ref.resume()
        await trio.sleep(5)
        assert ref.state is ActorState.IDLE
        assert spent_by(system, ref) == 22


async def test_an_idle_one_that_is_suspended_does_not_start_for_a_message(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        ref = await system.start(Agent, name="agent", policy=Policy(budget=Budget(idle=5.0)))
        await trio.sleep(6)
        ref.suspend()
        ref.tell(Note("later"))
        await trio.sleep(6)
        assert ref.state is ActorState.SUSPENDED
        ref.resume()
        assert await ref.ask(Count()) == ["later"]


@pytest.mark.parametrize("strategy", [actors.OneForAll(), actors.RestForOne()])
async def test_one_that_is_resumed_while_it_ends_starts_again_alone(
    autojump_clock: MockClock, strategy: Any
) -> None:
    class Slow(Agent):
        async def on_stop(self, exit: actors.Exit) -> None:
            await trio.sleep(2)

    async with actors.open_system("alpha", strategy=strategy) as system:
        slow = await system.start(Slow, name="slow", policy=Policy(budget=Budget(idle=1.0)))
        other = await system.start(Agent, name="other")
        await trio.sleep(1.5)
        slow.resume()
        slow.tell(Note("it is up"))
        await trio.sleep(2)
        assert await slow.ask(Count()) == ["it is up"]
        assert (slow.statistics().restarts, other.statistics().restarts) == (1, 0)


async def test_a_probe_that_is_parked_has_shown_nothing(autojump_clock: MockClock) -> None:
    """Another one may try, when it goes on."""
    breaker = Breaker(failures=1, reset_after=5.0)
    policy = Policy(budget=Budget(tokens=10), breaker=breaker)
    async with actors.open_system("alpha") as system:
        ref = await system.start(Agent, name="agent", policy=policy)
        ref.tell(Raise())
        await trio.sleep(6)
        with pytest.raises(BudgetSpent):
            await ref.ask(Burn(11))
        system.top_up(ref, tokens=100)
        try:
            assert await ref.ask(Burn(1)) == 1
        except CircuitOpen:
            pytest.fail("the probe that was parked still holds the permit")
        assert system.breaker("/agent").state is actors.CircuitState.CLOSED


async def test_a_parked_actor_has_no_alarm_for_being_idle(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        ref = await system.start(Agent, name="agent", policy=Policy(budget=Budget(tokens=10, idle=5.0)))
        ref.tell(Burn(11))
        await wait_all_tasks_blocked()
        assert system.statistics().alarms == 0
        await trio.sleep(20)
        system.top_up(ref, tokens=100)
        assert await ref.ask(Count()) == ["burnt 11"]
        await trio.sleep(6)
        state = system.budget(ref)
        assert state is not None
        assert state.parked is not None
        assert state.parked.reason == "idle for 5 s"


@pytest.mark.parametrize("order", ["kill", "limit", "interrupt"])
async def test_what_was_cancelled_and_spends_too_much_ends_as_it_was_ordered(
    autojump_clock: MockClock, order: str
) -> None:
    """But for an interrupt, which ends no more than the handler: that was parked before it could be."""

    class Slow(Agent):
        @actors.receive
        async def note(self, message: Note) -> None:
            try:
                await trio.sleep(100)
            finally:
                actors.spend(tokens=11)

    async with actors.open_system("alpha") as system:
        policy = Policy(budget=Budget(tokens=10), timeout=actors.Timeout(mode="fixed", initial=5.0))
        ref = await system.start(Slow, name="agent", policy=policy)
        ref.tell(Note("too late"))
        await trio.sleep(1)
        if order == "kill":
            ref.kill()
            assert (await ref.wait_stopped()).kind is actors.ExitKind.KILLED
        elif order == "interrupt":
            await ref.interrupt()
            assert ref.state is ActorState.SUSPENDED
            assert ref.statistics().depth["system"] == 1
        else:
            await trio.sleep(10)
            assert (ref.statistics().failed, ref.statistics().restarts) == (1, 1)
            assert ref.cell.held is None
            assert system.dead_letters[-1].reason is actors.events.DeadLetterReason.CRASHED


# --- tasks of a handler ---


@actors.message
class Together(actors.Request[int]):
    """Call so many tools at once."""

    calls: int
    within: int | None = None


async def call() -> None:  # without a checkpoint: no task is cancelled before it spends
    actors.spend(tokens=10)


async def call_all(message: Together) -> int:
    with actors.budget(tokens=message.within):
        async with trio.open_nursery() as outer, trio.open_nursery() as inner:
            for number in range(message.calls):
                (outer if number % 2 else inner).start_soon(call)
    return message.calls


class Caller(actors.Actor):
    @actors.receive
    async def together(self, message: Together) -> int:
        return await call_all(message)


async def caller(ctx: Context) -> None:
    async for message in ctx.inbox:
        ctx.reply(await call_all(message))


@pytest.mark.row(86)
@pytest.mark.parametrize("what", [Caller, caller])
async def test_tasks_of_a_nursery_that_spend_too_much_park_their_actor(
    autojump_clock: MockClock, what: Any
) -> None:
    async with actors.open_system("alpha", strategy=actors.OneForOne(max_restarts=0)) as system:
        ref = await system.start(what, name="caller", policy=Policy(budget=Budget(tokens=25), breaker=None))
        with pytest.raises(BudgetSpent) as caught:
            await ref.ask(Together(4))
        assert caught.value.scope is ref
        assert ref.state is ActorState.SUSPENDED
        assert ref.statistics().failed == 0


async def test_of_what_tasks_found_spent_together_the_outermost_counts(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        ref = await system.start(Caller, name="caller", policy=tokens(35))
        with pytest.raises(BudgetSpent, match="a block") as block:
            await ref.ask(Together(2, within=5))
        assert ref.state is ActorState.IDLE
        with pytest.raises(BudgetSpent) as own:
            await ref.ask(Together(2, within=5))
        assert (block.value.limit, own.value.limit) == (5, 35)
        assert ref.state is ActorState.SUSPENDED


async def test_a_group_with_another_error_is_a_failure(autojump_clock: MockClock) -> None:
    class Both(Agent):
        @actors.receive
        async def fail(self, message: Raise) -> None:
            try:
                actors.spend(tokens=10)
            except BudgetSpent as error:
                raise ExceptionGroup("two tasks", [error, RuntimeError("as told")]) from None

    async with actors.open_system("alpha") as system:
        ref = await system.start(Both, name="both", policy=tokens(5))
        ref.tell(Raise())
        await trio.sleep(5)
        assert ref.cell.held is None
        assert ref.statistics().failed == 1


async def test_a_job_whose_tasks_spend_too_much_has_the_failure_budget(autojump_clock: MockClock) -> None:
    async def job(ctx: Context) -> int:
        return await call_all(Together(4))

    async with actors.open_system("alpha") as system:
        (outcome,) = await system.run_jobs([actors.Job(job, policy=tokens(25))])
        assert outcome.failure is actors.FailureKind.BUDGET


class Chief(actors.Actor):
    @actors.receive
    async def count(self, message: Count) -> list[str]:
        async def job(ctx: Context) -> None:
            actors.spend(tokens=50)

        with actors.budget(tokens=10):
            (outcome,) = await self.ctx.system.run_jobs([actors.Job(job)])
        assert isinstance(outcome.error, BudgetSpent)
        return [str(outcome.error.path)]


async def test_the_system_is_outside_of_who_runs_a_job(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha", budget=Budget(tokens=20)) as system:
        chief = await system.start(Chief, name="chief")
        assert await chief.ask(Count()) == ["/"]
