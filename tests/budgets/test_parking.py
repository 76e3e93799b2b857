"""An actor whose budget is spent is parked: nothing of it is lost, and it goes on when it is topped up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import ActorState, Budget, BudgetSpent, ExitKind, Policy
from actors.events import DeadLetter, DeadLetterReason, Parked, Restarting
from tests.budgets.cast import Agent, Burn, Count, Note, Use, burner, spent_by

TOKENS = Policy(budget=Budget(tokens=1000))


@pytest.mark.row(86)
async def test_an_actor_that_passes_its_limit_of_tokens_is_parked(autojump_clock: MockClock) -> None:
    """Its object, its children and its mailbox stay, nobody restarts it, and told messages wait."""
    async with actors.open_system("alpha") as system, system.subscribe(Parked, Restarting) as events:
        agent = await system.start(Agent, name="agent", policy=TOKENS)
        with pytest.raises(BudgetSpent, match="1200 of 1000 tokens") as caught:
            await agent.ask(Burn(1200))
        assert (caught.value.resource, caught.value.spent, caught.value.limit) == ("tokens", 1200, 1000)
        assert caught.value.scope is agent
        assert agent.state is ActorState.SUSPENDED
        agent.tell(Note("later"))
        with pytest.raises(BudgetSpent):
            await agent.ask(Count())
        parked = await anext(events)
        assert isinstance(parked, Parked)
        assert parked.ref is agent
        assert parked.exit.kind is ExitKind.BUDGET
        state = system.budget("/agent")
        assert state is not None
        assert state.parked is parked.exit
        assert (state.spent.tokens, state.left.tokens, state.limits.tokens) == (1200, 0, 1000)
        system.top_up("/agent", tokens=1000)
        assert await agent.ask(Count()) == ["later"]
        assert agent.statistics().restarts == 0


@pytest.mark.row(86)
async def test_the_told_message_in_hand_is_the_first_again(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        agent = await system.start(Agent, name="agent", policy=TOKENS)
        agent.tell(Burn(1001))
        agent.tell(Note("second"))
        await wait_all_tasks_blocked()
        assert agent.state is ActorState.SUSPENDED
        assert agent.statistics().depth == {"system": 1, "urgent": 0, "normal": 1}
        system.top_up(agent, tokens=5000)
        assert await agent.ask(Count()) == ["burnt 1001", "second"]
        assert spent_by(system, agent) == 2002


@pytest.mark.row(86)
@pytest.mark.parametrize(
    ("limits", "spends"),
    [
        (Budget(tokens=10), Use(tokens=11)),
        (Budget(money=0.3), Use(money=0.31)),
        (Budget(tool_calls=2), Use(tool_calls=3)),
        (Budget(spawns=2), Use(spawns=3)),
    ],
)
async def test_each_limit_parks_with_its_name(autojump_clock: MockClock, limits: Budget, spends: Use) -> None:
    async with actors.open_system("alpha") as system:
        agent = await system.start(Agent, name="agent", policy=Policy(restart="permanent", budget=limits))
        with pytest.raises(BudgetSpent) as caught:
            await agent.ask(spends)
        state = system.budget(agent)
        assert state is not None
        assert state.parked is not None
        assert state.parked.kind is ExitKind.BUDGET
        assert getattr(limits, caught.value.resource) is not None
        assert agent.state is ActorState.SUSPENDED
        assert agent.statistics().restarts == 0


@pytest.mark.row(86)
async def test_a_function_is_held_and_starts_again_when_it_is_topped_up(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        ref = system.spawn(
            burner, 600, name="burner", policy=Policy(restart="permanent", budget=Budget(tokens=1000))
        )
        ref.tell(1)
        ref.tell(2)
        await trio.sleep(100)
        assert ref.state is ActorState.SUSPENDED
        assert spent_by(system, ref) == 1200
        assert ref.statistics().restarts == 0
        assert ref.statistics().depth["system"] == 1
        with pytest.raises(BudgetSpent):
            await ref.ask(Count())
        system.top_up(ref, tokens=1000)
        await trio.sleep(1)
        assert ref.state is ActorState.IDLE
        assert spent_by(system, ref) == 1800
        assert ref.statistics().restarts == 1


async def test_an_adhoc_actor_is_gone_with_it(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system, system.subscribe(DeadLetter) as events:
        agent = await system.start(Agent, policy=TOKENS)
        agent.tell(Burn(1001))
        exit = await agent.wait_stopped()
        assert exit.kind is ExitKind.BUDGET
        assert isinstance(exit.error, BudgetSpent)
        letter = await anext(events)
        assert isinstance(letter, DeadLetter)
        assert letter.reason is DeadLetterReason.BUDGET


async def test_a_block_that_is_spent_ends_the_message_and_not_the_actor(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        agent = await system.start(Agent, name="agent", policy=TOKENS)
        with pytest.raises(BudgetSpent, match="a block in /agent") as caught:
            await agent.ask(Burn(50, within=20))
        assert caught.value.scope is not agent
        assert agent.state is ActorState.IDLE
        assert spent_by(system, agent) == 50
        agent.tell(Burn(50, within=20))
        await wait_all_tasks_blocked()
        assert system.dead_letters[-1].reason is DeadLetterReason.BUDGET
        assert await agent.ask(Count()) == []


@pytest.mark.parametrize("end", ["stop", "drain", "kill"])
@pytest.mark.parametrize("what", ["class", "function"])
async def test_a_parked_actor_is_ended_at_once(autojump_clock: MockClock, end: str, what: str) -> None:
    async with actors.open_system("alpha") as system:
        if what == "class":
            ref = await system.start(Agent, name="agent", policy=TOKENS)
            ref.tell(Burn(2000))
        else:
            ref = await system.start(burner, 2000, name="agent", policy=TOKENS)
            ref.tell(1)
        await wait_all_tasks_blocked()
        assert ref.state is ActorState.SUSPENDED
        getattr(ref, end)()
        with trio.fail_after(0.5):
            exit = await ref.wait_stopped()
        assert exit.kind is (ExitKind.KILLED if end == "kill" else ExitKind.SHUTDOWN)


async def test_the_system_closes_with_parked_ones(autojump_clock: MockClock) -> None:
    with trio.fail_after(1):
        async with actors.open_system("alpha") as system:
            agent = await system.start(Agent, name="agent", policy=TOKENS)
            held = await system.start(burner, 2000, name="held", policy=TOKENS)
            agent.tell(Burn(2000))
            held.tell(1)
            await wait_all_tasks_blocked()
            assert {agent.state, held.state} == {ActorState.SUSPENDED}


class Plain(actors.Actor):
    """Its code is all plain: it has no task."""

    @actors.receive
    def burn(self, message: Burn) -> int:
        actors.spend(tokens=message.tokens)
        return message.tokens


async def test_an_actor_without_a_task_is_parked_as_any_other(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        ref = await system.start(Plain, name="plain", policy=TOKENS)
        ref.tell(Burn(600))
        ref.tell(Burn(600))
        with pytest.raises(BudgetSpent):
            await ref.ask(Burn(1))
        await wait_all_tasks_blocked()
        assert ref.state is ActorState.SUSPENDED
        with pytest.raises(BudgetSpent):
            await ref.ask(Burn(1))
        assert ref.statistics().depth["system"] == 1
        system.top_up(ref, tokens=2000)
        assert await ref.ask(Burn(1)) == 1
        assert spent_by(system, ref) == 600 + 600 + 600 + 1


@actors.message
class Complete(actors.StreamRequest[str]):
    pass


class Streamer(actors.Actor):
    @actors.receive
    async def complete(self, message: Complete) -> AsyncIterator[str]:
        with actors.budget(tokens=5000):
            for word in ("a", "b", "c"):
                actors.spend(tokens=400)
                yield word


async def test_a_stream_ends_with_the_error_behind_its_chunks(autojump_clock: MockClock) -> None:
    async with actors.open_system("alpha") as system:
        ref = await system.start(Streamer, name="streamer", policy=TOKENS)
        stream = ref.stream(Complete())
        assert [await anext(stream), await anext(stream)] == ["a", "b"]
        with pytest.raises(BudgetSpent, match="1200 of 1000"):
            await anext(stream)
        assert ref.state is ActorState.SUSPENDED
        system.top_up(ref, tokens=5000)
        assert await ref.ask(Complete()) == ("a", "b", "c")
