"""The observer answers those who look from another node."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.observe.service import (
    OBSERVER_PATH,
    NextFacts,
    RedeliverLetter,
    TellDead,
    TellHistory,
    TellSnapshot,
    TellWhy,
)
from tests.core.cast import AT_ONCE, Die, Echo, Note, Worker, settled
from tests.remote.cast import staged

TAKES_NO_ROAD = True


async def test_it_is_made_when_another_node_asks_and_tells_all(autojump_clock: MockClock) -> None:
    async with staged() as world:
        beta = world.beta
        worker = await beta.start(Worker, name="worker", policy=AT_ONCE)
        assert beta.find(OBSERVER_PATH) is None
        observer = world.peer.ref(OBSERVER_PATH)
        sight = await observer.ask(TellSnapshot(), timeout=5)
        assert beta.find(OBSERVER_PATH) is not None
        paths = [row["path"] for row in sight.actors]
        assert paths[0] == "/"
        assert paths.index("/worker") < paths.index(OBSERVER_PATH)
        assert (sight.more, sight.summary["system"]) == (0, "beta")
        [link] = sight.summary["nodes"]
        assert (link["name"], link["state"], link["since"] is None) == ("alpha", "UP", True)
        assert 0 <= link["suspicion"] < 8
        worker.tell(Die("x"))
        await settled()
        why = await observer.ask(TellWhy("/worker"), timeout=5)
        assert why.text.startswith("/worker started again (restart 1)")
        assert str(why) == str(beta.journal.why("/worker"))
        history = await observer.ask(TellHistory("/worker"), timeout=5)
        assert history.facts == beta.journal.history("/worker")
        assert [fact.kind for fact in history.facts] == ["Failed", "Restarting", "DeadLetter", "Restarted"]
        dead = await observer.ask(TellDead(), timeout=5)
        assert [letter["number"] for letter in dead["told"]] == [1]
        assert await observer.ask(RedeliverLetter(1), timeout=5) == "/worker"
        await settled()
        assert worker.statistics().restarts == 2
        with pytest.raises(actors.Refused, match="no dead letter has the id '1'"):
            await observer.ask(RedeliverLetter(1), timeout=5)


async def test_the_next_facts_come_at_once_and_nothing_that_is_kept_is_missed(
    autojump_clock: MockClock,
) -> None:
    async with staged() as world:
        observer = world.peer.ref(OBSERVER_PATH)
        first = await observer.ask(NextFacts(after=0, seconds=0), timeout=5)
        world.beta.spawn(Worker, name="one")
        await settled()
        page = await observer.ask(NextFacts(first.after, kinds=("Started",), path="/one"), timeout=40)
        assert [(fact.kind, fact.path) for fact in page.facts] == [("Started", "/one")]
        assert (page.missed, page.session) == (0, world.beta.journal.session)
        begin = trio.current_time()
        async with trio.open_nursery() as nursery:

            async def later() -> None:
                await trio.sleep(7)
                world.beta.spawn(Worker, name="two")

            nursery.start_soon(later)
            page = await observer.ask(NextFacts(None, path="/two"), timeout=40)
        assert (page.facts[0].kind, trio.current_time() - begin) == ("Spawned", 7)
        begin = trio.current_time()
        page = await observer.ask(NextFacts(page.after, path="/nobody", seconds=1000), timeout=40)
        assert (page.facts, trio.current_time() - begin) == ((), 30)


async def test_a_page_fits_through_a_link_whatever_is_in_it(autojump_clock: MockClock) -> None:
    async with staged() as world:
        journal = world.beta.journal
        worker = await world.beta.start(Worker, name="worker", policy=AT_ONCE)
        worker.stop()
        await worker.wait_stopped()
        for _ in range(600):
            worker.tell(Note("ß\N{GRINNING FACE}" * 2000))
        observer, after, seen = world.peer.ref(OBSERVER_PATH), 0, 0
        while after < journal.last:
            page = await observer.ask(NextFacts(after), timeout=5)
            assert page.after > after
            after, seen = page.after, seen + len(page.facts)
        assert seen == journal.last


async def test_of_many_actors_those_on_top_come(autojump_clock: MockClock) -> None:
    async with staged() as world:
        refs = [world.beta.spawn(Worker, name=f"w{number}", policy=AT_ONCE) for number in range(20)]
        await settled()
        refs[7].tell(Die("x"))
        refs[3].suspend()
        refs[3].tell(Note())
        await settled()
        observer = world.peer.ref(OBSERVER_PATH)
        sight = await observer.ask(TellSnapshot(2, "restarts"), timeout=5)
        assert (sight.actors[0]["path"], len(sight.actors)) == ("/w7", 2)
        assert sight.more == sight.summary["statistics"]["actors"] - 1
        assert (await observer.ask(TellSnapshot(1, "depth"), timeout=5)).actors[0]["path"] == "/w3"


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (TellSnapshot(0), "most"),
        (TellSnapshot(1, "beauty"), "sorted by path, depth"),
        (TellWhy("/nobody"), "nothing is known"),
        (TellWhy("nobody"), "path from the root"),
        (TellHistory("x"), "path from the root"),
        (NextFacts(kinds=("Nothing",)), "no kind of event"),
        (NextFacts(seconds=-1), "seconds"),
    ],
    ids=repr,
)
async def test_what_cannot_be_told_is_refused_in_words(
    autojump_clock: MockClock, request_: actors.Request[object], text: str
) -> None:
    async with staged() as world:
        with pytest.raises(actors.Refused, match=text):
            await world.peer.ref(OBSERVER_PATH).ask(request_, timeout=5)


async def test_what_it_is_not_asked_for_is_ignored_and_one_that_waits_ends_with_it(
    autojump_clock: MockClock,
) -> None:
    async with staged() as world:
        observer = world.peer.ref(OBSERVER_PATH)
        observer.tell(Echo("x"))
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                with pytest.raises(actors.ActorError):
                    await observer.ask(NextFacts(path="/nobody"), timeout=60)

            nursery.start_soon(wait)
            await trio.sleep(1)
            found = world.beta.find(OBSERVER_PATH)
            assert found is not None
            found.stop()
