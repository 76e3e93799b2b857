"""A link that is refused in the middle: the connection ends, and the next one goes on where it ended."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import actors
from actors import LinkState
from actors.events import ConnectionRefused, NodeDown, NodeEvent, NodeReconnecting, NodeUp
from actors.remote.handshake import Reason, Refusal
from tests.remote.stage import World, linked


@actors.message(tag="test.refused_midway.Note")
class Note:
    number: int


@actors.message(tag="test.refused_midway.Notes")
class Notes(actors.Request[list[int]]):
    pass


class Writer(actors.Actor):
    def __init__(self) -> None:
        self.notes: list[int] = []

    @actors.receive
    def note(self, message: Note) -> None:
        self.notes.append(message.number)

    @actors.receive
    def read(self, message: Notes) -> list[int]:
        return self.notes


def association(system: actors.System, name: str) -> Any:
    return system._node.living(name)  # pyright: ignore[reportPrivateUsage]


async def cut(world: World, at: str, reason: Reason) -> None:
    """This end parts with the connection, and says why."""
    system, other = (world.alpha, "beta") if at == "alpha" else (world.beta, "alpha")
    association(system, other).conversation.cut(Refusal(reason, "for a test"))


@pytest.mark.parametrize("at", ["alpha", "beta"])
@pytest.mark.parametrize("reason", [Reason.SILENT, Reason.BAD_NUMBERS, Reason.BAD_FRAME, Reason.NO_CREDIT])
async def test_both_ends_go_on_with_the_next_connection(
    at: str, reason: Reason, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with linked() as world, world.alpha.subscribe(NodeEvent) as events:
        world.beta.spawn(Writer, name="writer")
        writer = world.peer.ref("/writer")
        for number in range(50):
            writer.tell(Note(number))
            if number % 10 == 5:
                await cut(world, at, reason)
                writer.tell(Note(-number))
                await trio.sleep(3)
        assert world.peer.state is LinkState.UP
        sent = [one for number in range(50) for one in ([number, -number] if number % 10 == 5 else [number])]
        assert await writer.ask(Notes(), timeout=5) == sent
        seen = [type(await anext(events)) for _ in range(10)]
        assert seen == [NodeReconnecting, NodeUp] * 5
        assert sum("for a test" in one.getMessage() for one in caplog.records) >= 10  # at both ends


async def test_the_end_that_refused_reports_it(autojump_clock: trio.testing.MockClock) -> None:
    async with linked() as world, world.beta.subscribe(ConnectionRefused) as events:
        await cut(world, "beta", Reason.BAD_FRAME)
        event = await anext(events)
        assert isinstance(event, ConnectionRefused)
        assert (event.reason, event.text) == ("bad-frame", "for a test")


async def test_a_node_that_has_given_the_link_up_says_so_and_both_are_down(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with linked() as world, world.alpha.subscribe(NodeDown) as events:
        association(world.beta, "alpha").give_up("it was enough")
        event = await anext(events)
        assert isinstance(event, NodeDown)
        assert "it was enough" in event.reason
        await world.connected()  # whoever has dialled dials again, and that is a new session
        assert world.peer.state is LinkState.UP
