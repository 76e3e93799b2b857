"""Group commit: while one group is written in a thread, the next one gathers.

The first caller leads: it writes for all that have queued meanwhile, and then makes the first of those
who came since the next leader. So there is no task of its own that could fail or be left behind. A leader
is shielded while it writes, because others wait for it. Whoever is cancelled while its operations are still
queued takes them back; once they are being written it hears what came of them first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import trio

__all__ = ["Call", "GroupCommit"]

_LARGEST_GROUP = 1024  # operations: some 20 ms


@attrs.define(eq=False)
class Call:
    """What one caller wants written, and what came of it."""

    operations: Sequence[Any]
    results: list[Any] = attrs.Factory(list[Any])
    error: BaseException | None = None
    """What is raised to this caller; nothing of it was written then."""
    task: trio.lowlevel.Task | None = None
    leads: bool = False

    def outcome(self) -> list[Any]:
        """The results; raises what went wrong."""
        if self.error is None:
            return self.results
        try:
            raise self.error
        finally:
            self.error = None


class GroupCommit:
    """Gathers what several tasks write at the same time.

    `commit` is called in a thread, by one at a time, with the calls of a group in the order in which they
    came: it sets the `results` or the `error` of each. `written` is called after each group, in the loop.
    """

    def __init__(
        self, commit: Callable[[Sequence[Call]], None], written: Callable[[], object] = lambda: None
    ) -> None:
        self._commit = commit
        self._written = written
        self._queue: deque[Call] = deque()
        self._limiter = trio.CapacityLimiter(1)  # of its own: those who fill the common one do not hold it up
        self._busy = False
        self._idle = trio.lowlevel.ParkingLot()

    async def write(self, operations: Sequence[Any]) -> list[Any]:
        """Have these written with others; what came of them. A checkpoint.

        Cancelled, it has either written nothing, or it returns as if it had not been.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        call = Call(operations)
        self._queue.append(call)
        if self._busy:
            await self._follow(call)
        else:
            self._busy = call.leads = True
        if call.leads:
            await self._lead()
        return call.outcome()

    async def wait_idle(self) -> None:
        """Wait until nothing is being written, nor queued. A checkpoint."""
        await trio.lowlevel.checkpoint()
        while self._busy:
            await self._idle.park()

    async def _follow(self, call: Call) -> None:
        call.task = trio.lowlevel.current_task()

        def take_back(_: object) -> trio.lowlevel.Abort:
            if call not in self._queue:
                return trio.lowlevel.Abort.FAILED
            self._queue.remove(call)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(take_back)

    async def _lead(self) -> None:
        # those that the last group has woken are about to write again: two rounds, because whoever led it
        # runs before they do
        await trio.lowlevel.cancel_shielded_checkpoint()
        await trio.lowlevel.cancel_shielded_checkpoint()
        group = self._next_group()
        try:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._commit, group, limiter=self._limiter)
        except BaseException as error:
            for call in group:
                call.error = call.error or error
            raise
        finally:
            for call in group:
                if not call.leads and call.task is not None:
                    trio.lowlevel.reschedule(call.task)
            self._hand_over()
            self._written()

    def _next_group(self) -> list[Call]:
        group: list[Call] = []
        size = 0
        while self._queue and size < _LARGEST_GROUP:
            call = self._queue.popleft()
            group.append(call)
            size += len(call.operations)
        return group

    def _hand_over(self) -> None:
        if self._queue:
            leader = self._queue[0]
            leader.leads = True
            assert leader.task is not None
            trio.lowlevel.reschedule(leader.task)
        else:
            self._busy = False
            self._idle.unpark_all()
