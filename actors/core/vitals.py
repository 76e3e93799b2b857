"""What a cell is made of, what it is like, and waiting for it to change."""

from __future__ import annotations

from contextvars import Context as Variables
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, ClassVar, cast
from weakref import WeakSet

import trio

from actors.budgets import Ledger
from actors.core import orders as order
from actors.core.account import Account
from actors.core.ask import Pending
from actors.core.lifecycle import ActorState, Phase, Signal, state_of, step
from actors.core.mailbox import Item, Lanes
from actors.core.parent import Fate, Parent
from actors.core.ref import Ref
from actors.core.statistics import Statistics
from actors.core.vigil import Vigil, waiting_for
from actors.errors import ActorError, ActorStopped, StartFailed
from actors.events import Spawned
from actors.exits import Exit, ExitKind
from actors.names import adhoc_key, join
from actors.policy import Policy

if TYPE_CHECKING:
    from actors.core.actor import Actor
    from actors.core.alarms import Alarm
    from actors.core.cell import Cell
    from actors.core.context import Context
    from actors.core.dispatcher import Dispatcher
    from actors.core.driver import Driver
    from actors.core.intake import Waiter
    from actors.core.kernel import Follower, Kernel
    from actors.core.recipe import Recipe
    from actors.core.timers import Timer

__all__ = ["Vitals"]


class Vitals:
    """The fields of a cell. Slots, and nothing made before its first use: an idle actor is small."""

    __slots__ = (
        "account",
        "active_at",
        "actor",
        "alarm",
        "args",
        "barred",
        "begun",
        "begun_at",
        "context",
        "driver",
        "ended",
        "ended_at",
        "exit",
        "failed",
        "fate",
        "groups",
        "handled",
        "interrupters",
        "item",
        "kept",
        "kernel",
        "lanes",
        "lot",
        "name",
        "now",
        "orders",
        "parent",
        "parked",
        "pending_class",
        "pendings",
        "permit",
        "phase",
        "plain",
        "policy",
        "ports",
        "readies",
        "ready",
        "recipe",
        "ref",
        "restarts",
        "scope",
        "senders",
        "serial",
        "significant",
        "spawned_at",
        "stamp",
        "timers",
        "trial",
        "tries",
        "variables",
        "vigil",
        "watchers",
        "watching",
        "within",
    )

    request_class: ClassVar[type[Pending[Any]]] = Pending
    """What an open request to it is, where nobody traces."""

    def __init__(
        self,
        kernel: Kernel,
        parent: Parent,
        recipe: Recipe,
        args: tuple[Any, ...],
        name: str | None,
        policy: Policy,
    ) -> None:
        self.kernel = kernel
        self.now = kernel.now
        self.stamp = kernel.stamp
        self.parent = parent
        self.recipe = recipe
        self.args = args
        self.name = name
        self.policy = policy
        self.pending_class = self.request_class
        self.serial = kernel.next_serial()
        self.ref = self._make_ref()
        self.account = None if policy.budget is None else Account(Ledger(policy.budget, self.ref))
        """What a budget means for it; None where none does."""
        self.lanes = Lanes(policy.mailbox)
        self.phase = Phase.STARTING
        self.orders: int = 0
        self.spawned_at = self.begun_at = self.ended_at = kernel.now()
        self.active_at: float | None = None
        self.handled = self.failed = self.tries = 0
        self.readies: int = 0
        self.restarts: int = 0
        self.significant = self.trial = self.barred = self.begun = False
        # of the running incarnation
        self.actor: Actor | None = None
        self.context: Context | None = None
        self.scope: trio.CancelScope | None = None
        self.plain = False
        """True while it has no task, and the dispatcher gives it turns."""
        self.parked: trio.lowlevel.Task | Dispatcher | None = None
        """Who is to be told when there is something to do; None while somebody knows."""
        self.item: Item | None = None
        self.exit: Exit | None = None
        self.fate = Fate.FINAL
        self.ready = self.ended = False
        # made on first use: an idle actor has none of them
        self.alarm: Alarm | None = None
        self.permit: Any = None
        self.lot: trio.lowlevel.ParkingLot | None = None
        self.interrupters: list[list[bool]] | None = None
        self.senders: dict[trio.lowlevel.Task | Waiter, Item | None] | None = None
        self.timers: set[Timer] | None = None
        self.pendings: dict[Pending[Any], None] | None = None
        self.ports: dict[Pending[Any], None] | None = None
        self.watchers: dict[Cell, None] | None = None
        self.watching: WeakSet[Ref] | None = None
        self.groups: set[str] | None = None
        self.driver: Driver | None = None
        self.kept: dict[Any, Any] | None = None
        """What features keep for the actor over its restarts, each under a key of its own."""
        self.vigil: Vigil | None = None
        self.variables: Variables | None = copy_context()
        self.within: Any = None
        """The context variables of the running incarnation's turns."""
        if policy.is_bounded:
            self.vigil = Vigil(cast("Cell", self), kernel.guards_for(cast("Cell", self)))
        if kernel.tracer is not None:
            kernel.tracer.spawned(cast("Cell", self))
        if kernel.listeners:
            kernel.emit(Spawned, self.ref)

    def _make_ref(self) -> Ref:
        return Ref(cast("Cell", self))

    # --- what it is like ---

    @property
    def key(self) -> str:
        """The last part of its path."""
        return adhoc_key(self.serial) if self.name is None else self.name

    @property
    def path(self) -> str:
        """From the root down."""
        return join(self.parent.path, self.key)

    @property
    def node(self) -> str:
        """The name of the node that it runs on."""
        return self.kernel.name

    @property
    def identity(self) -> tuple[str, str, str, int]:
        """See `Ref.identity`."""
        return self.kernel.name, self.kernel.incarnation, self.path, self.serial

    @property
    def superior(self) -> Ref:
        """The supervisor that the actor itself sees."""
        return self.parent.ref

    @property
    def state(self) -> ActorState:
        """Derived on each reading."""
        return state_of(
            self.phase,
            busy=self.is_busy,
            suspended=bool(self.orders & order.SUSPEND),
            tripped=self.fate is Fate.TRIPPED,
            held=self.held is not None,
        )

    @property
    def held(self) -> Exit | None:
        """The exit for which it is parked: a budget is spent, or it was idle too long. None: it is not."""
        return None if self.account is None else self.account.exit

    @property
    def is_held(self) -> bool:
        """True while it is parked and nothing of it runs: it starts again when it is resumed."""
        return self.fate is Fate.HELD and self.held is not None

    @property
    def spends_elsewhere(self) -> bool:
        """True for a child of another node's supervisor."""
        return False

    def tell_spent(self, tokens: int, money: str, tool_calls: int, spawns: int) -> None:
        """Tell that node what it, or what it has here, has spent."""

    @property
    def dozes(self) -> bool:
        """True while its next message starts it again."""
        return self.account is not None and self.account.doze is not None

    @property
    def child_count(self) -> int:
        """How many children it has."""
        return 0

    @property
    def is_busy(self) -> bool:
        """A message in hand; a function is also busy while it runs and does not wait for one."""
        if self.item is not None:
            return True
        return self.recipe.actor_class is None and self.parked is None

    @property
    def handled_itself(self) -> int:
        """What it has handled, without what it has handed on to others, who count it."""
        return self.handled

    @property
    def is_gone(self) -> bool:
        """True once nothing of it is left."""
        return self.phase is Phase.STOPPED

    @property
    def is_final(self) -> bool:
        """True when it will end for good, or has."""
        return self.phase is Phase.STOPPING or self.phase is Phase.STOPPED

    @property
    def final_exit(self) -> Exit | None:
        """How it has ended for good, also while its `on_stop` still runs; None before that."""
        has_ended = self.is_gone or (self.ended and self.is_final and self.fate is Fate.FINAL)
        return self.exit if has_ended else None

    @property
    def depth(self) -> int:
        """How many items wait."""
        return sum(self.lanes.depth().values())

    def describe(self) -> str:
        """The status line that a ref shows."""
        said = [f"<Ref {self.path} {self.state}"]
        if self.depth:
            said.append(f"depth={self.depth}")
        if self.restarts:
            said.append(f"restarts={self.restarts}")
        if self.is_gone and self.exit is not None:
            said.append(f"exit={self.exit.kind}")
        return " ".join(said) + ">"

    def last_heard(self) -> float | None:
        """When it, or what it supervises, last gave a sign of life."""
        return self.active_at

    def statistics(self) -> Statistics:
        """Counts and times as they are now."""
        now = self.kernel.now()
        since = self.lanes.oldest()
        return Statistics(
            handled=self.handled,
            failed=self.failed,
            restarts=self.restarts,
            depth=self.lanes.depth(),
            oldest=None if since is None else self.stamp() - since,
            last_activity=self.active_at,
            uptime=(self.ended_at if self.is_gone else now) - self.spawned_at,
        )

    def watch_begun(self) -> None:
        """Somebody watches it: nothing to do for an actor that is here."""

    def watch_ended(self) -> None:
        """Nobody watches it any more: nothing to do either."""

    def step(self, signal: Signal) -> None:
        """Move on in the table of `lifecycle`, and wake whoever waits for a change."""
        self.phase = step(self.phase, signal)
        if self.lot is not None:
            self.lot.unpark_all()

    # --- waiting for a change ---

    async def changed(self) -> None:
        """Park until the next step of its life. A checkpoint."""
        if self.lot is None:
            self.lot = trio.lowlevel.ParkingLot()
        await self.lot.park()

    async def wait_started(self) -> None:
        """See `Ref.wait_started`."""
        seen = self.readies
        if self.phase is Phase.RUNNING:
            await trio.lowlevel.checkpoint()
            return
        while self.readies == seen:
            if self.is_final and self.exit is not None and self._never_started(self.exit):
                await trio.lowlevel.checkpoint()
                raise StartFailed(self.ref, self.exit.error)
            if self.is_final:
                await trio.lowlevel.checkpoint()
                raise ActorStopped(self.ref, self.final_exit)
            if self.held is not None and self.held.error is not None:  # nobody knows when it goes on
                await trio.lowlevel.checkpoint()
                raise StartFailed(self.ref, self.held.error)
            with waiting_for(cast("Cell", self)):
                await self.changed()

    # --- who follows it ---

    @property
    def is_started(self) -> bool:
        """True when it is ready now."""
        return self.phase is Phase.RUNNING

    def follow(self, follower: Follower) -> None:
        """Let it hear when the actor becomes ready, and when it is gone; not what it is like now."""
        self.kernel.follow(cast("Cell", self), follower)

    def unfollow(self, follower: Follower) -> None:
        """Not any more. Idempotent."""
        self.kernel.unfollow(cast("Cell", self), follower)

    def why_not_ready(self, exit: Exit) -> ActorError | None:
        """Why it is not ready, having ended so; None for a function that was, and has returned."""
        if exit.kind is ExitKind.NORMAL and self.readies and self.recipe.actor_class is None:
            return None
        if self._never_started(exit):
            return StartFailed(self.ref, exit.error)
        return ActorStopped(self.ref, exit)

    def _never_started(self, exit: Exit) -> bool:
        return exit.kind is ExitKind.START_FAILED or (exit.is_failure and not self.readies)

    async def wait_stopped(self) -> Exit:
        """See `Ref.wait_stopped`."""
        if self.is_gone:
            await trio.lowlevel.checkpoint()
        with waiting_for(cast("Cell", self)):
            while not self.is_gone:
                await self.changed()
        assert self.exit is not None
        return self.exit
