"""A supervisor's cell: it judges its children's ends, and carries the verdicts out.

The decisions are pure and elsewhere (`restart`, `backoff`, `breaker`, `strategy`); this
file asks them in the order of the contract and does what they answer:

    restart type → breaker → budget → backoff

`judge` decides in the step in which a child falls; `settle` acts when nothing of the
incarnation runs any more. A failure under OneForOne needs one alarm and no task. The
group strategies run a `Round` as a task of the supervisor's own nursery, which also
owns the children's tasks. `release` waits for all children, also those without one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import trio

from actors.core import orders as order
from actors.core.cell import Cell
from actors.core.hand import park
from actors.core.lifecycle import Phase
from actors.core.parent import Fate
from actors.core.parking import hold, refusal_of
from actors.core.recipe import Recipe, recipe_of
from actors.core.spending import charge_spawn
from actors.core.vigil import waiting_for
from actors.errors import (
    ActorError,
    ActorStopped,
    CircuitOpen,
    NameTaken,
    RestartsExhausted,
    StartFailed,
    SystemClosed,
)
from actors.events import BreakerClosed, BreakerHalfOpen, BreakerOpened, Escalated, Restarting
from actors.exits import Exit, ExitKind
from actors.names import check_name
from actors.outcome import FailureKind, kind_of_exit, retry_after
from actors.policy import OneForOne, Policy
from actors.supervision.backoff import Retreat
from actors.supervision.breaker import Circuit, CircuitState
from actors.supervision.household import Household
from actors.supervision.restart import Budgets, wants_restart
from actors.supervision.rounds import Round
from actors.supervision.supervisor import Supervisor

if TYPE_CHECKING:
    from actors.core.ref import Ref

__all__ = ["Family"]

_NONE: Mapping[str, object] = MappingProxyType({})


class Family(Household):
    """The cell of a supervisor, and the parent of its children's cells."""

    __slots__ = ()

    # --- new children ---

    def spawn(
        self,
        what: Any,
        *args: Any,
        name: str | None = None,
        policy: Policy | None = None,
    ) -> Ref:
        """A child of the framework's own."""
        return self.admit(what, args, name, policy, own=True)

    @trio.lowlevel.enable_ki_protection
    def admit(
        self,
        what: Any,
        args: tuple[Any, ...],
        name: str | None,
        policy: Policy | None,
        on: str | None = None,
        significant: bool = False,
        unknown: Mapping[str, object] = _NONE,
        trial: bool = False,
        own: bool = False,
    ) -> Ref:
        """See `Supervisor.spawn`: everything is checked at the door; `own` is one of the framework's.

        Ctrl-C waits: a child that is listed and has not begun would never end.
        """
        recipe = recipe_of(what)
        if unknown:
            key, whose = next(iter(unknown)), recipe.name
            raise TypeError(
                f"spawn and start have no option {key!r}: if it is an argument of {whose}, "
                f"write functools.partial({whose}, {key}=...)"
            )
        recipe.check_arguments(args)
        if name is None and not own:  # the framework's own say themselves who has a name
            name = recipe.offered
        if policy is None:
            policy = recipe.policy or self.kernel.policy
        elif not isinstance(policy, Policy):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"policy must be a Policy, not {policy!r}: write actors.Policy(...) or Policy.preset(name)"
            )
        if significant and name is not None and policy.restart == "permanent":
            raise ValueError(f"{name!r} is permanent and never ends by itself: it cannot be significant")
        place = None if on is None or on == self.kernel.name else self.kernel.place_for(on)
        prepared = None if place is None else place.prepare(what, args, policy)
        if not self.takes_children:
            raise self._takes_none()
        if name is not None:
            self._check_free(check_name(name), trial and policy.breaker is not None, own)
        if not own and (self.ready or not self.restarts):  # what it begins anew with is paid for
            charge_spawn(self)
        child = self._make(recipe, args, name, policy) if prepared is None else prepared(self, name)
        if significant:
            child.significant = True
        if trial:
            child.trial = True
        self.children[child.key] = child
        self.begin(child)
        return child.ref

    def _takes_none(self) -> ActorError:
        """Why it takes no children now."""
        if self.kernel.closing:
            return SystemClosed(self.kernel.name)
        if self.is_final:
            return ActorStopped(self.ref, self.exit)
        return ActorStopped(self.ref, why=f"is {self.state} until it restarts, and takes no children")

    async def start(
        self,
        what: Any,
        args: tuple[Any, ...],
        name: str | None,
        policy: Policy | None,
        on: str | None,
        significant: bool,
        unknown: Mapping[str, object],
    ) -> Ref:
        """See `Supervisor.start`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        return await self.trial_of(self.admit(what, args, name, policy, on, significant, unknown, trial=True))

    async def trial_of(self, ref: Ref) -> Ref:
        """The second half of `start`: the same ref once it is ready; else nothing of it is left."""
        child = ref.cell
        try:
            with waiting_for(child):
                while not child.readies and not child.is_gone:
                    await child.changed()
        except BaseException:
            child.kill()
            with trio.CancelScope(shield=True):
                await child.wait_stopped()
            raise
        if child.readies:
            return ref
        exit = child.exit
        if exit is None or exit.is_failure or exit.kind in (ExitKind.NORMAL, ExitKind.BUDGET):
            raise StartFailed(ref, None if exit is None else exit.error)
        raise ActorStopped(ref, exit)

    def _check_free(self, name: str, trial: bool, own: bool) -> None:
        owner = self.children.get(name)
        if owner is not None:
            raise NameTaken(name, owner.ref)
        if not trial:
            return
        path = f"{self.path.rstrip('/')}/{name}"
        circuit = self.breakers.find(path)
        if circuit is not None and circuit.state is CircuitState.OPEN and not circuit.due(self.kernel.now()):
            raise self._circuit_open(path, circuit)

    def _make(self, recipe: Recipe, args: tuple[Any, ...], name: str | None, policy: Policy) -> Cell:
        if recipe.actor_class is not None and issubclass(recipe.actor_class, Supervisor):
            kind = cast("type[Family] | None", recipe.actor_class._cell_class) or Family  # pyright: ignore[reportPrivateUsage]
            return kind(self.kernel, self, recipe, args, name, policy, self.breakers)
        cell = Cell(self.kernel, self, recipe, args, name, policy)
        cell.plain = recipe.is_plain and not self._tasks_for_all
        return cell

    @property
    def _tasks_for_all(self) -> bool:
        kind = cast("type[Supervisor]", self.recipe.actor_class)
        return kind._tasks_for_all  # pyright: ignore[reportPrivateUsage]

    def begin(self, child: Cell) -> None:
        """The first incarnation; with an open breaker on the path it waits for the probe."""
        if self._circuit(child) is None:  # as nearly always
            if self.nursery is not None and not self.ended:
                child.launch(self.nursery)
        elif self.postponed(child):
            child.phase = Phase.TRIPPED
            child.barred = True
        else:
            self.launch_child(child)

    # --- a child falls ---

    def judge(self, child: Cell, exit: Exit) -> Fate:
        """Restart type, breaker, budget: in this order, in the step of the failure."""
        if child.name is None or self.ended or self.is_final or self.orders & order.FAIL:
            return Fate.FINAL
        if exit.kind is ExitKind.BUDGET:
            return self._hold(child, exit)
        tripped = self._record(child, exit)
        if child.trial and exit.is_failure:
            return Fate.FINAL
        halted = bool(child.orders & order.HALT)
        if not halted and (child.trial or not wants_restart(child.policy.restart, exit.kind)):
            return Fate.FINAL
        if tripped:
            return self._isolate(child)
        if halted:
            wait = 0.0 if self.round is None else max(0.0, self.round.due - self.kernel.now())
            if self.round is None:  # it is to begin anew by itself
                self.alone.add(child)
            self.kernel.emit(Restarting, child.ref, child.restarts + 1, wait, exit)
            return Fate.AGAIN
        if not self._is_counted(child) and not self._spend(child, exit):
            return Fate.FINAL
        alive = self.kernel.now() - child.begun_at
        retreat = self.retreats.setdefault(child, Retreat())
        delay = retreat.next(child.policy.backoff, alive, self.kernel.random.random())
        if child.policy.retries and kind_of_exit(exit, child.policy.classify) is FailureKind.RATE_LIMIT:
            delay = max(delay, retry_after(exit) or 0.0)
        self.waits[child] = delay
        self.kernel.emit(Restarting, child.ref, child.restarts + 1, delay, exit)
        return Fate.AGAIN

    def _hold(self, child: Cell, exit: Exit) -> Fate:
        """Its budget is spent, or it was idle: it waits to be resumed, whatever its restart type says."""
        if child.trial or child.policy.restart == "temporary" or not self.parks(child):
            return Fate.FINAL
        hold(child, exit)
        return Fate.HELD

    def parks(self, child: Cell) -> bool:
        """See `Parent.parks`."""
        kind = cast("type[Supervisor]", self.recipe.actor_class)
        return child.name is not None and kind._parks  # pyright: ignore[reportPrivateUsage]

    def _is_counted(self, child: Cell) -> bool:
        """True when its fall is part of a bulk restart that is paid for, under way or about to begin."""
        if self.round is not None and not self.round.starting:
            return True
        if isinstance(self.supervisor.strategy, OneForOne):
            return False
        return any(cell is not child and cell.phase is Phase.ENDING for cell in self.waits)

    def _isolate(self, child: Cell) -> Fate:
        """The breaker is the milder answer: what the child spent of the budget is forgiven."""
        if self.budgets is not None:
            self.budgets.forgive(child)
        circuit = self._circuit(child)
        assert circuit is not None
        self.waits[child] = circuit.until
        return Fate.TRIPPED

    def _record(self, child: Cell, exit: Exit) -> bool:
        """Tell the breaker; True when it is open now."""
        policy = child.policy.breaker
        if policy is None:
            return False
        if not exit.is_failure:
            circuit = self._circuit(child)
            if (
                circuit is not None
                and circuit.state is CircuitState.HALF_OPEN
                and exit.kind is ExitKind.NORMAL
            ):
                self.probe_passed(child)
            return False
        circuit = self._circuit(child)
        if child.trial and (circuit is None or circuit.state is CircuitState.CLOSED):
            return False  # one attempt by hand: nothing of it is left
        if not self.breakers.failure(
            child.path, policy, kind_of_exit(exit, child.policy.classify) or FailureKind.ERROR
        ):
            return False
        view = self.breakers.view(child.path)
        self.kernel.emit(BreakerOpened, child.ref, view.failures, view.retry_after)
        return True

    def _spend(self, child: Cell, exit: Exit) -> bool:
        """Take a restart out of the budget; without one left, give up."""
        strategy = self.supervisor.strategy
        if self.budgets is None or self.budgets.strategy != strategy:
            self.budgets = Budgets(strategy)
        if self.budgets.spend(self.kernel.now(), child):
            return True
        shared = not isinstance(strategy, OneForOne) or strategy.per == "supervisor"
        self.given_up = RestartsExhausted(
            child.ref, strategy.max_restarts, strategy.within, exit.error, shared
        )
        self.kernel.emit(Escalated, self.ref, child.ref, self.given_up)
        self.fail()
        return False

    def settle(self, child: Cell) -> None:
        """Nothing of the child runs: start it again when its time has come, alone or with its group."""
        if self.ended:
            return  # release stops it
        if child.is_held:
            self._let_doze(child)
            return
        tripped = child.fate is Fate.TRIPPED
        due = self.waits.pop(child, 0.0) + (0.0 if tripped else self.kernel.now())
        is_alone = isinstance(self.supervisor.strategy, OneForOne) or child in self.alone
        self.alone.discard(child)
        if self.round is not None and self.round.takes_over(child):
            if tripped:
                self.round.wait_until(due)
        elif is_alone:
            self._ring(child, due)
        else:
            self._start_round(child, due)

    def _let_doze(self, child: Cell) -> None:
        """One whose budget is spent waits to be resumed; one that was idle, for its next message."""
        assert child.held is not None
        assert child.account is not None
        if child.held.error is None and self.nursery is not None:
            asleep = child.account.fall_asleep(child)
            self.nursery.start_soon(_doze, child, asleep, name=f"{child.path} waits for a message")

    def resumed(self, child: Cell) -> None:
        """See `Parent.resumed`: one that was held starts again."""
        if child.fate is not Fate.HELD:
            return
        if child.phase is Phase.ENDING:  # settle starts it, and nobody else for it
            self.alone.add(child)
        elif child.phase is Phase.WAITING and (self.round is None or not self.round.takes_over(child)):
            self._ring(child, self.kernel.now())

    def _start_round(self, failed: Cell, due: float) -> None:
        assert self.nursery is not None
        former = self.round
        self.round = Round(self, failed, due, former)
        if former is not None:
            former.cancel()
        self.nursery.start_soon(self.round.run, name=f"{self.path} restarts its group")

    def _ring(self, child: Cell, due: float) -> None:
        child.disarm()
        child.alarm = self.kernel.alarms.at(due, self._starter(child))

    def postponed(self, child: Cell) -> bool:
        """True for a child whose breaker stays open longer than its group waits: it starts alone then."""
        circuit = self._circuit(child)
        if circuit is None or circuit.state is not CircuitState.OPEN or circuit.due(self.kernel.now()):
            return False
        self._ring(child, circuit.until)
        return True

    def _starter(self, child: Cell) -> Callable[[], None]:
        def start() -> None:
            child.alarm = None
            self.launch_child(child)

        return start

    def launch_child(self, child: Cell) -> None:
        """Start the next incarnation, as a probe if its breaker is not closed."""
        if self.nursery is None or self.ended or child.is_final or child.is_launched:
            return
        circuit = self._circuit(child)
        if circuit is not None and circuit.state is CircuitState.OPEN:
            circuit.probe()
            self.kernel.emit(BreakerHalfOpen, child.ref)
        child.launch(self.nursery)
        child.barred = circuit is not None and circuit.state is CircuitState.HALF_OPEN
        if child.barred:
            child.orders |= order.PROBE
        elif child.held is not None:  # it is parked all the same
            child.barred = True

    def gone(self, child: Cell, exit: Exit) -> None:
        """Forget the child; a significant one that ended by itself may end the supervisor."""
        del self.children[child.key]
        self.note_of(child)
        if child.name is not None:
            self.retreats.pop(child, None)
            self.waits.pop(child, None)
            self.alone.discard(child)
        if self.budgets is not None:
            self.budgets.drop(child)
        failed_start = child.trial  # of which nothing is left
        if failed_start or not child.significant or child.orders & order.FINAL or self.ended or self.is_final:
            return
        rest = any(other.significant for other in self.children.values())
        mode = self.supervisor.auto_shutdown if self.actor is not None else "never"
        if mode == "any" or (mode == "all" and not rest):
            self.quit(bounded=True, because=child)

    # --- breakers ---

    def _circuit(self, child: Cell) -> Circuit | None:
        if child.name is None or child.policy.breaker is None or not self.breakers:
            return None
        return self.breakers.find(child.path)

    def _circuit_open(self, path: str, circuit: Circuit) -> CircuitOpen:
        view = circuit.view(self.kernel.now())
        return CircuitOpen(path, view.failures, view.retry_after)

    def refusal(self, child: Cell, taken: bool) -> ActorError | None:
        """See `Parent.refusal`."""
        spent = refusal_of(child)
        if spent is not None:
            return spent
        circuit = self._circuit(child)
        if circuit is None or circuit.state is CircuitState.CLOSED:
            return None
        if circuit.state is CircuitState.HALF_OPEN and not taken:
            return None
        return self._circuit_open(child.path, circuit)

    def probe_passed(self, child: Cell) -> None:
        """See `Parent.probe_passed`."""
        circuit = self._circuit(child)
        if circuit is not None and circuit.state is CircuitState.HALF_OPEN:
            circuit.success()
            self.kernel.emit(BreakerClosed, child.ref)
            self.kernel.takes_again(child)

    def breaker_was_reset(self, child: Cell) -> None:
        """Somebody reset the breaker of a child by hand: nothing holds it back any more."""
        child.barred = child.held is not None
        child.orders &= ~order.PROBE
        child.permit = None
        self.kernel.emit(BreakerClosed, child.ref)
        self.kernel.takes_again(child)
        if child.phase is Phase.ENDING and child.fate is Fate.TRIPPED:
            child.fate = Fate.AGAIN  # its `on_stop` runs still: settle starts it
            self.waits[child] = 0.0
        elif child.phase is Phase.TRIPPED:
            if self.round is not None and self.round.takes_over(child):
                self.round.wait_no_more()
            else:
                self._ring(child, self.kernel.now())


async def _doze(child: Cell, asleep: trio.CancelScope) -> None:
    """Start it again when a message comes."""
    with asleep:
        if not asleep.cancel_called:
            while not child.lanes or child.orders & order.SUSPEND:
                await park(child)
            child.resume()
