"""`open_system` and `System`: the facade over all features.

The features are made in `features`; the block that owns every task is in `block`.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any, Never, TypeVar, overload

from actors.asking import Asking
from actors.block import Block
from actors.budgeting import BudgetState, state_of_budget, top_up
from actors.budgets import Budget
from actors.census import SystemStatistics, below, count, tree_of
from actors.checks import check_seconds
from actors.core.cell import Cell
from actors.core.groups import Group
from actors.core.recipe import recipe_of
from actors.core.ref import Ref
from actors.core.scope import CURRENT, DEFINING
from actors.delivery.posted import Posted
from actors.delivery.store import Store
from actors.delivery.ticketing import Ticket
from actors.errors import NestedSystem, SystemClosed, UnknownActor
from actors.events import DeadLetter, Event
from actors.features import Features
from actors.jobs.job import Job
from actors.jobs.plan import Names
from actors.jobs.run import JOBS, JOBS_POLICY, Jobs, OnProgress, run_jobs
from actors.limits import Watchdog
from actors.messages import Request
from actors.names import check_name, split
from actors.observe.bus import Subscription
from actors.observe.journal import Journal
from actors.outcome import Outcome
from actors.people.desk import Desk
from actors.policy import OneForOne, Policy, Strategy
from actors.posting import Posting
from actors.remote.peer import MAX_MESSAGE, Listener, Peer, connect, listen, peer_of
from actors.remote.place import several
from actors.remote.process import start_process
from actors.spawning.network import Spawning
from actors.spawning.news import NetworkReady, ReadyWatch
from actors.supervision.breaker import BreakerState
from actors.supervision.family import Family
from actors.supervision.supervisor import check_strategy
from actors.tree import TreeNode

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

__all__ = ["System", "open_system"]

R = TypeVar("R")


class System:
    """A tree of supervised actors. Made by `open_system`; valid inside its block."""

    def __init__(
        self,
        name: str,
        strategy: Strategy,
        policy: Policy | None,
        random: Random,
        watchdog: Watchdog | None = None,
        spawnable: Sequence[Any] = (),
        lease: float = 15.0,
        store: Store | None = None,
        posting: Posting | None = None,
        asking: Asking | None = None,
        budget: Budget | None = None,
    ) -> None:
        features = Features(
            self, name, strategy, policy, random, spawnable, lease, store, posting, asking, budget
        )
        self._features = features
        self._bus = features.bus
        self._kernel = features.kernel
        self._breakers = features.breakers
        self._durations = features.durations
        self._watches = features.watches
        self._root = features.root
        self._node = features.node
        self._office = features.office
        self._desk = features.desk
        self._networks = features.networks
        self._journal: Journal | None = None
        self._names_at_work = Names()
        self._block = Block(features, watchdog)

    def __repr__(self) -> str:
        state = "closed" if self._root.is_gone else "closing" if self._root.is_final else "open"
        return f"<System {self.name!r} {state}, {len(self._root.children)} children>"

    # --- who ---

    @property
    def name(self) -> str:
        """Its name, which is also the name of its node."""
        return self._kernel.name

    @property
    def desk(self) -> Desk:
        """Requests to people, and their answers; its actor is `/system/desk`."""
        return self._desk

    @property
    def monitor(self) -> Ref:
        """The monitor, `/system/monitor`, made at its first use. Raises `SystemClosed` at the end."""
        cell = self._watches.present()
        if cell is None:
            raise SystemClosed(self.name)
        return cell.ref

    @property
    def dead_letters(self) -> Sequence[DeadLetter]:
        """The last 1,000 told messages that nobody handled, newest last."""
        return tuple(self._kernel.dead_letters)

    # --- actors ---

    def spawn(
        self,
        what: Any,
        *args: Any,
        name: str | None = None,
        policy: Policy | None = None,
        on: str | None = None,
        significant: bool = False,
        **unknown: Never,
    ) -> Ref:
        """Start an actor under the root and return its ref at once; see `Supervisor.spawn`.

        Raises `NameReserved` for the names `jobs` and `system` too.
        """
        self._check_open()
        return self._root.admit(what, args, name, policy, on, significant, unknown)

    async def start(
        self,
        what: Any,
        *args: Any,
        name: str | None = None,
        policy: Policy | None = None,
        on: str | None = None,
        significant: bool = False,
        **unknown: Never,
    ) -> Ref:
        """Start an actor under the root and return when it is ready; see `Supervisor.start`. A checkpoint."""
        self._check_open()
        return await self._root.start(what, args, name, policy, on, significant, unknown)

    def _check_open(self) -> None:
        root = self._root
        if root.nursery is None or root.is_final:
            raise SystemClosed(self.name)

    def __actor_family__(self) -> Family:
        """The framework's own side of its root, for what spawns in its name."""
        self._check_open()
        return self._root

    def __actor_services__(self) -> Family:
        """The framework's own side of `/system`, for what serves in its name."""
        self._check_open()
        return self._features.services()

    async def run_jobs(
        self,
        jobs: Iterable[Job],
        *,
        limit: int = 10,
        stagger: float = 0.0,
        deadline: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> list[Outcome]:
        """Run many jobs, at most `limit` at a time: one `Outcome` each, in input order. A checkpoint.

        They start in input order, each when there is room, when `stagger` seconds have passed
        since the start before, and when no job of its name is at work; whoever waits takes
        no room. An exception is an outcome. `deadline` is in seconds from the call: what
        has not ended then is killed, and its failure is DEADLINE.

        `on_progress(done, total, outcome)` is called in this task for each job that ends; what
        it raises is logged and changes nothing. Cancelled, it kills what runs, sees it gone, and
        lets the cancellation pass: there are no outcomes then.

        Raises ValueError for a limit below 1 and for jobs that wait for each other, TypeError
        for what is no `Job`, `SystemClosed`, and `ActorStopped` when somebody stopped `/jobs`.

        Not promised: in which order two batches get at a name that both want.
        """
        self._check_open()
        return await run_jobs(
            self._jobs(),
            self._names_at_work,
            jobs,
            limit=limit,
            stagger=stagger,
            deadline=deadline,
            on_progress=on_progress,
        )

    def _jobs(self) -> Family:
        """The supervisor of all jobs, made at its first use."""
        if JOBS not in self._root.children:
            self._root.spawn(Jobs, name=JOBS, policy=JOBS_POLICY)
        family = self._root.children[JOBS]
        assert isinstance(family, Family)
        return family

    def find(self, path: str) -> Ref | None:
        """The living actor with this path, or None. Raises ValueError for a path not from the root."""
        cell: Cell = self._root
        for part in split(path):
            child = cell.children.get(part) if isinstance(cell, Family) else None
            if child is None:
                return None
            cell = child
        return cell.ref

    def children(self, ref: Ref) -> tuple[Ref, ...]:
        """Its living children in start order; () for an actor that has none. Raises `UnknownActor`."""
        cell = self._kernel.cell_of(ref)
        return cell.child_refs if isinstance(cell, Family) else ()

    def peers(self, ref: Ref) -> tuple[Ref, ...]:
        """Its living siblings in start order, without itself. Raises `UnknownActor`."""
        parent = self._kernel.cell_of(ref).parent
        refs = parent.child_refs if isinstance(parent, Family) else ()
        return tuple(peer for peer in refs if peer != ref)

    # --- networks that say when they are ready ---

    def spawning(self, refs: Iterable[Ref]) -> Spawning:
        """One step for each of these actors: `async for step in system.spawning(refs)`. Never blocks.

        A `SpawnStep` comes as each becomes ready, or has failed and never will be; those
        that are ready now come first, in the order of `refs`. It ends after the last. As with
        `ref.wait_started()`, one that restarts or backs off is on its way; a function that was ready
        and has returned is ready. Named twice is named once. Each step is a checkpoint.

        Whoever leaves the loop, or is cancelled in it, leaves nothing behind. Raises TypeError for
        what is no ref, and `UnknownActor` for one of another system that is not linked.
        Not promised: that those that were ready are so still. What another node's actor is like,
        that node has to be asked: its step takes a round trip, and a function that had returned
        there before the call counts as failed.
        """
        return self._networks.spawning(refs)

    async def wait_ready(self, refs: Iterable[Ref], timeout: float | None = None) -> None:
        """Return when all these actors are ready, at the very time of the slowest. A checkpoint.

        What counts as ready is said at `spawning`. Raises `NotReady`, which names those that
        failed and those that are late, when all have settled or `timeout` seconds (None: no
        limit) have passed; not at the first failure. Raises TypeError, `UnknownActor`, and
        ValueError for a bad timeout. Not promised: that those that were ready are so still.
        """
        await self._networks.wait_ready(refs, timeout)

    def when_ready(
        self,
        refs: Iterable[Ref],
        to: Ref | Callable[[NetworkReady], object],
        *,
        timeout: float | None = None,
    ) -> ReadyWatch:
        """Tell `to` one `NetworkReady` when these actors are ready. Never blocks.

        What counts as ready is said at `spawning`. It comes when all have settled, ready or failed,
        or when `timeout` seconds (None: no limit) have passed; always after this call has
        returned, also when all are ready now. As in
        `self.ctx.system.when_ready(self.children, self.ctx.ref)`: it outlives a restart of who is
        told, and a full mailbox takes it too.

        `to` may be a plain function instead: it is called once, in a task of the system and outside any
        actor; it must not block, and what it raises is logged. When the system closes
        nobody is told any more.

        Raises TypeError, `UnknownActor`, ValueError for a bad timeout, and `SystemClosed`.
        """
        self._check_open()
        return self._networks.when_ready(refs, to, timeout)

    # --- posted messages ---

    @overload
    async def post(
        self,
        path: str,
        message: Request[R],
        *,
        key: str | None = None,
        reply: bool = True,
        timeout: float | None = None,
        priority: int = 0,
        max_attempts: int = 5,
    ) -> Ticket[R]: ...
    @overload
    async def post(
        self,
        path: str,
        message: object,
        *,
        key: str | None = None,
        reply: bool = True,
        timeout: float | None = None,
        priority: int = 0,
        max_attempts: int = 5,
    ) -> Ticket[Any]: ...
    async def post(
        self,
        path: str,
        message: object,
        *,
        key: str | None = None,
        reply: bool = True,
        timeout: float | None = None,
        priority: int = 0,
        max_attempts: int = 5,
    ) -> Ticket[Any]:
        """Store a message for the actor at `path`, whether or not it is there, and return the receipt.

        A checkpoint. With a durable store it returns when the message is on the disk. It is delivered
        when an actor with this path is ready, one after the other: the higher `priority` first, then in
        the order of receipts. It is acknowledged when its handler has returned; where that fails,
        or its process ends, it is delivered again, `max_attempts` times in all, then kept as a dead letter.
        So it is handled at least once. What the handler keeps with `ctx.save` is kept exactly once.

        `key` makes posting it twice, to the same recipient, posting it once. Without `reply` nobody is
        told what the handler returns. `timeout` is in seconds from now, and ends the waiting, not the
        work. An actor that posts gets the reply as a message, `TicketReply`, unless it waits for it.

        Raises `NotSerializable` (durable stores take message classes alone), `RecipientFull`,
        `KeyConflict`, `PayloadTooLarge`, `HopLimitReached`, `PostRateExceeded`, `StoreUnavailable`,
        `SystemClosed`, TypeError and ValueError. After `StoreUnavailable`, and cancelled, it may have
        been stored all the same: post it again with the same `key`.
        """
        return await self._office.post(path, message, key, reply, timeout, priority, max_attempts)

    @property
    def posted(self) -> Posted:
        """All tickets: dead letters, their redelivery, the feed of changes."""
        return Posted(self._office)

    async def ticket(self, id: str) -> Ticket[Any]:
        """Find a ticket again. A checkpoint. Raises `UnknownTicket`."""
        return await self._office.ticket(id)

    def group(self, name: str) -> Group:
        """The group of this name; it may be empty. Actors join by `ctx.join(name)`."""
        return Group(self._kernel, check_name(name))

    # --- other nodes ---

    async def listen(
        self,
        host: str,
        port: int,
        *,
        token: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        max_message: int = MAX_MESSAGE,
        origins: Collection[str] = (),
    ) -> Listener:
        """Let other nodes connect; `.url` of what is returned says where. Port 0: any free one. A checkpoint.

        Who connects must know `token`. `ssl_context` is that of a server; with `verify_mode`
        CERT_REQUIRED the others must show a certificate too. A message may have
        `max_message` characters. Browsers are let in from `origins` alone.
        Raises `InsecureListen` for an address that others can reach without token or TLS,
        ValueError, `SystemClosed`, and OSError where the address cannot be had.
        """
        return await listen(self._node, host, port, token, ssl_context, max_message, origins)

    async def connect(
        self,
        url: str,
        *,
        token: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        timeout: float = 20.0,
        max_message: int = MAX_MESSAGE,
    ) -> Peer:
        """Link this node with the one at `url`, and return when the link is UP. A checkpoint.

        From then on the link is kept: when its connection ends, it connects again and goes
        on where it was. Raises `NodeUnreachable` where nobody answers within `timeout` seconds,
        `LinkRefused`, ValueError for a bad URL, and `SystemClosed`.
        """
        return await connect(self._node, url, token, ssl_context, timeout, max_message)

    async def start_node(self, name: str, *, spawnable: Iterable[Any] | None = None) -> Peer:
        """Start a node in a process of its own on this machine, and return when it is linked. A checkpoint.

        It may start `spawnable` for this one, by default what this system's own
        `spawnable` are: classes and functions that the process can import, or that are defined in the
        file that Python was started with (below its `if __name__ == "__main__"` nothing runs there).
        The process is a supervised child: it is started anew when it ends, and ends with this
        system, however that ends. Raises `StartFailed`, `NameTaken`, `SystemClosed`, ValueError for a
        bad name and for what no other process could find.
        """
        await start_process(self._node, name, spawnable)
        return Peer(self._node, name)

    def node(self, name: str) -> Peer:
        """A linked node, whoever has connected; raises `UnknownNode`."""
        return peer_of(self._node, name)

    @property
    def nodes(self) -> tuple[Peer, ...]:
        """All linked nodes, by name."""
        return tuple(Peer(self._node, name) for name in sorted(self._node.associations))

    # --- seeing ---

    def tree(self) -> TreeNode:
        """The living actors as they are now; `str()` draws them."""
        return tree_of(self._root, self.name)

    def subscribe(self, *kinds: type[Event]) -> AbstractAsyncContextManager[Subscription]:
        """Listen to events: `async with system.subscribe(Failed) as events: async for event in events`.

        Kinds that derive from one named come too; without any, all come. A subscriber
        that lags by more than 10,000 events loses the oldest and gets `EventsLost`.
        """
        return self._bus.subscribe(*kinds)

    @property
    def journal(self) -> Journal:
        """What has happened since this was first read: facts, each actor's history, and why something ended.

        Read it at the beginning where the past is to be known: before that nothing is kept, and nothing
        costs time.
        """
        if self._journal is None:
            self._journal = Journal(self._kernel)
            self._bus.attach(self._journal)
            if self._root.is_gone:
                self._journal.close()
        return self._journal

    def statistics(self) -> SystemStatistics:
        """Counts over all actors. Costs a walk over the tree."""
        return count(self._root)

    def breaker(self, path: str) -> BreakerState:
        """What the breaker of a path is like; CLOSED where nothing failed. Never changes it."""
        return self._breakers.view(path)

    def breakers(self) -> dict[str, BreakerState]:
        """The health of every living named actor and of every path that has failed, by path."""
        living = {cell.path: self._breakers.view(cell.path) for cell in below(self._root) if cell.name}
        return living | self._breakers.views()

    def reset_breaker(self, path: str) -> None:
        """Forget all failures of a path; an actor that its breaker holds back starts now."""
        if not self._breakers.reset(path):
            return
        ref = self.find(path)
        if ref is not None and isinstance(ref.cell.parent, Family):
            ref.cell.parent.breaker_was_reset(ref.cell)

    def budget(self, path: str | Ref) -> BudgetState | None:
        """What the budget of an actor is like, `"/"` for the system; None for one without. No checkpoint.

        The system counts what is spent in it also where it has no limits. Raises `UnknownActor`, and
        ValueError for a path not from the root.
        """
        return state_of_budget(self._found(path))

    def top_up(
        self, path: str | Ref, *, tokens: int = 0, money: float = 0.0, tool_calls: int = 0, spawns: int = 0
    ) -> None:
        """Raise the limits of an actor's budget, `"/"` for the system's, by so much. Never blocks.

        Whoever was parked because of it, and has enough now, goes on. Raises `UnknownActor`, and ValueError
        where it has no such limit, and for what is no amount.
        """
        top_up(self._found(path), self._root, tokens, money, tool_calls, spawns)

    def _found(self, path: str | Ref) -> Cell:
        ref = path if isinstance(path, Ref) else self.find(path)
        if ref is None:
            raise UnknownActor(path, self.name, ())
        return self._kernel.cell_of(ref)

    # --- the end ---

    def stop(self) -> None:
        """End the system in order; the body of its block is cancelled. Idempotent, never blocks."""
        self._root.stop()

    def _end_body(self) -> None:
        """Cancel the body of the block; the actors end by other orders."""
        self._block.body.cancel()

    async def wait_stopped(self) -> None:
        """Return when nothing of the system lives any more. A checkpoint; for tasks outside the block."""
        await self._block.ended.wait()


_WATCHDOG = Watchdog()


def open_system(
    name: str,
    *,
    strategy: Strategy | None = None,
    policy: Policy | None = None,
    store: Store | None = None,
    posting: Posting | None = None,
    asking: Asking | None = None,
    random: Random | None = None,
    watchdog: Watchdog | None = _WATCHDOG,
    spawnable: Sequence[Any] = (),
    lease: float = 15.0,
    budget: Budget | None = None,
) -> AbstractAsyncContextManager[System]:
    """Open a block with a system of actors in it.

    `async with open_system("alpha") as system:` is the whole of it.

    Leaving the block stops the tree, children before parents; an exception in the
    body, or cancellation from outside, does the same with every actor cancelled.
    Afterwards no task, timer, process or socket of it is left. Raises one plain
    exception when there is one cause (the body's own, or `SupervisorFailed` when the
    root gave up), else one flat group. When the root gives up, and on `system.stop()`,
    the body is cancelled.

    `strategy` is the root's, OneForOne by default. `policy` is that of every actor
    spawned without one; it is not inherited otherwise. `random` draws the jitter.
    `watchdog` says when a thread reports that the event loop stands still; None: never.
    `spawnable` are the classes and functions that linked nodes may start here; `lease` is
    for how many seconds this node's children elsewhere live on when it is not heard.
    `store` keeps posted messages and saved states, in memory by default; `posting` bounds them; `asking`
    bounds requests to people. A store that cannot be opened raises its `StoreError` here.
    `budget` is what all actors of the system may spend together.
    Raises `InvalidName`, ValueError for an unknown strategy, `NestedSystem` inside an actor, and
    RuntimeError where a node process runs its parent's program for its definitions.
    """
    check_name(name)
    is_store = hasattr(store, "open") and hasattr(store, "is_durable") and not isinstance(store, type)
    if store is not None and not is_store:
        raise TypeError(f"store must be a store, not {store!r}: write actors.delivery.SQLiteStore(path)")
    if posting is not None and not isinstance(posting, Posting):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"posting must be a Posting, not {posting!r}: write actors.Posting(...)")
    if asking is not None and not isinstance(asking, Asking):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"asking must be an Asking, not {asking!r}: write actors.Asking(...)")
    if policy is not None and not isinstance(policy, Policy):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"policy must be a Policy, not {policy!r}: write actors.Policy(...)")
    chosen = check_strategy(OneForOne() if strategy is None else strategy)
    inside = CURRENT.get()
    if inside is not None:
        raise NestedSystem(inside.path)
    if DEFINING.get():  # or every node process would do all that its parent does
        raise RuntimeError(
            "a node process runs this program for its definitions, and must open no system with it: "
            'write `if __name__ == "__main__":` before what starts it'
        )
    if watchdog is not None and not isinstance(watchdog, Watchdog):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"watchdog must be a Watchdog or None, not {watchdog!r}: write actors.Watchdog(...)")
    check_seconds("lease", lease)
    if not 0.5 <= lease < math.inf:
        raise ValueError(f"lease is in seconds, 0.5 or more and finite, not {lease!r}")
    allowed = several("spawnable", spawnable)
    for what in allowed:
        recipe_of(what)
    if budget is not None and not isinstance(budget, Budget):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"budget must be a Budget, not {budget!r}: write actors.Budget(...)")
    if budget is not None and budget.idle is not None:
        raise ValueError("a system is not ended for being idle: leave idle out of its budget")
    return _opened(
        name, chosen, policy, random or Random(), watchdog, allowed, lease, store, posting, asking, budget
    )


@asynccontextmanager
async def _opened(
    name: str,
    strategy: Strategy,
    policy: Policy | None,
    random: Random,
    watchdog: Watchdog | None,
    spawnable: Sequence[Any],
    lease: float,
    store: Store | None,
    posting: Posting | None,
    asking: Asking | None,
    budget: Budget | None,
) -> AsyncGenerator[System]:
    system = System(
        name, strategy, policy, random, watchdog, spawnable, lease, store, posting, asking, budget
    )
    async with system._block.run():  # pyright: ignore[reportPrivateUsage]
        yield system
