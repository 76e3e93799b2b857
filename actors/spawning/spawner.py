"""`Spawner`: children at run time, within limits, with a record of each.

What it knows is in a `Book`, which belongs to the actor that made the spawner and outlasts a restart of that:
a new `Spawner` of the same actor over the same supervisor goes on where the former was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import trio

from actors.checks import check_count
from actors.core.ref import Ref
from actors.core.scope import CURRENT
from actors.spawning.approval import Approve
from actors.spawning.book import Book, bounds_of
from actors.spawning.coordination import check_not_within
from actors.spawning.execution import Execution
from actors.spawning.history import SpawnerStatistics, SpawnMetrics, SpawnRecord
from actors.spawning.limits import SpawnLimits
from actors.spawning.plans import Plan, Planner, as_trigger
from actors.spawning.template import NOTHING, Template, as_template
from actors.spawning.triggers import SpawnTrigger, performance_fires, workload_fires
from actors.supervision.family import Family

__all__ = ["Spawner"]


@runtime_checkable
class Supervising(Protocol):
    """A `Supervisor` or a `System`."""

    def __actor_family__(self) -> Family:
        """The framework's own side of it."""
        ...


class Spawner:
    """Spawns children of a supervisor from templates, within `SpawnLimits`, and remembers them.

    `supervisor` is a `Supervisor` or a `System`; its own strategy supervises what is spawned. Made inside an
    actor, limits and history go on when the actor starts again and makes its spawner anew (`name` tells
    apart two over the same supervisor, and each name is kept as long as the actor; without one, a second
    spawner with other limits is a ValueError); made elsewhere, each is
    for itself, unless it has a name. What a spawner has spawned, and all below it, is bound by the limits of
    that spawner whatever it spawns with: its depth counts on, and its slots are shared.

    `approve` is asked before each spawn, see `Approve`. `history` is how many records are kept of those that
    are gone. Raises TypeError for what is no supervisor, and for limits that are none.

    The cooldown is counted for each template: what is equal, or specialised from the same one, is one. Who
    makes templates of ever new functions or configs has a cooldown for each: use limits with `per="spawner"`.
    """

    def __init__(
        self,
        supervisor: Supervising,
        limits: SpawnLimits | None = None,
        *,
        name: str | None = None,
        approve: Approve | None = None,
        history: int = 1000,
    ) -> None:
        if isinstance(supervisor, type) or not isinstance(supervisor, Supervising):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"supervisor must be a Supervisor or a System, not {supervisor!r}: "
                f"inside of a Supervisor, write Spawner(self)"
            )
        limits = SpawnLimits() if limits is None else limits
        if not isinstance(limits, SpawnLimits):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"limits must be SpawnLimits, not {limits!r}: write actors.SpawnLimits(...)")
        if approve is not None and not callable(approve):
            raise TypeError(f"approve must be callable, not {approve!r}")
        check_count("history", history, least=0)
        try:
            self._family = supervisor.__actor_family__()
        except AttributeError:  # it has no context
            raise TypeError(
                f"{supervisor!r} has not been spawned: inside of a Supervisor, write Spawner(self)"
            ) from None
        self._book = self._open_book(limits, history, name)
        self._planner = Planner(self._family, self._book, tuple(bounds_of(CURRENT.get())))
        self._execution = Execution(self._family, self._book, self._planner, approve)

    def _open_book(self, limits: SpawnLimits, bound: int, name: str | None) -> Book:
        keeper = CURRENT.get()
        if keeper is None:
            if name is None:
                return Book(self._family, limits, bound)
            keeper = self._family
        kept: dict[Any, Any] = {} if keeper.kept is None else keeper.kept
        for key, one in tuple(kept.items()):  # of supervisors that are gone nobody makes a spawner any more
            if isinstance(one, Book) and one.family.is_gone:
                del kept[key]
        keeper.kept = kept
        key = Book, self._family.ref, name
        if key not in kept:
            kept[key] = Book(self._family, limits, bound, keeper.restarts)
        book: Book = kept[key]
        if name is None and limits != book.admission.limits and book.life == keeper.restarts:
            raise ValueError(
                f"{keeper.path} has a spawner over {self._family.path} already, with other limits: "
                f"give one of the two a name="
            )
        book.revise(limits, bound)
        book.life = keeper.restarts
        return book

    def __repr__(self) -> str:
        limits = self._book.admission.limits
        return f"<Spawner over {self._family.path}, {self._book.admission.taken} of {limits.max_active}>"

    @property
    def limits(self) -> SpawnLimits:
        """Its own limits."""
        return self._book.admission.limits

    # --- spawning ---

    def spawn(
        self,
        template: Template | Any,
        *,
        name: str | None = None,
        specialisation: Mapping[str, Any] = NOTHING,
        trigger: SpawnTrigger | str = SpawnTrigger.MANUAL,
        on: str | None = None,
        share: int = 0,
    ) -> Ref:
        """Spawn a child now and return its ref at once; messages queue until it is ready. No checkpoint.

        Without `name`, a template that has one gives it a made-up name, `<its name>_spawn_<8 hex digits>`;
        else the child is adhoc. `specialisation` is laid over the template's config. `on` is another node;
        `share` is how many more slots are reserved for what the child spawns itself there.

        Raises `SpawnLimitReached`, `CooldownActive`, `DepthExceeded` or `SpawnDenied`, each a `SpawnRefused`;
        `InvalidTemplate`; ValueError for an unknown trigger; what `approve` raises, and TypeError when it is
        async or answers nonsense; and what `Supervisor.spawn` raises. Nothing is changed then but the count
        of failures. A child whose start fails for good is rolled back: its slot and its cooldown are as
        before, its record is gone, and it counts as failed.
        """
        return self._execution.spawn(self._plan(template, name, specialisation, trigger, on, share))

    async def start(
        self,
        template: Template | Any,
        *,
        name: str | None = None,
        specialisation: Mapping[str, Any] = NOTHING,
        trigger: SpawnTrigger | str = SpawnTrigger.MANUAL,
        on: str | None = None,
        share: int = 0,
    ) -> Ref:
        """As `spawn`, and return when the child is ready. A checkpoint.

        One attempt: when it fails (`StartFailed`) or is cancelled, nothing of the child is left, as if
        it had not been asked for. `approve` may be async here.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        return await self._execution.start(self._plan(template, name, specialisation, trigger, on, share))

    async def wait_spawn(
        self,
        template: Template | Any,
        *,
        name: str | None = None,
        specialisation: Mapping[str, Any] = NOTHING,
        trigger: SpawnTrigger | str = SpawnTrigger.MANUAL,
        on: str | None = None,
        share: int = 0,
    ) -> Ref:
        """As `start`, but wait until the cooldown is over, first come first served. A checkpoint.

        It waits for the cooldown alone: the other refusals are raised.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        return await self._execution.wait(self._plan(template, name, specialisation, trigger, on, share))

    def clone(
        self,
        ref: Ref,
        *,
        name: str | None = None,
        modifications: Mapping[str, Any] = NOTHING,
        trigger: SpawnTrigger | str = SpawnTrigger.MANUAL,
    ) -> Ref:
        """Spawn another one like a child, with `modifications` over its arguments. No checkpoint.

        The origin may be gone, if this spawner has spawned it and still has its record. Its state is not
        copied: the clone begins as the origin did. It runs where the origin does.
        Raises `NotAChild`, and what `spawn` raises.
        """
        return self._execution.spawn(self._planner.clone(ref, name, modifications, trigger, CURRENT.get()))

    async def wait_clone(
        self,
        ref: Ref,
        *,
        name: str | None = None,
        modifications: Mapping[str, Any] = NOTHING,
        trigger: SpawnTrigger | str = SpawnTrigger.MANUAL,
    ) -> Ref:
        """As `clone`, but wait as `wait_spawn` does: for cooldown, approval, and the clone. A checkpoint."""
        await trio.lowlevel.checkpoint_if_cancelled()
        return await self._execution.wait(
            self._planner.clone(ref, name, modifications, trigger, CURRENT.get())
        )

    def specialist(
        self,
        template: Template | Any,
        specialisation: Mapping[str, Any],
        *,
        name: str | None = None,
        on: str | None = None,
    ) -> Ref:
        """The oldest living spawn of the template that is specialised so; without one, a new one.

        That is spawned for "specialization_needed", with what `spawn` raises. Clones count. No checkpoint.
        """
        known = self._specialised(template, specialisation)
        if known is not None:
            return known
        why = SpawnTrigger.SPECIALIZATION_NEEDED
        return self.spawn(template, name=name, specialisation=specialisation, trigger=why, on=on)

    async def despawn(self, ref: Ref) -> bool:
        """Stop a spawn of this spawner and return when it is gone. A checkpoint.

        True: this call has stopped it. False: it is no living spawn of this spawner, or another
        call was first; also then it is gone. What waits in its mailbox is handled as by `ref.stop()`.
        Raises ValueError inside the spawn itself or below it, which would wait for itself: use `ctx.stop()`.
        """
        slot = self._book.living.get(ref)
        if slot is None:
            await trio.lowlevel.checkpoint()
            return False
        check_not_within((ref,))
        first, slot.leaving = not slot.leaving, True
        ref.stop()
        try:
            await ref.wait_stopped()
        except BaseException:
            slot.leaving = slot.leaving and not first  # whoever calls again is the first
            raise
        return first

    def _spawn_at_once(self, template: Template, name: str, trigger: SpawnTrigger, on: str | None) -> Ref:
        """As `spawn`, whatever the cooldown: for what counts that itself."""
        plan = self._planner.spawn(template, name, NOTHING, trigger, on, 0, None)
        return self._execution.begin(plan, trial=False, check_cooldown=False)

    # --- asking ---

    def can_spawn(self, check_cooldown: bool = True, *, template: Template | Any | None = None) -> bool:
        """Whether there is a slot, it is not too deep and, if asked, no cooldown: of `template`, or of any.

        Changes nothing and promises nothing: by the time of the spawn the answer may be another.
        """
        above, depth = self._planner.bounds(CURRENT.get())
        return self._book.refusal(_key(template), depth, above, 1, check_cooldown) is None

    def cooldown_remaining(self, template: Template | Any | None = None) -> float:
        """Seconds until `template` may be spawned again; without one, the longest of all. 0.0: now."""
        return self._book.admission.cooldown_remaining(self._book.now(), _key(template))

    def record(self, ref: Ref) -> SpawnRecord | None:
        """The record of a spawn, living or gone; None for what is not kept."""
        return self._book.history.get(ref)

    def history(
        self, *, ref: Ref | None = None, trigger: SpawnTrigger | str | None = None, limit: int | None = None
    ) -> list[SpawnRecord]:
        """The records, newest first: of one actor, of one trigger, at most `limit` (0: none).

        All that are given count. Raises ValueError for an unknown trigger and a negative limit.
        """
        which = None if trigger is None else as_trigger(trigger)
        return self._book.history.select(ref=ref, trigger=which, limit=limit)

    def children_of(self, parent: Template | Ref | Any) -> tuple[Ref, ...]:
        """What was spawned from a template, specialised or not, or cloned from an actor; oldest first.

        Living and gone, as far as the history goes. A clone is a child of its origin, not of the template.
        """
        records = self._book.history
        if isinstance(parent, Ref):
            return tuple(one.ref for one in records if one.origin == parent)
        template = as_template(parent)
        return tuple(one.ref for one in records if one.origin is None and _is_from(one.template, template))

    def metrics(self) -> SpawnMetrics:
        """The counts as they are now; a copy."""
        return self._book.metrics()

    def statistics(self) -> SpawnerStatistics:
        """All that can be said of it now."""
        return SpawnerStatistics(
            limits=self.limits,
            metrics=self.metrics(),
            can_spawn=self.can_spawn(),
            cooldown_remaining=self.cooldown_remaining(),
            last_spawn=self._book.last,
            history=len(self._book.history),
        )

    def reset(self) -> None:
        """Forget counts, cooldowns, and the records of those that are gone. Who lives still counts."""
        self._book.reset()

    def check_performance(self, rate: float | None = None, *, template: Template | Any | None = None) -> bool:
        """Whether the performance trigger fires: `auto` is on, `rate` is strictly below, and one may spawn.

        Without `rate`, the share of what its living spawns have handled well; with nothing handled
        it never fires.
        """
        if rate is None:
            rate = self._measured_rate()
        if rate is None or not performance_fires(rate, self.limits):
            return False
        return self.can_spawn(template=template)

    def check_workload(self, depth: float | None = None, *, template: Template | Any | None = None) -> bool:
        """Whether the workload trigger fires: `auto` is on, `depth` is strictly above, and one may spawn.

        Without `depth`, the messages that wait for all its living spawns.
        """
        if depth is None:
            depth = sum(ref.cell.depth for ref in self._book.living)
        return workload_fires(depth, self.limits) and self.can_spawn(template=template)

    def check_specialisation(self, template: Template | Any, specialisation: Mapping[str, Any]) -> bool:
        """Whether the specialisation trigger fires: `auto` is on, nobody living has it, and one may spawn."""
        if not self.limits.auto or self._specialised(template, specialisation) is not None:
            return False
        return self.can_spawn(template=template)

    def _specialised(self, template: Template | Any, specialisation: Mapping[str, Any]) -> Ref | None:
        wanted = as_template(template).overlaid(specialisation)
        living = (slot for slot in self._book.living.values() if not slot.record.ref.cell.is_final)
        return next((slot.record.ref for slot in living if slot.record.definition == wanted), None)

    def _measured_rate(self) -> float | None:
        seen = [ref.statistics() for ref in self._book.living]
        handled = sum(one.handled for one in seen)
        return None if not handled else max(0.0, 1.0 - sum(one.failed for one in seen) / handled)

    def _plan(
        self,
        what: Any,
        name: str | None,
        specialisation: Mapping[str, Any],
        trigger: SpawnTrigger | str,
        on: str | None,
        share: int,
    ) -> Plan:
        return self._planner.spawn(what, name, specialisation, trigger, on, share, CURRENT.get())


def _key(template: Template | Any | None) -> Template | None:
    return None if template is None else as_template(template).root


def _is_from(template: Template, wanted: Template) -> bool:
    return template == wanted or (wanted.base is None and template.root == wanted)
