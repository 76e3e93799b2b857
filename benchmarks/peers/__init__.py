"""Other actor systems doing the same work: a light module a peer, which imports the peer to work."""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["PEERS", "load"]

PEERS = (
    "pykka",
    "triotp",
    "xoscar",
    "everything_is_an_actor",
    "autogen_core",
    "thespian",
    "tractor",
    "erlang",
)
"""In the order of the table."""


def load(name: str) -> ModuleType:
    """The module of this peer, be it installed or not, with `NAME`, `version()` and `SIDES`."""
    if name not in PEERS:
        raise LookupError(f"no peer {name!r}: there are {', '.join(PEERS)}")
    return importlib.import_module(f"{__name__}.{name}")
