"""Budgets over links: what is asked elsewhere, and children that run there."""

from __future__ import annotations

import pytest
import trio

from actors import ActorState, Budget, BudgetSpent, ExitKind, Policy
from actors.events import Parked
from tests.budgets.cast import Agent, Boss, Burn, Count, Use, spent_by
from tests.remote.cast import settled, staged

TOKENS = Policy(budget=Budget(tokens=100))


async def test_the_error_says_there_what_it_says_here(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with staged() as world:
        await world.beta.start(Agent, name="agent", policy=TOKENS)
        there = await world.alpha.node("beta").find("/agent")
        assert there is not None
        for _ in range(2):
            with pytest.raises(BudgetSpent) as caught:
                await there.ask(Burn(101))
            error = caught.value
            assert (error.resource, error.limit, error.spent, error.path) == ("tokens", 100, 101, "/agent")
            assert error.scope is None


async def test_a_child_on_another_node_has_the_budget_of_its_policy(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """It is enforced over there, what it spends is entered here too, and it is held here."""
    async with staged(spawnable=(Agent,)) as world, world.alpha.subscribe(Parked) as events:
        agent = await world.alpha.start(Agent, name="agent", policy=TOKENS, on="beta")
        assert await agent.ask(Burn(60)) == 60
        await settled()
        assert spent_by(world.alpha, agent) == 60
        with pytest.raises(BudgetSpent):
            await agent.ask(Burn(50))
        parked = await anext(events)
        assert isinstance(parked, Parked)
        assert (parked.ref, parked.exit.kind) == (agent, ExitKind.BUDGET)
        assert parked.exit.reason == "spent 110 of 100 tokens"
        await settled()
        assert agent.state is ActorState.SUSPENDED
        assert agent.statistics().restarts == 0
        assert spent_by(world.alpha, "/") == 110
        agent.tell(Burn(5))
        world.alpha.top_up(agent, tokens=20)
        await settled()
        assert await agent.ask(Count()) == ["burnt 5"]
        assert spent_by(world.alpha, agent) == 115
        with pytest.raises(BudgetSpent):
            await agent.ask(Burn(6))


async def test_what_a_child_spends_elsewhere_counts_for_those_above_it_here(
    autojump_clock: trio.testing.MockClock,
) -> None:
    class Team(Boss):
        async def on_start(self) -> None:
            for name in self.names:
                self.spawn(Agent, name=name, on="beta")

    async with staged(spawnable=(Agent,)) as world:
        await world.alpha.start(Team, "one", "two", name="team", policy=TOKENS)
        team = world.alpha.find("/team")
        assert team is not None
        one, two = world.alpha.children(team)
        assert await one.ask(Burn(60)) == 60
        two.tell(Burn(60))
        await settled()
        assert (one.state, two.state) == (ActorState.IDLE, ActorState.SUSPENDED)
        assert spent_by(world.alpha, "/team") == 120
        world.alpha.top_up("/team", tokens=100)
        await settled()
        assert two.state is ActorState.IDLE


async def test_a_call_that_is_refused_elsewhere_is_not_entered_here(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with staged(spawnable=(Agent,)) as world:
        policy = Policy(budget=Budget(tool_calls=2))
        agent = await world.alpha.start(Agent, name="agent", policy=policy, on="beta")
        agent.tell(Use(tool_calls=3))
        await settled()
        assert agent.state is ActorState.SUSPENDED
        state = world.alpha.budget(agent)
        assert state is not None
        assert state.spent.tool_calls == 0
        agent.suspend()
        world.alpha.top_up(agent, tool_calls=1)
        await settled()
        assert agent.state is ActorState.SUSPENDED
        agent.resume()
        assert await agent.ask(Count()) == []
        state = world.alpha.budget(agent)
        assert state is not None
        assert state.spent.tool_calls == 3
