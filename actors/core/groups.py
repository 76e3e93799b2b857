"""Groups: actors that can be told and asked together, by a name of the system."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any, cast

import trio

from actors.checks import check_seconds
from actors.core.scope import CURRENT
from actors.errors import ActorError, ActorStopped, CircuitOpen, Deadlock, MailboxFull
from actors.events import DeadLetterReason
from actors.messages import Request
from actors.outcome import FailureKind, Outcome, kind_of

if TYPE_CHECKING:
    from actors.core.kernel import Kernel
    from actors.core.ref import Ref

__all__ = ["Group", "ask_each", "outcome_of", "outcomes_of"]


class Group:
    """The members of one group, as they are at each call. Members join and leave by `ctx`."""

    __slots__ = ("_kernel", "_name")

    def __init__(self, kernel: Kernel, name: str) -> None:
        self._kernel = kernel
        self._name = name

    def __repr__(self) -> str:
        return f"<Group {self._name!r} of {self._kernel.name!r}, {len(self.members)} members>"

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @property
    def members(self) -> tuple[Ref, ...]:
        """In order of joining; the dead have left."""
        return tuple(cell.ref for cell in self._kernel.groups.get(self._name, ()))

    def tell(self, message: object) -> int:
        """Tell every member and return how many took it. A member that is full makes it a dead letter."""
        taken = 0
        for ref in self.members:
            try:
                taken += ref.cell.tell(message)
            except MailboxFull:
                self._kernel.dead_letter(ref.cell, message, CURRENT.get(), DeadLetterReason.FULL)
        return taken

    async def ask_all(self, request: Request[Any], timeout: float | None = None) -> dict[Ref, Outcome]:
        """Ask every member at once: one `Outcome` each, in order of joining. A checkpoint.

        `timeout` is in seconds and for each. Errors are outcomes, cancellation is not.
        """
        if not isinstance(request, Request):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{type(request).__name__} is not a Request and has no reply: use tell")
        return await outcomes_of(self.members, request, timeout)


async def outcomes_of(
    refs: Iterable[Ref], message: object, timeout: float | None, limit: int | None = None
) -> dict[Ref, Outcome]:
    """Ask each (a request), or tell each (anything else), all at once. A checkpoint.

    With a `limit` only so many are asked at a time. Cancelled before it has begun, nothing is told.
    """
    if timeout is not None:
        check_seconds("timeout", timeout)
    outcomes: dict[Ref, Outcome | None] = dict.fromkeys(refs)
    if outcomes and isinstance(message, Request):
        await ask_each(outcomes, cast("Request[Any]", message), timeout, outcomes.__setitem__, limit)
    else:
        await trio.lowlevel.checkpoint_if_cancelled()
        for ref in outcomes:
            outcomes[ref] = _tell_one(ref, message)
        await trio.lowlevel.cancel_shielded_checkpoint()
    return {ref: outcome for ref, outcome in outcomes.items() if outcome is not None}


async def ask_each(
    refs: Collection[Ref],
    request: Request[Any],
    timeout: float | None,
    came: Callable[[Ref, Outcome], bool | None],
    limit: int | None = None,
) -> None:
    """Ask each, in their order, at most `limit` at a time; `came` is called with each outcome.

    It ends when all have one, or `came` answers True: requests that are open then are withdrawn.
    """
    waiting = iter(tuple(refs))  # whichever task comes first takes the next: trio promises no order of tasks

    async def ask() -> None:
        for ref in waiting:
            if came(ref, await outcome_of(ref, request, timeout)):
                nursery.cancel_scope.cancel()
                return

    async with trio.open_nursery() as nursery:
        for _ in range(len(refs) if limit is None else min(limit, len(refs))):
            nursery.start_soon(ask)


async def outcome_of(ref: Ref, request: Request[Any], timeout: float | None) -> Outcome:
    """Ask one; errors are its outcome, cancellation is not. A checkpoint."""
    now = ref.cell.kernel.now
    started = now()
    try:
        value = await ref.ask(request, timeout=timeout)
    except Exception as error:
        attempts = 0 if isinstance(error, CircuitOpen | MailboxFull | Deadlock | ActorStopped) else 1
        return Outcome(
            ok=False,
            error=error,
            failure=kind_of(error),
            attempts=attempts,
            started=started,
            elapsed=now() - started,
        )
    return Outcome(ok=True, value=value, started=started, elapsed=now() - started)


def _tell_one(ref: Ref, message: object) -> Outcome:
    started = ref.cell.kernel.now()
    cell = ref.cell
    try:
        if cell.tell(message):
            return Outcome(ok=True, started=started)
    except ActorError as refused:  # it is full, or the message cannot go to where it is
        error: Exception = refused
    else:
        full = MailboxFull(ref, message, cell.lanes.capacity)
        error = ActorStopped(ref, cell.exit) if cell.is_final else full
    return Outcome(ok=False, error=error, failure=FailureKind.ERROR, attempts=0, started=started)
