"""Names and paths: what a name may look like and how paths are put together."""

from __future__ import annotations

import re

from actors.errors import InvalidName

__all__ = ["RESERVED", "ROOT", "adhoc_key", "canonical", "check_name", "join", "split"]

ROOT = "/"
RESERVED = frozenset({"system", "jobs"})
"""Names below the root that the framework keeps for its own actors."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)


def check_name(name: object) -> str:
    """Return `name` if it may name an actor or a system, else raise `InvalidName`."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise InvalidName(name)
    return name


def adhoc_key(serial: int) -> str:
    """The last part of the path of an actor without a name."""
    return f"~{serial}"


def join(parent: str, key: str) -> str:
    """The path of the child `key` under the path `parent`."""
    return f"/{key}" if parent == ROOT else f"{parent}/{key}"


def split(path: str) -> tuple[str, ...]:
    """The parts of an absolute path, `()` for the root; raises ValueError for a relative one."""
    if not isinstance(path, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a path is a str, not {path!r}: write it as '/network/worker-1'")
    if not path.startswith(ROOT):
        raise ValueError(f"{path!r} is not a path from the root: write it as '/network/worker-1'")
    return tuple(filter(None, path.split("/")))


def canonical(path: str) -> str:
    """The path as its actor shows it, without empty parts; raises ValueError for a relative one."""
    return ROOT + "/".join(split(path))
