"""The monitor: an actor at `/system/monitor` that looks at runs when something can be due.

The register belongs to the system and outlives the actor: a monitor that is restarted, or
was stopped and is made anew, finds the runs as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import Context
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from actors.core.actor import Actor, receive
from actors.exits import Exit
from actors.messages import Request
from actors.monitor.guard import MonitorGuard, WatchRecord
from actors.policy import Mailbox, OneForOne, Policy, Strategy
from actors.supervision.family import Family
from actors.supervision.supervisor import Supervisor

if TYPE_CHECKING:
    from actors.core.cell import Cell

__all__ = [
    "MONITOR",
    "MONITOR_POLICY",
    "SERVICES_POLICY",
    "SYSTEM",
    "Monitor",
    "Services",
    "Watched",
    "Watches",
]

MONITOR = "monitor"
"""The name of the monitor below `/system`."""
SYSTEM = "system"
"""The name, below the root, of the parent of the framework's own actors."""
SERVICES_POLICY = Policy(restart="permanent", breaker=None)
"""What `/system` runs under."""
MONITOR_POLICY = Policy(restart="permanent", breaker=None, mailbox=Mailbox(capacity=float("inf")))
"""What the monitor runs under."""


@attrs.frozen
class Watched(Request[tuple[WatchRecord, ...]]):
    """Ask the monitor for the runs that it watches, in order of their beginning."""


@attrs.frozen
class _Look:
    """Something may be due."""


class Watches:
    """The runs that are watched, and those that the monitor is to look at. Owned by the system."""

    __slots__ = ("_ensure", "_monitor", "_told", "due", "guards")

    def __init__(self, ensure: Callable[[], Cell | None]) -> None:
        self._ensure = ensure
        self._monitor: Cell | None = None
        self._told = False
        self.guards: dict[MonitorGuard, None] = {}
        self.due: dict[MonitorGuard, None] = {}

    def guards_for(self, cell: Cell) -> tuple[MonitorGuard, ...]:
        """The guard of an actor whose policy has a stall or an oversight."""
        policy = cell.policy
        if policy.stall is None and policy.oversight is None:
            return ()
        return (MonitorGuard(cell, policy.stall, policy.oversight, self),)

    def enter(self, guard: MonitorGuard) -> None:
        """A run begins; with the first one there is a monitor."""
        self.guards[guard] = None
        self.present()

    def leave(self, guard: MonitorGuard) -> None:
        """The incarnation has fallen."""
        self.guards.pop(guard, None)

    def ask_for_look(self, guard: MonitorGuard) -> None:
        """Tell the monitor, once until it looks."""
        self.due[guard] = None
        monitor = self.present()
        if monitor is None:  # the system closes, and there will be none any more
            self.look()
        elif monitor.is_final:  # it is being stopped: its successor will be asked
            guard.look_later()
        elif not self._told:
            self._told = True
            monitor.tell(_Look(), urgent=True)

    def present(self) -> Cell | None:
        """The monitor, made anew if it has ended; None while the system closes."""
        if self._monitor is None or self._monitor.is_final:
            self._told = False
            # in variables of its own: it is nobody's child, and keeps nobody's alive
            self._monitor = Context().run(self._ensure)
        return self._monitor

    def look(self) -> None:
        """Look at all that is due; what one of them raises is reported, and the rest goes on."""
        self._told = False
        due, self.due = self.due, {}
        for guard in due:
            try:
                guard.look()
            except Exception as error:
                guard.failed("a look of the monitor", error)
                guard.look_later()

    def put_off(self) -> None:
        """The monitor ends: what it has not looked at is for its successor."""
        self._told = False
        for guard in self.due:
            guard.look_later()


class Monitor(Actor):
    """Looks at runs when it is told that something may be due; else it sleeps."""

    def __init__(self, watches: Watches) -> None:
        self._watches = watches

    async def on_start(self) -> None:
        """Look at what became due when there was no monitor."""
        self._watches.look()

    async def on_stop(self, exit: Exit) -> None:
        """What is due has to wait."""
        self._watches.put_off()

    @receive
    def look(self, message: _Look) -> None:
        """Look at what is due."""
        self._watches.look()

    @receive
    def watched(self, message: Watched) -> tuple[WatchRecord, ...]:
        """The runs at hand."""
        records = [guard.record() for guard in self._watches.guards]
        return tuple(sorted(filter(None, records), key=lambda record: record.since))


_LAST = ("links", "courier")


class ServicesFamily(Family):
    """Its cell."""

    __slots__ = ()

    @property
    def stopped_from_last(self) -> Iterable[Cell]:
        """The courier behind whatever may have a posted message in hand, and the links behind the courier."""
        last = {name: place for place, name in enumerate(_LAST)}
        return sorted(self.children.values(), key=lambda child: last.get(child.name or "", len(last)))


class Services(Supervisor):
    """`/system`: the parent of the framework's own actors."""

    _cell_class: ClassVar[type[Any] | None] = ServicesFamily
    strategy: Strategy = OneForOne(max_restarts=100, within=1.0)
