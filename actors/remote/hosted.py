"""What a child of another node's supervisor is here: its run, its cell, and the messages it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from actors.core import orders as order
from actors.core.ask import Pending
from actors.core.cell import Cell
from actors.core.chunks import ENDED
from actors.core.flow import Streaming
from actors.core.mailbox import ASKED
from actors.core.parent import Fate
from actors.core.recipe import Recipe
from actors.core.ref import Ref
from actors.core.watch import watch
from actors.errors import ActorError, ActorFailed
from actors.exits import Exit
from actors.policy import Policy
from actors.remote import items
from actors.remote.flows import LinkFlow
from actors.remote.grants import Granted
from actors.remote.troubles import trouble_out
from actors.supervision.family import Family
from actors.supervision.supervisor import Supervisor

if TYPE_CHECKING:
    from actors.remote.association import Association

__all__ = [
    "NODES_POLICY",
    "Hosted",
    "HostedFamily",
    "HostedPending",
    "HostedStream",
    "Hosts",
    "HostsFamily",
    "Run",
    "Withdrawn",
]

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
        """True while it is being handled."""
        return any(item[ASKED] is self for item in self.cell.in_hand)

    def put_off(self) -> None:
        """An answer will come later."""
        self.run.control(items.Later(self.run.number, self.number))

    def cancel(self) -> None:
        """Its asker has left. A handler goes on, as it does at home; a process may be told."""
        if self.done:
            return
        if self.in_hand:
            self.tell_left()
        else:
            self._end(Withdrawn())

    def _expire(self, timeout: float) -> None:
        self._alarm = None
        self.cancel()  # its asker counts by itself

    def _end(self, error: BaseException | None) -> None:
        super()._end(error)
        self.run.handled(self, error, None if error is not None else self._value)


class HostedStream(Streaming, HostedPending):
    """One whose asker over there wants the answer in chunks."""

    __slots__ = ("stream",)

    def __init__(self, cell: Cell, message: object, run: Run, number: int, window: int) -> None:
        super().__init__(cell, message, run, number, was_asked=True)

        def chunk(coded: Any) -> object:
            return items.ChildChunk(run.number, number, coded)

        self.stream = LinkFlow(window, self, run.association, chunk, None)
        run.streams[number] = self

    def cancel(self) -> None:
        """Its asker has left: whoever makes the chunks is told."""
        in_hand = self.in_hand
        self.stream.abandon()
        if in_hand:
            self.tell_left()
        else:
            super().cancel()

    def _add_last(self, value: Any) -> None:
        """What comes last goes as the answer."""


class Run:
    """One incarnation of a child of the other node's."""

    def __init__(self, association: Association, number: int, home: Ref, parent: Ref) -> None:
        self.association = association
        self.number = number
        self.home = home
        self.parent = parent
        self.cell: Cell | None = None
        self.open: dict[int, HostedPending] = {}
        self.streams: dict[int, HostedStream] = {}
        """Those whose answers go out in chunks."""
        self.fallen = False
        self.lapsed: str | None = None
        """Why nobody owned it any more."""
        self.stirs = 0
        """How often it was interrupted."""
        self.heard_at: float | None = None
        self.bound: Granted | None = None
        """How much it may spawn, when that is limited over there."""

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
        if self.streams.get(pending.number) is pending:
            del self.streams[pending.number]
        if self.open.get(pending.number) is pending:
            del self.open[pending.number]
        if self.fallen:
            return
        if self.cell is None or self.cell.ended:
            return  # its incarnation has fallen, and that is told by itself
        kind = items.Answer if pending.goes_alone else items.Done
        if value is ENDED:
            self.control(kind(self.number, pending.number, end=True))
            return
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

    @property
    def spends_elsewhere(self) -> bool:
        """What it spends is entered in the ledgers of its supervisor's node too."""
        return True

    def tell_spent(self, tokens: int, money: str, tool_calls: int, spawns: int) -> None:
        """Tell its supervisor's node."""
        self.run_of.control(items.Spent(self.run_of.number, tokens, money, tool_calls, spawns))

    def resume(self) -> None:
        """Take messages again; when a message did it, its supervisor's node does not know."""
        if cast("Cell", self).orders & order.ONCE:
            self.run_of.control(items.Resumed(self.run_of.number))
        super().resume()  # pyright: ignore

    def quit(self, *, bounded: bool = False, because: Cell | None = None) -> None:
        """Its supervisor's node takes no more messages for it."""
        self.run_of.control(items.Quits(self.run_of.number))
        super().quit(bounded=bounded, because=because)  # pyright: ignore

    def interrupted(self, confirmed: bool) -> None:
        """Told before anything that follows."""
        if cast("Cell", self).interrupters:
            self.run_of.stirred(confirmed)
        super().interrupted(confirmed)  # pyright: ignore

    def fell(self, exit: Exit) -> None:
        """Its supervisor hears of it now; what it still does takes time."""
        asked = [item[ASKED] for item in cast("Cell", self).in_hand]
        hands = [one.number for one in asked if isinstance(one, HostedPending)]
        self.run_of.association.inbound.hosting.fallen(self.run_of, exit, hands)

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

    _parks = False  # they are held over there


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
        if run.bound is not None:
            self.kernel.follow(child, run.bound)
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
