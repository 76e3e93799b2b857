"""What another node may say to a desk, and what that does not harm: another version, damage, too much."""

from __future__ import annotations

import json
import logging
import math
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

import actors
from actors import PersonRequest
from actors.events import MessageUnread
from actors.people import travel
from actors.people.words import Anew, Decide, Decided, Extend, Over, Shown
from actors.remote.codec import Raw
from tests.people.stage import Cut, asks, happened, heard, ids, nodes, nothing_left, settled

MISSING = object()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
RECORD: dict[str, Any] = {
    "id": "alpha:1", "kind": "approval", "text": "a?", "options": [], "to": None, "due": 5.0, "priority": 0,
    "asked": -1.0, "sender": None, "node": "alpha", "key": None, "digest": None,
}  # fmt: skip


def record(**changed: Any) -> str:
    facts = {**RECORD, **changed}
    return json.dumps({name: value for name, value in facts.items() if value is not MISSING})


async def tell(world: Cut, *words: object) -> None:
    """alpha's desk tells beta's."""
    alpha: Any = world["alpha"]
    neighbour = alpha.desk.elsewhere._neighbours.get("beta")
    for word in words:
        neighbour.tell(word, alpha.desk.clerk())
    await settled()


NO_REQUESTS = [
    "", "no JSON", "[]", "null", "5", '"text"', "{}", "[" * 100_000,
    *(record(**{name: MISSING}) for name in RECORD),
    record(id=""), record(id="a\nb"), record(id="x" * 300), record(id="beta:1"),
    record(kind=""), record(kind="a\nb"), record(text=" "), record(text="x" * 70_000), record(text="\ud800"),
    record(options=5), record(options="yes"), record(options=["yes"]), record(kind="k", options=[[]]),
    record(kind="k", options=["a", "a"]), record(kind="k", options=list(range(101))),
    record(to=5), record(to=""), record(to=[]), record(due="soon"), record(due=math.nan),
    record(due=-math.inf), record(priority="high"), record(priority=math.inf), record(priority=None),
    record(asked=None), record(asked=math.nan), record(asked=math.inf), record(asked=10**400),
    record(sender=5), record(sender=["/"]), record(node="gamma"), record(node="beta"), record(node=5),
    record(key=5), record(key="x" * 600), record(digest=5), record(digest={}),
]  # fmt: skip


@pytest.mark.parametrize("text", NO_REQUESTS, ids=lambda text: text[:40].replace("\n", ""))
def test_what_is_no_request_of_its_node_is_none(text: str) -> None:
    if '"beta:1"' in text:  # that it is not alpha's, the desk knows
        assert travel.request_in(text, 10.0, "alpha", 65_536).id == "beta:1"
        return
    with pytest.raises(ValueError, match=r"is no|its times|it says|its [sd]") as caught:
        travel.request_in(text, 10.0, "alpha", 65_536)
    assert len(str(caught.value)) < 600


@given(
    request=st.builds(
        PersonRequest,
        id=st.just("alpha:1"),
        kind=st.just("colour"),
        text=TEXTS.filter(str.strip),
        options=st.lists(TEXTS | st.integers(2) | st.booleans(), unique_by=repr, max_size=5).map(tuple),
        to=st.none() | st.just("ada"),
        deadline=st.just(math.inf) | st.floats(0, 1e6),
        priority=st.integers(-(2**31), 2**31 - 1),
        asked=st.floats(-1e6, 1e6),
        sender=st.none() | st.just("/asker"),
        node=st.just("alpha"),
        key=st.none() | st.just("key"),
        digest=st.none() | st.just("d1"),
    ),
    shift=st.floats(-1e6, 1e6),
)
def test_a_request_comes_over_as_it_is_with_times_of_this_clock(request: PersonRequest, shift: float) -> None:
    text = travel.request_out(request, 100.0)
    read = travel.request_in(text, 100.0 + shift, "alpha", 65_536)
    assert read.deadline == pytest.approx(request.deadline + shift, abs=1e-6)
    assert read.asked == pytest.approx(request.asked + shift, abs=1e-6)
    assert attrs.evolve(read, deadline=request.deadline, asked=request.asked) == request


@pytest.mark.parametrize(
    "error",
    [
        actors.AlreadyAnswered("a:1", "ada"),
        actors.AlreadyAnswered("a:1", None),
        actors.RequestExpired("a:1"),
        actors.RequestExpired("a:1", "its node is lost"),
        actors.RequestWithdrawn("a:1"),
        actors.UnknownRequest("a:1"),
        actors.InvalidAnswer("a:1", "text", "5"),
        actors.DeskError("something else"),
    ],
    ids=repr,
)
def test_an_error_comes_over_as_it_is(error: actors.DeskError) -> None:
    again = travel.error_in(*travel.error_out(error), "a:1")
    assert (type(again), str(again)) == (type(error), str(error))
    assert travel.error_in(*travel.error_out(None), "a:1") is None


def test_an_error_that_is_unknown_here_or_damaged_is_one_of_the_desk() -> None:
    assert str(travel.error_in("Later", ("come", None, "back"), "a:1")) == "Later come back"
    damaged = travel.error_in("AlreadyAnswered", (), "a:1")
    assert (type(damaged), str(damaged)) == (actors.DeskError, "AlreadyAnswered")


def test_requests_are_told_in_pages_that_pass_every_link() -> None:
    assert travel.pages([]) == []
    long = "x" * 80_000
    texts = ["a" * 10] * 150 + [long, "b", long]
    told = travel.pages(texts)
    assert [text for page in told for text in page] == texts
    assert all(len(page) <= 100 and (len(page) == 1 or sum(map(len, page)) <= 50_000) for page in told)
    assert len(told) == 5


async def test_a_node_that_says_nonsense_is_logged_and_hurts_nobody(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What else it says is still heard, the desk's actor is the one that it was, and so is the link."""
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        alpha, beta = world["alpha"], world["beta"]
        asked = await asks(nursery, beta, "mine?")
        [mine] = beta.desk.pending()
        clerk = beta.find("/system/desk")
        assert clerk is not None
        with caplog.at_level(logging.WARNING, "actors.people"):
            await tell(world, *(Shown((text,)) for text in NO_REQUESTS if "\ud800" not in text))
            assert len([one for one in caplog.records if "is not shown here" in one.message]) > 40
            assert ids(beta) == ["mine?"]
            await tell(
                world,
                Shown((record(), "no JSON", record(id="alpha:2", text="b?"))),
                Shown((record(),), "nonsense", "somebody"),
                Over("alpha:3", "answered", 1.0),
                Over(mine.id, "answered", 1.0),
                Over("alpha:2", "answered", math.nan, None, "no JSON"),
                Decided(5), Decided(-1, "Nonsense", (None,)),
                Decide(1, mine.id, "no JSON", None),
                Decide(2, mine.id, "[" * 100_000, None),
                Decide(3, mine.id, "5", "eve"),
                Decide(4, "alpha:1", "true", "eve"), Decide(5, "nobody", "true", "eve"),
                Extend(mine.id, -5.0), Extend(mine.id, math.nan), Extend("nobody", 5.0),
                Extend("alpha:1", 5.0),
            )  # fmt: skip
        assert sorted(ids(beta)) == ["a?", "mine?"]
        assert asked.value is None
        assert clerk.statistics().restarts == 0
        await tell(world, Over("alpha:1", "nonsense", 1.0))
        await alpha.desk.decide(mine.id, True)
        assert asked.value is True
        assert alpha.node("beta").state is actors.LinkState.UP
        nothing_left(alpha, beta)


async def test_words_of_other_types_are_unread_at_the_link(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta") as world, world["beta"].subscribe(MessageUnread) as unread:
        several: list[dict[str, Any]] = [{"records": 5}, {"records": [5]}, {}, {"records": [], "event": None}]
        for fields in several:
            await tell(world, Raw({"$": "actors.desk.Shown", **fields}))
        await tell(world, Raw({"$": "actors.desk.Later", "what": 1}))
        assert len(happened(unread, MessageUnread)) == 5
        assert world["alpha"].node("beta").state is actors.LinkState.UP


async def test_words_of_anybody_but_a_linked_desk_are_not_heard(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with nodes("alpha", "beta") as world:
        beta = world["beta"]
        await tell(world, Anew())
        clerk = beta.find("/system/desk")
        assert clerk is not None
        with caplog.at_level(logging.WARNING, "actors.people"):
            clerk.tell(Shown((record(),)))
            clerk.tell("something else")
            await settled()
        assert beta.desk.pending() == ()
        assert "which is no desk of a linked node" in caplog.text


async def test_more_requests_of_a_node_than_are_shown_are_left_out(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says so; what is answered makes room."""
    monkeypatch.setattr("actors.people.copies._MOST", 3)
    async with nodes("alpha", "beta") as world:
        beta = world["beta"]
        with heard(beta) as told, caplog.at_level(logging.WARNING, "actors.people"):
            await tell(world, Shown(tuple(record(id=f"alpha:{n}", text=f"{n}?") for n in range(6))))
            await tell(world, Shown((record(id="alpha:1", text="1?"),), "extended"))
            assert sorted(ids(beta)) == ["0?", "1?", "2?"]
            await tell(world, Over("alpha:0", "expired", 1.0), Shown((record(id="alpha:9", text="9?"),)))
            assert sorted(ids(beta)) == ["1?", "2?", "9?"]
        assert caplog.text.count("are not shown here") == 1
        assert told == ["asked 0?", "asked 1?", "asked 2?", "extended 1?", "timedout 0?", "asked 9?"]


async def test_a_change_of_what_was_not_shown_shows_it(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta") as world:
        beta = world["beta"]
        with heard(beta) as told:
            await tell(world, Shown((record(),), "warned"), Shown((record(),)), Shown((record(due=9.0),)))
            assert told == ["asked a?"]
        [request] = beta.desk.pending()
        assert request.deadline - trio.current_time() == pytest.approx(9.0, abs=0.1)


async def test_ended_requests_of_other_nodes_are_remembered_in_bounds(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.people.copies._REMEMBERED", 2)
    async with nodes("alpha", "beta") as world:
        for number in range(3):
            await tell(world, Shown((record(id=f"alpha:{number}"),)), Over(f"alpha:{number}", "expired", 1.0))
        desk = world["beta"].desk
        with pytest.raises(actors.UnknownRequest):
            desk.answer("alpha:0", True)
        with pytest.raises(actors.RequestExpired):
            desk.answer("alpha:1", True)
        with pytest.raises(actors.UnknownRequest):
            desk.answer(["alpha:1"], True)  # pyright: ignore[reportArgumentType]


async def test_a_question_longer_than_a_link_takes_is_shown_at_home_alone(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Others beside it are shown; so it is with an answer."""
    async with nodes("alpha", "beta") as world, trio.open_nursery() as nursery:
        alpha, beta = world["alpha"], world["beta"]
        for system, other in ((alpha, "beta"), (beta, "alpha")):
            system._node.associations[other].longest = 2000  # pyright: ignore[reportPrivateUsage]
        with caplog.at_level(logging.WARNING, "actors.people"):
            long = await asks(nursery, alpha, "x" * 3000)
            assert "a request is not shown at the node 'beta'" in caplog.text
        short = await asks(nursery, alpha, "short?", kind="clarification")
        await tell(world, Anew())
        assert ids(beta) == ["short?"]
        [request] = beta.desk.pending()
        with pytest.raises(actors.InvalidAnswer, match="that the link to alpha takes"):
            beta.desk.answer(request.id, "x" * 3000)
        assert ids(beta) == ["short?"]
        alpha.desk.answer(request.id, "y" * 3000)
        alpha.desk.answer(alpha.desk.pending()[0].id, True)
        await settled()
        assert (len(short.value), long.value) == (3000, True)
        nothing_left(alpha, beta)


async def test_requests_that_do_not_pass_a_link_together_pass_it_alone(autojump_clock: MockClock) -> None:
    async with nodes("alpha", "beta", link=False) as world, trio.open_nursery() as nursery:
        alpha, beta = world["alpha"], world["beta"]
        for number in range(5):
            await asks(nursery, alpha, f"{number}" * 800)
        await world.link("alpha", "beta")
        await tell(world, Anew())
        alpha._node.associations["beta"].longest = 2000  # pyright: ignore[reportPrivateUsage]
        clerk = beta.find("/system/desk")
        assert clerk is not None
        clerk.kill()  # the next one asks to be told anew
        await settled()
        assert len(ids(beta)) == 5
        nursery.cancel_scope.cancel()
