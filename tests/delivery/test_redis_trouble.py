"""The Redis engine while its server dies, hangs and comes back: late, but nothing acknowledged is lost."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import coredis
import coredis.exceptions
import pytest
import trio

from actors.delivery.errors import StoreUnavailable
from actors.delivery.operations import Append, Moved
from actors.delivery.redis import RedisStore
from actors.delivery.store import Arrived, Engine, Opening, Resumed
from actors.delivery.ticket import Entry, Move, Standing, TicketState
from tests.delivery.redis_server import RedisServer, mortal_server, redis_server  # noqa: F401 - fixtures

KILLS = 5


def entry(ticket_id: str, path: str = "/a") -> Entry:
    return Entry(id=ticket_id, path=path, payload=f'"{ticket_id}"', posted=time.time())


@asynccontextmanager
async def opened(store: RedisStore, node: str = "one") -> AsyncGenerator[Engine]:
    async with store.open(Opening(node, f"{node}-1", time.time, 30.0)) as engine:
        yield engine


async def _own(engine: Engine, path: str = "/a") -> int:
    assert engine.directory is not None
    return (await engine.directory.claim(path)).token


class Load:
    """Posters and a consumer that know what was acknowledged to them."""

    def __init__(self, engine: Engine, token: int) -> None:
        self.engine = engine
        self.token = token
        self.posted: list[str] = []
        self.answered: list[str] = []
        self.unknown = 0
        self.is_over = False
        self.progress = trio.Event()

    async def post(self, sender: int) -> None:
        number = 0
        while not self.is_over:
            ticket_id = f"s{sender}-{number}"
            number += 1
            try:
                await self.engine.write([Append(entry(ticket_id), 1_000_000)])
            except StoreUnavailable:
                self.unknown += 1
                continue
            self.posted.append(ticket_id)
            self.progress.set()

    async def consume(self) -> None:
        while not self.is_over:
            try:
                for one in await self.engine.take("/a", 20, again=True, token=self.token):
                    await self._handle(one)
            except StoreUnavailable:
                self.unknown += 1
            await trio.lowlevel.checkpoint()

    async def _handle(self, one: Entry) -> None:
        number, at = one.attempts + 1, time.time()
        deliver = Moved(one.id, Move.DELIVER, at, number, token=self.token)
        answer = Moved(one.id, Move.ANSWER, at, number, answer="1", token=self.token)
        results = await self.engine.write([deliver, answer])
        assert not [result for result in results if isinstance(result, Exception)], results
        self.answered.append(one.id)

    async def more(self) -> None:
        """Return when more was posted."""
        end = len(self.posted) + 20
        while len(self.posted) < end:
            self.progress = trio.Event()
            await self.progress.wait()


@pytest.mark.row(95)
async def test_a_server_that_is_killed_under_load_loses_nothing(mortal_server: RedisServer) -> None:  # noqa: F811
    async with opened(mortal_server.store("load")) as engine:
        load = Load(engine, await _own(engine))
        with trio.fail_after(9 * KILLS):
            async with trio.open_nursery() as nursery:
                for sender in range(5):
                    nursery.start_soon(load.post, sender)
                nursery.start_soon(load.consume)
                for _ in range(KILLS):
                    await load.more()
                    mortal_server.kill()
                    mortal_server.start()
                await load.more()
                load.is_over = True
        kept: list[Entry] = []
        while page := await engine.find(after=kept[-1].seq if kept else 0, limit=500):
            kept += page
        states = {one.id: one.state for one in kept}
        assert load.unknown == 0
        assert len(load.posted) > 100
        assert [one for one in load.posted if one not in states] == []
        assert [one for one in load.answered if states[one] is not TicketState.RESPONDED] == []
        assert len(set(load.answered)) == len(load.answered)
        assert len(kept) == len(states)
        waiting = sum(state is TicketState.PENDING for state in states.values())
        assert await engine.waiting() == ({"/a": waiting} if waiting else {})


async def test_a_write_whose_answer_is_lost_comes_to_the_same_again(
    mortal_server: RedisServer,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is asked again without being done again: a delivery and its answer in one group are no exception."""
    async with opened(mortal_server.store("twice")) as engine:
        token, at = await _own(engine), time.time()
        asked: list[bytes] = []
        evalsha = coredis.Redis.evalsha

        async def losing(
            client: coredis.Redis[bytes], sha: bytes, keys: object, given: list[bytes]
        ) -> object:
            answer = await evalsha(client, sha, [], given)
            asked.append(sha)
            if len(asked) == 1:
                raise coredis.exceptions.ConnectionError("Connection lost!")
            return answer

        monkeypatch.setattr(coredis.Redis, "evalsha", losing)
        moves = [Moved("x", what, at, 1, answer="1", token=token) for what in (Move.DELIVER, Move.ANSWER)]
        results = await engine.write([Append(entry("x"), 1), *moves])
        assert len(asked) == 2
        assert isinstance(results[0], Entry)
        states = [result.state for result in results[1:] if isinstance(result, Standing)]
        assert states == [TicketState.DELIVERED, TicketState.RESPONDED]
        assert await engine.last_change() == 3


async def test_signals_go_on_when_the_server_is_back(mortal_server: RedisServer) -> None:  # noqa: F811
    """What may have been lost meanwhile is said by `Resumed`."""
    store = mortal_server.store("ears")
    async with opened(store, "one") as one, opened(store, "two") as two:
        await _own(two)
        heard: list[object] = []
        again = trio.Event()

        async def listen() -> None:
            async with aclosing(two.signals()) as signals:  # type: ignore[type-var]
                async for signal in signals:
                    heard.append(signal)
                    if signal == Resumed():
                        again.set()
                    if signal == Arrived("/a", 7):
                        return

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(listen)
                await one.write([Append(entry("before"), 10)])
                mortal_server.kill()
                mortal_server.start()
                await again.wait()
                last = Entry(id="after", path="/a", payload="1", posted=time.time(), priority=7)
                await one.write([Append(last, 10)])
        assert heard[-1] == Arrived("/a", 7), "which came behind `Resumed`"


async def test_a_server_that_stays_away_is_unavailable_in_time(mortal_server: RedisServer) -> None:  # noqa: F811
    """The error comes within the patience, is plain, and says what to do; later all goes on."""
    async with opened(mortal_server.store("away", patience=0.5)) as engine:
        await engine.write([Append(entry("before"), 10)])
        mortal_server.kill()
        began = trio.current_time()
        with pytest.raises(
            StoreUnavailable, match=r"the server is away .*: start it, or correct the address"
        ):
            await engine.write([Append(entry("lost"), 10)])
        with pytest.raises(StoreUnavailable):
            await engine.get("before")
        assert 0.5 < trio.current_time() - began < 8
        mortal_server.start()
        await engine.write([Append(entry("lost"), 10)])
        assert [one.id for one in await engine.find()] == ["before", "lost"]


async def test_leaving_while_the_server_is_away_takes_no_longer_than_two_seconds(
    mortal_server: RedisServer,  # noqa: F811
) -> None:
    async with opened(mortal_server.store()):
        mortal_server.kill()
        began = trio.current_time()
    assert trio.current_time() - began < 8


async def test_a_server_that_stands_still_for_a_while_is_waited_for(mortal_server: RedisServer) -> None:  # noqa: F811
    async with opened(mortal_server.store("still")) as engine, trio.open_nursery() as nursery:
        mortal_server.hang()
        done: list[Entry] = []

        async def post(number: int) -> None:
            [result] = await engine.write([Append(entry(f"h{number}"), 10)])
            assert isinstance(result, Entry)
            done.append(result)

        for number in range(5):
            nursery.start_soon(post, number)
        await trio.sleep(0.5)
        assert done == []
        mortal_server.go_on()
        with trio.fail_after(5):
            while len(done) < 5:
                await trio.lowlevel.checkpoint()
        assert {one.id for one in await engine.find()} == {one.id for one in done}


async def test_a_server_that_stands_still_is_unavailable_in_time(mortal_server: RedisServer) -> None:  # noqa: F811
    async with opened(mortal_server.store("hung", patience=0.5)) as engine:
        mortal_server.hang()
        began = trio.current_time()
        with pytest.raises(StoreUnavailable, match=r"no answer within 0\.5 s"):
            await engine.write([Append(entry("h"), 10)])
        assert 0.4 < trio.current_time() - began < 8
        mortal_server.go_on()
        await engine.write([Append(entry("h"), 10)])
        assert await engine.waiting() == {"/a": 1}


async def test_held_reads_that_are_cancelled_leave_nothing(redis_server: RedisServer) -> None:  # noqa: F811
    """No connection, no client that the server holds, and no signal is lost."""
    store = redis_server.store()
    async with coredis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        async with opened(store, "one") as one, opened(store, "two") as two:
            await _own(two)
            for _ in range(20):
                with trio.move_on_after(0.01):
                    async with aclosing(two.signals()) as signals:  # type: ignore[type-var]
                        async for _ in signals:
                            pass
                with trio.move_on_after(0.01):
                    await two.wait_change(1000)
            await one.write([Append(entry("x"), 10)])
            with trio.fail_after(5):
                async with aclosing(two.signals()) as signals:  # type: ignore[type-var]
                    assert await anext(signals) == Arrived("/a")
            info = await client.info("clients")
            assert int(info["connected_clients"]) < 16
        with trio.fail_after(5):
            while int((await client.info("clients"))["blocked_clients"]):
                await trio.lowlevel.checkpoint()


async def test_callers_that_are_cancelled_while_the_server_is_away_harm_nobody(
    mortal_server: RedisServer,  # noqa: F811
) -> None:
    async with opened(mortal_server.store("cut")) as engine:
        mortal_server.hang()
        for _ in range(30):
            with trio.move_on_after(0.01):
                await engine.get("x")
        mortal_server.go_on()
        mortal_server.kill()
        for _ in range(30):
            with trio.move_on_after(0.01):
                await engine.get("x")
        mortal_server.start()
        with trio.fail_after(5):
            await engine.write([Append(entry("x"), 10)])


async def test_scripts_are_sent_again_to_a_server_that_has_forgotten_them(redis_server: RedisServer) -> None:  # noqa: F811
    async with coredis.Redis.from_url(redis_server.url) as client, opened(redis_server.store()) as engine:
        await client.script_flush()
        await engine.write([Append(entry("x"), 10)])
        assert await engine.waiting() == {"/a": 1}


async def test_a_full_memory_refuses_and_loses_nothing(mortal_server: RedisServer) -> None:  # noqa: F811
    async with coredis.Redis.from_url(mortal_server.url) as client, opened(mortal_server.store()) as engine:
        await engine.write([Append(entry("x"), 10)])
        await client.config_set({"maxmemory": "1"})
        with pytest.raises(StoreUnavailable, match="its memory is full"):
            await engine.write([Append(entry("y"), 10)])
        await client.config_set({"maxmemory": "0"})
        assert [one.id for one in await engine.find()] == ["x"]
        await engine.write([Append(entry("y"), 10)])
        assert await engine.waiting() == {"/a": 2}
