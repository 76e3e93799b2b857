"""When a run is over: read from the tree alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from actors.core.lifecycle import ActorState
from actors.names import RESERVED
from actors.tree import TreeNode

__all__ = ["all_ended", "all_settled"]

_HAS_STARTED = frozenset({ActorState.IDLE, ActorState.BUSY, ActorState.SUSPENDED})


def all_ended(tree: TreeNode, crews: Iterable[str]) -> bool:
    """True when of all that was planted only supervisors are left, and none of them is on its way.

    One that starts, or backs off, will have children again; one that stops has something to tell yet.
    """
    return all_settled(tree, crews, lambda path: False)


def all_settled(tree: TreeNode, crews: Iterable[str], is_open: Callable[[str], bool]) -> bool:
    """As `all_ended`; actors whose breaker is open count as ended."""
    supervisors = frozenset(crews)
    return all(
        is_open(node.path) or (node.path in supervisors and node.state in _HAS_STARTED)
        for node in _planted(tree)
    )


def _planted(tree: TreeNode) -> Iterator[TreeNode]:
    for top in tree.children:
        if top.name not in RESERVED:
            yield from top.walk()
