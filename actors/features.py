"""What a system is made of: how its features are made, wired together and closed.

Each feature is a folder, and knows no other one; here each is given what it needs of the others. Those
that are actors live below `/system`, and are made at their first use.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import Context as Variables
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import trio

from actors.asking import Asking
from actors.budgets import Budget
from actors.coding import JsonCoder, plain_codec
from actors.core.cell import Cell
from actors.core.kernel import Kernel
from actors.delivery.coder import AsTheyAre
from actors.delivery.courier import COURIER, COURIER_POLICY, courier
from actors.delivery.memory import MemoryStore
from actors.delivery.office import Office
from actors.delivery.store import Store
from actors.errors import StartFailed, flatten
from actors.keeping import OfficeKeeping
from actors.monitor import MONITOR, MONITOR_POLICY, SERVICES_POLICY, SYSTEM, Monitor, Services, Watches
from actors.neighbours import COURIER_PATH, DESK_PATH, LinkedNodes
from actors.observe.bus import Bus
from actors.observe.observer import OBSERVER, OBSERVER_POLICY, observer
from actors.observe.service import OBSERVER_PATH
from actors.people.clerk import CLERK, CLERK_POLICY, clerk
from actors.people.desk import Desk
from actors.policy import Policy, Strategy
from actors.posting import Posting
from actors.remote.node import Node
from actors.root import make_root
from actors.spawning.network import Networks
from actors.supervision.breakers import Breakers
from actors.supervision.family import Family
from actors.timeouts import DeadlineGuard, Durations

if TYPE_CHECKING:
    from actors.core.vigil import Guard
    from actors.system import System

__all__ = ["Features"]


class Features:
    """The features of one system."""

    def __init__(
        self,
        system: System,
        name: str,
        strategy: Strategy,
        policy: Policy | None,
        random: Random,
        spawnable: Sequence[Any],
        lease: float,
        store: Store | None,
        posting: Posting | None,
        asking: Asking | None,
        budget: Budget | None,
    ) -> None:
        now = trio.lowlevel.current_clock().current_time
        self.bus = Bus(now)
        self.kernel = Kernel(name, system, self.bus, policy, random)
        self.breakers = Breakers(now)
        self.durations = Durations()
        self.watches = Watches(self.monitor)
        self.kernel.guards_for = self._guards_for
        self.root = make_root(self.kernel, strategy, self.breakers, budget)
        self.node = Node(system, self.kernel, self.root, lease, spawnable)
        self.store_given = store is not None
        store = MemoryStore() if store is None else store
        self.office = Office(
            self.kernel,
            store,
            JsonCoder if store.is_durable else partial(AsTheyAre, JsonCoder),
            posting or Posting(),
            lease,
            self._ensure_courier,
            LinkedNodes(self.node, COURIER_PATH),
        )
        self.desk = Desk(
            self.kernel,
            asking or Asking(),
            self._clerk,
            OfficeKeeping(self.office) if store.is_durable else None,
            LinkedNodes(self.node, DESK_PATH),
        )
        self.kernel.make_codec = plain_codec
        self.node.makers[DESK_PATH] = self._clerk
        self.node.makers[COURIER_PATH] = self._ensure_courier
        self.node.makers[OBSERVER_PATH] = self._ensure_observer
        self.networks = Networks(self.kernel, self.is_open)

    def close(self) -> None:
        """Nothing lives any more: let go of everything."""
        self.networks.close()
        self.office.close()
        self.desk.close()
        self.node.close()
        self.bus.close()

    def _guards_for(self, cell: Cell) -> tuple[Guard, ...]:
        """What watches the runs of an actor whose policy has limits."""
        timeout = cell.policy.timeout
        deadline = () if timeout is None else (DeadlineGuard(cell, timeout, self.durations),)
        return (*deadline, *self.watches.guards_for(cell))

    def is_open(self) -> bool:
        """False before its first step, and from the moment in which it begins to close."""
        root = self.root
        return not (self.kernel.closing or root.is_final or root.ended or root.nursery is None)

    # --- actors of the framework's own ---

    def services(self) -> Family:
        """The cell of `/system`, made at its first use."""
        services = self.root.children.get(SYSTEM)
        if services is None:
            self.root.spawn(Services, name=SYSTEM, policy=SERVICES_POLICY)
            services = self.root.children[SYSTEM]
        assert isinstance(services, Family)
        return services

    def monitor(self) -> Cell | None:
        """The monitor's cell, made where it is not there; None while the system closes."""
        if not self.is_open():
            return None
        services = self.services()
        found = services.children.get(MONITOR)
        if found is None and services.takes_children:  # else somebody has stopped it: it will be made anew
            services.spawn(Monitor, self.watches, name=MONITOR, policy=MONITOR_POLICY)
            found = services.children[MONITOR]
        return found

    def _ensure_courier(self) -> bool:
        """See to it that there is a courier: it is the child of nobody who needs it. False: none comes."""
        services = self.services() if self.is_open() else self.root.children.get(SYSTEM)
        if not isinstance(services, Family):
            return False
        if COURIER not in services.children and services.takes_children and self.is_open():
            Variables().run(services.spawn, courier, self.office, name=COURIER, policy=COURIER_POLICY)
        return COURIER in services.children

    def _clerk(self) -> Cell | None:
        """The desk's actor, made where it is not there; None while the system closes."""
        if not self.is_open():
            return None
        services = self.services()
        if CLERK not in services.children and services.takes_children:
            Variables().run(services.spawn, clerk, self.desk, name=CLERK, policy=CLERK_POLICY)
        return services.children.get(CLERK)

    def _ensure_observer(self) -> None:
        """See to it that somebody tells other processes how the system stands."""
        if self.is_open():
            services = self.services()
            if OBSERVER not in services.children and services.takes_children:
                Variables().run(services.spawn, observer, name=OBSERVER, policy=OBSERVER_POLICY)

    async def open_store(self) -> None:
        """Open a store that was given, before anything else; raises what is wrong with it itself."""
        services = self.services()
        try:
            await services.start(courier, (self.office,), COURIER, COURIER_POLICY, None, False, {})
            if self.office.store.is_durable:  # what was asked before a restart can be answered from now on
                await services.start(clerk, (self.desk,), CLERK, CLERK_POLICY, None, False, {})
        except StartFailed as error:
            raise next(iter(flatten(error.__cause__ or error))) from None
