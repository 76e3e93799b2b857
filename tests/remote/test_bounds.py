"""What one node may have of another is bounded, also where nobody waits for room."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.events import NodeReconnecting
from actors.remote import hosting, inbound
from tests.remote.stage import linked


@actors.message(tag="test.bounds.Wait")
class Wait:
    """A message that is never done."""


@actors.message(tag="test.bounds.Number")
class Number(actors.Request[int]):
    value: int


class Slow(actors.Actor):
    @actors.receive
    async def wait(self, message: Wait) -> None:
        await trio.sleep_forever()

    @actors.receive
    def number(self, message: Number) -> int:
        return message.value


async def joins(ctx: actors.Context, *groups: str) -> None:
    for group in groups:
        ctx.join(group)
    async for _ in ctx.inbox:
        pass


async def test_a_node_that_hands_over_more_than_a_window_is_cut_off(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own nodes hand over fewer."""
    monkeypatch.setattr(hosting, "WINDOW", 3)
    async with linked(spawnable=(Slow,)) as world, world.alpha.subscribe(NodeReconnecting) as seen:
        child = world.alpha.spawn(Slow, name="slow", on="beta")
        for _ in range(6):
            child.tell(Wait())
        event = await anext(seen)
        assert isinstance(event, NodeReconnecting)
        assert "no-credit: more than 3 messages for one child" in event.reason


async def test_a_node_has_only_so_many_members_in_our_groups(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbound, "_MEMBERS", 2)
    async with linked() as world, world.beta.subscribe(NodeReconnecting) as seen:
        world.beta.spawn(joins, "a", "b", "c")
        event = await anext(seen)
        assert isinstance(event, NodeReconnecting)
        assert "more than 2 members" in event.reason


async def test_a_number_that_json_cannot_carry_names_its_message(autojump_clock: MockClock) -> None:
    async with linked() as world:
        world.beta.spawn(Slow, name="slow")
        with pytest.raises(actors.NotSerializable, match=r"Number cannot be written"):
            await world.peer.ref("/slow").ask(Number(10**5000))
