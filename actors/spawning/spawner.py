"""`Spawner`: children at run time, within limits, with a record of each.

What it knows is in a `Book`, which belongs to the actor that made the spawner and outlasts a restart of that:
a new `Spawner` of the same actor over the same supervisor goes on where the former was.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable, iscoroutine
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

import attrs
import trio

from actors.core.cell import Cell
from actors.core.ref import Ref
from actors.core.scope import CURRENT
from actors.errors import CooldownActive, InvalidTemplate, NotAChild, SpawnDenied, SpawnRefused
from actors.spawning.book import Book, Bound, bounds_above
from actors.spawning.history import SpawnMetrics, SpawnRecord, SpawnRequest
from actors.spawning.limits import Admission, SpawnLimits
from actors.spawning.template import Template, definition_of, key_of
from actors.spawning.triggers import SpawnTrigger, performance_fires, workload_fires
from actors.supervision.family import Family

__all__ = ["Approve", "Spawner", "SpawnerStatistics"]

Approve: TypeAlias = "Callable[[SpawnRequest], bool | str | Awaitable[bool | str]]"
"""True approves; False or a text, the reason, denies."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_MADE_UP: Final = re.compile(r"_(spawn|clone)_[0-9a-f]{8}$")
_STEM: Final = 110


@runtime_checkable
class Supervising(Protocol):
    """A `Supervisor` or a `System`."""

    def __actor_family__(self) -> Family:
        """The framework's own side of it."""
        ...


@attrs.frozen(kw_only=True)
class SpawnerStatistics:
    """A spawner as it is now; times are seconds."""

    limits: SpawnLimits
    metrics: SpawnMetrics
    can_spawn: bool
    cooldown_remaining: float
    last_spawn: float | None
    """When, on trio's clock; None before the first."""
    history: int
    """Records that are kept."""


@attrs.frozen
class _Plan:
    """A spawn that is asked for: everything but the answer."""

    request: SpawnRequest
    definition: Template
    record_as: Template
    above: tuple[Admission, ...]
    on: str | None
    slots: int


class Spawner:
    """Spawns children of a supervisor from templates, within `SpawnLimits`, and remembers them.

    `supervisor` is a `Supervisor` or a `System`; its own strategy supervises what is spawned. Made inside an
    actor, limits and history go on when the actor starts again and makes its spawner anew (`name` tells
    apart two over the same supervisor); made elsewhere, each spawner is for itself. Below an actor that a
    spawner has spawned, the limits of that one bind too: its depth counts on, and its slots are shared.

    `approve` is asked before each spawn, see `Approve`. `history` is how many records are kept of those that
    are gone. Raises TypeError for what is no supervisor, and for limits that are none.
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
        if not isinstance(supervisor, Supervising):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"supervisor must be a Supervisor or a System, not {supervisor!r}")
        limits = SpawnLimits() if limits is None else limits
        if not isinstance(limits, SpawnLimits):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"limits must be SpawnLimits, not {limits!r}: write actors.SpawnLimits(...)")
        if approve is not None and not callable(approve):
            raise TypeError(f"approve must be callable, not {approve!r}")
        self._family = supervisor.__actor_family__()
        self._maker = CURRENT.get()
        self._approve = approve
        self._book = self._open_book(limits, history, name)

    def _open_book(self, limits: SpawnLimits, bound: int, name: str | None) -> Book:
        keeper = self._maker
        if keeper is None:
            if name is None:
                return Book(self._family, limits, bound)
            keeper = self._family
        if keeper.kept is None:
            keeper.kept = {}
        book: Book = keeper.kept.setdefault((Book, self._family.ref, name), Book(self._family, limits, bound))
        book.admission.limits = limits
        book.history.bound = bound
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
        specialisation: Mapping[str, Any] = _NOTHING,
        trigger: SpawnTrigger | str = SpawnTrigger.MANUAL,
        on: str | None = None,
        share: int = 0,
    ) -> Ref:
        """Spawn a child now and return its ref at once; messages queue until it is ready. No checkpoint.

        Without `name`, a template that has one gives it a made-up name, `<its name>_spawn_<8 hex digits>`;
        else the child is adhoc. `specialisation` is laid over the template's config. `on` is another node;
        `share` is how many more slots are reserved for what the child spawns itself there.

        Raises `SpawnLimitReached`, `CooldownActive`, `DepthExceeded` or `SpawnDenied`, each a `SpawnRefused`;
        `InvalidTemplate`; ValueError for an unknown trigger; and what `Supervisor.spawn` raises: nothing is
        changed then but the count of failures. A child that never becomes ready and is gone is rolled back:
        its slot and its cooldown are as before, and it counts as failed.
        """
        plan = self._plan(template, name, specialisation, trigger, on, share)
        self._ask_plainly(plan)
        return self._begin(plan, trial=False)

    async def start(
        self,
        template: Template | Any,
        *,
        name: str | None = None,
        specialisation: Mapping[str, Any] = _NOTHING,
        trigger: SpawnTrigger | str = SpawnTrigger.MANUAL,
        on: str | None = None,
        share: int = 0,
    ) -> Ref:
        """As `spawn`, and return when the child is ready. A checkpoint.

        One attempt: when it fails (`StartFailed`) or is cancelled, nothing of the child is left, as if
        it had not been asked for. `approve` may be async here.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        plan = self._plan(template, name, specialisation, trigger, on, share)
        await self._ask(plan)
        return await self._family.trial_of(self._begin(plan, trial=True))

    async def wait_spawn(
        self,
        template: Template | Any,
        *,
        name: str | None = None,
        specialisation: Mapping[str, Any] = _NOTHING,
        trigger: SpawnTrigger | str = SpawnTrigger.MANUAL,
        on: str | None = None,
        share: int = 0,
    ) -> Ref:
        """As `start`, but wait until the cooldown is over, first come first served. A checkpoint.

        It waits for the cooldown alone: the other refusals are raised.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        plan = self._plan(template, name, specialisation, trigger, on, share)
        async with self._book.turn_of(plan.record_as):
            await self._cool_down(plan)
            await self._ask(plan)
            await self._cool_down(plan)  # whoever approves may have taken long
            ref = self._begin(plan, trial=True)
        return await self._family.trial_of(ref)

    def clone(
        self,
        ref: Ref,
        *,
        name: str | None = None,
        modifications: Mapping[str, Any] = _NOTHING,
        trigger: SpawnTrigger | str = SpawnTrigger.MANUAL,
    ) -> Ref:
        """Spawn another one like a child, with `modifications` over its arguments. No checkpoint.

        The origin may be gone, if this spawner has spawned it and still has its record. Its state is not
        copied: the clone begins as the origin did. It runs where the origin does.
        Raises `NotAChild`, and what `spawn` raises.
        """
        plan = self._plan_of_clone(ref, name, modifications, trigger)
        self._ask_plainly(plan)
        return self._begin(plan, trial=False)

    async def despawn(self, ref: Ref) -> bool:
        """Stop a spawn of this spawner and return when it is gone. A checkpoint.

        True: this call has stopped it. False: it is no living spawn of this spawner, or another
        call was first; also then it is gone. What waits in its mailbox is handled as by `ref.stop()`.
        """
        slot = self._book.living.get(ref)
        if slot is None:
            await trio.lowlevel.checkpoint()
            return False
        first, slot.leaving = not slot.leaving, True
        ref.stop()
        await ref.wait_stopped()
        return first

    def _spawn_at_once(self, template: Template, name: str, trigger: SpawnTrigger, on: str | None) -> Ref:
        """As `spawn`, whatever the cooldown: for what counts that itself."""
        plan = self._plan(template, name, _NOTHING, trigger, on, 0)
        return self._begin(plan, trial=False, check_cooldown=False)

    # --- asking ---

    def can_spawn(self, check_cooldown: bool = True, *, template: Template | None = None) -> bool:
        """Whether there is a slot and, if asked, no cooldown: of `template`, or of any. Changes nothing."""
        if any(admission.taken >= admission.limits.max_active for admission in self._above()[0]):
            return False
        return self._book.admission.can_spawn(self._book.now(), check_cooldown, _key(template))

    def cooldown_remaining(self, template: Template | None = None) -> float:
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
        which = None if trigger is None else _trigger(trigger)
        return self._book.history.select(ref=ref, trigger=which, limit=limit)

    def children_of(self, parent: Template | Ref) -> tuple[Ref, ...]:
        """What was spawned from a template, specialised or not, or cloned from an actor; oldest first.

        Living and gone, as far as the history goes. A clone is a child of its origin, not of the template.
        """
        records = self._book.history
        if isinstance(parent, Template):
            root = parent.root
            found = [one for one in records if one.origin is None and _is_from(one.template, parent, root)]
        else:
            found = [one for one in records if one.origin == parent]
        return tuple(one.ref for one in found)

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

    def check_performance(self, rate: float | None = None, *, template: Template | None = None) -> bool:
        """Whether the performance trigger fires: `auto` is on, `rate` is strictly below, and one may spawn.

        Without `rate`, the share of what its living spawns have handled well; with nothing handled
        it never fires.
        """
        if rate is None:
            rate = self._measured_rate()
        if rate is None or not performance_fires(rate, self.limits):
            return False
        return self.can_spawn(template=template)

    def check_workload(self, depth: float | None = None, *, template: Template | None = None) -> bool:
        """Whether the workload trigger fires: `auto` is on, `depth` is strictly above, and one may spawn.

        Without `depth`, the messages that wait for all its living spawns.
        """
        if depth is None:
            depth = sum(ref.cell.depth for ref in self._book.living)
        return workload_fires(depth, self.limits) and self.can_spawn(template=template)

    def _measured_rate(self) -> float | None:
        seen = [ref.statistics() for ref in self._book.living]
        handled = sum(one.handled for one in seen)
        return None if not handled else max(0.0, 1.0 - sum(one.failed for one in seen) / handled)

    # --- a plan, the answer, the deed ---

    def _plan(
        self,
        what: Any,
        name: str | None,
        specialisation: Mapping[str, Any],
        trigger: SpawnTrigger | str,
        on: str | None,
        share: int,
    ) -> _Plan:
        template = what if isinstance(what, Template) else Template(what)
        why = _trigger(trigger)
        if isinstance(share, bool) or not isinstance(share, int) or share < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"share must be a whole number of slots, 0 or more, not {share!r}")
        if share and (on is None or on == self._family.kernel.name):
            raise ValueError("share goes with on=: what is spawned on this node shares all slots anyway")
        above, depth = self._above()
        stem = template.name
        return _Plan(
            SpawnRequest(
                template=template,
                name=self._made_up(stem, "spawn") if name is None else name,
                specialisation=MappingProxyType(dict(specialisation)),
                trigger=why,
                origin=None,
                depth=depth,
            ),
            definition=template.specialise(**specialisation) if specialisation else template,
            record_as=template,
            above=above,
            on=on,
            slots=1 + share,
        )

    def _plan_of_clone(
        self, ref: Ref, name: str | None, modifications: Mapping[str, Any], trigger: SpawnTrigger | str
    ) -> _Plan:
        why = _trigger(trigger)
        above, depth = self._above()
        record = self._book.history.get(ref)
        if record is not None:
            template, origin, depth = record.template, record.definition, record.depth
            stem = template.name or ref.name
        else:
            template = origin = self._definition(ref)
            stem = ref.name
        return _Plan(
            SpawnRequest(
                template=template,
                name=self._made_up(stem, "clone") if name is None else name,
                specialisation=MappingProxyType(dict(modifications)),
                trigger=why,
                origin=ref,
                depth=depth + 1,
            ),
            definition=origin.specialise(**modifications) if modifications else origin,
            record_as=template,
            above=above,
            on=None if ref.node == self._family.kernel.name else ref.node,
            slots=1,
        )

    def _definition(self, ref: Ref) -> Template:
        """That of a living child that was spawned otherwise."""
        cell = ref.cell if isinstance(ref, Ref) else None  # pyright: ignore[reportUnnecessaryIsInstance]
        is_here = isinstance(cell, Cell) and not cell.is_gone and cell.parent is self._family
        if cell is None or not is_here:
            raise NotAChild(ref, self._family.path)
        if cell.node != cell.kernel.name:
            raise InvalidTemplate(
                f"{cell.path} runs on another node: only what this spawner has put there is cloned"
            )
        return definition_of(cell)

    def _made_up(self, stem: str | None, how: str) -> str | None:
        """A name that no living child has; None for what has no name."""
        if stem is None:
            return None
        stem = _MADE_UP.sub("", stem)[:_STEM]
        while (name := f"{stem}_{how}_{self._hex()}") in self._family.children:
            pass
        return name

    def _hex(self) -> str:
        return f"{self._family.kernel.random.getrandbits(32):08x}"

    def _above(self) -> tuple[tuple[Admission, ...], int]:
        """The limits above its own, and the depth of what it spawns."""
        bounds: list[Bound] = [*bounds_above(self._family), *bounds_above(self._maker)]
        own = self._book.admission
        above = {id(bound.admission): bound.admission for bound in bounds if bound.admission is not own}
        return tuple(above.values()), max((bound.depth + 1 for bound in bounds), default=0)

    def _refusal(self, plan: _Plan, check_cooldown: bool = True) -> SpawnRefused | None:
        request = plan.request
        return self._book.refusal(plan.record_as, request.depth, plan.above, plan.slots, check_cooldown)

    async def _cool_down(self, plan: _Plan) -> None:
        while True:
            refusal = self._refusal(plan)
            if not isinstance(refusal, CooldownActive):
                return
            await trio.sleep(refusal.retry_after)

    def _check(self, plan: _Plan, check_cooldown: bool = True) -> None:
        refusal = self._refusal(plan, check_cooldown)
        if refusal is not None:
            raise self._book.refuse(plan.request, refusal)

    def _ask_plainly(self, plan: _Plan) -> None:
        self._check(plan)
        if self._approve is None:
            return
        answer = self._approve(plan.request)
        if isawaitable(answer):
            if iscoroutine(answer):
                answer.close()
            raise TypeError("spawn cannot wait for an async approve: await start(...) or wait_spawn(...)")
        self._obey(plan, answer)

    async def _ask(self, plan: _Plan) -> None:
        self._check(plan)
        if self._approve is None:
            return
        answer = self._approve(plan.request)
        self._obey(plan, await answer if isawaitable(answer) else answer)

    def _obey(self, plan: _Plan, answer: object) -> None:
        if answer is True:
            return
        if answer is False or isinstance(answer, str):
            raise self._book.refuse(plan.request, SpawnDenied(answer or ""))
        raise TypeError(f"approve must answer True, False or a text, not {answer!r}")

    def _begin(self, plan: _Plan, *, trial: bool, check_cooldown: bool = True) -> Ref:
        """Take the slots and start it, in one step; whatever goes wrong, they are free again."""
        self._check(plan, check_cooldown)  # once more: much may have happened while somebody approved
        book, request = self._book, plan.request
        book.take(plan.above, plan.slots)
        try:
            ref = self._family.admit(plan.definition, (), request.name, None, plan.on, trial=trial)
        except BaseException:
            book.free(plan.above, plan.slots)
            book.tally.failed += 1
            book.look_after_health()
            raise
        record = SpawnRecord(
            id=f"spawn_{self._hex()}",
            ref=ref,
            template=request.template,
            origin=request.origin,
            trigger=request.trigger,
            at=book.now(),
            specialisation=request.specialisation,
            depth=request.depth,
            definition=plan.definition,
        )
        book.begin(record, plan.above, trial, plan.slots)
        return ref


def _key(template: Template | None) -> Any:
    return None if template is None else key_of(template)


def _is_from(template: Template, wanted: Template, root: Template) -> bool:
    return template == wanted or (wanted is root and template.root == root)


def _trigger(trigger: SpawnTrigger | str) -> SpawnTrigger:
    try:
        return SpawnTrigger(trigger)
    except ValueError:
        raise ValueError(f"unknown trigger {trigger!r}: use one of {', '.join(SpawnTrigger)}") from None
