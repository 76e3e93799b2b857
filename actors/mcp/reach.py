"""Who may reach whom, by paths alone. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from actors.names import RESERVED, ROOT, canonical, join, split

__all__ = ["is_within", "may_order", "parent_of", "reaches", "resolve"]

_OWN: Final = tuple(join(ROOT, name) for name in sorted(RESERVED))
"""The framework's own actors, which no client sees."""


def parent_of(path: str) -> str:
    """The path above; the root is above itself."""
    return canonical("/" + "/".join(split(path)[:-1]))


def is_within(path: str, top: str) -> bool:
    """Whether it is the path `top`, or below it."""
    return top == ROOT or path == top or path.startswith(top + "/")


def resolve(me: str, path: str) -> str:
    """The whole path: what does not begin with "/" is below `me`. Raises ValueError for an empty one."""
    if not path.strip():
        raise ValueError('a path is missing: write "/agents/me/worker-1", or "worker-1" for a child')
    return canonical(path) if path.startswith(ROOT) else join(me, "/".join(split(ROOT + path)))


def reaches(me: str, path: str, *, whole: bool = False) -> bool:
    """Whether `me` may see, tell and ask the actor at `path`.

    Itself, its parent, its peers, and all below itself. With `whole` everything but the framework's own.
    """
    if any(is_within(path, own) for own in _OWN):
        return False
    above = parent_of(me)
    return whole or is_within(path, me) or path == above or parent_of(path) == above


def may_order(me: str, path: str, adopted: Collection[str], *, whole: bool = False) -> bool:
    """Whether `me` may stop, interrupt, suspend and resume the actor at `path`.

    What is below it, and what it has spawned to be adopted, with all below that. With `whole` all that it
    reaches but those above it. Never itself.
    """
    if is_within(me, path):
        return False
    if is_within(path, me) or any(is_within(path, one) for one in adopted):
        return True
    return whole and reaches(me, path, whole=True)
