"""Parking at the edges: whoever waits for room, drains, has something open, or is tried as a probe."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, Breaker, Budget, BudgetSpent, CircuitOpen, ExitKind, Mailbox, Policy
from actors.events import BudgetWarning, DeadLetterReason, Parked
from actors.spawning import Pool, Template
from tests.budgets.cast import Agent, Burn, Count, Note, Raise, burner

TEN = Budget(tokens=10)


class Slow(Agent):
    @actors.receive
    async def burn(self, message: Burn) -> int:
        await trio.sleep(1)
        actors.spend(tokens=message.tokens)
        return message.tokens


async def test_each_asker_gets_an_error_of_its_own(autojump_clock: MockClock) -> None:
    """One that is raised twice drags the first trace along."""
    async with actors.open_system("alpha") as system:
        agent = await system.start(Agent, name="agent", policy=Policy(budget=TEN))
        with pytest.raises(BudgetSpent) as first:
            await agent.ask(Burn(11))
        with pytest.raises(BudgetSpent) as second:
            await agent.ask(Count())
        assert agent.cell.held is not None
        assert len({id(first.value), id(second.value), id(agent.cell.held.error)}) == 3


async def test_room_that_refused_asks_leave_is_given_to_who_waits(autojump_clock: MockClock) -> None:
    policy = Policy(budget=TEN, mailbox=Mailbox(capacity=1))
    async with actors.open_system("alpha") as system:
        agent = await system.start(Slow, name="agent", policy=policy)
        agent.tell(Burn(11))
        await wait_all_tasks_blocked()
        asked = agent.request(Count())
        with trio.fail_after(2):
            await agent.send(Note("there is room"))
        assert asked.done
        assert agent.state is ActorState.SUSPENDED


async def test_one_that_drains_ends_where_its_budget_is_spent(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        agent = await system.start(Slow, name="agent", policy=Policy(budget=TEN))
        for message in (Burn(11), Note("never")):
            agent.tell(message)
        await wait_all_tasks_blocked()
        agent.drain()
        assert (await agent.wait_stopped()).kind is ExitKind.SHUTDOWN
        assert [letter.reason for letter in system.dead_letters] == [
            DeadLetterReason.BUDGET,
            DeadLetterReason.STOPPED,
        ]


async def test_a_probe_is_one_at_a_time_also_after_it_was_parked(autojump_clock: MockClock) -> None:
    policy = Policy(budget=TEN, breaker=Breaker(failures=1, reset_after=5.0))
    async with actors.open_system("alpha") as system:
        agent = await system.start(Agent, name="agent", policy=policy)
        agent.tell(Raise())
        await trio.sleep(6)
        with pytest.raises(BudgetSpent):
            await agent.ask(Burn(11))
        system.top_up(agent, tokens=100)
        probe, beside = agent.request(Count()), agent.request(Count())
        assert await probe.wait() == []
        with pytest.raises(CircuitOpen):
            await beside.wait()


async def test_who_waits_for_an_answer_is_not_idle(autojump_clock: MockClock) -> None:
    class Asks(Agent):
        def __init__(self, whom: actors.Ref) -> None:
            super().__init__()
            self.whom = whom

        @actors.receive
        async def fail(self, message: Raise) -> None:
            self.whom.request(Burn(0))

    class Never(Agent):
        @actors.receive
        async def burn(self, message: Burn) -> int:
            await trio.sleep(30)
            return 0

    async with actors.open_system("alpha") as system:
        never = await system.start(Never, name="never")
        asks = await system.start(Asks, never, name="asks", policy=Policy(budget=Budget(idle=5.0)))
        asks.tell(Raise())
        await trio.sleep(20)
        assert asks.state is ActorState.IDLE


async def test_idle_time_counts_anew_from_each_start(autojump_clock: MockClock) -> None:
    """Not from what was done before it was down."""
    async with actors.open_system("alpha") as system:
        agent = await system.start(Agent, name="agent", policy=Policy(budget=Budget(idle=5.0)))
        agent.tell(Note("something"))
        await trio.sleep(20)
        assert agent.state is ActorState.SUSPENDED
        agent.resume()
        await trio.sleep(4.5)
        assert agent.state is ActorState.IDLE
        await trio.sleep(1)
        assert agent.state is ActorState.SUSPENDED


class Plain(actors.Actor):
    @actors.receive
    def count(self, message: Count) -> list[str]:
        return []


async def test_one_without_a_task_has_none_after_it_was_idle(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        agent = await system.start(Plain, name="plain", policy=Policy(budget=Budget(idle=5.0)))
        assert agent.cell.plain
        await trio.sleep(6)
        assert await agent.ask(Count()) == []
        assert agent.cell.plain


async def test_jobs_of_a_job_are_charged_to_who_runs_that(autojump_clock: MockClock) -> None:
    async def inner(ctx: actors.Context) -> None:
        actors.spend(tokens=7)

    async def outer(ctx: actors.Context) -> None:
        await ctx.system.run_jobs([actors.Job(inner), actors.Job(inner)])

    async with actors.open_system("alpha") as system:
        with actors.budget() as scope:
            await system.run_jobs([actors.Job(outer)])
        assert scope.spent.tokens == 14


async def test_one_that_passes_its_limit_at_once_is_not_warned_of(autojump_clock: MockClock) -> None:
    """There is more to be heard of it."""
    async with (
        actors.open_system("alpha") as system,
        system.subscribe(BudgetWarning, Parked) as events,
    ):
        agent = await system.start(Agent, name="agent", policy=Policy(budget=TEN))
        agent.tell(Burn(11))
        assert isinstance(await anext(events), Parked)


async def test_a_temporary_function_is_gone_with_its_budget(autojump_clock: MockClock) -> None:
    """To resume it would be to run it again."""
    async with actors.open_system("alpha") as system:
        policy = Policy(restart="temporary", budget=TEN)
        ref = await system.start(burner, 11, name="once", policy=policy)
        ref.tell(1)
        with trio.fail_after(1):
            assert (await ref.wait_stopped()).kind is ExitKind.BUDGET


async def test_a_parked_probe_refuses_also_when_its_breaker_is_reset(autojump_clock: MockClock) -> None:
    policy = Policy(budget=TEN, breaker=Breaker(failures=1, reset_after=5.0))
    async with actors.open_system("alpha") as system:
        agent = await system.start(Agent, name="agent", policy=policy)
        agent.tell(Raise())
        await trio.sleep(6)
        agent.tell(Burn(11))
        await wait_all_tasks_blocked()
        system.reset_breaker("/agent")
        with trio.fail_after(1), pytest.raises(BudgetSpent):
            await agent.ask(Count())


async def test_an_idle_worker_of_a_pool_is_started_by_its_next_work(autojump_clock: MockClock) -> None:
    pool = Pool(Template(Agent, policy=Policy(budget=Budget(idle=5.0))), 1, 1)
    async with actors.open_system("alpha") as system:
        ref = await system.start(pool, name="pool")
        await trio.sleep(10)
        assert [child.state for child in system.children(ref)] == [ActorState.SUSPENDED]
        with trio.fail_after(1):
            assert await ref.ask(Burn(1)) == 1
