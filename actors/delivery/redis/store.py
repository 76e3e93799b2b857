"""The engine on a Redis or Valkey server: for many hosts. It needs the extra `redis`.

Which keys there are stands in `lua.py`, what a script does in `scripts.py`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Final, cast

import trio

from actors.delivery.errors import NotTheOwner, StoreDamaged, StoreError, StoreTooNew
from actors.delivery.operations import Change, Handled, Operation, Result, Saved
from actors.delivery.redis import scripts as scripts
from actors.delivery.redis import wire as wire
from actors.delivery.redis.directory import RedisDirectory
from actors.delivery.redis.line import Line, masked, opened_line, unfit
from actors.delivery.redis.signals import FeedWatch, hello, listen
from actors.delivery.store import Directory, Engine, Opening, Signal
from actors.delivery.ticket import Entry, TicketState

if TYPE_CHECKING:
    import coredis

__all__ = ["RedisStore"]

_VERSION: Final = 1
"""Of what is kept, and how."""
_AT_ONCE: Final = 200
"""Operations in one script: others are served in between."""
_PREFIX: Final = re.compile(r"[\w./-]+", re.ASCII)
_GOODBYE: Final = 2.0
"""Seconds for giving everything up at the end; what is not, lapses."""
_log = logging.getLogger("actors.delivery")


class RedisStore:
    """Keeps posted messages on a Redis or Valkey server (6.2 or newer), which several hosts use at once.

    `url` is `redis://[user:password@]host[:port][/db]`, `rediss://` for TLS, or `unix:///path`; all keys
    begin with `prefix`. `patience` is for how many seconds a server that is away is asked again before
    `StoreUnavailable`.

    A receipt is as safe as the server makes it: only with `appendonly yes` and `appendfsync always` is it on
    the disk; a warning is logged for any other setting. Replicas may lack the last of it when they take over.
    A cluster is not supported.
    """

    def __init__(self, url: str, prefix: str = "actors", *, patience: float = 10.0) -> None:
        if not isinstance(url, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"give the address of a server, such as 'redis://host:6379/0', not {url!r}")
        if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"prefix={prefix!r}: it has to be of letters, digits, and . _ / -")
        if not patience > 0:
            raise ValueError(f"patience={patience!r}: it has to be more than 0 seconds")
        self._url = url
        self._prefix = prefix
        self._patience = patience

    def __repr__(self) -> str:
        return f"<RedisStore {self.where}>"

    @property
    def where(self) -> str:
        """The address, without its password."""
        return masked(self._url)

    @property
    def is_durable(self) -> bool:
        """True."""
        return True

    @property
    def is_shared(self) -> bool:
        """True."""
        return True

    def open(self, opening: Opening) -> AbstractAsyncContextManager[Engine]:
        """See `Store.open`."""
        return self._opened(opening)

    @asynccontextmanager
    async def _opened(self, opening: Opening) -> AsyncGenerator[Engine]:
        async with opened_line(self._url, self._patience) as line:
            await _warn_of_weakness(line)
            engine = _RedisEngine(line, self._prefix, opening)
            await engine.begin()
            try:
                yield engine
            finally:
                with trio.move_on_after(_GOODBYE, shield=True):
                    await engine.end()


class _RedisEngine:
    """One system's use of the server."""

    def __init__(self, line: Line, prefix: str, opening: Opening) -> None:
        self._line = line
        self._first = (prefix, opening.incarnation)
        self._opening = opening
        self._epoch = ""
        self._serials, self._new_slots = count(), count()
        self._slots: list[int] = []
        self._directory = RedisDirectory(self._ask, opening)
        self._feed = FeedWatch(line, self._first)
        line.start_soon(self._feed.run)

    async def _ask(self, script: scripts.Script, *arguments: str, patience: float | None = None) -> Any:
        return await self._line.ask(script, *self._first, *arguments, patience=patience)

    async def begin(self) -> None:
        """Take the lease. Raises `StoreTooNew`, and `StoreInvalid` where scripts are refused."""
        milliseconds = str(round(1000 * self._opening.lease))
        try:
            answer = await self._ask(scripts.OPEN, str(_VERSION), milliseconds)
        except StoreError as error:
            raise unfit(error) from error.__cause__
        if not isinstance(answer, list):
            raise StoreTooNew(self._line.where, f"version {wire.text(answer)} of the package has written it")
        self._epoch = self._directory.epoch = wire.text(cast("list[Any]", answer)[0])
        await hello(self._ask, self._opening.node, is_new=True)  # from here on signals are kept for this node

    async def end(self) -> None:
        """Give all names and the lease up."""
        try:
            await self._ask(scripts.CLOSE, self._opening.node, patience=_GOODBYE)
        except StoreError as error:
            _log.info("the names of %s lapse by themselves: %s", self._opening.node, error)

    @property
    def directory(self) -> Directory | None:
        return self._directory

    async def write(self, group: Sequence[Operation]) -> list[Result]:
        results: list[Result] = []
        slot = self._slots.pop() if self._slots else next(self._new_slots)
        try:
            for start in range(0, max(len(group), 1), _AT_ONCE):  # also an empty one asks the server
                results += await self._write(slot, group[start : start + _AT_ONCE])
        finally:
            self._slots.append(slot)
        return results

    async def _write(self, slot: int, group: Sequence[Operation]) -> Iterable[Result]:
        """Write what fits into one script. Asked again it says the same again: by its serial, in its slot."""
        serial = f"{self._epoch}.{next(self._serials)}"
        arguments = [argument for operation in group for argument in wire.arguments(operation)]
        answers = await self._ask(scripts.WRITE, str(slot), serial, str(len(group)), *arguments)
        return map(wire.result, group, answers)

    async def take(
        self, path: str, limit: int, *, again: bool = False, token: int | None = None
    ) -> list[Entry]:
        taken: list[Entry] = []
        if token is None:
            await trio.lowlevel.checkpoint()
            raise NotTheOwner(path)
        while len(taken) < limit:
            # `again` begins at the front each time: what is damaged there is gone by then
            wanted = limit if again else limit - len(taken)
            answer = await self._ask(scripts.TAKE, path, str(wanted), str(int(again)), f"+{token}")
            if not isinstance(answer, list):
                raise NotTheOwner(path)
            given = cast("list[Any]", answer)
            whole = [one for one in [await self._read(*found) for found in given] if one is not None]
            taken = whole if again else taken + whole
            if len(given) < wanted or len(whole) == len(given):
                break
        return taken

    async def _read(self, ticket_id: bytes, fields: Any) -> Entry | None:
        try:
            return wire.entry(self._line.where, wire.text(ticket_id), fields)
        except StoreDamaged as error:
            one = wire.entry_without_damage(wire.text(ticket_id), fields)
            await self._ask(scripts.CONDEMN, *wire.condemned(one, self._opening.wall(), error))
            return None

    async def waiting(self) -> Mapping[str, int]:
        flat = [wire.text(one) for one in await self._ask(scripts.WAITING)]
        return {path: int(count) for path, count in zip(flat[::2], flat[1::2], strict=True)}

    async def get(self, ticket_id: str) -> Entry | None:
        fields = await self._ask(scripts.GET, ticket_id)
        return wire.entry(self._line.where, ticket_id, fields) if fields else None

    async def find(
        self,
        *,
        states: Collection[TicketState] = (),
        path: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[Entry]:
        wanted = sorted(state.value for state in states or TicketState)
        found: list[Entry] = []
        place = str(after)
        while place:
            arguments = ("" if path is None else f"+{path}", place, str(limit - len(found)), str(len(wanted)))
            place, answer = await self._ask(scripts.FIND, *arguments, *wanted)
            place = wire.text(place)
            found += [wire.entry_without_damage(wire.text(ticket_id), fields) for ticket_id, fields in answer]
        return found

    async def due(self, before: float, limit: int) -> list[Entry]:
        answer = await self._ask(scripts.DUE, repr(before), str(limit))
        return [wire.entry_without_damage(wire.text(ticket_id), fields) for ticket_id, fields in answer]

    async def next_due(self) -> float | None:
        answer = await self._ask(scripts.NEXT_DUE)
        return None if answer is None else float(answer)

    async def load(self, path: str) -> Any:
        return wire.saved_state(self._line.where, path, await self._ask(scripts.LOAD, path))

    async def states(self, below: str) -> list[Saved]:
        found: list[Saved] = []
        after = ""
        while True:
            page = await self._ask(scripts.STATES, below, after, str(_AT_ONCE))
            for path, raw in ((wire.text(path), raw) for path, raw in page):
                after = f"+{path}"
                try:
                    state = wire.saved_state(self._line.where, path, raw)
                except StoreDamaged as error:
                    _log.error("left out: %s", error)
                else:
                    found += [] if state is None else [Saved(path, state)]
            if len(page) < _AT_ONCE:
                return found

    async def handled(self, ticket_id: str) -> Handled | None:
        return wire.handled(self._line.where, ticket_id, await self._ask(scripts.HANDLED, ticket_id))

    async def changes(self, after: int, limit: int) -> list[Change]:
        answer = await self._ask(scripts.CHANGES, str(after + 1), str(limit))
        return [wire.change(one) for one in answer]

    async def last_change(self) -> int:
        return int(await self._ask(scripts.LAST_CHANGE) or 0)

    async def wait_change(self, after: int) -> None:
        await self._feed.wait(after)

    def signals(self) -> AsyncIterator[Signal]:
        return listen(self._line, self._first, self._opening.node)


async def _warn_of_weakness(line: Line) -> None:
    """Say in the log what makes a receipt less than it should be."""
    import coredis.exceptions

    async def settings(client: coredis.Redis[bytes]) -> dict[str, str]:
        try:
            found = await client.config_get(["append*", "maxmemory*"])
        except coredis.exceptions.ResponseError:  # many a rented server does not show them
            return {}
        return {wire.text(name): wire.text(value) for name, value in found.items()}

    found = await line.retried(settings)
    on_disk = (found.get("appendonly"), found.get("appendfsync"))
    if on_disk != ("yes", "always"):
        is_so = "appendonly {}, appendfsync {}".format(*on_disk) if found else "it does not show its settings"
        _log.warning(
            "%s: a receipt may be lost when the server or its machine fails (%s): set `appendonly yes` and "
            "`appendfsync always`",
            line.where,
            is_so,
        )
    if found.get("maxmemory", "0") != "0" and found.get("maxmemory-policy") != "noeviction":
        _log.warning(
            "%s: the server removes messages when its memory is full (maxmemory-policy %s): set "
            "`maxmemory-policy noeviction`",
            line.where,
            found.get("maxmemory-policy"),
        )
