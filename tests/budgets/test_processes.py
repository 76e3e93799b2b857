"""Programs with a budget: what they say that they have spent ends them, and they go on where they were."""

from __future__ import annotations

import pytest
import trio

import actors
from actors import ActorState, Budget, BudgetSpent, Policy
from actors.events import Parked, Progressed
from actors.process import Call
from tests.budgets.cast import spent_by
from tests.process.lines.scripted import ask, begin, child, progress


def use(tokens: int, *, answered: bool = False) -> Call:
    """Say that so many are gone. Without an answer it is in hand when that is too much."""
    answer = '"id": ID, "reply": "done", ' if answered else ""
    return Call(["say", [f'{{{answer}"usage": {{"tokens": {tokens}}}}}']])


@pytest.mark.row(86)
async def test_a_child_that_spends_too_much_is_held_with_its_mailbox() -> None:
    """Who asked hears of it, also of what was beside; nothing is restarted."""
    policy = Policy(restart="permanent", budget=Budget(tokens=10))
    async with actors.open_system("alpha") as system, system.subscribe(Parked) as events:
        ref = await system.start(child(in_flight=3, confirm=True), name="model", policy=policy)
        assert await ref.ask(use(10, answered=True)) == "done"
        [beside] = await begin(system, ref, ["hold", None])
        over = ref.request(use(1))
        with trio.fail_after(20):
            await anext(events)
        for pending in (over, beside):
            with pytest.raises(BudgetSpent, match="11 of 10 tokens"):
                await pending.wait()
        with pytest.raises(BudgetSpent):
            await ask(ref, "echo")
        assert ref.state is ActorState.SUSPENDED
        assert spent_by(system, ref) == 11
        system.top_up(ref, tokens=100)
        assert await ask(ref, "echo", "again") == "again"
        assert (ref.statistics().restarts, ref.statistics().failed) == (1, 0)


async def test_what_was_told_is_the_first_again() -> None:
    """It is said to the next child, before all that waits."""
    policy = Policy(budget=Budget(tokens=10))
    async with actors.open_system("alpha") as system, system.subscribe(Progressed) as events:
        ref = await system.start(child(confirm=True, in_flight=2), name="model", policy=policy)
        ref.tell(Call(["hold", None]))
        await progress(events)
        with pytest.raises(BudgetSpent):
            await ref.ask(use(11))
        assert ref.statistics().depth["system"] == 1
        system.top_up(ref, tokens=100)
        await progress(events)
        assert ref.statistics().depth["system"] == 0
        ref.kill()


async def test_an_idle_child_ends_and_its_next_message_starts_it_again() -> None:
    async with actors.open_system("alpha") as system, system.subscribe(Parked) as events:
        ref = await system.start(child(), name="model", policy=Policy(budget=Budget(idle=0.05)))
        with trio.fail_after(20):
            await anext(events)
        assert await ask(ref, "echo", "back") == "back"
