"""Which actors of a set are ready, which never will be, and which are late: a machine without a clock.

An actor is on its way until it settles, once: it is ready, or it has failed. A restart and a
backoff are part of the way. When the time is up, whoever is still on the way is late, and
nothing changes any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Self

import attrs

from actors.core.lifecycle import ActorState

if TYPE_CHECKING:
    from actors.core.ref import Ref

__all__ = ["Readiness", "SpawnStep"]


class _Fields(NamedTuple):
    done: int
    total: int
    ref: Ref
    state: ActorState
    elapsed: float


class SpawnStep(_Fields):
    """One actor of a set became ready, or failed: it unpacks as `(done, total, ref, state, elapsed)`.

    It is the `done`-th of `total` to settle, `elapsed` seconds after the call, and `state` is what it
    was then. `error`, which is not unpacked, is None for one that is ready, else a `StartFailed`
    or an `ActorStopped`.
    """

    error: BaseException | None = None

    def __new__(
        cls,
        done: int,
        total: int,
        ref: Ref,
        state: ActorState,
        elapsed: float,
        error: BaseException | None = None,
    ) -> Self:
        """A step with its error."""
        step = super().__new__(cls, done, total, ref, state, elapsed)
        step.error = error
        return step


def _once_each(refs: Iterable[Ref]) -> tuple[Ref, ...]:
    return tuple(dict.fromkeys(refs))


@attrs.define
class Readiness:
    """One set of actors. What has settled, or was never asked for, is not looked at again."""

    refs: tuple[Ref, ...] = attrs.field(converter=_once_each)
    """Each once, in the order given."""
    began: float
    over_at: float | None = attrs.field(init=False)
    """When the last one settled, or the time was up; None before."""
    late: tuple[Ref, ...] = attrs.field(default=(), init=False)
    """Those that were on their way when the time was up."""
    _open: dict[Ref, None] = attrs.field(init=False)
    _errors: dict[Ref, BaseException] = attrs.field(factory=dict["Ref", BaseException], init=False)

    def __attrs_post_init__(self) -> None:
        self._open = dict.fromkeys(self.refs)
        self.over_at = None if self._open else self.began

    # --- what it is like ---

    @property
    def is_over(self) -> bool:
        """True when nothing can change any more."""
        return self.over_at is not None

    @property
    def open(self) -> tuple[Ref, ...]:
        """Those on their way."""
        return tuple(self._open)

    @property
    def done(self) -> int:
        """How many have settled."""
        return len(self.refs) - len(self._open) - len(self.late)

    @property
    def ready(self) -> tuple[Ref, ...]:
        """Those that became ready, in the order given."""
        other = {*self._open, *self._errors, *self.late}
        return tuple(ref for ref in self.refs if ref not in other)

    @property
    def failed(self) -> dict[Ref, BaseException]:
        """Those that never will be, with their errors, in the order given."""
        return {ref: self._errors[ref] for ref in self.refs if ref in self._errors}

    # --- what happens ---

    def became_ready(self, ref: Ref, state: ActorState, now: float) -> SpawnStep | None:
        """It is ready: the step to tell, or None when that is no news."""
        return self._settle(ref, state, None, now)

    def has_failed(self, ref: Ref, state: ActorState, error: BaseException, now: float) -> SpawnStep | None:
        """It never will be: the step to tell, or None when that is no news."""
        return self._settle(ref, state, error, now)

    def time_is_up(self, now: float) -> tuple[Ref, ...]:
        """Whoever is on the way is late: those. Idempotent."""
        if self.over_at is not None:
            return ()
        self.late, self.over_at = self.open, now
        self._open.clear()
        return self.late

    def _settle(
        self, ref: Ref, state: ActorState, error: BaseException | None, now: float
    ) -> SpawnStep | None:
        if ref not in self._open:
            return None
        del self._open[ref]
        if error is not None:
            self._errors[ref] = error
        if not self._open:
            self.over_at = now
        return SpawnStep(self.done, len(self.refs), ref, state, now - self.began, error)
