"""Store and forward: a posted message is safe before its receiver exists."""

from actors.delivery.memory import MemoryStore
from actors.delivery.operations import Change
from actors.delivery.posted import Feed, Posted
from actors.delivery.redis import RedisStore
from actors.delivery.sqlite import SQLiteStore
from actors.delivery.store import Directory, Engine, Opening, Owner, Store
from actors.delivery.ticket import Entry, Failure

__all__ = [
    "Change",
    "Directory",
    "Engine",
    "Entry",
    "Failure",
    "Feed",
    "MemoryStore",
    "Opening",
    "Owner",
    "Posted",
    "RedisStore",
    "SQLiteStore",
    "Store",
]
