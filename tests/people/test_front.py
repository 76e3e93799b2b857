"""What front ends in other processes ask of the desk, and what a person types."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import PersonRequest
from actors.people.service import (
    ChangePage,
    ExtendRequest,
    GiveAnswer,
    NextRequests,
    PendingPage,
    TellPending,
)
from actors.people.typed import typed_answer
from tests.people.stage import asks, nodes, settled

REFUSED = object()


@pytest.mark.parametrize(
    ("kind", "options", "text", "value"),
    [
        *(("approval", (), text, True) for text in ("yes", "Y", "true", " YES ")),
        *(("approval", (), text, False) for text in ("no", "n", "False")),
        *(("approval", (), text, REFUSED) for text in ("", "maybe", "1", '"yes"', "null")),
        *(("clarification", (), text, text) for text in ("tea", "yes", "5", '"tea"', "", " ")),
        ("colour", ("red", "blue"), "red", "red"),
        ("colour", ("red", "blue"), '"red"', "red"),
        ("colour", ("red", "blue"), "green", REFUSED),
        ("colour", ("yes", True), "true", True),
        ("colour", ("yes", True), "yes", "yes"),
        ("number", (1, 2), "2", 2),
        ("number", (1, 2), "2.0", REFUSED),
        ("number", (1, "2"), '"2"', "2"),
        ("number", (2, "2"), "2", REFUSED),
        ("number", (2, "2"), '"2"', "2"),
        ("anything", (), "5", 5),
        ("anything", (), '{"a": [1]}', {"a": [1]}),
        ("anything", (), '"5"', "5"),
        ("anything", (), "just a text", "just a text"),
        ("anything", (), "[" * 100_000, "[" * 100_000),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_typed_means_what_is_asked_for(
    kind: str, options: tuple[Any, ...], text: str, value: Any
) -> None:
    request = PersonRequest("a:1", kind, "?", options)
    if value is REFUSED:
        with pytest.raises(actors.InvalidAnswer) as caught:
            typed_answer(request, text)
        assert len(str(caught.value)) < 300
    else:
        meant = typed_answer(request, text)
        assert (type(meant), meant) == (type(value), value)


def desk_of(system: actors.System, node: str) -> actors.Ref:
    return system.node(node).ref("/system/desk")


async def test_a_front_end_at_another_node_sees_what_waits_page_by_page(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        front = desk_of(world["beta"], "alpha")
        empty: PendingPage = await front.ask(TellPending())
        assert (empty.records, empty.more) == ((), 0)
        for number in range(5):
            await asks(
                nursery,
                world["alpha"],
                f"{number}" * 30_000,
                to="ada" if number % 2 else "bob",
                priority=number,
            )
        first: PendingPage = await front.ask(TellPending())
        assert (len(first.records), first.more) == (3, 2)
        rest: PendingPage = await front.ask(TellPending(skip=3))
        assert (len(rest.records), rest.more) == (2, 0)
        shown = [json.loads(record) for record in (*first.records, *rest.records)]
        assert [one["priority"] for one in shown] == [4, 3, 2, 1, 0]
        assert shown[0]["due"] == pytest.approx(300, abs=1)
        of_ada: PendingPage = await front.ask(TellPending("ada"))
        assert len(of_ada.records) == 2
        nursery.cancel_scope.cancel()


async def test_a_front_end_answers_and_is_told_why_it_cannot(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        front = desk_of(world["beta"], "alpha")
        asked = await asks(nursery, world["alpha"], timeout=10.0)
        [request] = world["alpha"].desk.pending()
        for value, typed, why in (
            ("maybe", True, "takes yes or no, not 'maybe'"),
            ("maybe", False, "takes JSON here"),
            ("5", False, "takes True or False, not 5"),
        ):
            with pytest.raises(actors.Refused, match=why):
                await front.ask(GiveAnswer(request.id, value, typed=typed))
        with pytest.raises(actors.Refused, match="seconds"):
            await front.ask(ExtendRequest(request.id, -1.0))
        await front.ask(ExtendRequest(request.id, 10.0))
        assert world["alpha"].desk.pending()[0].deadline == pytest.approx(20, abs=0.5)
        assert await front.ask(GiveAnswer(request.id, "yes", "ada", typed=True)) == "true"
        assert (asked.value, asked.by) == (True, "ada")
        with pytest.raises(actors.Refused, match="ada has answered"):
            await front.ask(GiveAnswer(request.id, "no", typed=True))
        with pytest.raises(actors.Refused, match="no request has the id 'nobody'"):
            await front.ask(GiveAnswer("nobody", "no", typed=True))


async def test_a_front_end_answers_what_a_third_node_asks(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta", "gamma", link=False) as world, trio.open_nursery() as nursery:
        await world.link("beta", "alpha")
        await world.link("gamma", "beta")
        asked = await asks(nursery, world["alpha"])
        [request] = world["alpha"].desk.pending()
        front = desk_of(world["gamma"], "beta")
        assert await front.ask(GiveAnswer(request.id, "no", "cy", typed=True)) == "false"
        assert (asked.value, asked.by) == (False, "cy")


async def test_a_front_end_hears_of_changes_as_they_come(autojump_clock: MockClock) -> None:
    """At once, from the number that it knows on, and after some seconds of nothing it is told so."""
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        alpha, front = world["alpha"], desk_of(world["beta"], "alpha")
        page: ChangePage = await front.ask(NextRequests(seconds=0.0))
        assert (page.changes, page.is_missing) == ((), False)
        before = trio.current_time()
        page = await front.ask(NextRequests(page.after, seconds=7.0))
        assert (page.changes, trio.current_time() - before) == ((), pytest.approx(7, abs=0.1))
        page = await front.ask(NextRequests(page.after, seconds=1e9), timeout=60.0)
        assert trio.current_time() - before == pytest.approx(37, abs=0.2)
        told: list[ChangePage] = []

        async def listen() -> None:
            told.append(await front.ask(NextRequests(page.after, "ada")))

        nursery.start_soon(listen)
        await settled()
        await asks(nursery, alpha, "b?", to="bob")
        assert told == []
        asked = await asks(
            nursery, alpha, "a?", to="ada", timeout=10.0, default=actors.Escalate("bob", timeout=10.0)
        )
        [change] = told[0].changes
        assert (change.event, json.loads(change.record)["text"], change.ago) == ("asked", "a?", 0.0)
        await trio.sleep(11)
        alpha.desk.extend(json.loads(change.record)["id"], 1.0)
        alpha.desk.answer(json.loads(change.record)["id"], True, by="bob")
        await settled()
        assert asked.value is True
        rest: ChangePage = await front.ask(NextRequests(told[0].after))
        assert [one.event for one in rest.changes] == ["warned", "escalated", "extended", "answered"]
        assert (rest.changes[1].before, rest.changes[3].by, rest.changes[3].value) == ("ada", "bob", "true")
        assert rest.changes[0].ago == pytest.approx(3, abs=0.1)
        of_ada: ChangePage = await front.ask(NextRequests(told[0].after, "ada", 0.0))
        assert [one.event for one in of_ada.changes] == ["warned", "escalated"]
        again: ChangePage = await front.ask(NextRequests(told[0].after - 1, "ada"))
        assert [one.event for one in again.changes] == ["asked", "warned", "escalated"]
        nursery.cancel_scope.cancel()


async def test_a_front_end_that_was_away_too_long_is_told_so(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so is one that has followed an actor of the desk which is gone."""
    monkeypatch.setattr("actors.people.feed._KEPT", 3)
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        alpha, front = world["alpha"], desk_of(world["beta"], "alpha")
        begin: ChangePage = await front.ask(NextRequests(seconds=0.0))
        for number in range(4):
            await asks(nursery, alpha, f"{number}?")
        before = trio.current_time()
        lost: ChangePage = await front.ask(NextRequests(begin.after))
        assert (lost.changes, lost.is_missing) == ((), True)
        ahead: ChangePage = await front.ask(NextRequests(lost.after + 1))
        assert ahead.is_missing is True
        assert trio.current_time() - before < 0.1
        kept: ChangePage = await front.ask(NextRequests(lost.after - 3))
        assert len(kept.changes) == 3
        clerk = alpha.find("/system/desk")
        assert clerk is not None
        clerk.kill()
        await trio.sleep(1)
        other: ChangePage = await front.ask(NextRequests(lost.after))
        assert other.is_missing is True
        nursery.cancel_scope.cancel()


async def test_many_changes_come_page_by_page(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        alpha, front = world["alpha"], desk_of(world["beta"], "alpha")
        page: ChangePage = await front.ask(NextRequests(seconds=0.0))
        for number in range(5):
            await asks(nursery, alpha, f"{number}" * 40_000)
        seen: list[str] = []
        sizes: list[int] = []
        while len(seen) < 5:
            page = await front.ask(NextRequests(page.after))
            sizes.append(len(page.changes))
            seen += [json.loads(one.record)["text"][0] for one in page.changes]
        assert (sizes, seen) == ([2, 2, 1], ["0", "1", "2", "3", "4"])
        nursery.cancel_scope.cancel()
