"""Seeing: the tree, the event bus, the journal. Users reach them through `System`."""

from actors.observe.bus import Subscription
from actors.observe.fact import Fact, Page
from actors.observe.journal import Journal
from actors.tree import TreeNode

__all__ = ["Fact", "Journal", "Page", "Subscription", "TreeNode"]
