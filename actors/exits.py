"""How an actor ended: the `Exit` that supervisors judge and watchers get."""

from __future__ import annotations

import enum
from typing import Any

import attrs

from actors.errors import one_line

__all__ = ["Exit", "ExitKind"]


class ExitKind(enum.StrEnum):
    """Why an incarnation of an actor ended."""

    NORMAL = "NORMAL"
    """It returned, or called `ctx.stop()`."""
    SHUTDOWN = "SHUTDOWN"
    """Stopped or drained by a ref, its supervisor or its system, in time."""
    KILLED = "KILLED"
    """Cancelled: by `kill()`, because `shutdown` ran out, or with its system's block."""
    FAILED = "FAILED"
    """A handler, a hook or the function raised."""
    TIMED_OUT = "TIMED_OUT"
    """Its time limit passed."""
    STALLED = "STALLED"
    """It was silent too long."""
    PATTERN = "PATTERN"
    """Its output matched an error pattern."""
    START_FAILED = "START_FAILED"
    """It did not become ready."""
    NODE_DOWN = "NODE_DOWN"
    """The node it ran on is gone."""
    BUDGET = "BUDGET"
    """Its budget is spent, or it was idle for as long as that allows. No failure."""

    @property
    def is_failure(self) -> bool:
        """True for the kinds that a supervisor restarts a transient actor after."""
        return self not in _NO_FAILURE


_NO_FAILURE = frozenset({ExitKind.NORMAL, ExitKind.SHUTDOWN, ExitKind.KILLED, ExitKind.BUDGET})


def _reason(exit: Exit) -> str:
    return exit.kind.lower().replace("_", " ") if exit.error is None else one_line(exit.error)


@attrs.frozen
class Exit:
    """The end of one incarnation: `kind`, the `value` it returned, the `error` it failed with.

    `reason` is one line for people and never empty.
    """

    kind: ExitKind
    value: Any = None
    error: BaseException | None = None
    reason: str = attrs.field(default=attrs.Factory(_reason, takes_self=True))

    @property
    def is_failure(self) -> bool:
        """True when the actor failed, by its own doing or its node's."""
        return self.kind.is_failure
