"""The way to those who know: to a file, a server, or the courier of a running system.

Whatever the way is, it is asked with the messages of `actors.delivery.service`. A file that a running
system has open is that system's: it has left its address beside the file.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, NoReturn

import attrs

from actors.cli.misuse import Misused
from actors.cli.stores import REDIS, file_of, redis_store
from actors.coding import JsonCoder
from actors.delivery import SQLiteStore, Store
from actors.delivery.admin import Files, find_page, story_of
from actors.delivery.errors import StoreInUse, StoreInvalid
from actors.delivery.service import FindTickets, TellStory
from actors.errors import LinkRefused, NodeUnreachable
from actors.posting import Posting
from actors.remote.transport import url_faults
from actors.system import System, open_system

__all__ = ["COURIER_PATH", "Failed", "Target", "Way", "address_of", "must_exist", "opened", "read", "running"]

COURIER_PATH: Final = "/system/courier"
_LONGEST: Final = 2**26
"""Characters of a reply: one ticket with all that it has in it."""
_HANDS_OFF: Final = Posting(keep_ended=1e10, keep_unclaimed=None)
"""A visitor tidies up nothing: how long what is kept is up to the system whose file it is."""


class Failed(Exception):
    """It cannot be done, and the command line is right; the text says why."""


@attrs.frozen
class Target:
    """FILE|URL of a command line."""

    text: str
    token: str | None = None
    prefix: str = "actors"

    def __attrs_post_init__(self) -> None:
        if self.is_node:
            fault = url_faults(self.text)
            if fault is not None:
                raise Misused(fault)
        elif "://" in self.text and not self.text.startswith((*REDIS, "sqlite://")):
            raise Misused(f"{self.text!r} is no FILE, and no URL that begins with redis:// or ws://")
        elif not self.text:
            raise Misused("the name of the file is empty")
        if self.token is not None and not self.is_node:
            raise Misused(f"--token-file goes with the URL of a node, ws://HOST:PORT, not with {self.text}")

    @property
    def is_node(self) -> bool:
        """Whether it is a node that runs."""
        return self.text.startswith(("ws:", "wss:"))

    @property
    def is_file(self) -> bool:
        """Whether it is a file."""
        return not self.is_node and not self.text.startswith(REDIS)

    @property
    def path(self) -> str:
        """The file."""
        return file_of(self.text) or self.text


@attrs.frozen
class Way:
    """Someone who answers."""

    ask: Callable[[Any], Awaitable[Any]]
    is_alive: bool = True
    """Whether others are there who deliver; else what is posted waits for them."""


def _visitor() -> str:
    return f"visitor-{secrets.token_hex(4)}"


@asynccontextmanager
async def opened(target: Target) -> AsyncGenerator[Way]:
    """Someone who does everything that can be asked. Raises `Failed` and `ActorError`."""
    if target.is_node:
        async with linked(target.text, target.token) as way:
            yield way
        return
    async with AsyncExitStack() as stack:
        try:
            way = await stack.enter_async_context(_own(target))
        except StoreInUse as error:
            way = await stack.enter_async_context(running(target, error))
        yield way


@asynccontextmanager
async def _own(target: Target) -> AsyncGenerator[Way]:
    """A system of the command's own, for a moment: it has nobody to deliver to."""
    store: Store
    store = SQLiteStore(target.path) if target.is_file else redis_store(target.text, target.prefix)
    async with open_system(_visitor(), store=store, posting=_HANDS_OFF, watchdog=None) as system:
        yield Way(_courier(system).ask, is_alive=not target.is_file)


def _courier(system: System) -> Any:
    found = system.find(COURIER_PATH)
    assert found is not None, "a system with a store has a courier"
    return found


@asynccontextmanager
async def running(
    target: Target, in_use: StoreInUse | None = None, path: str = COURIER_PATH
) -> AsyncGenerator[Way]:
    """The actor at `path` of the system that has the file open, or the server. Raises `Failed`."""
    if target.is_node:
        async with linked(target.text, target.token, path) as way:
            yield way
        return
    if not target.is_file:
        async with opened(target) as way:
            yield way
        return
    note = SQLiteStore(target.path).read_note()
    url, token = _address(target, note, in_use)
    try:
        async with linked(url, token, path) as way:
            yield way
    except (NodeUnreachable, LinkRefused) as error:
        raise Failed(f"{_who(note)} has {target.path} open, and is not to be reached: {error}") from None


def address_of(target: Target) -> tuple[str, str | None]:
    """The URL and the token of a node, or of the system that has a file open. Raises `Failed`."""
    if target.is_node:
        return target.text, target.token
    return _address(target, SQLiteStore(target.path).read_note(), None)


def _address(target: Target, note: dict[str, Any] | None, in_use: StoreInUse | None) -> tuple[str, str]:
    if note is None and in_use is None:
        raise Failed(f"nobody has {target.path} open, so nothing happens there: start its system first")
    url, token = (note or {}).get("url"), (note or {}).get("token")
    if not isinstance(url, str) or not isinstance(token, str):
        _deaf(target.path, note)
    return url, token


def _deaf(path: str, note: dict[str, Any] | None) -> NoReturn:
    raise Failed(
        f"{_who(note)} has {path} open, and does not listen: let that one do it, run it with `actors run`, "
        f"or end it first; if it has only just started, try again"
    )


def _who(note: dict[str, Any] | None) -> str:
    return "another process" if note is None else f"the process {note.get('pid')} (node {note.get('node')})"


@asynccontextmanager
async def linked(url: str, token: str | None, path: str = COURIER_PATH) -> AsyncGenerator[Way]:
    """An actor of a node that answers, its courier unless another one is named."""
    async with open_system(_visitor(), watchdog=None) as system:
        peer = await system.connect(url, token=token, max_message=_LONGEST)
        if path == COURIER_PATH and await peer.find(path) is None:
            raise Failed(f"the node {peer.name} keeps no posted messages: give its system a store")
        yield Way(peer.ref(path).ask)


@asynccontextmanager
async def read(target: Target) -> AsyncGenerator[Way]:
    """Someone who only looks: at a file as it is, whoever has it open."""
    if not target.is_file:
        async with opened(target) as way:
            yield way
        return
    async with SQLiteStore(target.path).open_for_reading() as files:
        yield Way(_Reader(files).ask)


class _Reader:
    def __init__(self, files: Files) -> None:
        self._files = files
        self._coder = JsonCoder()

    async def ask(self, request: Any) -> Any:
        """What the courier would reply."""
        if isinstance(request, FindTickets):
            return await find_page(self._files, request, self._coder)
        assert isinstance(request, TellStory)
        return await story_of(self._files, request.id, self._coder)


def must_exist(target: Target) -> None:
    """A file that is not there has nothing to be changed: raises `StoreInvalid`."""
    if target.is_file and not os.path.exists(target.path):
        raise StoreInvalid(target.path, "nothing is kept there yet: check the name")
