"""Three nodes with one store and everything that may happen to them: all is handled, each effect once."""

from __future__ import annotations

from contextlib import AsyncExitStack
from random import Random
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

import actors
from actors import TicketState
from tests.delivery.post_cast import AT_ONCE
from tests.delivery.test_registry import COURIER, Stage, node

NODES = ("one", "two", "three")


@actors.message(tag="model.Mark")
class Mark(actors.Request[int]):
    n: int


@actors.message(tag="model.Marks")
class Marks:
    seen: tuple[int, ...]


class Clerk(actors.Actor):
    """Saves the numbers it has handled, one behind the other."""

    def __init__(self) -> None:
        self.seen: tuple[int, ...] = ()

    async def on_restore(self, state: Marks) -> None:
        self.seen = state.seen

    @actors.receive
    async def mark(self, message: Mark) -> int:
        before = self.seen
        await trio.sleep(0.02)
        if message.n % 17 == 0 and Random(trio.current_time()).random() < 0.5:
            raise RuntimeError("now and then")
        self.seen = (*before, message.n)
        await self.ctx.save(Marks(self.seen))
        return message.n


@attrs.define
class Model:
    stage: Stage
    random: Random
    stack: AsyncExitStack
    systems: dict[str, actors.System] = attrs.field(factory=dict[str, actors.System])
    count: int = 0

    async def begin(self) -> None:
        for name in NODES:
            self.systems[name] = await self.stack.enter_async_context(node(name, self.stage))
            self.spawn(name)

    def spawn(self, name: str) -> None:
        if self.systems[name].find("/clerk") is None:
            self.systems[name].spawn(Clerk, name="clerk", policy=AT_ONCE)

    def step(self) -> None:
        name = self.random.choice(NODES)
        system = self.systems[name]
        clerk, courier = system.find("/clerk"), system.find(COURIER)
        match self.random.choice(("stop", "spawn", "spawn", "kill", "courier", "still", "go", "go")):
            case "stop" if clerk is not None:
                clerk.stop()
            case "spawn":
                self.spawn(name)
            case "kill" if clerk is not None:
                clerk.kill()
            case "courier" if courier is not None and name not in self.stage.still:
                courier.kill()
            case "still" if len(self.stage.still) < 2:
                self.stage.stop(name)
            case "go":
                self.stage.go_on(name)
            case _:
                pass

    async def post(self, tickets: list[Any]) -> None:
        for _ in range(40):
            await trio.sleep(self.random.uniform(0.0, 0.4))
            name = self.random.choice(NODES)
            if name not in self.stage.still:
                self.count += 1
                n = self.count
                with trio.move_on_after(3.0) as scope:
                    tickets.append(
                        await self.systems[name].post("/clerk", Mark(n), key=str(n), max_attempts=100)
                    )
                if scope.cancelled_caught:  # it may be there all the same
                    other = next(one for one in NODES if one not in self.stage.still)
                    tickets.append(
                        await self.systems[other].post("/clerk", Mark(n), key=str(n), max_attempts=100)
                    )


@pytest.mark.parametrize("seconds", [0.0, 0.03])
@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_to_the_nodes_each_message_has_one_effect(
    seed: int, seconds: float, autojump_clock: MockClock
) -> None:
    stage = Stage(seconds)
    async with AsyncExitStack() as stack:
        model = Model(stage, Random(seed), stack)
        await model.begin()
        tickets: list[Any] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(model.post, tickets)
            for _ in range(60):
                await trio.sleep(model.random.choice((0.0, 0.01, 0.1, 0.5)))
                model.step()
        for name in NODES:
            stage.go_on(name)
        await trio.sleep(3.0)
        for name in NODES:
            model.spawn(name)
        await trio.sleep(60.0)
        left = [ticket for ticket in tickets if ticket.entry.state is not TicketState.RESPONDED]
        assert left == [], (left, [stage.inner.shelf.entries[one.id] for one in left])
        assert stage.inner.shelf.live() == {}
        assert sorted(stage.inner.shelf.states["/clerk"].seen) == list(range(1, model.count + 1))
        owner = stage.inner.claims["/clerk"].lease.node
        assert owner in NODES
