"""The door of a run: other processes that want to post to it find its address beside its file of tickets.

It listens on the loopback alone, with a token that nobody can guess and only the file's owner can read.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress

import trio

from actors.cli.posted.way import COURIER_PATH
from actors.delivery import SQLiteStore
from actors.delivery.errors import StoreError
from actors.events import ActorEvent, Event, Restarted, Spawned, Started, Stopped
from actors.observe.service import OBSERVER_PATH
from actors.people.service import DESK_PATH
from actors.posting import Posting
from actors.remote.peer import MAX_MESSAGE, Listener
from actors.system import System

__all__ = ["is_routine", "keep_door"]

_SERVICES = ("/system", COURIER_PATH, OBSERVER_PATH, DESK_PATH, "/system/links")
_log = logging.getLogger("actors.cli")


def is_routine(event: Event) -> bool:
    """Whether a service of the run's own comes or goes as it should, which is nobody's concern."""
    if not isinstance(event, Spawned | Started | Stopped):
        return False
    if isinstance(event, Stopped) and event.exit.is_failure:
        return False
    path = event.ref.path
    return path in _SERVICES or path.startswith("/system/links/")


async def keep_door(
    system: System,
    store: SQLiteStore,
    posting: Posting,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listen for as long as the system lives. A courier that starts again has opened the file anew."""
    token = secrets.token_urlsafe(32)
    try:
        # text in text: a sign may need two more
        listener = await system.listen(
            "127.0.0.1", 0, token=token, max_message=max(MAX_MESSAGE, 3 * posting.max_payload + 4096)
        )
    except OSError as error:
        _log.warning("nobody can post to %s from outside: it cannot listen (%s)", system.name, error)
        task_status.started()
        return
    async with system.subscribe(Started, Restarted) as starts:
        _tell(store, listener, token)
        task_status.started()
        async for event in starts:
            if isinstance(event, ActorEvent) and event.ref.path == COURIER_PATH:
                _tell(store, listener, token)


def _tell(store: SQLiteStore, listener: Listener, token: str) -> None:
    with suppress(StoreError):  # who comes hears which process has the file open
        store.tell(url=listener.url, token=token)
