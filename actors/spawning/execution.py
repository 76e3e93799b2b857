"""Carrying a plan out: ask whoever has a say, take the slots, start the child, and wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import trio

from actors.errors import CooldownActive, SpawnDenied, SpawnRefused
from actors.spawning.approval import Approve, answer_now, answer_of
from actors.spawning.book import Book
from actors.spawning.history import SpawnRecord
from actors.spawning.plans import Plan, Planner

if TYPE_CHECKING:
    from actors.core.ref import Ref
    from actors.supervision.family import Family

__all__ = ["Execution"]


@attrs.frozen(eq=False)
class Execution:
    """Carries the plans of one spawner out. What is refused is counted, and raised."""

    family: Family
    book: Book
    planner: Planner
    approve: Approve | None

    def spawn(self, plan: Plan) -> Ref:
        """Now or not at all."""
        self._check(plan)
        with self.book.counting_failures():
            denied = answer_now(self.approve, plan.request)
        self._obey(plan, denied)
        return self.begin(plan, trial=False)

    async def start(self, plan: Plan) -> Ref:
        """Now or not at all, and until it is ready."""
        await self._ask(plan)
        return await self._ready(self.begin(plan, trial=True))

    async def wait(self, plan: Plan) -> Ref:
        """After the cooldown, in the order of coming, and until it is ready."""
        self._check(plan, check_cooldown=False)  # what no waiting cures is said at once
        async with self.book.turn_of(plan.key):
            await self._cool_down(plan)
            await self._ask(plan)
            await self._cool_down(plan)  # whoever approves may have taken long
            ref = self.begin(plan, trial=True)
        return await self._ready(ref)

    @trio.lowlevel.enable_ki_protection
    def begin(self, plan: Plan, *, trial: bool, check_cooldown: bool = True) -> Ref:
        """Take the slots and start it, in one step; whatever goes wrong, they are free again.

        Ctrl-C waits: a child that lives and is not in the book would hold its slot for ever.
        """
        self._check(plan, check_cooldown)  # once more: much may have happened while somebody approved
        book, request = self.book, plan.request
        book.take(plan.above, plan.slots)
        try:
            with book.counting_failures():
                ref = self.family.admit(plan.definition, (), request.name, None, plan.on, trial=trial)
        except BaseException:
            book.free(plan.above, plan.slots)
            raise
        record = SpawnRecord(
            id=f"spawn_{self.planner.hexes()}",
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

    async def _ready(self, ref: Ref) -> Ref:
        """The second half of a start: the ref when it is ready; else nothing of it is left."""
        slot = self.book.living[ref]
        try:
            return await self.family.trial_of(ref)
        except BaseException:
            if ref.cell.exit is not None:  # it may have become ready in the step in which this was cancelled
                self.book.roll_back(slot, ref.cell.exit)
            raise

    def _refusal(self, plan: Plan, check_cooldown: bool = True) -> SpawnRefused | None:
        return self.book.refusal(plan.key, plan.request.depth, plan.above, plan.slots, check_cooldown)

    def _check(self, plan: Plan, check_cooldown: bool = True) -> None:
        refusal = self._refusal(plan, check_cooldown)
        if refusal is not None:
            raise self.book.refuse(plan.request, refusal)

    async def _cool_down(self, plan: Plan) -> None:
        while isinstance(self._refusal(plan), CooldownActive):
            await self.book.cool_down(plan.key)

    async def _ask(self, plan: Plan) -> None:
        self._check(plan)
        with self.book.counting_failures():
            denied = await answer_of(self.approve, plan.request)
        self._obey(plan, denied)

    def _obey(self, plan: Plan, denied: SpawnDenied | None) -> None:
        if denied is not None:
            raise self.book.refuse(plan.request, denied)
