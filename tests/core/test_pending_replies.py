"""`ctx.pending` and `ctx.replies`: an actor's own open requests."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from tests.core.cast import AT_ONCE, Die, Echo, Sleep, Worker, settled


async def values(taken: list[actors.Pending[Any]]) -> list[Any]:
    """What the requests came out with."""
    return [await pending.wait() for pending in taken]


@pytest.mark.row(74)
async def test_replies_drains_now_or_waits_for_the_first(autojump_clock: MockClock) -> None:
    """0 takes what is there; more waits for the first and drains; [] on expiry; only replies to me."""
    steps: list[Any] = []

    async def coordinator(ctx: actors.Context, children: list[actors.Ref]) -> None:
        for child, seconds in zip(children, (1.0, 3.0, 3.0), strict=True):
            child.request(Sleep(seconds))

        async def note(label: str, timeout: float) -> None:
            taken = await values(await ctx.replies(timeout))
            steps.append((label, taken, len(ctx.pending), trio.current_time()))

        await note("drain now", 0.0)
        await note("first", 10.0)
        await note("expires", 1.0)
        await note("both", 10.0)
        await note("none open", 10.0)

    async with actors.open_system("alpha") as system:
        children = [system.spawn(Worker) for _ in range(3)]
        outside = children[0].request(Echo("not its own"))
        ref = system.spawn(coordinator, children)
        exit = await ref.wait_stopped()
        assert exit.error is None
        assert await outside.wait() == "not its own"
    assert steps == [
        ("drain now", [], 3, pytest.approx(0.0)),
        ("first", ["slept"], 2, pytest.approx(1.0)),
        ("expires", [], 2, pytest.approx(2.0)),
        ("both", ["slept", "slept"], 0, pytest.approx(3.0)),
        ("none open", [], 0, pytest.approx(3.0)),
    ]


@pytest.mark.row(74)
async def test_replies_to_the_actor_itself_are_no_replies_of_its_own(autojump_clock: MockClock) -> None:
    """With a request of its own parent in hand, a supervisor takes the replies of its children only."""
    taken: list[Any] = []

    class Boss(actors.Supervisor):
        @actors.receive
        async def echo(self, message: Echo) -> str:
            for _ in range(3):
                self.spawn(Worker).request(Echo("child"))
            await settled()
            taken.extend(await values(await self.ctx.replies()))
            return "boss"

    async with actors.open_system("alpha") as system:
        assert await system.spawn(Boss).ask(Echo("parent")) == "boss"
    assert taken == ["child"] * 3


async def test_waiting_for_a_reply_takes_it_off_the_list(autojump_clock: MockClock) -> None:
    async def asker(ctx: actors.Context, worker: actors.Ref) -> Any:
        first, second = worker.request(Echo("1")), worker.request(Sleep(9))
        third = worker.request(Echo("3"))
        assert ctx.pending == (first, second, third)
        assert await first.wait() == "1"
        assert ctx.pending == (second, third)
        second.cancel()
        assert ctx.pending == (third,)
        return [pending.id for pending in ctx.pending] == [third.id]

    async with actors.open_system("alpha") as system:
        exit = await system.spawn(asker, system.spawn(Worker)).wait_stopped()
        assert (exit.error, exit.value) == (None, True)


async def test_an_ask_is_not_pending(autojump_clock: MockClock) -> None:
    """`ctx.pending` has what was asked without waiting."""

    async def asker(ctx: actors.Context, worker: actors.Ref) -> Any:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.ask, Sleep(2))
            await settled()
            return ctx.pending

    async with actors.open_system("alpha") as system:
        exit = await system.spawn(asker, system.spawn(Worker)).wait_stopped()
        assert exit.value == ()


async def test_open_requests_end_with_the_incarnation_that_made_them(autojump_clock: MockClock) -> None:
    made: list[actors.Pending[Any]] = []
    later: list[tuple[Any, ...]] = []

    class Asker(Worker):
        def __init__(self, worker: actors.Ref) -> None:
            super().__init__()
            self.worker = worker

        async def on_start(self) -> None:
            later.append(self.ctx.pending)
            made.append(self.worker.request(Sleep(60)))

    async with actors.open_system("alpha") as system:
        worker = system.spawn(Worker)
        asker = await system.start(Asker, worker, name="asker", policy=AT_ONCE)
        asker.tell(Die())
        await settled()
        await asker.wait_started()
        assert later == [(), ()]
        assert [pending.done for pending in made] == [True, False]
        worker.kill()


@pytest.mark.parametrize("timeout", [-1.0, float("nan")])
async def test_replies_refuses_what_is_no_time(autojump_clock: MockClock, timeout: float) -> None:
    async def asker(ctx: actors.Context) -> None:
        await ctx.replies(timeout)

    async with actors.open_system("alpha") as system:
        exit = await system.spawn(asker).wait_stopped()
        assert exit.reason.startswith("ValueError: timeout must be")
