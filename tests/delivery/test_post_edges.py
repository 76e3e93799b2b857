"""Edges: two agents that answer each other for ever are stopped; nobody posts to another too often."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import HopLimitReached, Posting, PostRateExceeded, TicketReply
from actors.delivery.edges import Edges
from actors.events import PostRejected
from tests.delivery.post_cast import Desk, Do, Poster, Send, entries, facts, plain, settled
from tests.roads import ROADS

pytestmark = pytest.mark.parametrize("on_road", ROADS, indirect=True)


class Player(actors.Actor):
    """Plays every ball back."""

    def __init__(self, other: str, errors: list[Exception], how: str = "") -> None:
        self.other, self.errors, self.how = other, errors, how

    @actors.receive
    async def do(self, message: Do) -> None:
        if self.how == "early":
            self.ctx.reply(0)
        if self.how == "later":
            self.ctx.reply_later().answer(0)
        try:
            await self.ctx.system.post(self.other, Do(message.n + 1), reply=False)
        except HopLimitReached as error:
            self.errors.append(error)


@pytest.mark.row(98)
@pytest.mark.parametrize("how", ["", "early", "later"])
async def test_a_ping_pong_pair_is_stopped_at_the_limit(autojump_clock: MockClock, how: str) -> None:
    """`Posting(hops=50)`: fifty messages, an error for the player, an event; then it is quiet."""
    errors: list[Exception] = []
    posting = Posting(hops=50)
    async with actors.open_system("s", posting=posting) as system, system.subscribe(PostRejected) as events:
        system.spawn(Player, "/pong", errors, how, name="ping")
        system.spawn(Player, "/ping", errors, how, name="pong")
        await system.post("/ping", Do(0))
        await trio.sleep(3600)
        assert len(await entries(system)) == 50
        (error,) = errors
        assert isinstance(error, HopLimitReached)
        assert (error.sender, error.path, error.hops) == ("/pong", "/ping", 50)
        assert "Posting(hops=...)" in str(error)
        assert [one.error for one in facts(events, PostRejected)] == [error]
        await system.post("/ping", Do(0))  # another chain
        await settled()
        assert len(await entries(system)) == 100


@pytest.mark.row(98)
async def test_a_ping_pong_pair_that_is_stopped_is_brought_before_a_person(autojump_clock: MockClock) -> None:
    """Whoever listens escalates: to a person, and here it is the person who lets the pair end."""

    async def watchman(ctx: actors.Context) -> None:
        async with ctx.system.subscribe(PostRejected) as events:
            ctx.ready()
            async for event in events:
                assert isinstance(event, PostRejected)
                pair = [str(event.sender), event.path]
                if await ctx.system.desk.approval(f"{' and '.join(pair)} loop: stop them?", to="ada"):
                    for path in pair:
                        ref = ctx.system.find(path)
                        if ref is not None:
                            ref.stop()

    errors: list[Exception] = []
    async with actors.open_system("s", posting=Posting(hops=10)) as system:
        await system.start(actors.function(readiness=True)(watchman), name="watchman")
        pair = [system.spawn(Player, f"/{to}", errors, name=name) for name, to in ("ab", "ba")]
        await system.post("/a", Do(0))
        await settled()
        (asked,) = system.desk.pending(to="ada")
        assert asked.text == "/b and /a loop: stop them?"
        assert len(errors) == 1
        assert {ref.state for ref in pair} == {actors.ActorState.IDLE}
        system.desk.answer(asked.id, True, by="ada")
        await settled()
        assert {ref.state for ref in pair} == {actors.ActorState.STOPPED}


@pytest.mark.row(98)
async def test_agents_that_answer_each_reply_with_a_message_are_stopped(autojump_clock: MockClock) -> None:
    """The reply is a link of the chain too."""
    refused: list[Exception] = []

    class Chatty(Poster):
        @actors.receive
        async def replied(self, message: TicketReply) -> None:
            try:
                await self.ctx.system.post("/desk", Do(1))
            except HopLimitReached as error:
                refused.append(error)

    async with actors.open_system("s", posting=Posting(hops=20)) as system:
        poster = system.spawn(Chatty, [], name="chatty")
        system.spawn(Desk, name="desk")
        await poster.ask(Send("/desk", Do(1)))
        await trio.sleep(3600)
        assert len(refused) == 1
        assert len(await entries(system)) == 20


async def test_without_a_limit_a_chain_goes_on(autojump_clock: MockClock) -> None:
    """`hops=None`: nobody stops it but the players."""
    errors: list[Exception] = []

    class Tired(Player):
        @actors.receive
        async def do(self, message: Do) -> None:
            if message.n < 300:
                await self.ctx.system.post(self.other, Do(message.n + 1), reply=False)

    async with actors.open_system("s", posting=Posting(hops=None)) as system:
        system.spawn(Tired, "/pong", errors, name="ping")
        system.spawn(Tired, "/ping", errors, name="pong")
        await system.post("/ping", Do(0))
        await settled()
        assert len(await entries(system)) == 301


async def test_what_a_told_message_or_the_world_outside_posts_begins_a_chain(
    autojump_clock: MockClock,
) -> None:
    """A thousand posts of one task are no chain."""
    async with actors.open_system("s", posting=Posting(hops=2)) as system:
        system.spawn(Desk, name="desk")
        poster = system.spawn(Poster, [], name="poster")
        for _ in range(5):
            await system.post("/desk", Do(1))
            await poster.ask(Send("/desk", Do(1), {"reply": False}))
        assert {entry.hops for entry in await entries(system)} == {0}


@pytest.mark.row(98)
async def test_an_actor_posts_to_another_so_often_in_a_minute(autojump_clock: MockClock) -> None:
    """The next one is refused and says when; other edges and code outside actors are not concerned."""
    posting = Posting(per_minute=3)
    async with actors.open_system("s", posting=posting) as system, system.subscribe(PostRejected) as events:
        one = system.spawn(Poster, [], name="one")
        two = system.spawn(Poster, [], name="two")

        async def post(poster: actors.Ref, path: str) -> Any:
            return await poster.ask(Send(path, plain(1), {"reply": False}))

        for _ in range(3):
            assert not isinstance(await post(one, "/desk"), Exception)
            await trio.sleep(10.0)
        refused = await post(one, "/desk")
        assert isinstance(refused, PostRateExceeded)
        assert (refused.sender, refused.path, refused.per_minute) == ("/one", "/desk", 3)
        assert refused.retry_after == 30.0
        assert len(facts(events, PostRejected)) == 1
        assert not isinstance(await post(two, "/desk"), Exception)
        assert not isinstance(await post(one, "/other"), Exception)
        for _ in range(10):
            await system.post("/desk", plain(1))
        await trio.sleep(29.0)
        assert isinstance(await post(one, "/desk"), PostRateExceeded)
        await trio.sleep(1.0)
        assert not isinstance(await post(one, "/desk"), Exception)
        assert isinstance(await post(one, "/desk"), PostRateExceeded)


async def test_a_post_that_is_refused_does_not_count(autojump_clock: MockClock) -> None:
    """A full recipient took none."""
    async with actors.open_system("s", posting=Posting(per_minute=2, capacity=1)) as system:
        poster = system.spawn(Poster, [], name="poster")
        came = [await poster.ask(Send("/desk", plain(n), {"reply": False})) for n in range(5)]
        assert [isinstance(one, actors.Ticket) for one in came] == [True] + [False] * 4
        assert all(isinstance(one, actors.RecipientFull) for one in came[1:])


def test_the_edges_that_are_silent_for_longest_are_forgotten() -> None:
    """Ten thousand are remembered: the memory has a bound."""
    edges = Edges(Posting(per_minute=1))
    for n in range(10_001):
        edges.check("/a", f"/{n}", 0, float(n) / 1e6)
    edges.check("/a", "/0", 0, 1.0)
    with pytest.raises(PostRateExceeded):
        edges.check("/a", "/10000", 0, 1.0)
