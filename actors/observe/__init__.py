"""Seeing: the tree and the event bus. Users reach them through `System`."""

from actors.observe.bus import Subscription
from actors.tree import TreeNode

__all__ = ["Subscription", "TreeNode"]
