"""Death watch: who is told when an actor is finally gone."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from actors.core.mailbox import Item
from actors.messages import Terminated

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = ["Notice", "notify", "unwatch", "watch"]


class Notice:
    """The mark of a queued `Terminated`, so that `unwatch` finds it."""

    __slots__ = ("watched",)

    def __init__(self, watched: Cell) -> None:
        self.watched = watched


def watch(watcher: Cell, watched: Cell) -> None:
    """Tell `watcher` once when `watched` is gone, at once if it is. Watching twice is watching once."""
    if watcher is watched:
        raise ValueError(f"{watcher.path} cannot watch itself: its own end is told to on_stop")
    if watcher.watching is None:
        watcher.watching = WeakSet()  # weak: a watcher does not keep all the dead it ever watched
    if watched.ref in watcher.watching:
        return
    watcher.watching.add(watched.ref)
    if watched.exit is not None and watched.is_gone:
        notify(watcher, watched)
        return
    if watched.watchers is None:
        watched.watchers = {}
    watched.watchers[watcher] = None
    watched.watch_begun()


def unwatch(watcher: Cell, watched: Cell) -> None:
    """Take the watch back, and a queued notice with it. Idempotent."""
    if watcher.watching is None or watched.ref not in watcher.watching:
        return
    watcher.watching.discard(watched.ref)
    _strike(watcher, watched)

    def is_its_notice(item: Item) -> bool:
        return isinstance(item[4], Notice) and item[4].watched is watched

    watcher.lanes.remove(is_its_notice)


def notify(watcher: Cell, watched: Cell) -> None:
    """Queue the notice, in the normal lane behind everything that came before."""
    assert watched.exit is not None
    watcher.put_marked(Terminated(watched.ref, watched.exit), watched, Notice(watched))


def end_watches(cell: Cell) -> None:
    """`cell` is gone: tell its watchers, and forget what it watched."""
    watchers, cell.watchers = cell.watchers, None
    for watcher in watchers or ():
        notify(watcher, cell)
    watching, cell.watching = cell.watching, None
    for ref in watching or ():
        _strike(cell, ref.cell)


def _strike(watcher: Cell, watched: Cell) -> None:
    if watched.watchers is not None and watcher in watched.watchers:
        del watched.watchers[watcher]
        if not watched.watchers:
            watched.watch_ended()
