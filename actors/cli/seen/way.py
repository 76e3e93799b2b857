"""The way to the observer of a running system: by its URL, or by the file whose note has its address."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from actors.cli.load import BadFile, load
from actors.cli.misuse import Misused
from actors.cli.posted.way import Target, Way, running
from actors.cli.stores import store_of
from actors.delivery.errors import StoreError
from actors.observe.service import OBSERVER_PATH

__all__ = ["observer_of", "target_of"]


def target_of(text: str, token: str | None) -> Target:
    """FILE|URL; a file of agents stands for the file of tickets that its run has open. Raises `Misused`."""
    if "://" not in text and text.endswith(".toml"):
        text = _tickets_of(Path(text))
    target = Target(text, token)
    if not (target.is_node or target.is_file):
        raise Misused(f"{text} is a store, and no system: give the URL of a node, ws://HOST:PORT")
    return target


@asynccontextmanager
async def observer_of(target: Target) -> AsyncGenerator[Way]:
    """Who tells how the system stands. Raises `Failed` and `ActorError`."""
    async with running(target, path=OBSERVER_PATH) as way:
        yield way


def _tickets_of(file: Path) -> str:
    """Where a run of this file keeps its tickets, unless its command line said otherwise."""
    try:
        return store_of(load(file), None).where
    except BadFile as error:
        raise Misused(f"{error.faults[0].message}; `actors check {file}` says what is wrong") from None
    except (StoreError, ValueError) as error:
        raise Misused(f"{file}: {error}") from None
