"""The part of a policy that holds where a child runs: its limits, and how long it may take to stop.

Restarts, breaker, retries and mailbox stay with its supervisor.
"""

from __future__ import annotations

import math
from typing import Any, cast

import attrs

from actors.budgets import Budget, Ledger
from actors.errors import NotSerializable
from actors.limits import Ladder, Oversight, Stall, Timeout
from actors.policy import Mailbox, Policy

__all__ = ["policy_at_home", "policy_in", "policy_out", "with_what_is_left"]


def policy_out(policy: Policy) -> dict[str, Any]:
    """As plain data. Raises `NotSerializable` for functions in it, which cannot travel."""
    stall = policy.stall
    if stall is not None and (stall.predicates or stall.on_detection is not None):
        why = "with predicates or on_detection cannot run on another node: leave them out, and use patterns"
        raise NotSerializable(Stall, why)
    said: dict[str, Any] = {"shutdown": _number_out(policy.shutdown)}
    for name in ("timeout", "stall", "oversight", "budget"):
        limit = getattr(policy, name)
        if limit is not None:
            plain = attrs.asdict(limit, filter=lambda field, _: field.metadata.get("data", True))
            said[name] = {key: _number_out(value) for key, value in plain.items()}
    return said


def policy_in(said: dict[str, Any]) -> Policy:
    """The policy of one incarnation. Raises ValueError or TypeError for what is none."""
    unknown = said.keys() - {"shutdown", "timeout", "stall", "oversight", "budget"}
    if unknown:
        raise ValueError(f"unknown in a policy: {', '.join(sorted(unknown))}")
    timeout = _fields(said, "timeout")
    if timeout is not None and timeout.get("ladder") is not None:
        timeout["ladder"] = Ladder(**timeout["ladder"])
    stall, oversight = _fields(said, "stall"), _fields(said, "oversight")
    budget = _fields(said, "budget")
    return Policy(
        restart="temporary",
        breaker=None,
        mailbox=Mailbox(capacity=math.inf),
        shutdown=_number_in(said.get("shutdown", 5.0)),
        timeout=None if timeout is None else Timeout(**timeout),
        stall=None if stall is None else Stall(**stall),
        oversight=None if oversight is None else Oversight(**oversight),
        budget=None if budget is None else Budget(**budget),
    )


def with_what_is_left(terms: dict[str, Any], ledger: Ledger | None) -> dict[str, Any]:
    """For the next incarnation: it may spend what the ones before have left."""
    if ledger is None or "budget" not in terms:
        return terms
    left = {key: value for key, value in attrs.asdict(ledger.left).items() if key != "idle"}
    return {**terms, "budget": {**terms["budget"], **left}}


def policy_at_home(policy: Policy) -> Policy:
    """What is left for its supervisor's node: the limits are watched where it runs."""
    budget = None if policy.budget is None else attrs.evolve(policy.budget, idle=None)
    return attrs.evolve(policy, timeout=None, stall=None, oversight=None, budget=budget)


def _fields(said: dict[str, Any], name: str) -> dict[str, Any] | None:
    given = said.get(name)
    if given is None:
        return None
    if not isinstance(given, dict):
        raise TypeError(f"{name} must be an object, not {given!r:.60}")
    return {key: _number_in(value) for key, value in cast("dict[str, Any]", given).items()}


def _number_out(value: Any) -> Any:
    return "inf" if value == math.inf else value


def _number_in(value: Any) -> Any:
    return math.inf if value == "inf" else value
