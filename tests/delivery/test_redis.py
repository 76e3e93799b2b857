"""The Redis engine tells other nodes at once, and takes nothing from one that has lost its names.

That it keeps every promise of its port is shown in `test_conformance.py`, as for the other engines.
"""

from __future__ import annotations

import itertools
import logging
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import coredis
import pytest
import trio

from actors.delivery.errors import NotTheOwner, StoreDamaged
from actors.delivery.operations import Append, Handled, Moved, Result, Save, Saved
from actors.delivery.redis import RedisStore
from actors.delivery.store import (
    STARTED_AGAIN,
    Arrived,
    Changed,
    Directory,
    Engine,
    Opening,
    Resumed,
    Signal,
)
from actors.delivery.ticket import Entry, Move, TicketState
from tests.delivery.redis_server import RedisServer, redis_server  # noqa: F401 - a fixture

_numbers = itertools.count(1)


def entry(path: str = "/a", **fields: object) -> Entry:
    number = next(_numbers)
    return Entry(id=f"r{number}", path=path, payload=f'"{number}"', posted=time.time(), **fields)  # type: ignore[arg-type]


@asynccontextmanager
async def opened(store: RedisStore, node: str = "one", lease: float = 15.0) -> AsyncGenerator[Engine]:
    async with store.open(Opening(node, f"{node}-{next(_numbers)}", time.time, lease)) as engine:
        yield engine


@asynccontextmanager
async def raw(server: RedisServer) -> AsyncGenerator[coredis.Redis[str]]:
    async with coredis.Redis.from_url(server.url, decode_responses=True) as client:
        yield client


def directory(engine: Engine) -> Directory:
    assert engine.directory is not None
    return engine.directory


async def own(engine: Engine, path: str = "/a") -> int:
    return (await directory(engine).claim(path)).token


async def say(engine: Engine, operation: object) -> Result:
    [result] = await engine.write([operation])  # type: ignore[list-item]
    return result


async def post(engine: Engine, path: str = "/a", **fields: object) -> Entry:
    result = await say(engine, Append(entry(path, **fields), 1000))
    assert isinstance(result, Entry)
    return result


async def lapsed(engine: Engine, path: str) -> None:
    while await directory(engine).owner(path) is not None:  # noqa: ASYNC110 - the server tells nobody
        await trio.sleep(0.05)


async def hear(signals: AsyncIterator[Signal], wanted: Signal) -> None:
    with trio.fail_after(5):
        async for signal in signals:
            if signal == wanted:
                return


def test_nothing_of_redis_is_imported_before_a_store_is_opened() -> None:
    code = "import actors.delivery as d, sys; d.RedisStore('redis://h'); print('coredis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


async def test_an_error_in_the_block_comes_out_as_it_is(redis_server: RedisServer) -> None:  # noqa: F811
    with pytest.raises(ValueError, match=r"^mine$"):
        async with opened(redis_server.store()):
            raise ValueError("mine")


async def test_a_block_that_is_cancelled_ends_at_once(redis_server: RedisServer) -> None:  # noqa: F811
    with trio.move_on_after(0.2) as scope:
        async with opened(redis_server.store()) as engine:
            async for _ in engine.signals():
                pass
    assert scope.cancelled_caught


# --- signals ---------------------------------------------------------------------


async def test_a_post_that_meets_a_claim_is_taken_or_signalled(redis_server: RedisServer) -> None:  # noqa: F811
    """Whichever of the two comes first, the owner learns of the message."""
    store = redis_server.store()
    async with opened(store, "one") as one, opened(store, "two") as two:
        signals = two.signals()
        for number in range(20):
            path, taken = f"/race{number}", []

            async def claim(path: str = path, taken: list[Entry] = taken) -> None:
                taken += await two.take(path, 10, token=await own(two, path))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(claim)
                nursery.start_soon(post, one, path)
            if not taken:
                await hear(signals, Arrived(path))
        await signals.aclose()  # type: ignore[attr-defined]


async def test_signals_are_kept_until_somebody_listens(redis_server: RedisServer) -> None:  # noqa: F811
    store = redis_server.store()
    async with opened(store, "one") as one, opened(store, "two") as two:
        await own(two)
        await post(one, priority=2)
        signals = two.signals()
        assert await anext(signals) == Arrived("/a", 2)
        await signals.aclose()  # type: ignore[attr-defined]


async def test_a_node_that_was_refused_a_name_hears_of_it(redis_server: RedisServer) -> None:  # noqa: F811
    store = redis_server.store()
    async with opened(store, "one") as one, opened(store, "two") as two:
        await own(one)
        assert (await directory(two).claim("/a")).node == "one"
        signals = two.signals()
        await directory(one).release("/a")
        assert await anext(signals) == Arrived("/a")
        assert (await directory(two).claim("/a")).node == "two"
        await signals.aclose()  # type: ignore[attr-defined]


async def test_lost_signals_are_said_to_be_lost(redis_server: RedisServer) -> None:  # noqa: F811
    """Numbers that are missing, and a stream that is gone, come out as `Resumed`."""
    store = redis_server.store("lossy")
    opening = Opening("two", "inc", time.time)
    async with raw(redis_server) as client, opened(store) as one, store.open(opening) as two:
        await own(two)
        signals = two.signals()
        await post(one)
        assert await anext(signals) == Arrived("/a")
        for _ in range(3):
            await post(one)
        await client.xtrim("lossy:wake:inc", coredis.PureToken.MAXLEN, threshold=1)
        assert [await anext(signals), await anext(signals)] == [Resumed(), Arrived("/a")]
        await client.delete(["lossy:wake:inc"])
        with trio.fail_after(10):
            assert await anext(signals) == Resumed()
        await post(one)
        await hear(signals, Arrived("/a"))
        await signals.aclose()  # type: ignore[attr-defined]


async def test_who_follows_the_changes_is_woken_by_another_node(redis_server: RedisServer) -> None:  # noqa: F811
    store = redis_server.store()
    woken: list[int] = []
    async with opened(store, "one") as one, opened(store, "two") as two:

        async def follow(after: int) -> None:
            await two.wait_change(after)
            woken.append(after)

        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(follow, 0)
                nursery.start_soon(follow, 1)
                await post(one)
                await two.wait_change(0)
                assert 1 not in woken
                await post(one)
        assert await two.last_change() == 2


# --- owners ----------------------------------------------------------------------


@pytest.mark.row(95)
async def test_a_slow_owner_that_lives_is_not_robbed(redis_server: RedisServer) -> None:  # noqa: F811
    """However long it has had a ticket in hand: as long as its lease is renewed nobody else gets it."""
    store = redis_server.store("slow")
    async with opened(store, "one", lease=1.0) as one, opened(store, "two") as two:
        token = await own(one)
        kept = await post(two)
        [taken] = await one.take("/a", 10, token=token)
        await say(one, Moved(taken.id, Move.DELIVER, time.time(), 1, token=token))
        for _ in range(4):
            await trio.sleep(0.3)
            assert await directory(one).renew()
            owner = await directory(two).claim("/a")
            assert owner.node == "one"
            with pytest.raises(NotTheOwner):
                await two.take("/a", 10, token=owner.token + 1)
        answered = await say(one, Moved(kept.id, Move.ANSWER, time.time(), 1, answer='"late"', token=token))
        assert not isinstance(answered, Exception)
        async with raw(redis_server) as client:
            assert not await client.keys("slow:q:*")


@pytest.mark.row(95)
async def test_what_a_lapsed_owner_says_does_not_count(redis_server: RedisServer) -> None:  # noqa: F811
    """It may come back from a long pause: another has the message by then, and one answer counts."""
    store = redis_server.store()
    async with opened(store, "one", lease=0.3) as one, opened(store, "two") as two:
        old = await own(one)
        posted = [await post(one), await post(one)]
        await one.take("/a", 10, token=old)
        await say(one, Moved(posted[0].id, Move.DELIVER, time.time(), 1, token=old))
        with trio.fail_after(5):
            await lapsed(two, "/a")
        owner = await directory(two).claim("/a")
        assert await directory(one).renew() is False
        saved = Saved("/a", '"old"')
        for what, attempt in ((Move.ANSWER, 1), (Move.FAIL, 1), (Move.RETURN, 1), (Move.DELIVER, 2)):
            said = Moved(posted[0].id, what, time.time(), attempt, saved=saved, token=old)
            assert isinstance(await say(one, said), NotTheOwner)
        assert isinstance(await say(one, Save(saved, old)), NotTheOwner)
        with pytest.raises(NotTheOwner):
            await one.take("/a", 10, token=old)
        taken = await two.take("/a", 10, token=owner.token)
        assert [(one.id, one.attempts) for one in taken] == [(posted[0].id, 1), (posted[1].id, 0)]
        assert await two.load("/a") is None


async def test_a_lease_that_comes_back_brings_no_old_claim_back(redis_server: RedisServer) -> None:  # noqa: F811
    store = redis_server.store()
    async with opened(store, "one", lease=0.2) as one:
        old = await directory(one).claim("/a")
        with trio.fail_after(5):
            await lapsed(one, "/a")
        assert await directory(one).renew() is False
        assert await directory(one).owner("/a") is None
        assert (await directory(one).claim("/a")).token > old.token


async def test_a_node_that_starts_anew_takes_its_names_over(redis_server: RedisServer) -> None:  # noqa: F811
    """It does not wait for the lease of the one before it; that one gets nothing back."""
    store = redis_server.store()
    async with opened(store, "one") as before:
        first = await directory(before).claim("/a")
        lost = await post(before)
        await say(before, Moved(lost.id, Move.DELIVER, time.time(), 1, token=first.token))
        async with opened(store, "one") as now:
            second = await directory(now).claim("/a")
            assert second.token > first.token
            assert (await directory(before).claim("/a")).node == "one (started again)"
            [found] = await now.take("/a", 10, token=second.token)
            assert (found.id, found.attempts, found.failures[0].kind) == (lost.id, 1, "")


async def test_a_store_that_is_opened_again_has_lost_what_it_had_in_hand(redis_server: RedisServer) -> None:  # noqa: F811
    """With the closing its names were given up: others may have had them meanwhile."""
    store, opening = redis_server.store(), Opening("one", "same", time.time)
    async with store.open(opening) as engine:
        old = await own(engine)
        kept = await post(engine)
        await say(engine, Moved(kept.id, Move.DELIVER, time.time(), 1, token=old))
    async with store.open(opening) as engine:
        assert await own(engine) > old
        late = Moved(kept.id, Move.ANSWER, time.time(), 1, answer="1", token=old)
        assert isinstance(await say(engine, late), NotTheOwner)
        again = await engine.get(kept.id)
        assert again is not None
        assert (again.state, again.attempts) == (TicketState.PENDING, 1)


async def test_the_newest_of_two_nodes_of_one_name_stays_the_newest(redis_server: RedisServer) -> None:  # noqa: F811
    """Also while the older one lives, and says so."""
    store = redis_server.store("twins")
    async with opened(store, "one") as older, opened(store, "one") as newer:
        await own(older)
        await own(newer)
        async with aclosing(older.signals()) as signals:  # type: ignore[type-var]
            with trio.move_on_after(0.5):  # which says hello first
                await anext(signals)
        refused = await directory(older).claim("/a")
        assert refused.node == f"one{STARTED_AGAIN}"
        kept = await directory(newer).claim("/a")
        assert kept.node == "one"


async def test_a_node_that_ends_leaves_nothing_of_itself(redis_server: RedisServer) -> None:  # noqa: F811
    store = redis_server.store("gone")
    async with raw(redis_server) as client:
        async with opened(store) as engine:
            await post(engine)
            await own(engine)
            assert await client.keys("gone:dir:*")
        kept = {key.split(":")[1] for key in await client.keys("gone:*")}
        assert kept == {
            "meta",
            "t",
            "q",
            "lines",
            "of",
            "in",
            "live",
            "feed",
            "seq",
            "number",
            "token",
            "epoch",
        }


# --- damage ----------------------------------------------------------------------


async def test_a_damaged_message_is_never_delivered(redis_server: RedisServer) -> None:  # noqa: F811
    """It is a dead letter that says why; those behind it go on."""
    async with raw(redis_server) as client, opened(redis_server.store("hurt")) as engine:
        token = await own(engine)
        hurt, whole = await post(engine), await post(engine)
        await client.hset(f"hurt:t:{hurt.id}", {"payload": '"another"'})
        with pytest.raises(StoreDamaged, match=f"the payload of the ticket {hurt.id}"):
            await engine.get(hurt.id)
        assert [one.id for one in await engine.take("/a", 1, token=token)] == [whole.id]
        [dead] = await engine.find(states={TicketState.DEAD})
        assert (dead.id, dead.payload, dead.failures[0].kind) == (
            hurt.id,
            None,
            "actors.delivery.errors.StoreDamaged",
        )
        assert await engine.waiting() == {"/a": 1}


async def test_damaged_states_and_answers_are_told(
    redis_server: RedisServer,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with raw(redis_server) as client, opened(redis_server.store("sick")) as engine:
        token = await own(engine)
        kept = await post(engine)
        await say(engine, Moved(kept.id, Move.DELIVER, time.time(), 1, token=token))
        saved = Saved("/a", '"state"')
        await say(engine, Moved(kept.id, Move.ANSWER, time.time(), 1, answer="1", saved=saved, token=token))
        await say(engine, Handled("far", "/a", time.time(), answer="1"))
        await client.setrange("sick:s:/a", 18, "X")
        await client.hset(f"sick:t:{kept.id}", {"answer": "2"})
        await client.hset("sick:h:far", {"answer": b"\xff"})
        with pytest.raises(StoreDamaged, match="saved state of /a"):
            await engine.load("/a")
        await say(engine, Save(Saved("/b", '"whole"')))
        assert await engine.states("/") == [Saved("/b", '"whole"')]
        assert "left out: " in caplog.text
        with pytest.raises(StoreDamaged, match="the answer of the ticket"):
            await engine.get(kept.id)
        with pytest.raises(StoreDamaged, match="what came of the ticket far"):
            await engine.handled("far")


# --- telling of weakness ---------------------------------------------------------


async def test_a_server_that_forgets_is_warned_of(
    redis_server: RedisServer,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = redis_server.store()
    with caplog.at_level(logging.WARNING, "actors.delivery"):
        async with raw(redis_server) as client:
            async with opened(store):
                assert caplog.text == ""
            weak = {"appendfsync": "everysec", "maxmemory": "1gb", "maxmemory-policy": "allkeys-lru"}
            await client.config_set(weak)
            async with opened(store):
                pass
            await client.config_set(
                {"appendfsync": "always", "maxmemory": "0", "maxmemory-policy": "noeviction"}
            )
    assert "set `appendonly yes` and `appendfsync always`" in caplog.text
    assert "set `maxmemory-policy noeviction`" in caplog.text


async def test_a_poster_hears_of_what_its_message_comes_to(redis_server: RedisServer) -> None:  # noqa: F811
    store = redis_server.store()
    async with opened(store, "one") as one, opened(store, "two") as two:
        token = await own(two)
        kept = await post(one, node="one")
        await say(two, Moved(kept.id, Move.DELIVER, time.time(), 1, token=token))
        signals = one.signals()
        assert await anext(signals) == Changed(kept.id, TicketState.DELIVERED)
        await signals.aclose()  # type: ignore[attr-defined]
