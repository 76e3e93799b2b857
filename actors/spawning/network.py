"""Networks that say when they are ready: many actors are waited for at once, without a sleep.

    RollCall    follows the actors, and carries what it hears to a `Readiness`
    Spawning    its steps, one by one, for `async for`
    ReadyWatch  its end, for an actor or a function

Who waits in a task lets go of the actors when that is cancelled. Who drops a `Spawning` in
the middle may do so anywhere, also where Python collects garbage: so it lets go a moment
later, when the event loop comes round.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from actors.checks import check_seconds
from actors.core.ref import Ref
from actors.core.scope import CURRENT
from actors.errors import NotReady
from actors.spawning.news import NetworkReady, ReadyWatch
from actors.spawning.readiness import SpawnStep
from actors.spawning.refs import as_refs
from actors.spawning.rollcall import RollCall

if TYPE_CHECKING:
    from actors.core.kernel import Kernel

__all__ = ["Networks", "Spawning"]


class Spawning:
    """The steps of actors on their way, made by `System.spawning`: `async for step in ...`.

    It ends after the last one has settled. Who leaves it before that has nothing to do; `aclose()`
    lets go of the actors at once.
    """

    __slots__ = ("_call", "_token")

    def __init__(self, call: RollCall, token: trio.lowlevel.TrioToken) -> None:
        self._call = call
        self._token = token

    def __repr__(self) -> str:
        readiness = self._call.readiness
        state = "over" if self._call.is_over else "under way"
        return f"<Spawning {readiness.done} of {len(readiness.refs)}, {state}>"

    def __aiter__(self) -> Spawning:
        return self

    async def __anext__(self) -> SpawnStep:
        """The next step, a checkpoint. Cancelled, no step is lost."""
        await trio.lowlevel.checkpoint_if_cancelled()
        call = self._call
        while not (call.steps or call.is_over):
            await call.changed()
        step = call.steps.popleft() if call.steps else None
        await trio.lowlevel.cancel_shielded_checkpoint()
        if step is None:
            raise StopAsyncIteration
        return step

    async def aclose(self) -> None:
        """No more steps are wanted. Idempotent, a checkpoint."""
        self._call.close()
        self._call.steps.clear()
        await trio.lowlevel.checkpoint()

    def __del__(self) -> None:
        if not self._call.is_over:  # from any thread, in the middle of anything
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._call.close)


class Networks:
    """One system's side of it."""

    def __init__(self, kernel: Kernel, is_open: Callable[[], bool]) -> None:
        self.kernel = kernel
        self.is_open = is_open
        """False from the moment in which the system begins to close."""
        self.watches: dict[ReadyWatch, None] = {}
        """Those that have told nobody yet."""

    def spawning(self, refs: Iterable[Ref]) -> Spawning:
        """See `System.spawning`."""
        return Spawning(RollCall(self.kernel, self._waited_for(refs)), trio.lowlevel.current_trio_token())

    async def wait_ready(self, refs: Iterable[Ref], timeout: float | None) -> None:
        """See `System.wait_ready`."""
        checked = self._waited_for(refs)
        if timeout is not None:
            check_seconds("timeout", timeout)
        await trio.lowlevel.checkpoint_if_cancelled()
        call = RollCall(self.kernel, checked, timeout)
        try:
            if call.is_over:
                await trio.lowlevel.checkpoint()
            while not call.is_over:
                await call.changed()
        finally:
            call.close()
        readiness = call.readiness
        if readiness.failed or readiness.late:
            raise NotReady(readiness.failed, readiness.late, readiness.ready, timeout)

    def when_ready(
        self, refs: Iterable[Ref], to: Ref | Callable[[NetworkReady], object], timeout: float | None
    ) -> ReadyWatch:
        """See `System.when_ready`."""
        checked = self._checked(refs)
        if isinstance(to, Ref):
            self.kernel.cell_of(to)
        else:
            _check_function(to)
        if timeout is not None:
            check_seconds("timeout", timeout)
        return ReadyWatch(self, checked, to, timeout)

    def close(self) -> None:
        """The system has ended."""
        for watch in tuple(self.watches):
            watch.cancel()

    def _checked(self, refs: object) -> tuple[Ref, ...]:
        """The refs; raises `UnknownActor` for one of another system that is no linked node."""
        several = as_refs(refs)
        for ref in several:
            self.kernel.cell_of(ref)
        return several

    def _waited_for(self, refs: Iterable[Ref]) -> tuple[Ref, ...]:
        """As `_checked`; who starts still cannot wait for itself."""
        several = self._checked(refs)
        asker = CURRENT.get()
        if asker is not None and asker.ref in several and not asker.is_started:
            raise ValueError(f"{asker.path} cannot wait until it is ready itself: leave it out of refs")
        return several


def _check_function(to: object) -> None:
    if not callable(to) or isinstance(to, type):
        raise TypeError(f"to must be a Ref, or callable as to(news), not {to!r}")
    if inspect.iscoroutinefunction(to):
        raise TypeError(f"to must be a plain function or a Ref, not the async {to!r}: let an actor be told")
