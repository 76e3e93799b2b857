"""A child that is spoken to in lines, as what a function on another node is: its supervisor is here."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

import actors
from actors.events import DeadLetterReason, Progressed
from actors.process import Call, Completed
from tests.process.lines.scripted import QUICK, ask, child, progress


@actors.function(readiness=True)
async def polite(ctx: actors.Context) -> Completed:
    """One at a time."""
    return await child("polite").__actor_recipe__().call(ctx)


@actors.function(readiness=True)
async def busy(ctx: actors.Context) -> Completed:
    """Several at once."""
    return await child("polite", in_flight=3, confirm=True).__actor_recipe__().call(ctx)


@asynccontextmanager
async def elsewhere(
    what: Any, policy: actors.Policy
) -> AsyncGenerator[tuple[actors.System, actors.System, actors.Ref]]:
    """alpha, which supervises it; beta, where it runs; and its ref."""
    async with (
        actors.open_system("beta", spawnable=[polite, busy, Models]) as beta,
        actors.open_system("alpha") as alpha,
    ):
        listener = await beta.listen("127.0.0.1", 0)
        await alpha.connect(listener.url)
        with trio.fail_after(20):
            ref = await alpha.start(what, name="model", on="beta", policy=policy)
        yield alpha, beta, ref


async def begin(beta: actors.System, ref: actors.Ref, count: int) -> list[actors.Pending[Any]]:
    """So many requests, each of which the child has in hand."""
    async with beta.subscribe(Progressed) as events:
        held = [ref.request(Call(["hold", number])) for number in range(count)]
        for _ in held:
            await progress(events)
    return held


@pytest.mark.parametrize("count", [1, 2])
async def test_all_in_hand_at_a_crash_have_failed_and_none_is_asked_again(count: int) -> None:
    """At most once, without `retries`, also those behind the oldest; what had not begun goes to the next."""
    async with elsewhere(busy, QUICK) as (alpha, beta, ref):
        held = await begin(beta, ref, count)
        ref.tell(Call(["exit", 7]))
        waits = [ref.request(Call(["echo", number])) for number in range(5)]
        with trio.fail_after(20):
            for one in held:
                with pytest.raises(actors.ActorFailed):
                    await one.wait()
            assert [await one.wait() for one in waits[3 - count :]] == list(range(5))[3 - count :]
            assert await ask(ref, "release") == "done"  # it holds nothing
        assert [letter.reason for letter in alpha.dead_letters] == [DeadLetterReason.CRASHED]
        assert ref.statistics().restarts == 1


async def test_retries_are_counted_for_each_and_made_alone() -> None:
    """One that ends the child takes no other down with it twice, and is tried as often as the policy says."""
    policy = actors.Policy(retries=2, backoff=actors.Backoff.immediate(), breaker=None)
    async with elsewhere(busy, policy) as (_, beta, ref):
        async with beta.subscribe(Progressed) as events:
            poison = ref.request(Call(["die", 0.1]))
            await progress(events)
        good = [ref.request(Call(["echo", number])) for number in range(4)]
        with trio.fail_after(20):
            with pytest.raises(actors.ActorFailed):
                await poison.wait()
            assert [await one.wait() for one in good] == [0, 1, 2, 3]
        assert ref.statistics().restarts == 3


@pytest.mark.parametrize("what", [polite, busy])
@pytest.mark.parametrize("streamed", [False, True])
async def test_an_asker_that_leaves_is_told_to_the_child(what: Any, streamed: bool) -> None:
    """Over the link, though the child has it in hand; then it takes the next one."""
    async with elsewhere(what, QUICK) as (_, beta, ref):
        async with beta.subscribe(Progressed) as events:
            for _ in range(3 if what is busy else 1):
                with trio.CancelScope() as scope:
                    if streamed:
                        async with ref.stream(Call(["hold", None])):
                            await progress(events)
                    else:
                        async with trio.open_nursery() as nursery:
                            nursery.start_soon(ref.ask, Call(["hold", None]))
                            await progress(events)
                            scope.cancel()
        assert await ask(ref, "echo", 1) == 1


@actors.message(tag="tests.lines.GetModel")
class GetModel(actors.Request[actors.Ref]):
    pass


class Models(actors.Supervisor):
    async def on_start(self) -> None:
        self.model = await self.start(child(), name="model")

    @actors.receive
    def get(self, _: GetModel) -> actors.Ref:
        return self.model


async def test_a_supervisor_starts_it_elsewhere() -> None:
    """The node names that, and no command lines of others: those are refused with the cure."""
    async with elsewhere(Models, QUICK) as (alpha, _, ref):
        assert await ask(await ref.ask(GetModel()), "echo", 1) == 1
        why = "name a class or a function, as a Supervisor class whose on_start spawns the Lines there"
        for what in (child(), actors.Template(child())):
            with pytest.raises(actors.NotSerializable, match=why):
                alpha.spawn(what, on="beta")


async def test_an_interrupt_is_confirmed_from_there() -> None:
    """Of all that are in hand."""
    async with elsewhere(busy, QUICK) as (_, beta, ref):
        held = await begin(beta, ref, 2)
        assert await ref.interrupt() is True
        for one in held:
            with pytest.raises(actors.Interrupted):
                await one.wait()
        assert await ask(ref, "echo", 1) == 1
