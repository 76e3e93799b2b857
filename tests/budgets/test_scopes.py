"""Blocks with a budget: nested as cancel scopes are, around tasks, and around nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from actors import Budget, BudgetSpent, Context, Policy
from actors.errors import ActorFailed
from tests.budgets.cast import Agent, Burn, spent_by


async def test_what_is_spent_is_charged_to_all_around() -> None:
    with actors.budget(tokens=100) as outer:
        actors.spend(tokens=10)
        with actors.budget(tokens=50) as inner:
            actors.spend(tokens=20, money=0.1)
        actors.spend(money=0.2)
    assert (inner.spent.tokens, outer.spent.tokens) == (20, 30)
    assert (inner.spent.money, outer.spent.money) == (0.1, 0.3)
    assert inner.left.tokens == 30
    assert inner.limits == Budget(tokens=50)


async def test_the_inner_one_is_passed_and_the_outer_one_goes_on() -> None:
    with actors.budget(tokens=100) as outer:
        with pytest.raises(BudgetSpent, match="15 of 10 tokens") as caught, actors.budget(tokens=10) as inner:
            actors.spend(tokens=15)
        assert caught.value.scope is inner
        actors.spend(tokens=85)
    assert outer.spent.tokens == 100


async def test_when_both_are_passed_the_outer_one_is_named() -> None:
    """As with cancel scopes: it ends what the inner one would, and more."""
    with actors.budget(tokens=10) as outer, actors.budget(tokens=5):
        with pytest.raises(BudgetSpent) as caught:
            actors.spend(tokens=11)
        assert caught.value.scope is outer


async def test_a_block_that_is_passed_lets_nothing_more_pass() -> None:
    with actors.budget(tokens=10) as scope:
        with pytest.raises(BudgetSpent):
            actors.spend(tokens=11)
        with pytest.raises(BudgetSpent):
            actors.spend(tool_calls=1)
        with pytest.raises(BudgetSpent):
            actors.spend()
    assert scope.spent == actors.Spent(tokens=11)


async def test_a_tool_call_is_asked_for_and_not_entered_where_it_is_refused() -> None:
    with actors.budget(tool_calls=2) as scope:
        actors.spend(tool_calls=2)
        with pytest.raises(BudgetSpent, match="2 of 2 tool calls"):
            actors.spend(tool_calls=1, tokens=7)
    assert scope.spent == actors.Spent(tool_calls=2, tokens=7)


async def test_tasks_started_inside_are_charged_and_concurrent_blocks_are_apart() -> None:
    spent: dict[str, int] = {}

    async def work(name: str, tokens: int) -> None:
        with actors.budget(tokens=1000) as mine:
            for _ in range(tokens):
                actors.spend(tokens=1)
                await trio.lowlevel.checkpoint()
        spent[name] = mine.spent.tokens

    with actors.budget(tokens=100) as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, "one", 20)
            nursery.start_soon(work, "two", 30)
    assert spent == {"one": 20, "two": 30}
    assert scope.spent.tokens == 50


async def test_a_task_that_outlives_the_block_is_charged_to_what_is_around_it() -> None:
    go = trio.Event()

    async def late() -> None:
        await go.wait()
        actors.spend(tokens=5)

    with actors.budget() as outer:
        async with trio.open_nursery() as nursery:
            with actors.budget(tokens=1) as inner:
                nursery.start_soon(late)
            go.set()
    assert (outer.spent.tokens, inner.spent.tokens) == (5, 0)


async def test_a_block_is_entered_once() -> None:
    with actors.budget() as scope, pytest.raises(RuntimeError, match="entered once"), scope:
        pass
    with pytest.raises(RuntimeError, match="entered once"), scope:
        pass


async def test_blocks_of_a_generator_that_is_dropped_disturb_nobody() -> None:
    async def chunks() -> AsyncIterator[int]:
        with actors.budget(tokens=10):
            yield 1
            yield 2

    with actors.budget() as outer:
        generator = chunks()
        assert await anext(generator) == 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(generator.aclose)  # type: ignore[attr-defined]
        actors.spend(tokens=50)
    assert outer.spent.tokens == 50


async def test_outside_of_everything_nobody_is_charged() -> None:
    actors.spend(tokens=10)


@pytest.mark.parametrize(
    "wrong", [{"tokens": -1}, {"tokens": 1.0}, {"money": -1}, {"tool_calls": -1}, {"spawns": 0.5}]
)
async def test_what_is_no_amount_is_refused(wrong: dict[str, Any]) -> None:
    with actors.budget() as scope, pytest.raises(ValueError, match=next(iter(wrong))):
        actors.spend(**wrong)
    assert scope.spent == actors.Spent()


async def test_a_thread_is_told_how_to_spend() -> None:
    with actors.budget() as scope:
        with pytest.raises(RuntimeError, match="from_thread"):
            await trio.to_thread.run_sync(actors.spend, 5)
        await trio.to_thread.run_sync(trio.from_thread.run_sync, actors.spend, 5)
    assert scope.spent.tokens == 5


@given(st.lists(st.tuples(st.sampled_from(["open", "close", "spend"]), st.integers(0, 9)), max_size=40))
def test_nested_blocks_do_as_a_stack(steps: list[tuple[str, int]]) -> None:
    async def main() -> None:
        opened: list[tuple[actors.BudgetScope, list[int]]] = []
        with ExitStack() as stack:
            stacks: list[ExitStack] = []
            for what, number in steps:
                if what == "open":
                    own = stack.enter_context(ExitStack())
                    opened.append((own.enter_context(actors.budget(tokens=number * 5)), [0]))
                    stacks.append(own)
                elif what == "close" and opened:
                    scope, total = opened.pop()
                    stacks.pop().close()
                    assert scope.spent.tokens == total[0]
                elif what == "spend":
                    for _, total in opened:
                        total[0] += number
                    over = [one for one, total in opened if total[0] > (one.limits.tokens or 0)]
                    if not over:
                        actors.spend(tokens=number)
                        continue
                    with pytest.raises(BudgetSpent) as caught:
                        actors.spend(tokens=number)
                    assert caught.value.scope is over[0]

    trio.run(main)


# --- in actors ---


async def test_an_actor_that_is_spawned_inside_a_block_outlives_it(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        with actors.budget(tokens=1) as scope:
            agent = await system.start(Agent, name="agent")
            assert await agent.ask(Burn(100)) == 100
        assert scope.spent.tokens == 0
        assert spent_by(system, "/") == 100


async def test_jobs_are_charged_to_the_block_of_who_runs_them(autojump_clock: MockClock) -> None:
    async def job(ctx: Context, tokens: int) -> int:
        with actors.budget() as own:
            actors.spend(tokens=tokens)
        return own.spent.tokens

    async with actors.open_system("alpha") as system:
        jobs = [actors.Job(job, 40, name=f"job-{n}") for n in range(4)]
        with actors.budget(tokens=100) as scope:
            outcomes = await system.run_jobs(jobs, limit=1)
        assert [one.ok for one in outcomes] == [True, True, False, False]
        assert {one.failure for one in outcomes[2:]} == {actors.FailureKind.BUDGET}
        error = outcomes[2].error
        assert isinstance(error, BudgetSpent)
        assert error.scope is scope
        assert scope.spent.tokens == 160
        assert spent_by(system, "/") == 160
        assert [one.exit.kind for one in outcomes[2:] if one.exit] == [actors.ExitKind.BUDGET] * 2


async def test_a_job_is_charged_to_the_actor_that_runs_it(autojump_clock: MockClock) -> None:
    async def job(ctx: Context) -> None:
        actors.spend(tokens=30)
        ctx.system.spawn(Agent, name="left-behind")

    async def chief(ctx: Context) -> None:
        await ctx.system.run_jobs([actors.Job(job)])
        async for _ in ctx.inbox:
            pass

    async with actors.open_system("alpha") as system:
        ref = await system.start(chief, name="chief", policy=Policy(budget=Budget(tokens=100)))
        await trio.sleep(1)
        assert spent_by(system, ref) == 30
        left = system.find("/left-behind")
        assert left is not None
        await left.ask(Burn(500))  # the batch is over: it does not pay any more
        assert spent_by(system, ref) == 30
        assert spent_by(system, "/") == 530


async def test_a_job_keeps_what_its_attempts_have_spent(autojump_clock: MockClock) -> None:
    async def job(ctx: Context) -> None:
        actors.spend(tokens=400)
        raise RuntimeError("again")

    policy = Policy(retries=5, budget=Budget(tokens=1000), backoff=actors.Backoff.immediate(), breaker=None)
    async with actors.open_system("alpha") as system:
        (outcome,) = await system.run_jobs([actors.Job(job, name="job", policy=policy)])
        assert outcome.failure is actors.FailureKind.BUDGET
        assert outcome.attempts == 3
        assert system.breaker("/jobs/job").failures == 0


async def test_an_error_of_another_budget_is_passed_on(autojump_clock: MockClock) -> None:
    """It asked somebody whose budget is spent: its own is not, and it lives on."""

    class Front(Agent):
        def __init__(self, back: actors.Ref) -> None:
            super().__init__()
            self.back = back

        @actors.receive
        async def burn(self, message: Burn) -> int:
            return await self.back.ask(message)

    async with actors.open_system("alpha") as system:
        back = await system.start(Agent, name="back", policy=Policy(budget=Budget(tokens=10)))
        front = await system.start(Front, back, name="front")
        for _ in range(2):
            with pytest.raises(BudgetSpent) as caught:
                await front.ask(Burn(11))
            assert caught.value.scope is back
        assert front.state is actors.ActorState.IDLE
        assert front.statistics().failed == 0
        with pytest.raises(BudgetSpent):
            await back.ask(Burn(1))
        assert not issubclass(BudgetSpent, ActorFailed)


# --- amounts ---


class Euro(float):
    """As a library might have it: it shows its own name."""

    def __repr__(self) -> str:
        return f"Euro({float(self)})"


async def test_numbers_of_other_classes_are_numbers() -> None:
    with actors.budget(money=Euro(0.3)) as scope:
        for _ in range(3):
            actors.spend(money=Euro(0.1))
    assert (scope.spent.money, scope.left.money) == (0.3, 0.0)


@pytest.mark.parametrize(
    "wrong",
    [{"money": None}, {"money": 10**400}, {"money": float("nan")}, {"tool_calls": 0.0}, {"spawns": None}],
)
async def test_nothing_that_is_no_number_passes_for_zero(wrong: dict[str, Any]) -> None:
    with actors.budget() as scope, pytest.raises(ValueError, match=next(iter(wrong))):
        actors.spend(**wrong)
    assert scope.spent == actors.Spent()


def test_a_limit_that_no_float_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        Budget(money=10**400)
