"""What is lost and what is not when nodes, or actors of their desks, end with words in their mailboxes."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.events import PersonTimedOut
from actors.people.words import Decide, Decided, Extend, Over, Shown
from tests.people.stage import Cut, asks, happened, heard, ids, nodes, nothing_left, settled

RECORD: dict[str, Any] = {
    "id": "alpha:1", "kind": "approval", "text": "a?", "options": [], "to": None, "due": 50.0, "priority": 0,
    "asked": -1.0, "sender": None, "node": "alpha", "key": None, "digest": None,
}  # fmt: skip


async def tell(world: Cut, who: str, whom: str, *words: object) -> None:
    """The desk of one node tells that of another one."""
    system: Any = world[who]
    neighbour = system.desk.elsewhere._neighbours.get(whom)
    for word in words:
        neighbour.tell(word, system.desk.clerk())
    await settled()


def clerk_of(system: actors.System) -> actors.Ref:
    found = system.find("/system/desk")
    assert found is not None
    return found


def decides(nursery: trio.Nursery, system: actors.System, request_id: str) -> list[Exception | None]:
    """What comes of it, when it is known."""
    outcome: list[Exception | None] = []

    async def decide() -> None:
        try:
            await system.desk.decide(request_id, True)
        except actors.ActorError as error:
            outcome.append(error)
        else:
            outcome.append(None)

    nursery.start_soon(decide)
    return outcome


async def test_what_a_node_has_said_before_it_was_lost_is_heard_first(autojump_clock: MockClock) -> None:
    """An answer that it has accepted counts, though its desk's words are read after its end."""
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        beta = world["beta"]
        asked = await asks(nursery, world["alpha"], "a?")
        clerk_of(beta).suspend()
        with heard(beta) as told:
            outcome = decides(nursery, beta, beta.desk.pending()[0].id)
            await settled()
            assert (asked.value, outcome) == (True, [])
            await world.nodes["alpha"].stop()
            await settled()
            clerk_of(beta).resume()
            await settled()
        assert (outcome, told) == ([None], ["answered a?"])
        nothing_left(beta)


async def test_what_came_of_an_answer_is_unknown_when_the_mailbox_is_lost(autojump_clock: MockClock) -> None:
    """What was taken back meanwhile is not shown any more."""
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        alpha, beta = world["alpha"], world["beta"]
        asked = await asks(nursery, alpha, "a?")
        taken_back = await asks(nursery, alpha, "b?")
        await asks(nursery, alpha, "c?")
        clerk_of(beta).suspend()
        outcome = decides(nursery, beta, next(one.id for one in beta.desk.pending() if one.text == "a?"))
        await settled()
        taken_back.scope.cancel()
        await settled()
        assert (asked.value, outcome, ids(beta)) == (True, [], ["b?", "c?"])
        clerk_of(beta).kill()
        await settled()
        [error] = outcome
        assert isinstance(error, actors.DeskError)
        assert "the actor of this desk was stopped meanwhile" in str(error)
        assert ids(beta) == ["c?"]
        await beta.desk.decide(beta.desk.pending()[0].id, True)
        nothing_left(alpha, beta)


async def test_a_node_that_was_lost_with_the_mailbox_is_forgotten(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        beta = world["beta"]
        await asks(nursery, world["alpha"], "a?")
        clerk_of(beta).suspend()
        outcome = decides(nursery, beta, beta.desk.pending()[0].id)
        await world.nodes["alpha"].stop()
        await settled()
        clerk_of(beta).kill()
        await settled()
        beta.desk.clerk()
        await settled()
        assert isinstance(outcome[0], actors.NodeLost)
        nothing_left(beta)


async def test_a_desk_whose_actor_crashes_goes_on_where_it_was(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the same one with the same mailbox: nobody is told anything again."""
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        alpha, beta = world["alpha"], world["beta"]
        asked = await asks(nursery, alpha, "a?")
        with heard(beta) as told:

            def crash(message: object, sender: object) -> None:
                raise ArithmeticError("crashed")

            with monkeypatch.context() as patch:
                patch.setattr(beta.desk.elsewhere, "heard", crash)
                await tell(world, "alpha", "beta", Extend("nobody", 1.0))
            await trio.sleep(30)
            assert (told, ids(beta), clerk_of(beta).statistics().restarts) == ([], ["a?"], 1)
        await beta.desk.decide(beta.desk.pending()[0].id, True)
        assert asked.value is True
        nothing_left(alpha, beta)


async def test_a_node_decides_its_own_requests_alone(autojump_clock: MockClock) -> None:
    """Those that it only shows, it does not pass on."""
    async with nodes("alpha", "beta", "gamma", link=False) as world, trio.open_nursery() as nursery:
        await world.link("alpha", "beta")
        await world.link("gamma", "beta")
        asked = await asks(nursery, world["alpha"], timeout=10.0, default=False)
        [request] = world["beta"].desk.pending()
        await tell(world, "gamma", "beta", Decide(1, request.id, "true", None), Extend(request.id, 50.0))
        assert ids(world["beta"]) == ["deploy?"]
        await trio.sleep(11)
        assert asked.value is False
        assert asked.over.is_set()


async def test_who_answers_under_no_name_is_told_so(autojump_clock: MockClock) -> None:
    """By the node that decides, if their own has let it pass."""
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        asked = await asks(nursery, world["alpha"], timeout=10.0, default=False)
        [request] = world["beta"].desk.pending()
        came: list[Any] = []
        world["beta"].desk.elsewhere.answer(request.id, True, "two\nlines", came.append)
        await settled()
        assert isinstance(came[0], actors.DeskError)
        assert "by must be a text" in str(came[0])
        await world["beta"].desk.decide(request.id, True, "bo")
        assert (asked.value, asked.by) == (True, "bo")


async def test_the_id_of_another_nodes_request_is_not_taken_over(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta", "gamma") as world:
        await tell(world, "alpha", "beta", Shown((json.dumps(RECORD),)))
        await tell(world, "gamma", "beta", Shown((json.dumps({**RECORD, "text": "b?", "node": "gamma"}),)))
        await tell(world, "gamma", "beta", Over("alpha:1", "withdrawn", 1.0))
        [request] = world["beta"].desk.pending()
        assert (request.text, request.node) == ("a?", "alpha")


async def test_an_answer_that_was_refused_is_shown_again_only_where_it_waits_on(
    autojump_clock: MockClock,
) -> None:
    """That somebody was faster may be known before the answer is on the disk over there."""
    async with nodes("alpha", "beta") as world:
        beta = world["beta"]
        await tell(world, "alpha", "beta", Shown((json.dumps(RECORD),)))
        clerk_of(world["alpha"]).suspend()
        beta.desk.answer("alpha:1", True)
        await tell(world, "alpha", "beta", Decided(1, "InvalidAnswer", ("text", "that")))
        assert ids(beta) == ["a?"]
        beta.desk.answer("alpha:1", True)
        await tell(world, "alpha", "beta", Decided(2, "AlreadyAnswered", ("ada",)))
        assert ids(beta) == []
        await tell(world, "alpha", "beta", Over("alpha:1", "answered", 1.0, "ada", "true"))
        nothing_left(beta)


async def test_times_that_are_no_numbers_do_no_harm(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta") as world, world["beta"].subscribe(PersonTimedOut) as events:
        await tell(world, "alpha", "beta", Shown((json.dumps(RECORD),)), Over("alpha:1", "expired", math.nan))
        [event] = happened(events, PersonTimedOut)
        assert event.seconds == 0.0
