"""Telling an actor, or a function, that a network is ready."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from actors.core.cell import Cell
from actors.core.ref import Ref
from actors.errors import MailboxFull, NotSerializable
from actors.events import DeadLetterReason
from actors.messages import message
from actors.spawning.rollcall import RollCall

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.spawning.network import Networks

__all__ = ["NetworkReady", "ReadyWatch"]

_NEWS = object()
"""The mark of a `NetworkReady` in the mailbox: not counted, never dropped."""
_log = logging.getLogger("actors.spawning")


@message(tag="actors.NetworkReady")
class NetworkReady:
    """The one message of `System.when_ready`: all have settled, or the time is up.

    `ready`, `failed` and `late` are all the refs, each in one of them and in the order given;
    `elapsed` is in seconds from the call.
    """

    ready: tuple[Ref, ...]
    failed: tuple[Ref, ...] = ()
    late: tuple[Ref, ...] = ()
    elapsed: float = 0.0

    @property
    def ok(self) -> bool:
        """True when all are ready."""
        return not (self.failed or self.late)


class ReadyWatch:
    """What `System.when_ready` returns: somebody will be told, unless it is cancelled."""

    __slots__ = ("_alarm", "_call", "_networks", "_to")

    def __init__(
        self,
        networks: Networks,
        refs: Iterable[Ref],
        to: Ref | Callable[[NetworkReady], object],
        timeout: float | None,
    ) -> None:
        self._networks = networks
        self._to = to
        self._alarm: Alarm | None = None
        self._call = RollCall(networks.kernel, refs, timeout)
        networks.watches[self] = None
        if self._call.is_over:
            self._be_told()
        else:
            self._call.on_over = self._be_told

    def __repr__(self) -> str:
        readiness = self._call.readiness
        state = "done" if self.done else "under way"
        return f"<ReadyWatch {readiness.done} of {len(readiness.refs)}, {state}>"

    @property
    def done(self) -> bool:
        """True when it has told, or never will."""
        return self not in self._networks.watches

    def cancel(self) -> None:
        """Tell nobody. Idempotent; a message that was told already stays."""
        self._networks.watches.pop(self, None)
        if self._alarm is not None:
            self._alarm.cancel()
        self._call.on_over = None
        self._call.close()

    def _be_told(self) -> None:
        """Not in this step, which is that of the actor that became ready: what is called may do anything."""
        self._alarm = self._networks.kernel.alarms.after(0.0, self._deliver)

    def _deliver(self) -> None:
        self._alarm = None
        del self._networks.watches[self]
        if self._networks.is_open():
            readiness = self._call.readiness
            assert readiness.over_at is not None
            elapsed = readiness.over_at - readiness.began
            news = NetworkReady(readiness.ready, tuple(readiness.failed), readiness.late, elapsed)
            if isinstance(self._to, Ref):
                _tell(self._to.cell, news)
            else:
                _call(self._to, news)


def _tell(cell: Cell, news: NetworkReady) -> None:
    """A mailbox that is full takes it too; where it gets in nowhere, it is a dead letter."""
    try:
        if isinstance(cell, Cell):  # pyright: ignore[reportUnnecessaryIsInstance]
            reason = None if cell.put_marked(news, None, _NEWS) else DeadLetterReason.STOPPED
        else:  # of another node
            reason = None
            cell.tell_from(None, news)
    except MailboxFull:
        reason = DeadLetterReason.FULL
    except NotSerializable:  # too long for the link
        reason = DeadLetterReason.UNHANDLED
    if reason is not None:
        cell.kernel.dead_letter(cell, news, None, reason)


def _call(function: Callable[[NetworkReady], object], news: NetworkReady) -> None:
    try:
        function(news)
    except Exception:
        _log.exception("what when_ready called raised; nothing else is touched")
