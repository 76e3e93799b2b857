"""The limits of spawners over several nodes: what a child takes along of those that it is within.

A spawner has taken as many slots for a child elsewhere as the child may fill there, itself among
them; so nobody need ask the other node, and what lives on all nodes together is never more than
the limits allow. For that to hold, whatever fills a slot there has to end with the child: what is granted
is spent below it in the tree, and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from actors.checks import between
from actors.errors import SpawnLimitReached, SpawnRefused
from actors.remote.items import Grant
from actors.spawning.book import Bound, Slot, bounds_of
from actors.spawning.limits import Admission, SpawnLimits
from actors.spawning.plans import all_above

if TYPE_CHECKING:
    from actors.core.cell import Cell
    from actors.core.ref import Ref
    from actors.supervision.family import Family

__all__ = ["Granted", "grant_in", "grant_of"]


def grant_of(child: Cell) -> Grant | None:
    """What a child elsewhere takes along now; None when no spawner is above it.

    One that was spawned without a spawner, somewhere below a spawn, has its depth and no slots.
    """
    nearest = tuple(bounds_of(child))
    if not nearest:
        return None
    own = [bound.slots for bound in child.kernel.followers.get(child, ()) if isinstance(bound, Slot)]
    return Grant(
        depth=max(bound.depth for bound in nearest),
        max_depth=min(bound.admission.limits.max_depth for bound in all_above(nearest)),
        slots=own[0] if own else 1,
    )


@attrs.frozen
class _Checked:
    depth: int = attrs.field(validator=between(0, 10, whole=True))


def grant_in(grant: Grant, home: Ref) -> Granted:
    """What bounds one incarnation here. Raises ValueError for numbers that no spawner has."""
    limits = SpawnLimits(max_active=grant.slots, max_depth=grant.max_depth)
    return Granted(Admission(limits, taken=1), _Checked(grant.depth).depth, home)


class Granted(Bound):
    """What bounds one incarnation of a child of another node's, and all below it."""

    __slots__ = ("_home",)

    def __init__(self, admission: Admission, depth: int, home: Ref) -> None:
        super().__init__(admission, depth)
        self._home = home

    def refusal(self, now: float, depth: int, slots: int, family: Family) -> SpawnRefused | None:
        """See `Bound`."""
        refused = self.admission.refusal(now, None, depth, check_cooldown=False, slots=slots)
        taken, most = self.admission.taken, self.admission.limits.max_active
        whose = f"{self._home.path} with all below it"
        if isinstance(refused, SpawnLimitReached):
            cure = "despawn one, or put it on this node with a larger share="
            return SpawnLimitReached(taken, most, whose, cure)
        if refused is None and all(bound is not self for bound in bounds_of(family)):
            cure = f"spawn over a supervisor that is below it, which {family.path} is not"
            return SpawnLimitReached(taken, most, whose, cure)
        return refused
