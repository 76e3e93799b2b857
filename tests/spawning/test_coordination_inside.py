"""The calls for many actors, made by an actor: its children excuse its silence, itself it cannot wait for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState, Ref
from tests.timeouts.cast import Doer, Step, do, doing, quiet

LONG = 100.0


class Lead(Doer):
    """With three children, who do what they are asked; `what` is done with the lead itself."""

    async def on_start(self) -> None:
        self.crew = [await self.start(Doer, name=name) for name in "abc"]


def leading(what: Callable[[Lead], Awaitable[Any]]) -> Step:
    """A step of a lead."""

    async def step(ctx: actors.Context) -> None:
        await what(ctx.cell.actor)

    return step


ASKS: dict[str, Callable[[list[Ref], Any], Awaitable[Any]]] = {
    "sequential": lambda refs, request: actors.sequential(refs, request),
    "parallel": lambda refs, request: actors.parallel(refs, request),
    "parallel with a limit": lambda refs, request: actors.parallel(refs, request, limit=1),
    "consensus": lambda refs, request: actors.consensus(refs, request, quorum=3),
}
asks = pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)


@asks
async def test_an_actor_that_waits_for_its_children_is_not_silent(
    autojump_clock: MockClock, ask: Callable[..., Awaitable[Any]]
) -> None:
    """Each works a hundred silent seconds, where the lead may be silent for ten."""
    async with actors.open_system("s") as system:
        lead = await system.start(Lead, name="lead", policy=quiet(10.0))
        pending = lead.request(do(leading(lambda self: ask(self.crew, do(LONG)))))
        await trio.sleep(LONG / 2)
        assert lead.waiting_for is not None
        assert lead.waiting_for.startswith("/lead/")
        assert await pending.wait() >= LONG
        assert lead.waiting_for is None


@asks
async def test_an_actor_that_waits_for_others_is_silent(
    autojump_clock: MockClock, ask: Callable[..., Awaitable[Any]]
) -> None:
    """What is not its own child is no excuse."""
    async with actors.open_system("s") as system:
        lead = await system.start(Lead, name="lead", policy=quiet(10.0))
        others = [await system.start(Doer) for _ in range(3)]
        with pytest.raises(actors.ActorFailed) as caught:
            await lead.ask(do(leading(lambda self: ask(others, do(LONG)))))
        assert isinstance(caught.value.error, actors.Stalled)
        assert trio.current_time() == 10.0


async def test_silence_counts_from_the_answer_of_the_last_own_child(autojump_clock: MockClock) -> None:
    """Children and others at once: thirty seconds with a child, then ten with another alone."""
    async with actors.open_system("s") as system:
        lead = await system.start(Lead, name="lead", policy=quiet(10.0))
        other = await system.start(Doer)

        def request(ref: Ref, so_far: Any) -> Any:
            return do(30.0 if ref.name == "a" else LONG)

        async def ask(self: Lead) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(actors.sequential, [other], request)
                nursery.start_soon(actors.sequential, [self.crew[0]], request)

        with pytest.raises(actors.ActorFailed):
            await lead.ask(do(leading(ask)))
        assert trio.current_time() == 40.0


@pytest.mark.row(79)
async def test_an_actor_that_stops_its_children_is_not_silent(autojump_clock: MockClock) -> None:
    """Also where it waits for another at the same time."""
    unhurried = actors.Policy(shutdown=LONG)
    async with actors.open_system("s") as system:
        other = system.spawn(doing, LONG, policy=unhurried)
        lead = await system.start(Lead, name="lead", policy=quiet(10.0))

        async def stop(self: Lead) -> None:
            own = [self.spawn(doing, LONG, policy=unhurried) for _ in range(3)]
            await trio.sleep(1)
            exits = await actors.stop_all([other, *own])
            assert len(exits) == 4

        assert await lead.ask(do(leading(stop))) == LONG


@asks
async def test_an_interrupt_withdraws_what_is_open(
    autojump_clock: MockClock, ask: Callable[..., Awaitable[Any]]
) -> None:
    async with actors.open_system("s") as system:
        lead = await system.start(Lead, name="lead")
        children = system.children(lead)
        before = [child.request(do(5.0)) for child in children]
        pending = lead.request(do(leading(lambda self: ask(self.crew, do(LONG)))))
        await trio.sleep(1)
        assert await lead.interrupt()
        with pytest.raises(actors.Interrupted):
            await pending.wait()
        for one in before:
            await one.wait()
        assert [await child.ask(do()) for child in children] == [5.0] * 3
        assert lead.state is ActorState.IDLE


async def test_an_actor_that_asks_itself_among_others_has_that_as_an_outcome(
    autojump_clock: MockClock,
) -> None:
    """It would wait for ever; the others answer."""
    found: list[Any] = []

    async def ask(self: Lead) -> None:
        for outcomes in (
            await actors.sequential([self.ctx.ref, *self.crew], do()),
            await actors.parallel([self.ctx.ref, *self.crew], do()),
            (await actors.consensus([self.ctx.ref, *self.crew], do())).votes,
        ):
            outcome = outcomes[self.ctx.ref]
            assert [other.ok for ref, other in outcomes.items() if ref in self.crew] == [True] * 3
            found.append((type(outcome.error), outcome.attempts))

    async with actors.open_system("s") as system:
        lead = await system.start(Lead, name="lead")
        await lead.ask(do(leading(ask)))
        assert found == [(actors.Deadlock, 0)] * 3


@pytest.mark.parametrize("whom", ["itself", "its supervisor"])
async def test_an_actor_cannot_wait_for_its_own_end(autojump_clock: MockClock, whom: str) -> None:
    """Said before anybody is stopped."""
    refused: list[str] = []

    async with actors.open_system("s") as system:
        lead = await system.start(Lead, name="lead")
        a, b, _ = system.children(lead)

        async def stop(ctx: actors.Context) -> None:
            with pytest.raises(ValueError, match="leave it out") as caught:
                await actors.stop_all([b, a if whom == "itself" else lead])
            refused.append(str(caught.value))

        await a.ask(do(stop))
        [text] = refused
        assert text.startswith(f"{'/lead/a' if whom == 'itself' else '/lead'} cannot be waited for")
        assert [ref.state for ref in (lead, a, b)] == [ActorState.IDLE] * 3
