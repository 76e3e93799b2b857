"""Whatever happens to the link and to both nodes: what is posted changes the saved state once, in order."""

from __future__ import annotations

import functools
from typing import Literal

import attrs
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from actors import TicketState
from tests.remote.post_stage import AT_ONCE, Cut, hands_of, nodes

What = Literal[
    "cut", "silent", "deaf alpha", "deaf beta", "crash alpha", "crash beta", "stop beta", "crash both"
]
SECONDS = st.sampled_from([0.0, 0.01, 0.2, 1.0, 4.0, 20.0])


@attrs.frozen
class Step:
    """So many messages are posted, some time passes, and something happens, which is mended after a while."""

    posts: int
    work: float
    before: float
    what: What
    after: float


STEPS = st.lists(
    st.builds(
        Step,
        posts=st.integers(0, 3),
        work=st.sampled_from([0.0, 0.3, 3.0]),
        before=SECONDS,
        what=st.sampled_from(What.__args__),
        after=SECONDS,
    ),
    min_size=1,
    max_size=6,
)


@actors.message(tag="test.once.Write")
class Write(actors.Request[int]):
    n: int
    seconds: float


@actors.message(tag="test.once.Book")
class Book:
    lines: tuple[int, ...]


class Writer(actors.Actor):
    """Adds a line for each message that it handles, whether or not it has seen it before."""

    def __init__(self) -> None:
        self.lines: tuple[int, ...] = ()

    async def on_restore(self, state: Book) -> None:
        self.lines = state.lines

    @actors.receive
    async def write(self, message: Write) -> int:
        await trio.sleep(message.seconds)
        self.lines = (*self.lines, message.n)
        await self.ctx.save(Book(self.lines))
        return message.n


async def _happens(world: Cut, step: Step) -> None:
    (cable,) = world.cables_of("alpha")
    if step.what == "cut":
        cable.cut()
    elif step.what == "silent":
        cable.silent()
    elif step.what.startswith("deaf"):
        cable.deaf(step.what.removeprefix("deaf "))
    else:
        how, who = step.what.split()
        gone = ["alpha", "beta"] if who == "both" else [who]
        for name in gone:
            await (world.nodes[name].stop() if how == "stop" else world.nodes[name].crash())
        await trio.sleep(step.after)
        for name in gone:
            await _begin(world, name)
        await world.link("alpha", "beta")
        return
    await trio.sleep(step.after)
    cable.mend()


async def _begin(world: Cut, name: str) -> None:
    await world.again(name)
    if name == "beta":
        world["beta"].spawn(Writer, name="writer", policy=AT_ONCE)


async def live_through(steps: list[Step]) -> None:
    async with nodes("beta", "alpha") as world:
        world["beta"].spawn(Writer, name="writer", policy=AT_ONCE)
        ids: list[str] = []
        for step in steps:
            for _ in range(step.posts):
                message = Write(len(ids), step.work)
                ids.append((await world["alpha"].post("/writer", message, max_attempts=50)).id)
            await trio.sleep(step.before)
            await _happens(world, step)
        for number, ticket_id in enumerate(ids):
            ticket = await world["alpha"].ticket(ticket_id)
            assert await ticket.wait_reply(200) == number
            assert ticket.state is TicketState.RESPONDED
        book = world.nodes["beta"].store.shelf.states.get("/writer", Book(()))
        assert book.lines == tuple(range(len(ids)))
        await trio.sleep(5)
        assert hands_of(world["alpha"]) == hands_of(world["beta"]) == (0, 0)


@given(steps=STEPS)
@example(steps=[Step(3, 3.0, 1.0, "crash alpha", 20.0), Step(1, 0.0, 0.01, "crash both", 0.0)])
@example(steps=[Step(2, 0.3, 0.2, "deaf alpha", 20.0), Step(2, 3.0, 0.2, "stop beta", 1.0)])
@settings(deadline=None, max_examples=60)
def test_each_answered_message_has_changed_the_saved_state_once(steps: list[Step]) -> None:
    trio.run(
        functools.partial(live_through, steps),
        clock=MockClock(autojump_threshold=0),
        strict_exception_groups=True,
    )
