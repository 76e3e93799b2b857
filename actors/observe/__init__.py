"""Seeing: the tree, the event bus, the journal. Users reach them through `System`."""

from actors.observe.bus import Subscription
from actors.observe.fact import Fact, Page
from actors.observe.journal import Journal
from actors.observe.snapshot import take_snapshot
from actors.observe.why import Step, Why
from actors.tree import TreeNode

__all__ = ["Fact", "Journal", "Page", "Step", "Subscription", "TreeNode", "Why", "take_snapshot"]
