"""People who answer at another host: two processes, over the loopback."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio

import actors
from actors.events import AnswerRefused, NodeReconnecting
from tests.people.stage import asks, happened
from tests.remote.host import PATIENCE, Failed, Host, host
from tests.remote.test_two_processes import Relay, reaches_event, relay


@attrs.frozen
class Held:
    """Two hosts, and the wire between them."""

    alpha: actors.System
    beta: Host
    wire: Relay
    nursery: trio.Nursery
    events: Any

    async def breaks(self) -> None:
        """The connection breaks, and none comes until `wire.takes`."""
        self.wire.takes = False
        await self.wire.cut()
        await reaches_event(self.events, NodeReconnecting)
        await self.beta.saw("NodeReconnecting")


@asynccontextmanager
async def held() -> AsyncGenerator[Held]:
    async with (
        host("beta") as beta,
        relay(beta.url) as wire,
        actors.open_system("alpha") as alpha,
        alpha.subscribe(AnswerRefused, NodeReconnecting) as events,
        trio.open_nursery() as nursery,
    ):
        await alpha.connect(wire.url)
        with trio.fail_after(2 * PATIENCE):
            yield Held(alpha, beta, wire, nursery, events)
        nursery.cancel_scope.cancel()


@pytest.mark.row(114)
async def test_a_person_at_another_host_answers_who_waits_here() -> None:
    async with held() as world:
        alpha, beta = world.alpha, world.beta
        choice = {"kind": "colour", "options": ("red", "blue")}
        asked = await asks(world.nursery, alpha, "which one?", to="ada", **choice)
        await beta.saw("PersonAsked", text="which one?")
        assert await beta.do("shown", to="bob") == []
        with pytest.raises(Failed, match="InvalidAnswer"):
            await beta.do("decide", text="which one?", value="green", by="ada")
        await beta.do("decide", text="which one?", value="blue", by="ada")
        assert (asked.value, asked.by) == ("blue", "ada")
        assert await beta.do("shown") == []


@pytest.mark.row(115)
async def test_a_person_whose_connection_breaks_is_shown_all_when_it_is_back() -> None:
    """What was asked and what was taken back meanwhile, each once; what is for another person never."""
    async with held() as world:
        alpha, beta = world.alpha, world.beta
        before = await asks(world.nursery, alpha, "before?", to="ada")
        taken_back = await asks(world.nursery, alpha, "taken back?", to="ada")
        await beta.saw("PersonAsked", text="taken back?")
        await world.breaks()
        meanwhile = await asks(world.nursery, alpha, "meanwhile?", to="ada")
        await asks(world.nursery, alpha, "secret?", to="bob")
        taken_back.scope.cancel()
        assert sorted(await beta.do("shown", to="ada")) == ["before?", "taken back?"]
        world.wire.takes = True
        await beta.saw("PersonWithdrawn", text="taken back?")
        assert await beta.do("shown", to="ada") == ["before?", "meanwhile?"]
        assert await beta.do("shown", to="bob") == ["secret?"]
        await beta.do("decide", text="before?", value=False, by="ada")
        await beta.do("decide", text="meanwhile?", value=True, by="ada")
        assert (before.value, meanwhile.value) == (False, True)
        told = [fact["text"] for fact in beta.facts if fact["fact"] == "PersonAsked"]
        assert told == ["before?", "taken back?", "meanwhile?", "secret?"]


@pytest.mark.row(114)
async def test_an_answer_from_another_host_that_comes_too_late_is_refused_there_and_here() -> None:
    async with held() as world:
        alpha, beta = world.alpha, world.beta
        asked = await asks(world.nursery, alpha, "first?")
        await beta.saw("PersonAsked", text="first?")
        await world.breaks()
        outcome: list[str] = []

        async def late() -> None:
            with pytest.raises(Failed) as caught:
                await beta.do("decide", text="first?", value=False, by="bob")
            outcome.append(str(caught.value))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(late)
            await beta.saw("deciding", text="first?")
            alpha.desk.answer(alpha.desk.pending()[0].id, True, by="ada")
            world.wire.takes = True
        assert asked.value is True
        assert "AlreadyAnswered: ada has answered" in outcome[0]
        assert [one.by for one in happened(world.events, AnswerRefused)] == ["bob"]
