"""Which children stop and which start when one has failed, as an ordered plan.

A plan stops the adhoc members first (all at once), then the named ones in reverse
start order, and starts them in start order. Members that run only once (temporary,
adhoc) are stopped and not started again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import attrs

from actors.policy import OneForAll, OneForOne, Strategy

__all__ = ["Member", "Plan", "group", "plan", "stop_order"]

K = TypeVar("K")


@attrs.frozen
class Member(Generic[K]):
    """One child as the planner sees it, in start order: its key, its name, and whether it runs once."""

    key: K
    adhoc: bool = False
    once: bool = False


@attrs.frozen
class Plan(Generic[K]):
    """What the supervisor must do, in this order: `stop_together`, each of `stop`, each of `start`."""

    stop_together: tuple[K, ...] = ()
    stop: tuple[K, ...] = ()
    start: tuple[K, ...] = ()


def group(strategy: Strategy, members: Sequence[Member[K]], failed: K) -> list[Member[K]]:
    """The members that share the fate of the failed one, itself included, in start order."""
    if isinstance(strategy, OneForAll):
        return list(members)
    at = next(i for i, member in enumerate(members) if member.key == failed)
    return [members[at]] if isinstance(strategy, OneForOne) else list(members[at:])


def stop_order(members: Sequence[Member[K]]) -> tuple[tuple[K, ...], tuple[K, ...]]:
    """(those that stop together, those that stop one by one): the rule of every ordered stop."""
    together = tuple(member.key for member in members if member.adhoc)
    one_by_one = tuple(member.key for member in reversed(members) if not member.adhoc)
    return together, one_by_one


def plan(strategy: Strategy, members: Sequence[Member[K]], failed: K) -> Plan[K]:
    """The plan after `failed`, which has ended already and is not stopped again."""
    affected = group(strategy, members, failed)
    together, one_by_one = stop_order([member for member in affected if member.key != failed])
    start = tuple(member.key for member in affected if not (member.adhoc or member.once))
    return Plan(together, one_by_one, start)
