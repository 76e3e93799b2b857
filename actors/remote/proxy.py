"""A proxy: what a ref of another node's actor has for a cell.

It answers to what `Ref` and `Pending` use of a `Cell`, and to no more. Messages leave in
the step of the call; what comes of them is told by the association.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast
from weakref import WeakSet

import trio

from actors.checks import check_seconds
from actors.core.ask import Pending
from actors.core.intake import why_no_request
from actors.core.lifecycle import ActorState
from actors.core.ref import Ref
from actors.core.scope import CURRENT
from actors.core.statistics import Statistics
from actors.core.watch import notify
from actors.errors import (
    ActorError,
    ActorStopped,
    Deadlock,
    LinkRefused,
    MailboxFull,
    NodeLost,
    StartFailed,
)
from actors.events import DeadLetterReason
from actors.exits import Exit, ExitKind
from actors.messages import Request
from actors.remote import items
from actors.remote.abroad import AbroadPending, AbroadStream
from actors.remote.credit import WINDOW
from actors.remote.flows import Returner, not_there
from actors.remote.link import LinkState

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.intake import Waiter
    from actors.core.kernel import Follower, Kernel
    from actors.remote.association import Association

__all__ = ["NOBODY", "Proxy"]

NOBODY: Final = Exit(ExitKind.SHUTDOWN, reason="no such actor lives there")
"""How whoever is not there has ended."""
_STATES: Final = {str(state): state for state in ActorState}


class _Lanes:
    """What `Ref.tell` and the groups look at: every message takes the long way."""

    normal = None
    early = None
    extra = 0
    limit = capacity = float(WINDOW)
    closed = False


class _Above:
    """The parent of an actor elsewhere: nobody that is known here."""

    vigil = None
    ref = None
    path = ""


class Proxy:
    """One actor of another node, or with `life=0` whoever lives at the path."""

    __slots__ = (
        "__weakref__",
        "_exit",
        "_ref",
        "association",
        "followers",
        "heard",
        "home",
        "life",
        "mourners",
        "node",
        "open",
        "path",
        "senders",
        "watchers",
    )

    # what a cell has, and an actor elsewhere does not
    lanes = _Lanes()
    parent = _Above()
    plain = False
    parked = None
    vigil = None
    watching: WeakSet[Ref] | None = None
    depth = 0
    restarts = 0

    def __init__(
        self, association: Association, home: tuple[str, str], path: str, life: int, node: str
    ) -> None:
        self.association = association
        self.home = home
        self.path = path
        self.life = life
        self.node = node
        self.watchers: dict[Any, None] | None = None
        self.senders: dict[trio.lowlevel.Task | Waiter, tuple[object, Cell | None, str]] | None = None
        """Who waits for credit or room: the message, who has sent it, and its item as it goes out."""
        self.open = 0
        """Requests that it has not answered."""
        self.heard: ActorState | None = None
        """What it was doing at its node's last beat, while there are such."""
        self.followers: dict[Follower, int] | None = None
        """Who hears when it is ready, and the number of the call that asks."""
        self.mourners: list[Callable[[Exit], None]] = []
        """Those in `wait_stopped`."""
        self._exit: Exit | None = None
        self._ref = Ref(cast("Cell", self))

    def __hash__(self) -> int:
        return hash(self.identity)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Proxy) and self.identity == other.identity)

    @property
    def ref(self) -> Ref:
        """Its ref."""
        return self._ref

    @property
    def kernel(self) -> Kernel:
        """The kernel of this system, not of the actor's."""
        return self.association.kernel

    @property
    def identity(self) -> tuple[str, str, str, int]:
        """See `Ref.identity`."""
        return *self.home, self.path, self.life

    @property
    def serial(self) -> int:
        """Its serial number over there."""
        return self.life

    @property
    def line(self) -> tuple[tuple[str, str], str]:
        """What its messages stay in order by: whoever is meant by a path, and by the life there."""
        return self.home, self.path

    @property
    def address(self) -> items.Address:
        """How the other end of the link finds it."""
        via = self.association
        third = None if self.home == (via.name, via.incarnation) else self.home
        return items.Address(self.path, self.life, third)

    @property
    def name(self) -> str | None:
        """The last part of its path, unless it is adhoc."""
        last = self.path.rpartition("/")[2]
        return None if last.startswith("~") or not last else last

    @property
    def exit(self) -> Exit | None:
        """How it has ended, as far as is known here."""
        return self._exit if self._exit is not None else self.association.lost

    @property
    def final_exit(self) -> Exit | None:
        """As `exit`."""
        return self.exit

    @property
    def is_gone(self) -> bool:
        """True once it is known to have ended."""
        return self.exit is not None

    @property
    def is_final(self) -> bool:
        """As `is_gone`."""
        return self.is_gone

    @property
    def state(self) -> ActorState:
        """STOPPED once it has ended, and UNREACHABLE while its node is.

        Else, while a request to it is open: what it was doing at its node's last beat. And else IDLE,
        which then means that it lives: no more is known here.
        """
        if self.is_gone:
            return ActorState.STOPPED
        if self.association.state is not LinkState.UP:
            return ActorState.UNREACHABLE
        return ActorState.IDLE if self.heard is None else self.heard

    def heard_state(self, state: str) -> None:
        """Its node says what it is doing; a word that is unknown here says nothing."""
        if self.open:
            self.heard = _STATES.get(state)

    def now(self) -> float:
        """Trio's clock."""
        return self.kernel.now()

    def describe(self) -> str:
        """The status line that a ref shows."""
        said = f"<Ref {self.path} {self.state} on {self.node}"
        return said + (f" exit={self.exit.kind}>" if self.exit is not None else ">")

    def statistics(self) -> Statistics:
        """Nothing is counted here."""
        return Statistics(
            handled=0, failed=0, restarts=0, depth={"system": 0, "urgent": 0, "normal": 0},
            oldest=None, last_activity=None, uptime=0.0,
        )  # fmt: skip

    # --- messages out ---

    def tell(self, message: object, urgent: bool = False) -> bool:
        """See `Ref.tell`."""
        return self.tell_from(CURRENT.get(), message, urgent)

    def tell_from(self, sender: Cell | None, message: object, urgent: bool = False) -> bool:
        """As `tell`, for a sender that is not the running task's actor."""
        with self.association.node.exporting(self.association):
            text = self._written(message, sender, urgent)
            if self.is_gone:
                self.kernel.dead_letter(cast("Cell", self), message, sender, DeadLetterReason.STOPPED)
                return False
            if self.senders or not self._pay():
                raise MailboxFull(self.ref, message, WINDOW)
            self.association.push("data", text, self.line)
        return True

    def _written(self, message: object, sender: Cell | None, urgent: bool = False) -> str:
        """The item that says it; raises `NotSerializable`, and nothing was sent."""
        coded = self.association.node.codec.message_out(message)
        out = None if sender is None else self.association.node.ref_out(sender.ref)
        return self.association.written(items.Tell(self.address, coded, out, urgent, self._trace()), message)

    def _trace(self, asked: Pending[Any] | None = None) -> str | None:
        tracer = self.kernel.tracer
        return None if tracer is None else tracer.outgoing(asked)

    def _pay(self) -> bool:
        """Take a credit, if there is one, and room in the link's buffer."""
        if not self.association.has_room:
            self.association.choked = True
            return False
        return self.association.window(self.address.key).pay()

    def pass_on(self, message: object, sender: Cell | None, urgent: bool, waiter: Waiter) -> None:
        """As `tell`, for a third node; `waiter.admitted()` when it is on its way, or has ended otherwise."""
        with self.association.node.exporting(self.association):
            text = self._written(message, sender, urgent)
            if not self.is_gone and (self.senders or not self._pay()):
                self._line_up(waiter, message, sender, text)
                return
            if self.is_gone:
                self.kernel.dead_letter(cast("Cell", self), message, sender, DeadLetterReason.STOPPED)
            else:
                self.association.push("data", text, self.line)
        waiter.admitted()

    def _line_up(
        self, waiter: trio.lowlevel.Task | Waiter, message: object, sender: Cell | None, text: str
    ) -> None:
        if self.senders is None:
            self.senders = {}
        self.senders[waiter] = message, sender, text
        self.association.senders[self] = None

    async def send(self, message: object) -> None:
        """See `Ref.send`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        sender = CURRENT.get()
        with self.association.node.exporting(self.association):
            text = self._written(message, sender)
            waits = not self.is_gone and (self.senders or not self._pay())
            if self.is_gone:
                self.kernel.dead_letter(cast("Cell", self), message, sender, DeadLetterReason.STOPPED)
            elif not waits:
                self.association.push("data", text, self.line)
        if not waits:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        task = trio.lowlevel.current_task()
        self._line_up(task, message, sender, text)

        def leave(_: Any) -> trio.lowlevel.Abort:
            assert self.senders is not None
            del self.senders[task]
            self._forget_line()
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(leave)

    def admit(self) -> None:
        """Let those go on who wait, as far as there is credit, first come first served."""
        while self.senders and (self.is_gone or self._pay()):
            waiter, (message, sender, text) = next(iter(self.senders.items()))
            del self.senders[waiter]
            if self.is_gone:
                self.kernel.dead_letter(cast("Cell", self), message, sender, DeadLetterReason.STOPPED)
            else:
                self.association.push("data", text, self.line)
            if isinstance(waiter, trio.lowlevel.Task):
                trio.lowlevel.reschedule(waiter)
            else:
                waiter.admitted()
        self._forget_line()

    def _forget_line(self) -> None:
        if not self.senders:
            self.association.senders.pop(self, None)

    # --- requests ---

    def request(self, request: Request[Any], timeout: float | None, *, keep: bool) -> Pending[Any]:
        """See `Ref.request`."""
        if not isinstance(request, Request):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(why_no_request(request))
        if timeout is not None:
            check_seconds("timeout", timeout)
        asker = CURRENT.get()
        tracer = self.kernel.tracer
        kind = AbroadPending if tracer is None else tracer.pending(AbroadPending)
        pending = kind(cast("Cell", self), request, asker if keep else None)
        with self.association.node.exporting(self.association):
            coded = self.association.node.codec.message_out(request)
            if keep and asker is not None:
                if asker.pendings is None:
                    asker.pendings = {}
                asker.pendings[pending] = None
            elif asker is not None and asker.ref.identity == self.identity:
                pending.fail(Deadlock(self.ref, request))
                return pending
            try:
                self.enter(pending, request, asker, coded, timeout)
            except BaseException:
                pending.cancel()
                raise
        if timeout is not None and not pending.done:
            pending.arm(timeout, self.now())
        return pending

    def open_stream(self, request: Request[Any], timeout: float | None, window: int) -> AbroadStream:
        """See `Ref.stream`. Raises `NotSerializable`."""
        if not isinstance(request, Request):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(why_no_request(request))
        asker = CURRENT.get()
        tracer = self.kernel.tracer
        kind = AbroadStream if tracer is None else tracer.pending(AbroadStream)
        pending = kind(cast("Cell", self), request, asker, window)
        with self.association.node.exporting(self.association):
            coded = self.association.node.codec.message_out(request)
            if asker is not None and asker.ref.identity == self.identity:
                pending.fail(Deadlock(self.ref, request))
                return pending
            self.enter(pending, request, asker, coded, timeout)
        if not pending.done:
            pending.keep()
            if timeout is not None:
                pending.arm(timeout, self.now())
        return pending

    def enter(
        self,
        pending: Pending[Any],
        request: object,
        asker: Cell | None,
        coded: Any = None,
        left: float | None = None,
    ) -> None:
        """Send an open request on, or end it at once. Raises `NotSerializable` for one that is too long."""
        number = self.association.next_id()
        out = None if asker is None else self.association.node.ref_out(asker.ref)
        trace = self._trace(pending)
        link, flow = self.association, pending.stream
        window = None if flow is None else flow.window
        text = link.written(items.Ask(number, self.address, coded, out, left, trace, window), request)
        if self.is_gone:
            pending.fail(ActorStopped(self.ref, self.exit))
        elif flow is not None and not link.streams:
            pending.fail(not_there(link.name))
        elif self.senders or not self._pay():
            pending.fail(MailboxFull(self.ref, request, WINDOW))
        else:
            if isinstance(pending, AbroadPending):
                pending.number = number
                self.association.asks[number] = pending
                self.open += 1
            if flow is not None:
                flow.source = Returner(flow.window, link, lambda count: items.Taken(number, count))
            self.association.push("data", text, self.line)

    def request_ended(self, pending: AbroadPending) -> None:
        """It is done: an answer came, or its asker has left, and then the other node is told.

        In the order of messages, unless chunks came: it must not come before the request itself.
        """
        if not pending.number:
            return  # it was never sent
        self.open -= 1
        if not self.open:
            self.heard = None
        if self.association.asks.pop(pending.number, None) is not None:
            send = self.association.control if pending.has_begun else self.association.data
            send(items.Cancel(pending.number))

    # --- life ---

    def gone(self, exit: Exit, nobody: bool = False) -> None:
        """It has ended for good: tell who watches. Idempotent.

        Whoever was at a path is gone, and the next one may live there, unless there is `nobody` ever.
        """
        if self._exit is not None:
            return
        self._exit = exit
        self.association.watched.pop(self, None)
        watchers, self.watchers = self.watchers, None
        for watcher in watchers or ():
            notify(watcher, cast("Cell", self))
        mourners, self.mourners = self.mourners, []
        for told in mourners:
            told(exit)
        if not self.life and not nobody and self.association.lost is None:
            self._exit = None
        self.admit()

    def stop(self) -> None:
        """See `Ref.stop`."""
        self.association.control(items.Order(self.address, "stop"))

    def drain(self) -> None:
        """See `Ref.drain`: in the order of messages."""
        self.association.data(items.Order(self.address, "drain"))

    def kill(self) -> None:
        """See `Ref.kill`."""
        self.association.control(items.Order(self.address, "kill"))

    def suspend(self, once: bool) -> None:
        """See `Ref.suspend`."""
        self.association.control(items.Order(self.address, "suspend-once" if once else "suspend"))

    def resume(self) -> None:
        """See `Ref.resume`."""
        self.association.control(items.Order(self.address, "resume"))

    async def interrupt(self) -> bool:
        """See `Ref.interrupt`; False when the node is lost meanwhile."""
        return await self._ask_node("interrupt") is True

    async def wait_started(self) -> None:
        """See `Ref.wait_started`."""
        answer = await self._ask_node("started")
        if answer == "failed":
            raise StartFailed(self.ref)
        if answer is not True:
            raise ActorStopped(self.ref, self.exit or NOBODY)

    @property
    def is_started(self) -> bool:
        """Never known here: its node has to be asked."""
        return False

    def follow(self, follower: Follower) -> None:
        """Let it hear once, when the actor is ready or gone. What does not need a task does not get one."""

        def answer(value: Any, trouble: items.Trouble | None) -> None:
            if self.followers is not None:
                self.followers.pop(follower, None)
            if value is True:
                follower.became_ready(cast("Cell", self))
            else:
                follower.went(cast("Cell", self), self._not_started(value, trouble))

        number = self.association.begin_call("started", self.address, [], answer)
        if self.followers is None:
            self.followers = {}
        self.followers[follower] = number

    def _not_started(self, value: Any, trouble: items.Trouble | None) -> Exit:
        if value == "failed":
            return Exit(ExitKind.START_FAILED)
        if trouble is not None and self.exit is None:
            return Exit(ExitKind.FAILED, error=LinkRefused(trouble.kind, trouble.text))
        return self.exit or NOBODY

    def unfollow(self, follower: Follower) -> None:
        """Not any more. Idempotent."""
        number = None if self.followers is None else self.followers.pop(follower, None)
        if number is not None:
            self.association.drop_call(number)

    def why_not_ready(self, exit: Exit) -> ActorError:
        """Why it is not ready, having ended so."""
        if exit.kind is ExitKind.START_FAILED:
            return StartFailed(self.ref, exit.error)
        return ActorStopped(self.ref, exit)

    async def _ask_node(self, what: str) -> Any:
        try:
            return await self.association.call(what, self.address)
        except NodeLost:
            return None

    async def wait_stopped(self) -> Exit:
        """See `Ref.wait_stopped`. The loss of its node is an end too."""
        known = self.exit
        if known is not None:
            await trio.lowlevel.checkpoint()
            return known
        came: list[Exit] = []
        done = trio.Event()

        def told(exit: Exit) -> None:
            came.append(exit)
            done.set()

        self.mourners.append(told)
        self.watch_begun()
        try:
            await done.wait()
        finally:
            if not came:
                self.mourners.remove(told)
                self.watch_ended()
        return came[0]

    def watch_begun(self) -> None:
        """See that its end is told here, and that it is not forgotten before."""
        if not self.is_gone and self not in self.association.watched:
            self.association.watched[self] = None
            self.association.control(items.Watch(self.address))

    def watch_ended(self) -> None:
        """Nobody here waits for its end any more."""
        if not self.watchers and not self.mourners:
            self.association.watched.pop(self, None)
