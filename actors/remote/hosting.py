"""Children of another node's supervisors that run here.

Each incarnation of such a child is one actor here, under `/system/nodes/<their node>`. It
is started, told, stopped and judged over there: here it runs once. Its `ctx.ref` and
`ctx.parent` are what they are over there, so what it tells others of itself is true for all.
All of them end when the lease lapses.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

from actors.core import orders as order
from actors.core.ask import Pending
from actors.core.cell import Cell
from actors.core.mailbox import ASKED, MARK
from actors.core.parent import Fate
from actors.core.recipe import Recipe, recipe_of
from actors.core.ref import Ref
from actors.core.watch import Notice, watch
from actors.errors import ActorError, ActorFailed, ActorStopped, NotSpawnable
from actors.events import Event
from actors.exits import Exit, ExitKind
from actors.policy import Policy
from actors.remote import items
from actors.remote.facts import OF_CHILDREN, Relay
from actors.remote.strict import BadValue
from actors.remote.terms import policy_in
from actors.remote.troubles import ended_out, trouble_out
from actors.supervision.family import Family
from actors.supervision.supervisor import Supervisor

if TYPE_CHECKING:
    from actors.remote.association import Association

__all__ = ["Hosted", "HostedFamily", "Hosting", "Hosts"]

_ORDERS = ("stop", "drain", "kill", "halt", "suspend", "suspend-once", "resume", "interrupt")
NODES_POLICY = Policy(restart="temporary", breaker=None)
"""What the supervisors of others' children run under."""


class Withdrawn(ActorError):
    """Nobody waits for this answer any more."""


class HostedPending(Pending[Any]):
    """A message that the other node waits to be handled, told or asked."""

    __slots__ = ("goes_alone", "number", "run", "was_asked")

    def __init__(self, cell: Cell, message: object, run: Run, number: int, was_asked: bool) -> None:
        super().__init__(cell, message, None)
        self.run = run
        self.number = number
        self.was_asked = was_asked
        self.goes_alone = False
        """Its answer is not the end of the handling."""

    @property
    def is_told(self) -> bool:
        """See `Pending.is_told`."""
        return not self.was_asked

    def rest(self) -> HostedPending:
        """See `Pending.rest`."""
        self.goes_alone = True
        left = HostedPending(self.cell, self.message, self.run, self.number, was_asked=False)
        self.run.open[self.number] = left
        return left

    @property
    def in_hand(self) -> bool:
        """True while its handler runs."""
        item = self.cell.item
        return item is not None and item[ASKED] is self

    def put_off(self) -> None:
        """An answer will come later."""
        self.run.control(items.Later(self.run.number, self.number))

    def cancel(self) -> None:
        """Its asker has left. A handler goes on, as it does at home."""
        if not self.in_hand and not self.done:
            self._end(Withdrawn())

    def _expire(self, timeout: float) -> None:
        self._alarm = None
        self.cancel()  # its asker counts by itself

    def _end(self, error: BaseException | None) -> None:
        super()._end(error)
        self.run.handled(self, error, None if error is not None else self._value)


class Run:
    """One incarnation of a child of the other node's."""

    def __init__(self, association: Association, number: int, home: Ref, parent: Ref) -> None:
        self.association = association
        self.number = number
        self.home = home
        self.parent = parent
        self.cell: Cell | None = None
        self.open: dict[int, HostedPending] = {}
        self.fallen = False
        self.lapsed: str | None = None
        """Why nobody owned it any more."""
        self.stirs = 0
        """How often it was interrupted."""
        self.heard_at: float | None = None

    @property
    def key(self) -> str:
        """Its path over there, as one part of its path here."""
        return self.home.path.strip("/").replace("/", ":") or "root"

    def control(self, item: object) -> None:
        """Tell the other node."""
        self.association.control(item)

    def stirred(self, confirmed: bool) -> None:
        """Tell whoever has interrupted it."""
        self.stirs += 1
        self.control(items.Stirred(self.number, confirmed))

    def handled(self, pending: HostedPending, error: BaseException | None, value: Any) -> None:
        """A message has been handled, or its asker has left."""
        if self.open.get(pending.number) is pending:
            del self.open[pending.number]
        if self.fallen:
            return
        if self.cell is None or self.cell.ended:
            return  # its incarnation has fallen, and that is told by itself
        kind = items.Answer if pending.goes_alone else items.Done
        with self.association.node.exporting(self.association):
            try:
                trouble = None if error is None else _trouble(error)
                awaited = error is None and pending.was_asked
                said = self.association.node.codec.value_out(value) if awaited else None
                self.control(kind(self.number, pending.number, said, trouble))
            except Exception as broken:  # the reply cannot travel: its asker hears why
                failed = trouble_out(ActorFailed(pending.cell.ref, broken))
                self.control(kind(self.number, pending.number, None, failed))


def _trouble(error: BaseException) -> items.Trouble:
    return items.Trouble("withdrawn") if isinstance(error, Withdrawn) else trouble_out(error)


class _Home:
    """What is the same for a hosted actor and a hosted supervisor."""

    __slots__ = ()

    run_of: Run

    def become_ready(self) -> None:
        """Its start succeeded: tell its supervisor."""
        fresh = not cast("Cell", self).ready
        super().become_ready()  # pyright: ignore
        if fresh:
            self.run_of.control(items.Ready(self.run_of.number))

    def resume(self) -> None:
        """Take messages again; when a message did it, its supervisor's node does not know."""
        if cast("Cell", self).orders & order.ONCE:
            self.run_of.control(items.Resumed(self.run_of.number))
        super().resume()  # pyright: ignore

    def quit(self) -> None:
        """Its supervisor's node takes no more messages for it."""
        self.run_of.control(items.Quits(self.run_of.number))
        super().quit()  # pyright: ignore

    def interrupted(self, confirmed: bool) -> None:
        """Told before anything that follows."""
        if cast("Cell", self).interrupters:
            self.run_of.stirred(confirmed)
        super().interrupted(confirmed)  # pyright: ignore

    def fell(self, exit: Exit) -> None:
        """Its supervisor hears of it now; what it still does takes time."""
        item = cast("Cell", self).item
        asked = None if item is None else item[ASKED]
        hand = asked.number if isinstance(asked, HostedPending) else None
        self.run_of.association.inbound.hosting.fallen(self.run_of, exit, hand)

    def _make_ref(self) -> Ref:
        return self.run_of.home

    @property
    def superior(self) -> Ref:
        """Its supervisor over there."""
        return self.run_of.parent

    @property
    def key(self) -> str:
        """See `Run.key`."""
        return self.run_of.key


class Hosted(_Home, Cell):
    """The cell of a child of the other node's."""

    __slots__ = ("run_of",)

    def __init__(self, run: Run, *args: Any) -> None:
        self.run_of = run
        super().__init__(*args)
        run.cell = self


class HostedFamily(_Home, Family):
    """The cell of a supervisor that is a child of the other node's."""

    __slots__ = ("run_of",)

    def __init__(self, run: Run, *args: Any) -> None:
        self.run_of = run
        super().__init__(*args)
        run.cell = self


class Hosts(Supervisor):
    """The supervisor of all children here of one other node."""


class HostsFamily(Family):
    """Its cell: it reports the ends of its children, and judges nothing."""

    __slots__ = ()

    def host(
        self,
        run: Run,
        recipe: Recipe,
        args: tuple[Any, ...],
        name: str | None,
        policy: Policy,
        watching: list[Ref],
        groups: list[str],
    ) -> None:
        """Start one incarnation."""
        if recipe.actor_class is not None and issubclass(recipe.actor_class, Supervisor):
            child: Cell = HostedFamily(run, self.kernel, self, recipe, args, name, policy, self.breakers)
        else:
            child = Hosted(run, self.kernel, self, recipe, args, name, policy)
            child.plain = recipe.is_plain
        self.children[child.key] = child
        for ref in watching:
            watch(child, ref.cell)
        for group in groups:
            self.kernel.join(group, child)
        child.groups = set(groups) or None
        self.begin(child)

    def judge(self, child: Cell, exit: Exit) -> Fate:
        """Its own supervisor decides: here it is final."""
        return Fate.FINAL

    def gone(self, child: Cell, exit: Exit) -> None:
        """Nothing of it is left here."""
        run = cast("Hosted", child).run_of
        super().gone(child, exit)
        run.association.inbound.hosting.over(run)


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
        except (BadValue, NotSpawnable, TypeError, ValueError) as error:
            exit = Exit(ExitKind.START_FAILED, error=error)
            self._association.control(items.Fell(item.child, ended_out(exit, codec)))
            self._association.control(items.Over(item.child))
            return
        self.runs[item.child] = run
        hosts = self._node.hosts(self._association)
        if hosts is None:
            exit = Exit(ExitKind.START_FAILED, error=ActorStopped(run.home), reason="the node closes")
            self._fell(run, exit, None)
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
        codec = self._node.codec
        try:
            message = codec.message_in(item.m)
            sender = None if item.sender is None else codec.ref_in(item.sender).cell
        except BadValue as error:
            trouble = items.Trouble("unreadable", "BadValue", str(error))
            self._association.control(items.Done(item.child, item.n, None, trouble))
            return
        cell = run.cell
        pending = HostedPending(cell, message, run, item.n, item.asked)
        run.open[item.n] = pending
        if item.left is not None:
            pending.arm(max(0.0, item.left), cell.now())
        cell.enter(pending, message, sender, item.urgent)

    def undo(self, item: items.Undo) -> None:
        """The asker has left."""
        run = self.runs.get(item.child)
        pending = None if run is None else run.open.get(item.n)
        if pending is not None:
            pending.cancel()

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

    def _fell(self, run: Run, exit: Exit, hand: int | None) -> None:
        run.fallen = True
        if run.lapsed is not None:
            exit = Exit(ExitKind.NODE_DOWN, reason=run.lapsed)
        ended = ended_out(exit, self._node.codec)
        with self._node.exporting(self._association):
            watching = [self._node.ref_out(ref) for ref in _watched(run.cell)]
            self._association.control(items.Fell(run.number, ended, hand, watching))

    def fallen(self, run: Run, exit: Exit, hand: int | None) -> None:
        """Its incarnation has ended; what it still does takes time."""
        if not run.fallen:
            self._fell(run, exit, hand)

    def over(self, run: Run) -> None:
        """Nothing of it is left."""
        cell = run.cell
        if not run.fallen:
            exit = (None if cell is None else cell.exit) or Exit(ExitKind.KILLED)
            self._fell(run, exit, None)
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
