"""Requests of linked nodes: what waits there is shown here, and what is answered here is decided there."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.events import AnswerRefused
from tests.people.stage import asks, happened, heard, ids, nodes, nothing_left, settled


async def test_a_request_is_shown_at_linked_nodes_and_answered_there(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        alpha, beta = world["alpha"], world["beta"]
        asked = await asks(nursery, alpha, to="ada", priority=2, timeout=60.0)
        [here], [there] = alpha.desk.pending(), beta.desk.pending()
        assert here == there
        assert (there.node, there.to, there.priority) == ("alpha", "ada", 2)
        assert there.deadline == pytest.approx(trio.current_time() + 60, abs=0.1)
        beta.desk.answer(there.id, True, by="ada")
        assert beta.desk.pending() == ()
        await settled()
        assert (asked.value, asked.by) == (True, "ada")
        nothing_left(alpha, beta)


async def test_who_decides_at_another_node_hears_that_it_stands(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        alpha, beta = world["alpha"], world["beta"]
        asked = await asks(nursery, alpha, kind="colour", options=("red", "blue"))
        [request] = beta.desk.pending()
        with pytest.raises(actors.InvalidAnswer, match="one of 'red', 'blue', not 'green'"):
            await beta.desk.decide(request.id, "green")
        await beta.desk.decide(request.id, "blue", by="bob")
        assert (asked.value, asked.by) == ("blue", "bob")
        with pytest.raises(actors.AlreadyAnswered, match="bob has answered"):
            await beta.desk.decide(request.id, "red")
        nothing_left(alpha, beta)


async def test_the_first_decision_at_the_node_that_asks_stands(autojump_clock: MockClock) -> None:
    """An answer on its way is too late when the node that asks hears another one before."""
    async with (
        nodes("alpha", "beta", "gamma") as world,
        trio.open_nursery() as nursery,
        world["beta"].subscribe(AnswerRefused) as refused,
    ):
        alpha, beta, gamma = world["alpha"], world["beta"], world["gamma"]
        asked = await asks(nursery, alpha)
        [request] = beta.desk.pending()
        beta.desk.answer(request.id, False, by="bob")  # it takes at least one step to get there
        with pytest.raises(actors.AlreadyAnswered, match="bob"):
            beta.desk.answer(request.id, True)  # bob's may come too late, and is all that is known here
        alpha.desk.answer(request.id, True, by="ada")
        with pytest.raises(actors.AlreadyAnswered, match="ada"):
            await gamma.desk.decide(request.id, False, by="cy")
        await settled()
        assert (asked.value, asked.by) == (True, "ada")
        first, second = happened(refused, AnswerRefused)
        assert (first.by, second.by, second.request_id) == (None, "bob", request.id)
        assert isinstance(second.error, actors.AlreadyAnswered)
        assert second.error.by == "ada"
        with pytest.raises(actors.AlreadyAnswered, match="ada"):
            beta.desk.answer(request.id, True)
        nothing_left(alpha, beta, gamma)


async def test_an_answer_that_comes_too_late_is_told_so(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        alpha, beta = world["alpha"], world["beta"]
        late = await asks(nursery, alpha, "late?", timeout=10.0, default=False)
        taken = await asks(nursery, alpha, "taken back?")
        one, other = sorted(beta.desk.pending(), key=lambda request: request.text)
        outcomes: list[Exception] = []

        async def decides(request_id: str) -> None:
            try:
                await beta.desk.decide(request_id, True)
            except actors.ActorError as error:
                outcomes.append(error)

        await trio.sleep(10.0 - 2 / 64 - 1e-6)
        world.cables_of("beta")[0].cut()
        nursery.start_soon(decides, one.id)
        nursery.start_soon(decides, other.id)
        await settled()
        taken.scope.cancel()
        assert late.value is False
        world.cables_of("beta")[0].mend()
        await trio.sleep(3)
        assert sorted(type(error).__name__ for error in outcomes) == ["RequestExpired", "RequestWithdrawn"]
        with pytest.raises(actors.RequestWithdrawn):
            beta.desk.answer(other.id, True)
        with pytest.raises(actors.RequestExpired, match="its time has passed"):
            beta.desk.answer(one.id, True)
        nothing_left(alpha, beta)


async def test_whatever_happens_to_a_request_is_told_at_linked_nodes(autojump_clock: MockClock) -> None:
    async with (
        nodes("alpha", "beta") as world,
        trio.open_nursery() as nursery,
        world["beta"].desk.queue("bob") as bobs,
        world["beta"].desk.queue("ada") as adas,
    ):
        alpha, beta = world["alpha"], world["beta"]
        with heard(beta) as told:
            await asks(
                nursery, alpha, "a?", to="ada", timeout=10.0, default=actors.Escalate("bob", timeout=20.0)
            )
            [request] = beta.desk.pending("ada")
            beta.desk.extend(request.id, 5.0)
            await settled()
            assert beta.desk.pending()[0].deadline == pytest.approx(15.0, abs=0.5)
            await trio.sleep(17)
            assert ids(beta, "ada") == []
            assert ids(beta, "bob") == ["a?"]
            beta.desk.answer(request.id, True, by="bob")
            await settled()
            gone = await asks(nursery, alpha, "b?", to="bob")
            gone.scope.cancel()
            await settled()
            await asks(nursery, alpha, "c?", timeout=1.0, default=False)
            await trio.sleep(2)
        assert told == [
            "asked a?", "extended a?", "warned a?", "escalated a?", "answered a?",
            "asked b?", "withdrawn b?", "asked c?", "warned c?", "timedout c?",
        ]  # fmt: skip
        nothing_left(alpha, beta)
        of_bob = [await anext(bobs) for _ in range(4)]
        assert [type(one).__name__.removeprefix("Person") for one in of_bob] == [
            "Escalated", "Answered", "Asked", "Withdrawn",
        ]  # fmt: skip
        of_ada = [await anext(adas) for _ in range(4)]
        assert [type(one).__name__.removeprefix("Person") for one in of_ada] == [
            "Asked", "Extended", "Warned", "Escalated",
        ]  # fmt: skip


async def test_requests_from_before_the_link_are_shown_at_both_ends(autojump_clock: MockClock) -> None:
    """More than fit in one word."""
    async with nodes("alpha", "beta", link=False) as world, trio.open_nursery() as nursery:
        alpha, beta = world["alpha"], world["beta"]
        for number in range(150):
            nursery.start_soon(alpha.desk.approval, f"a{number}?")
        await asks(nursery, beta, "x" * 60_000)
        await asks(nursery, beta, "b?")
        await world.link("alpha", "beta")
        await settled()
        assert len(alpha.desk.pending()) == len(beta.desk.pending()) == 152
        assert {one.text for one in alpha.desk.pending()} == {one.text for one in beta.desk.pending()}
        for one in alpha.desk.pending():
            beta.desk.answer(one.id, True)
        await settled()
        nothing_left(alpha, beta)


async def test_nodes_that_ask_nobody_tell_each_other_nothing(autojump_clock: MockClock) -> None:
    """And no desk has an actor; the one that is told something gets one."""
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        alpha, beta = world["alpha"], world["beta"]
        await trio.sleep(5)
        [cable] = world.cables_of("beta")
        assert not [text for _, text in cable.frames if "/system/desk" in text]
        assert (alpha.find("/system/desk"), beta.find("/system/desk")) == (None, None)
        await asks(nursery, alpha, timeout=1.0)
        assert beta.find("/system/desk") is not None
        assert sum("/system/desk" in text and sent == "beta" for sent, text in cable.frames) == 0
        await trio.sleep(2)


async def test_the_requests_of_a_lost_node_vanish_and_so_do_answers_to_it(autojump_clock: MockClock) -> None:
    async with (
        nodes("alpha", "beta", lease=5.0) as world,
        trio.open_nursery() as nursery,
        world["beta"].subscribe(AnswerRefused) as refused,
    ):
        alpha, beta = world["alpha"], world["beta"]
        asked = await asks(nursery, alpha, "a?", timeout=100.0)
        await asks(nursery, alpha, "b?", timeout=100.0)
        one, other = beta.desk.pending()
        with heard(beta) as told:
            world.cables_of("beta")[0].silent()
            beta.desk.answer(one.id, True, by="bob")
            with pytest.raises(actors.NodeLost, match="alpha"):
                await beta.desk.decide(other.id, True, by="bob")
            await settled()
            assert told == ["withdrawn a?", "withdrawn b?"]
        assert beta.desk.pending() == ()
        assert [type(one.error) for one in happened(refused, AnswerRefused)] == [actors.NodeLost] * 2
        with pytest.raises(actors.RequestExpired, match="its node alpha is lost"):
            beta.desk.answer(one.id, True)
        assert ids(alpha) == ["a?", "b?"]
        assert not asked.over.is_set()
        nothing_left(beta)
        nursery.cancel_scope.cancel()


async def test_a_link_that_comes_back_has_lost_and_doubled_nothing(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        alpha, beta = world["alpha"], world["beta"]
        [cable] = world.cables_of("beta")
        with heard(beta) as told:
            before = await asks(nursery, alpha, "before?")
            cable.cut()
            meanwhile = await asks(nursery, alpha, "meanwhile?")
            [request] = beta.desk.pending()
            beta.desk.answer(request.id, True)
            await settled()
            assert before.over.is_set() is False
            cable.mend()
            await trio.sleep(3)
            assert before.value is True
            await beta.desk.decide(beta.desk.pending()[0].id, False)
            assert meanwhile.value is False
            assert told == ["asked before?", "asked meanwhile?", "answered before?", "answered meanwhile?"]
        nothing_left(alpha, beta)


async def test_a_node_that_comes_back_as_another_life_shows_what_it_asks_now(
    autojump_clock: MockClock,
) -> None:
    async with nodes("alpha", "beta", lease=5.0) as world, trio.open_nursery() as nursery:
        beta = world["beta"]
        asked = await asks(nursery, world["alpha"], "a?")
        [before] = beta.desk.pending()
        await world.nodes["alpha"].crash()
        assert isinstance(asked.error, actors.SystemClosed | None)
        alpha = await world.again("alpha")
        await world.link("alpha", "beta")
        again = await asks(nursery, alpha, "again?")
        assert ids(beta) == ["again?"]
        with pytest.raises(actors.RequestExpired, match="lost"):
            beta.desk.answer(before.id, True)
        await beta.desk.decide(beta.desk.pending()[0].id, True)
        assert again.value is True
        nothing_left(alpha, beta)


async def test_an_answer_to_the_life_before_is_none_to_the_next_one(autojump_clock: MockClock) -> None:
    """Numbers of answers begin anew in each life."""
    async with nodes("alpha", "beta", lease=60.0) as world, trio.open_nursery() as nursery:
        beta = world["beta"]
        await asks(nursery, world["alpha"], "a?")
        [cable] = world.cables_of("beta")
        cable.silent()
        beta.desk.answer(beta.desk.pending()[0].id, True)
        await world.nodes["alpha"].crash()
        alpha = await world.again("alpha")
        await world.link("alpha", "beta")
        again = await asks(nursery, alpha, "again?")
        assert ids(beta) == ["again?"]
        await trio.sleep(100)
        assert not again.over.is_set()
        await beta.desk.decide(beta.desk.pending()[0].id, True)
        nothing_left(alpha, beta)


async def test_each_of_three_nodes_shows_the_requests_of_all_once(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta", "gamma") as world, trio.open_nursery() as nursery:
        systems = [world[name] for name in ("alpha", "beta", "gamma")]
        asked = [
            await asks(nursery, system, f"{system.name}?", priority=number)
            for number, system in enumerate(systems)
        ]
        assert [ids(system) for system in systems] == [["gamma?", "beta?", "alpha?"]] * 3
        for system, request in zip(systems, systems[0].desk.pending(), strict=True):
            await system.desk.decide(request.id, True, by=system.name)
        assert [one.by for one in asked] == ["gamma", "beta", "alpha"]
        await settled()
        nothing_left(*systems)


async def test_a_request_is_shown_one_link_away_and_no_farther(autojump_clock: MockClock) -> None:
    """gamma is linked to beta alone."""
    async with nodes("alpha", "beta", "gamma", link=False) as world, trio.open_nursery() as nursery:
        await world.link("alpha", "beta")
        await world.link("gamma", "beta")
        await asks(nursery, world["alpha"])
        [request] = world["beta"].desk.pending()
        assert world["gamma"].desk.pending() == ()
        with pytest.raises(actors.UnknownRequest):
            await world["gamma"].desk.decide(request.id, True)
        nursery.cancel_scope.cancel()


async def test_an_actor_that_runs_on_another_node_asks_there_and_is_answered_at_home(
    autojump_clock: MockClock,
) -> None:
    from tests.remote.stage import linked

    async with linked(spawnable=(asking,)) as world:
        ref = world.alpha.spawn(asking, name="asker", on="beta")
        await settled()
        [request] = world.alpha.desk.pending()
        assert (request.node, request.text) == ("beta", "may I?")
        assert request.sender == "/system/nodes/alpha/asker"
        assert world.alpha.desk.statistics().asked == 0
        world.alpha.desk.answer(request.id, True)
        exit = await ref.wait_stopped()
        assert exit.value is True


async def asking(ctx: actors.Context) -> bool:
    return await ctx.system.desk.approval("may I?")


async def test_an_answer_given_just_before_its_node_closes_arrives(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        alpha, beta = world["alpha"], world["beta"]
        asked = await asks(nursery, alpha)
        beta.desk.answer(beta.desk.pending()[0].id, True, by="bob")
        await world.nodes["beta"].stop()
        with trio.fail_after(1):
            await asked.over.wait()
        assert (asked.value, asked.by) == (True, "bob")
        with pytest.raises(actors.SystemClosed):
            await beta.desk.approval("too late?")
        nothing_left(alpha)


async def test_who_decides_while_the_node_that_asks_closes_is_told(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        beta = world["beta"]
        await asks(nursery, world["alpha"])
        [request] = beta.desk.pending()
        world.cables_of("beta")[0].cut()
        outcome: list[Any] = []

        async def decide() -> None:
            try:
                await beta.desk.decide(request.id, True)
            except actors.ActorError as error:
                outcome.append(error)

        nursery.start_soon(decide)
        await settled()
        await world.nodes["alpha"].stop()
        await trio.sleep(60)
        assert isinstance(outcome[0], actors.NodeLost)
        nothing_left(beta)


async def test_a_desk_whose_actor_was_stopped_by_hand_is_told_all_again(autojump_clock: MockClock) -> None:
    """Another one takes its place; what may be lost with its mailbox is said to be unknown."""
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        alpha, beta = world["alpha"], world["beta"]
        asked = await asks(nursery, alpha, "a?")
        other = await asks(nursery, beta, "b?")
        clerk = beta.find("/system/desk")
        assert clerk is not None
        clerk.suspend()
        await asks(nursery, alpha, "lost with the mailbox?")
        outcome: list[Any] = []

        async def decide(request_id: str) -> None:
            try:
                await alpha.desk.decide(request_id, True)
            except actors.ActorError as error:
                outcome.append(error)

        nursery.start_soon(decide, alpha.desk.pending()[1].id)
        await settled()
        assert alpha.desk.pending()[1].text != "b?"
        clerk.kill()
        await settled()
        assert isinstance(outcome[0], actors.DeskError)
        assert "not known" in str(outcome[0])
        assert sorted(ids(beta)) == sorted(ids(alpha)) == ["a?", "b?", "lost with the mailbox?"]
        for one in beta.desk.pending():
            await beta.desk.decide(one.id, True)
        assert asked.value is other.value is True
        await settled()
        nothing_left(alpha, beta)


async def test_a_node_without_a_desk_is_not_hurt(autojump_clock: MockClock) -> None:
    """As one of an older version is: it knows no such actor, and no such words."""
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        alpha, beta = world["alpha"], world["beta"]
        beta._node.makers.pop("/system/desk")  # pyright: ignore[reportPrivateUsage]
        asked = await asks(nursery, alpha)
        for number in range(300):  # more than one window
            await asks(nursery, alpha, f"{number}?", timeout=0.0, default=False)
        assert beta.find("/system/desk") is None
        assert beta.desk.pending() == ()
        assert alpha.node("beta").state is actors.LinkState.UP
        alpha.desk.answer(alpha.desk.pending()[0].id, True)
        await settled()
        assert asked.value is True
        link: Any = alpha._node.associations["beta"]  # pyright: ignore[reportPrivateUsage]
        assert not link.senders
