"""Programs with a budget: what they say that they have spent ends them, and they go on where they were."""

from __future__ import annotations

import pytest
import trio

import actors
from actors import ActorState, Budget, BudgetSpent, Policy
from actors.events import Parked, Started
from actors.process import Call
from tests.budgets.cast import spent_by
from tests.process.lines.scripted import ask, begin, child


SECOND = {"id": 2, "request": ["line", None], "timeout": pytest.approx(20, abs=5)}


def use(tokens: int, *more: str) -> Call:
    """Say that so many are gone, and answer."""
    return Call(["say", [f'{{"usage": {{"tokens": {tokens}}}}}', *more, '{"id": ID, "reply": "done"}']])


@pytest.mark.row(86)
async def test_a_child_that_spends_too_much_is_held_with_its_mailbox() -> None:
    """Who asked hears of it, also of what was beside; what was told is first again; nothing is restarted."""
    policy = Policy(restart="permanent", budget=Budget(tokens=10))
    async with actors.open_system("alpha") as system, system.subscribe(Parked) as events:
        ref = await system.start(child(in_flight=3, confirm=True), name="model", policy=policy)
        assert await ref.ask(use(10)) == "done"
        [beside] = await begin(system, ref, ["hold", None])
        ref.tell(Call(["say", ['{"usage": {"tokens": 0}}', '{"id": ID, "reply": null}']]))
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


async def test_one_that_is_told_the_message_again_does_it_once() -> None:
    policy = Policy(budget=Budget(tokens=10))
    async with actors.open_system("alpha") as system, system.subscribe(Parked) as events:
        ref = await system.start(child(confirm=True), name="model", policy=policy)
        ref.tell(use(11))
        with trio.fail_after(20):
            await anext(events)
        system.top_up(ref, tokens=100)
        assert await ask(ref, "line") == SECOND
        assert spent_by(system, ref) == 22


async def test_an_idle_child_ends_and_its_next_message_starts_it_again() -> None:
    async with actors.open_system("alpha") as system, system.subscribe(Parked, Started) as events:
        ref = await system.start(child(), name="model", policy=Policy(budget=Budget(idle=0.05)))
        with trio.fail_after(20):
            while not isinstance(await anext(events), Parked):
                pass
        assert await ask(ref, "echo", "back") == "back"
