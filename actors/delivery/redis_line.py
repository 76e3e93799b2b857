"""The line to a Redis server: scripts that are tried again for a while, and errors that say what to do.

The client is coredis, which is imported when a line is opened. Three things about it shape this file:
a pool loses one place with each connection that breaks while it is read from, so that a client which had
trouble is replaced by a new one; what leaves the block of a client comes in nested groups; and a request
that takes too long leaves its connection in use, so that a hung one would be used for ever.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

import trio

from actors.delivery.errors import StoreError, StoreInvalid, StoreUnavailable
from actors.delivery.redis_scripts import Script
from actors.delivery.redis_wire import text
from actors.errors import flatten

if TYPE_CHECKING:
    import coredis

__all__ = ["BLOCK", "Line", "masked", "opened_line"]

ANSWER: Final = 5.0
"""Seconds for which one answer is waited for."""
BLOCK: Final = 2.5
"""Seconds for which the server holds a read of signals: less than `ANSWER`."""
_CONNECTIONS: Final = 8
_FIRST, _LONGEST = 0.02, 0.5
"""Seconds between two tries."""
_SCHEMES: Final = frozenset({"redis", "rediss", "unix"})
_PASSING: Final = ("LOADING", "BUSY", "READONLY", "MASTERDOWN", "TRYAGAIN", "UNBLOCKED")
"""How the answers of a server begin that heals by itself."""
_CURES: Final = {
    "OOM": "its memory is full: give it more (maxmemory), or prune what ended",
    "MISCONF": "it cannot write its files: look at its disk and its log",
    "NOAUTH": "it wants a password: put it into the address, redis://:PASSWORD@host",
    "WRONGPASS": "it refuses the user or password in the address: correct them",
    "NOPERM": "the user may not do this: allow it `~PREFIX:* +@all`, and scripts",
    "WRONGTYPE": "the prefix is used by something else: choose another with RedisStore(url, prefix=...)",
    "NOREPLICAS": "too few of its replicas are there: look at them",
    "CLUSTERDOWN": "it is a cluster, and down",
}


def masked(url: str) -> str:
    """The address without its password."""
    try:
        parts = urlsplit(url)
        if not parts.password:
            return url
    except ValueError:
        return "redis"
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:***@{host}"))


class Line:
    """Asks the server, with a client that is replaced when it had trouble."""

    def __init__(self, url: str, patience: float, nursery: trio.Nursery) -> None:
        self.start_soon = nursery.start_soon
        self.where = masked(url)
        self._url = url
        self._patience = patience
        self._client: coredis.Redis[bytes] | None = None
        self._broken = trio.Event()
        self._there = trio.Event()

    @property
    def passing(self) -> tuple[type[Exception], ...]:
        """The errors of `tried` that may be gone in a moment."""
        import coredis.exceptions

        return coredis.exceptions.RedisError, OSError, TimeoutError, trio.TooSlowError

    async def run(self) -> None:
        """Keep a client until cancelled."""
        while True:
            self._broken = trio.Event()
            async with _client(self._url) as self._client:
                self._there.set()
                await self._broken.wait()
                self._there = trio.Event()

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
        seconds = self._patience if patience is None else patience
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
                broken.set()  # a client with trouble is not trusted with the next
            raise one from None

    async def held(self, once: Callable[[coredis.Redis[bytes]], Any]) -> Any:
        """`tried`, for a read that the server holds."""
        broken = self._broken
        try:
            return await self.tried(once)
        except trio.Cancelled:
            broken.set()  # its connection is lost to the pool
            raise


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
        scheme, port = urlsplit(url).scheme, urlsplit(url).port
    except ValueError as error:
        raise StoreInvalid(where, f"this is no address ({error}): say redis://host:port") from None
    if scheme not in _SCHEMES or port == 0:
        raise StoreInvalid(
            where, "this is no address of a server: say redis://host:port, rediss:// for TLS, or unix:///path"
        )
    try:
        import coredis as _  # noqa: F401 - half a second, and an extra
    except ImportError:
        raise StoreInvalid(where, "this needs an extra: pip install trio-actors[redis]") from None


def _client(url: str) -> coredis.Redis[bytes]:
    import coredis
    import coredis.retry

    return coredis.Redis.from_url(
        url,
        connect_timeout=ANSWER,
        stream_timeout=ANSWER,
        pool_timeout=ANSWER,
        max_connections=_CONNECTIONS,
        verify_version=False,
        retry_policy=coredis.retry.NoRetryPolicy(),
    )


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
    cause = error.__cause__
    while cause is not None and not isinstance(error, OSError):
        error, cause = cause, cause.__cause__
    return str(next(iter(flatten(error)))) or type(error).__name__


def _cure(error: Exception) -> str:
    said = str(error) or type(error).__name__
    cure = next((cure for code, cure in _CURES.items() if code in said), "it refuses what is asked")
    return f"{cure} ({said})"


# --- whether it is fit ---------------------------------------------------------------

_OLDEST: Final = (6, 2)


async def _check_server(line: Line) -> None:
    """Raise `StoreInvalid` for a server that cannot be used."""
    import coredis.exceptions

    async def info(client: coredis.Redis[bytes]) -> dict[str, Any]:
        return {text(name): value for name, value in (await client.info()).items()}

    pause, end = _FIRST, trio.current_time() + ANSWER
    while True:
        try:
            found = await line.tried(info)
            break
        except StoreUnavailable as error:
            raise StoreInvalid(line.where, _unfit(error)) from error.__cause__
        except coredis.exceptions.BusyLoadingError as error:
            if trio.current_time() > end:
                raise StoreUnavailable(line.where, f"the server still loads its data ({error})") from error
        except coredis.exceptions.ProtocolError as error:
            raise StoreInvalid(line.where, f"this is no Redis server ({_said(error)})") from error
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


def _unfit(error: StoreUnavailable) -> str:
    said = str(error.__cause__)
    if "unknown command" in said.lower() and "HELLO" in said:
        return f"the server is too old: it has to be 6.2 or newer ({said})"
    return str(error).removeprefix(f"{error.where}: ")
