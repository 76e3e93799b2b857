"""Which store keeps posted messages: as a file, an option or an argument says it."""

from __future__ import annotations

import importlib
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from actors.delivery import MemoryStore, RedisStore, SQLiteStore, Store
from actors.delivery.errors import StoreInvalid

if TYPE_CHECKING:
    from actors.cli.team import Team

__all__ = ["FORMS", "REDIS", "TICKETS", "StoreSpec", "file_of", "make_store", "redis_store", "store_of"]

REDIS: Final = ("redis://", "rediss://", "unix://")
FORMS: Final = '"sqlite:FILE", "redis://HOST:PORT", or "memory"'
TICKETS: Final = ".tickets.db"
"""How the file beside a TOML file ends that keeps what is posted to its agents."""
_SQLITE: Final = "sqlite:"
_PREFIX: Final = re.compile(r"[\w./-]+", re.ASCII)


def _form(_: object, __: object, value: str) -> None:
    if value != "memory" and not file_of(value) and not value.startswith(REDIS):
        raise ValueError(f'unknown store "{value}": write {FORMS}')


def _prefix(_: object, __: object, value: str) -> None:
    if not _PREFIX.fullmatch(value):
        raise ValueError(f'a prefix is of letters, digits, and . _ / -, not "{value}"')


@attrs.frozen(kw_only=True)
class StoreSpec:
    """The table `[store]`; a text in place of it is its `url`."""

    url: str = attrs.field(validator=_form)
    prefix: str = attrs.field(default="actors", validator=_prefix)


def file_of(text: str) -> str:
    """The file in `sqlite:FILE`, also with `//` before it; "" where it is none."""
    return text.removeprefix(_SQLITE).removeprefix("//") if text.startswith(_SQLITE) else ""


def make_store(spec: StoreSpec, folder: Path) -> Store:
    """The store that is meant; files count from `folder`. Opens nothing. Raises `StoreInvalid`."""
    if spec.url == "memory":
        return MemoryStore()
    file = file_of(spec.url)
    return SQLiteStore(folder / file) if file else redis_store(spec.url, spec.prefix)


def store_of(team: Team, option: str | None) -> Store:
    """The store of a run: what the option says, else its file, else a file beside that.

    Raises ValueError and `StoreInvalid`.
    """
    if option is not None:
        return make_store(StoreSpec(url=option), Path())
    if team.store is not None:
        return make_store(team.store, team.folder)
    return SQLiteStore(team.folder / team.tickets)


def redis_store(url: str, prefix: str) -> RedisStore:
    """A store on a server. Raises `StoreInvalid`."""
    with suppress(ImportError):  # that takes a second: not in the loop of a system; who opens it says more
        importlib.import_module("coredis")
    try:
        return RedisStore(url, prefix)
    except ValueError as error:
        raise StoreInvalid(url, str(error)) from None
