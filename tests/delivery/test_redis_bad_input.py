"""What a Redis store says when it cannot be opened: what is wrong, where, and what to do; no password."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import coredis
import pytest
import trio

from actors.delivery import RedisStore
from actors.delivery.errors import StoreError, StoreInvalid, StoreTooNew, StoreUnavailable
from actors.delivery.store import Opening
from tests.delivery.redis_server import RedisServer, new_server

Serve = Callable[[trio.SocketStream], Awaitable[None]]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Generator[RedisServer]:
    """A server that wants a password: `p@ss`."""
    server = new_server(tmp_path_factory.mktemp("guarded"), "--requirepass", "p@ss")
    server.start()
    yield server
    server.stop()


async def refused(url: str, kind: type[StoreError], prefix: str = "actors") -> str:
    with pytest.raises(StoreError) as caught:
        async with RedisStore(url, prefix, patience=1.0).open(Opening("one", "one-1", time.time)):
            pass
    assert type(caught.value) is kind, repr(caught.value)
    return str(caught.value)


def with_user(server: RedisServer, user: str) -> str:
    return server.url.replace("//", f"//{user}@")


@asynccontextmanager
async def listening(serve: Serve) -> AsyncGenerator[str]:
    """Something that is no Redis server."""
    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, host="127.0.0.1"), serve, 0)
        yield f"redis://127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


def saying(text: bytes) -> Serve:
    async def serve(stream: trio.SocketStream) -> None:
        async for _ in stream:
            await stream.send_all(text)

    return serve


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "this is no address of a server: say redis://host:port/0"),
        ("127.0.0.1:6379", "this is no address of a server"),
        ("http://127.0.0.1:6379", "this is no address of a server"),
        ("redis://127.0.0.1:port", "this is no address (Port could not be cast"),
        ("redis://127.0.0.1:0", "this is no address of a server"),
        ("redis://127.0.0.1/abc", "this is no address of a server"),
        ("redis://[::1", "this is no address (Invalid IPv6 URL)"),
    ],
)
async def test_an_address_that_is_none_is_refused(url: str, says: str) -> None:
    assert says in await refused(url, StoreInvalid)


async def test_where_no_server_is_says_so_without_the_password() -> None:
    found = await refused("redis://user:secret@127.0.0.1:1/3?password=secret", StoreUnavailable)
    assert "redis://user:***@127.0.0.1:1/3?password=***: no server is there" in found
    assert "start it, or correct the address" in found
    assert "secret" not in found + repr(RedisStore("redis://:secret@h"))


async def test_a_socket_that_is_not_there_is_said() -> None:
    assert "No such file" in await refused("unix:///nowhere/redis.sock", StoreUnavailable)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "this is no Redis server: correct the address"),
        (b"SSH-2.0-OpenSSH\r\n", "this is no Redis server: correct the address"),
        (b"-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n", "it is too old"),
    ],
)
async def test_what_is_no_server_of_ours_is_refused(text: bytes, says: str) -> None:
    async with listening(saying(text)) as url:
        assert says in await refused(url, StoreInvalid)


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ("", "it wants a password: put it into the address"),
        (":wrong", "it refuses the user or password in the address: correct them"),
    ],
)
async def test_a_password_that_is_wrong_or_missing_is_said(
    guarded: RedisServer, user: str, says: str
) -> None:
    found = await refused(with_user(guarded, user) if user else guarded.url, StoreInvalid)
    assert says in found
    assert "wrong@" not in found


async def test_a_password_may_be_quoted(guarded: RedisServer) -> None:
    async with RedisStore(with_user(guarded, ":p%40ss")).open(Opening("one", "one-1", time.time)) as engine:
        assert await engine.waiting() == {}


async def test_a_user_who_may_not_is_told_so(guarded: RedisServer) -> None:
    async with coredis.Redis.from_url(guarded.url, password="p@ss") as client:
        await client.acl_setuser("bob", "on", ">pw", "~bob:*", "+@all", "-@scripting")
        await client.acl_setuser("eve", "on", ">pw", "~bob:*", "+@all")
    for user in ("bob:pw", "eve:pw"):
        found = await refused(with_user(guarded, user), StoreInvalid)
        assert "may not do this: give it `~PREFIX:* +@all`" in found


async def test_a_database_that_is_not_there_is_said(guarded: RedisServer) -> None:
    found = await refused(with_user(guarded, ":p%40ss") + "/99", StoreInvalid)
    assert "it has no database of this number" in found


async def test_a_prefix_of_somebody_else_and_a_newer_version_are_refused(guarded: RedisServer) -> None:
    url = with_user(guarded, ":p%40ss")
    async with coredis.Redis.from_url(guarded.url, password="p@ss") as client:
        await client.set("theirs:meta", "x")
        await client.hset("newer:meta", {"version": "9"})
    assert "choose another, RedisStore(url, prefix=...)" in await refused(url, StoreInvalid, "theirs")
    assert "version 9" in await refused(url, StoreTooNew, "newer")


async def test_a_replica_is_refused(tmp_path: Path) -> None:
    server = new_server(tmp_path, "--replicaof", "127.0.0.1 1")
    server.start()
    try:
        assert "this is a replica" in await refused(server.url, StoreInvalid)
    finally:
        server.stop()


async def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coredis", None)
    assert "pip install trio-actors[redis]" in await refused("redis://127.0.0.1:1", StoreInvalid)


@pytest.mark.parametrize("prefix", ["", "a b", "a:b", "ž", "a*"])
def test_a_prefix_that_could_meet_others_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        RedisStore("redis://h", prefix)


@pytest.mark.parametrize(("url", "prefix"), [(None, "a"), (b"redis://h", "a")])
def test_an_address_that_is_no_text_is_refused_with_the_cure(url: Any, prefix: Any) -> None:
    with pytest.raises(TypeError, match="give the address of a server"):
        RedisStore(url, prefix)


@pytest.mark.parametrize("prefix", [None, 7, b"a"])
def test_a_prefix_that_is_no_text_is_refused(prefix: Any) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        RedisStore("redis://h", prefix)


@pytest.mark.parametrize("patience", [0, -1, float("nan")])
def test_a_patience_of_nothing_is_refused(patience: float) -> None:
    with pytest.raises(ValueError, match="more than 0 seconds"):
        RedisStore("redis://h", patience=patience)
