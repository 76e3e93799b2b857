"""The line to a Redis server: scripts that are tried again for a while, and errors that say what to do.

The client is coredis, which is imported when a line is opened. Three things about it shape this file:
a pool loses one place with each connection that breaks while it is read from, so that a client which had
trouble is replaced by a new one; what leaves the block of a client comes in nested groups; and a request
that takes too long leaves its connection in use, so that a hung one would be used for ever.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

import trio

from actors.delivery.errors import StoreError, StoreInvalid, StoreUnavailable
from actors.delivery.redis.scripts import Script
from actors.delivery.redis.wire import text
from actors.errors import flatten

if TYPE_CHECKING:
    import coredis

__all__ = ["BLOCK", "Line", "masked", "opened_line", "unfit"]

ANSWER: Final = 5.0
"""Seconds for which one answer is waited for."""
BLOCK: Final = 2.5
"""Seconds for which the server holds a read of signals: less than `ANSWER`."""
_CONNECTIONS: Final = 8
_FIRST, _LONGEST = 0.02, 0.5
"""Seconds between two tries."""
_SCHEMES: Final = frozenset({"redis", "rediss", "unix"})
_PASSING: Final = ("BUSY", "READONLY", "MASTERDOWN", "TRYAGAIN", "UNBLOCKED")
"""How the answers of a server begin that heals by itself."""
_CURES: Final = {
    "OOM": "its memory is full: give it more (maxmemory), or prune what ended",
    "MISCONF": "it cannot write its files: look at its disk and its log",
    "NOREPLICAS": "too few of its replicas are there: look at them",
    "AuthenticationRequiredError": "it wants a password: put it into the address, redis://:PASSWORD@host",
    "AuthenticationFailureError": "it refuses the user or password in the address: correct them",
    "AuthorizationError": "the user in the address may not do this: give it `~PREFIX:* +@all`",
    "can't access": "the user in the address may not do this: give it `~PREFIX:* +@all`",
    "WrongTypeError": "something else has keys with this prefix: choose another, RedisStore(url, prefix=...)",
    "InvalidResponse": "this is no Redis server: correct the address",
    "ProtocolError": "this is no Redis server: correct the address",
    "unknown command `HELLO`": "it is too old: it has to be 6.2 or newer",
    "DB index": "it has no database of this number: correct the end of the address",
}
"""By what the error is, or says."""
_DATABASE: Final = re.compile(r"/?|/[0-9]+")
_PASSWORD: Final = re.compile(r"(password=)[^&]*")


def masked(url: str) -> str:
    """The address without its password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "redis"
    if not parts.password and "password=" not in parts.query:
        return url
    user, at, host = parts.netloc.rpartition("@")
    if parts.password:
        user = f"{user.partition(':')[0]}:***"
    return urlunsplit(parts._replace(netloc=user + at + host, query=_PASSWORD.sub(r"\1***", parts.query)))


class Line:
    """Asks the server, with a client that is replaced when it had trouble."""

    def __init__(self, url: str, patience: float, nursery: trio.Nursery) -> None:
        self.start_soon = nursery.start_soon
        self.scope = trio.CancelScope(shield=True)
        """What ends it: it outlives a block that is cancelled, whose last words it carries."""
        self.where = masked(url)
        self.lost = 0
        """Connections that have ended so far: what the server said in between may not have come."""
        self._url = url
        self.patience = patience
        self._client: coredis.Redis[bytes] | None = None
        self._broken = trio.Event()
        self._there = trio.Event()

    @property
    def passing(self) -> tuple[type[Exception], ...]:
        """The errors of `tried` that may be gone in a moment."""
        import coredis.exceptions

        return coredis.exceptions.RedisError, OSError, TimeoutError, trio.TooSlowError

    async def run(self) -> None:
        """Keep a client until `scope` is cancelled."""
        with self.scope:
            while True:
                self._broken = trio.Event()
                async with _client(self._url, self._has_lost) as self._client:
                    self._there.set()
                    await self._broken.wait()

    async def ask(self, script: Script, *arguments: str, patience: float | None = None) -> Any:
        """What a script answers. A checkpoint.

        Tried again while the server is away, for `patience` seconds; then raises `StoreUnavailable`, and so
        for what it refuses. A script may have run even so.
        """

        async def once(client: coredis.Redis[bytes]) -> Any:
            return await _run(client, script, arguments)

        return await self.retried(once, patience)

    async def retried(
        self, once: Callable[[coredis.Redis[bytes]], Any], patience: float | None = None
    ) -> Any:
        """The same for anything that may be asked twice."""
        seconds = self.patience if patience is None else patience
        end, pause = trio.current_time() + seconds, _FIRST
        cause: Exception = TimeoutError(f"no answer within {seconds:g} s")
        with trio.move_on_at(end):
            while True:
                try:
                    return await self.tried(once)
                except StoreError:
                    raise
                except Exception as error:
                    cause = error
                if trio.current_time() + pause >= end:
                    break
                await trio.sleep(pause)
                pause = min(2 * pause, _LONGEST)
        raise StoreUnavailable(
            self.where, f"the server is away ({_said(cause)}): start it, or correct the address"
        ) from cause

    async def tried(self, once: Callable[[coredis.Redis[bytes]], Any]) -> Any:
        """Ask once. Raises what passes as it is, and `StoreUnavailable` for anything else."""
        while not self._there.is_set():  # it may be replaced again before this task runs
            await self._there.wait()
        assert self._client is not None
        broken = self._broken
        try:
            return await once(self._client)
        except Exception as error:
            one = _plain(error)
        if not _passes(one):
            raise StoreUnavailable(self.where, _cure(one)) from one
        if not _is_answer(one):
            self._replace(broken)
        raise one

    async def held(self, once: Callable[[coredis.Redis[bytes]], Any]) -> Any:
        """`tried`, for a read that the server holds."""
        broken = self._broken
        try:
            return await self.tried(once)
        except trio.Cancelled:
            self._replace(broken)  # its connection is lost to the pool
            raise

    def _has_lost(self) -> None:
        self.lost += 1

    def _replace(self, broken: trio.Event) -> None:
        """Nobody uses the client any more that had this trouble."""
        if broken is self._broken and not broken.is_set():
            self._there = trio.Event()
            broken.set()


@asynccontextmanager
async def opened_line(url: str, patience: float) -> AsyncGenerator[Line]:
    """A line to a server that is there and fit; errors come out as they are, and not in groups.

    Raises `StoreInvalid` and `StoreUnavailable`.
    """
    where = masked(url)
    _check_url(where, url)
    failed: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            line = Line(url, patience, nursery)
            nursery.start_soon(line.run, name=f"line to {where}")
            try:
                await _check_server(line)
                yield line
            except BaseException as error:
                failed = error
            line.scope.cancel()
            nursery.cancel_scope.cancel()
    except BaseException as error:
        if failed is None or isinstance(failed, trio.Cancelled):  # the line has failed, or all is cancelled
            for leaf in flatten(error):
                if not isinstance(leaf, trio.Cancelled):
                    raise leaf from None
            raise
    if failed is not None:
        raise failed


def _check_url(where: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in _SCHEMES and parts.port != 0
    except ValueError as error:
        raise StoreInvalid(where, f"this is no address ({error}): say redis://host:port") from None
    if not is_one or (parts.scheme != "unix" and not _DATABASE.fullmatch(parts.path)):
        raise StoreInvalid(
            where,
            "this is no address of a server: say redis://host:port/0, rediss:// for TLS, or unix:///path",
        )
    try:
        import coredis as _  # noqa: F401 - half a second, and an extra
    except ImportError:
        raise StoreInvalid(where, "this needs an extra: pip install trio-actors[redis]") from None


def _client(url: str, on_end: Callable[[], None]) -> coredis.Redis[bytes]:
    import coredis
    import coredis.retry

    client = coredis.Redis.from_url(
        url,
        connect_timeout=ANSWER,
        stream_timeout=ANSWER,
        pool_timeout=ANSWER,
        max_connections=_CONNECTIONS,
        decode_components=True,
        verify_version=False,
        retry_policy=coredis.retry.NoRetryPolicy(),
    )
    pool: Any = client.connection_pool
    pool.connection_class = _tidy(pool.connection_class, on_end)
    return client


def _tidy(connection_class: Any, on_end: Callable[[], None]) -> Any:
    """Connections that tell of their end, and close their buffers also when cancelled while they connect."""

    async def run(connection: Any, **given: Any) -> None:
        try:
            await connection_class.run(connection, **given)
        finally:
            on_end()
            for name in ("_write_buffer", "_push_message_buffer", "_streamed_message_buffer"):
                getattr(connection, f"{name}_in").close()
                getattr(connection, f"{name}_out").close()

    return type(connection_class.__name__, (connection_class,), {"run": run})


async def _run(client: coredis.Redis[bytes], script: Script, arguments: Sequence[str]) -> Any:
    import coredis.exceptions

    given = [argument.encode("utf-8", "surrogatepass") for argument in arguments]
    try:
        return await client.evalsha(script.sha, [], given)
    except coredis.exceptions.NoScriptError:  # a server that was started anew knows none
        await client.script_load(script.text)
        return await client.evalsha(script.sha, [], given)


# --- what the client says ------------------------------------------------------------


def _plain(error: Exception) -> Exception:
    """One error, out of groups, and of the wrapper around what a handshake said."""
    import coredis.exceptions

    leaf = next(iter(flatten(error)))
    cause = leaf.__cause__
    if type(leaf) is coredis.exceptions.ConnectionError and isinstance(cause, coredis.exceptions.RedisError):
        leaf = cause
    return leaf if isinstance(leaf, Exception) else error


def _is_answer(error: Exception) -> bool:
    import coredis.exceptions

    return isinstance(error, coredis.exceptions.ResponseError)


def _passes(error: Exception) -> bool:
    """Whether it may be better in a moment."""
    import coredis.exceptions

    if isinstance(error, coredis.exceptions.ReadOnlyError):
        return True
    if isinstance(error, coredis.exceptions.ResponseError):
        return str(error).startswith(_PASSING)
    away = (coredis.exceptions.ConnectionError, TimeoutError, OSError, trio.TooSlowError)
    return isinstance(error, away)


def _said(error: BaseException) -> str:
    """What the innermost cause says: the wrappers say nothing of use."""
    while error.__cause__ is not None and not isinstance(error, OSError):
        error = next(iter(flatten(error.__cause__)))
    return str(error) or type(error).__name__


def _cure(error: Exception) -> str:
    said = str(error) or type(error).__name__
    told = f"{type(error).__name__} {said}"
    cure = next((cure for sign, cure in _CURES.items() if sign in told), "it refuses what is asked")
    return f"{cure} ({said})"


# --- whether it is fit ---------------------------------------------------------------

_OLDEST: Final = (6, 2)


async def _check_server(line: Line) -> None:
    """Raise `StoreInvalid` for a server that cannot be used."""
    import coredis.exceptions

    async def info(client: coredis.Redis[bytes]) -> dict[str, Any]:
        return {text(name): value for name, value in (await client.info()).items()}

    pause, end = _FIRST, trio.current_time() + line.patience
    while True:
        try:
            found = await line.tried(info)
            break
        except StoreUnavailable as error:
            raise StoreInvalid(line.where, _text(error)) from error.__cause__
        except coredis.exceptions.BusyLoadingError as error:
            if trio.current_time() > end:
                raise StoreUnavailable(line.where, f"the server still loads its data ({error})") from error
        except coredis.exceptions.ProtocolError as error:
            raise StoreInvalid(line.where, _cure(error)) from error
        except Exception as error:
            raise StoreUnavailable(
                line.where, f"no server is there ({_said(error)}): start it, or correct the address"
            ) from error
        await trio.sleep(pause)
        pause = min(2 * pause, _LONGEST)
    version = text(found.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < _OLDEST:
        raise StoreInvalid(line.where, f"the server is too old ({version}): it has to be 6.2 or newer")
    if text(found.get("redis_mode", "")) == "cluster":
        raise StoreInvalid(line.where, "this is a cluster, which is not supported: use a single server")
    if text(found.get("role", "master")) != "master":
        raise StoreInvalid(line.where, "this is a replica, which cannot be written: say where its master is")


def unfit(error: StoreError) -> StoreError:
    """`StoreInvalid` for what another address or prefix would cure; any other as it is."""
    import coredis.exceptions

    cause = error.__cause__
    kinds = (
        coredis.exceptions.WrongTypeError,
        coredis.exceptions.AuthorizationError,
        coredis.exceptions.AuthenticationError,
    )
    if isinstance(cause, kinds) or "can't access" in str(cause):
        return StoreInvalid(error.where, _text(error))
    return error


def _text(error: StoreError) -> str:
    return str(error).removeprefix(f"{error.where}: ")
