"""Children of another node's supervisors that run here.

Each incarnation of such a child is one actor here, under `/system/nodes/<their node>`. It
is started, told, stopped and judged over there: here it runs once. Its `ctx.ref` and
`ctx.parent` are what they are over there, so what it tells others of itself is true for all.
All of them end when the lease lapses.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from actors.core.cell import Cell
from actors.core.mailbox import MARK
from actors.core.recipe import recipe_of
from actors.core.ref import Ref
from actors.core.watch import Notice
from actors.errors import ActorStopped, NotSpawnable
from actors.events import Event
from actors.exits import Exit, ExitKind
from actors.remote import items
from actors.remote.conversation import ProtocolFault
from actors.remote.credit import WINDOW
from actors.remote.facts import OF_CHILDREN, Relay
from actors.remote.flows import check_window, taken_there
from actors.remote.grants import grant_in
from actors.remote.handshake import Reason
from actors.remote.hosted import HostedPending, HostedStream, Run
from actors.remote.strict import BadValue
from actors.remote.terms import policy_in
from actors.remote.troubles import ended_out

if TYPE_CHECKING:
    from actors.remote.association import Association

__all__ = ["Hosting"]

_ORDERS = ("stop", "drain", "kill", "halt", "suspend", "suspend-once", "resume", "interrupt")


class Hosting:
    """One association's children here."""

    def __init__(self, association: Association) -> None:
        self._association = association
        self._node = association.node
        self.runs: dict[int, Run] = {}
        self._relay: Relay | None = None
        self._waiting: list[items.Spawn] = []
        """Incarnations whose former one is still ending."""

    # --- items ---

    def spawn(self, item: items.Spawn) -> None:
        """Start an incarnation, or say why not."""
        if item.child in self.runs:
            return
        codec = self._node.codec
        try:
            run = Run(self._association, item.child, codec.ref_in(item.ref), codec.ref_in(item.parent))
            if run.home.identity[:2] != (self._association.name, self._association.incarnation):
                raise BadValue(f"{item.child} is not yours: a child's ref is of the node that starts it")
            what = self._node.spawnable.get(item.what)
            if what is None:
                raise NotSpawnable(item.what, self._node.name, self._node.spawnable)
            args = tuple(codec.value_in(one) for one in item.args)
            options = {key: codec.value_in(one) for key, one in item.options.items()}
            recipe = recipe_of(functools.partial(what, **options) if options else what)
            recipe.check_arguments(args)
            policy = policy_in(item.policy)
            watching = [codec.ref_in(one) for one in item.watching]
            run.bound = None if item.grant is None else grant_in(item.grant, run.home)
        except (BadValue, NotSpawnable, TypeError, ValueError) as error:
            exit = Exit(ExitKind.START_FAILED, error=error)
            self._association.control(items.Fell(item.child, ended_out(exit, codec)))
            self._association.control(items.Over(item.child))
            return
        self.runs[item.child] = run
        hosts = self._node.hosts(self._association)
        if hosts is None:
            exit = Exit(ExitKind.START_FAILED, error=ActorStopped(run.home), reason="the node closes")
            self._fell(run, exit, [])
            self.over(run)
            return
        former = hosts.children.get(run.key)
        if former is not None:  # of a life that its supervisor has given up
            former.kill()
            self._waiting.append(item)
            del self.runs[item.child]
            return
        if self._relay is None:
            self._relay = Relay(self._association, items.OWN, OF_CHILDREN, self._concerns)
            self._node.kernel.sink.attach(self._relay)
        hosts.host(run, recipe, args, run.home.name, policy, watching, item.groups)

    def _concerns(self, event: Event) -> bool:
        """True for what is noticed of one of them."""
        ref = getattr(event, "ref", None)
        return any(run.home == ref for run in self.runs.values())

    def do(self, item: items.Do) -> None:
        """A message for one of them."""
        run = self.runs.get(item.child)
        if run is None or run.cell is None:
            return  # it has fallen, and the other node knows or will hear of it
        if len(run.open) > WINDOW:
            raise ProtocolFault(Reason.NO_CREDIT, f"more than {WINDOW} messages for one child at a time")
        codec = self._node.codec
        try:
            check_window(item.window)
            message = codec.message_in(item.m)
            sender = None if item.sender is None else codec.ref_in(item.sender).cell
        except BadValue as error:
            trouble = items.Trouble("unreadable", "BadValue", str(error))
            self._association.control(items.Done(item.child, item.n, None, trouble))
            return
        cell = run.cell
        pending = (
            HostedPending(cell, message, run, item.n, item.asked)
            if item.window is None
            else HostedStream(cell, message, run, item.n, item.window)
        )
        run.open[item.n] = pending
        if item.left is not None:
            pending.arm(max(0.0, item.left), cell.now())
        cell.enter(pending, message, sender, item.urgent)

    def undo(self, item: items.Undo) -> None:
        """The asker has left."""
        run = self.runs.get(item.child)
        if run is None:
            return
        pending = run.streams.get(item.n) or run.open.get(item.n)
        if pending is not None:
            pending.cancel()

    def taken(self, item: items.ChildTaken) -> None:
        """The asker over there has taken chunks. Raises `BadValue`."""
        run = self.runs.get(item.child)
        pending = None if run is None else run.streams.get(item.n)
        if pending is not None:
            taken_there(pending.stream, item)

    def order(self, item: items.ChildOrder) -> None:
        """Its supervisor over there, or somebody there, wants this of it. Raises `BadValue`."""
        if item.order not in _ORDERS:
            raise BadValue(f"unknown order {item.order!r:.40}: use one of {', '.join(_ORDERS)}")
        run = self.runs.get(item.child)
        cell = None if run is None else run.cell
        if cell is None:
            if item.order in ("kill", "stop", "halt", "drain"):
                self._waiting = [one for one in self._waiting if one.child != item.child]
                exit = Exit(ExitKind.SHUTDOWN, reason="stopped before it started again")
                self._association.control(items.Fell(item.child, ended_out(exit, self._node.codec)))
                self._association.control(items.Over(item.child))
            return
        if item.order == "interrupt":
            self._node.run(self._interrupt, cell, run)
        elif item.order in ("suspend", "suspend-once"):
            cell.suspend(item.order == "suspend-once")
        elif item.order == "resume":
            Cell.resume(cell)
        elif item.order == "drain":
            cell.drain()
        elif item.order == "kill":
            cell.kill()
        else:
            cell.stop()

    async def _interrupt(self, cell: Cell, run: Run) -> None:
        before = run.stirs
        await cell.interrupt()
        if run.stirs == before:  # there was nothing to interrupt
            run.stirred(False)

    # --- what becomes of them ---

    def _fell(self, run: Run, exit: Exit, hands: list[int]) -> None:
        run.fallen = True
        if run.lapsed is not None:
            exit = Exit(ExitKind.NODE_DOWN, reason=run.lapsed)
        ended = ended_out(exit, self._node.codec)
        with self._node.exporting(self._association):
            watching = [self._node.ref_out(ref) for ref in _watched(run.cell)]
            hand = hands[0] if hands else None
            self._association.control(items.Fell(run.number, ended, hand, watching, hands[1:]))

    def fallen(self, run: Run, exit: Exit, hands: list[int]) -> None:
        """Its incarnation has ended; what it still does takes time."""
        if not run.fallen:
            self._fell(run, exit, hands)

    def over(self, run: Run) -> None:
        """Nothing of it is left."""
        cell = run.cell
        if not run.fallen:
            exit = (None if cell is None else cell.exit) or Exit(ExitKind.KILLED)
            self._fell(run, exit, [])
        self.runs.pop(run.number, None)
        if not self.runs and self._relay is not None:
            self._node.kernel.sink.detach(self._relay)
            self._relay = None
        self._association.control(items.Over(run.number))
        living = self._node.living(self._association.name)  # another one, if the lease had lapsed
        if living is not None:
            living.inbound.hosting.retry()

    def retry(self) -> None:
        """One that was here is gone: start those that waited for it."""
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            with self._node.codec.heard_from(self._association):
                self.spawn(item)

    def report(self, now: float) -> None:
        """Signs of life since the last report."""
        alive: list[tuple[int, float]] = []
        for number, run in self.runs.items():
            heard = None if run.cell is None else run.cell.last_heard()
            if heard is not None and heard != run.heard_at:
                run.heard_at = heard
                alive.append((number, round(max(0.0, now - heard), 3)))
        if alive:
            self._association.control(items.Alive(alive))

    def lapse(self, reason: str) -> None:
        """Their supervisor's node is gone: end them all, now."""
        self._waiting.clear()
        for run in tuple(self.runs.values()):
            if run.cell is not None:
                if not run.fallen:
                    run.lapsed = reason
                run.cell.kill()


def _watched(cell: Cell | None) -> list[Ref]:
    """What it watches and has not been told the end of."""
    if cell is None or cell.watching is None:
        return []

    def untold(watched: Cell) -> bool:
        return cell.lanes.any(lambda item: isinstance(item[MARK], Notice) and item[MARK].watched is watched)

    return [ref for ref in cell.watching if not ref.cell.is_gone or untold(ref.cell)]
