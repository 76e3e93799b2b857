"""The pump: one task that writes what happened, a group at a time.

While one group is on its way the next gathers: so the more there is to write, the larger the groups,
and a commit is shared by many. Each operation's result goes to whoever put it in, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
import trio

from actors.delivery.errors import StoreError
from actors.delivery.operations import Operation, Result
from actors.delivery.store import Engine
from actors.policy import Backoff
from actors.supervision.backoff import delay

__all__ = ["Pump"]

GROUP: Final = 1000
"""Operations in one group at most."""
_AGAIN: Final = Backoff(initial=0.1, maximum=5.0)
OnResult = Callable[[Result | StoreError], object]


@attrs.frozen
class _Slip:
    operation: Operation
    on_result: OnResult
    is_stubborn: bool
    """It has happened, and is written whenever that is possible."""


class Pump:
    """What waits to be written. Plain calls, but for `run` and `flushed`."""

    def __init__(
        self, draw: Callable[[], float], on_trouble: Callable[[StoreError | None, float], None]
    ) -> None:
        self._slips: list[_Slip] = []
        self._task: trio.lowlevel.Task | None = None
        self._is_writing = False
        self._flushed = trio.lowlevel.ParkingLot()
        self._draw = draw
        self._on_trouble = on_trouble
        """Told the error and the seconds until it is tried again, and None when it works again."""

    def __len__(self) -> int:
        return len(self._slips)

    def put(self, operation: Operation, on_result: OnResult, *, stubborn: bool = True) -> None:
        """Write it with the next group. `stubborn`: until it is written; else the error is its result."""
        self._slips.append(_Slip(operation, on_result, stubborn))
        self._wake()

    def _wake(self) -> None:
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None

    async def write(self, operation: Operation, then: OnResult | None = None) -> Any:
        """Write it and return what comes of it. A checkpoint.

        Raises what it was refused with, and `StoreError`. Cancelled, it may be written all the same.
        `then` hears the result in the step in which it is known, in any case.
        """
        task, results = trio.lowlevel.current_task(), list[Any]()
        waits = False

        def came(result: Result | StoreError) -> None:
            if then is not None:
                then(result)
            results.append(result)
            if waits:
                trio.lowlevel.reschedule(task)

        def leave(_: Any) -> trio.lowlevel.Abort:
            nonlocal waits
            waits = False
            return trio.lowlevel.Abort.SUCCEEDED

        self.put(operation, came, stubborn=False)
        waits = True
        await trio.lowlevel.wait_task_rescheduled(leave)
        if isinstance(results[0], Exception):
            raise results[0]
        return results[0]

    async def flushed(self) -> None:
        """Return when nothing waits to be written. A checkpoint."""
        await trio.lowlevel.checkpoint()
        while self._slips or self._is_writing:
            await self._flushed.park()

    async def run(self, engine: Engine) -> None:
        """Write until cancelled; a group that is on its way is finished first."""
        tries = 0
        while True:
            if not self._slips:
                self._flushed.unpark_all()
                await self._park()
                continue
            await trio.lowlevel.checkpoint()
            group, self._slips = self._slips[:GROUP], self._slips[GROUP:]
            error = await self._write(engine, group)
            if error is None:
                if tries:
                    self._on_trouble(None, 0.0)
                tries = 0
                continue
            seconds = delay(_AGAIN, tries, self._draw())
            tries += 1
            self._on_trouble(error, seconds)
            with trio.move_on_after(seconds):
                while all(slip.is_stubborn for slip in self._slips):
                    await self._park()

    async def last_words(self, engine: Engine, seconds: float) -> None:
        """Write what is left, for at most so long. Shielded."""
        with trio.move_on_after(seconds, shield=True):
            while self._slips:
                group, self._slips = self._slips[:GROUP], self._slips[GROUP:]
                if await self._write(engine, group) is not None:
                    return

    async def _park(self) -> None:
        self._task = trio.lowlevel.current_task()

        def leave(_: Any) -> trio.lowlevel.Abort:
            self._task = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(leave)

    async def _write(self, engine: Engine, group: Sequence[_Slip]) -> StoreError | None:
        """Write a group and hand the results out; the error, if nothing of it counts as written."""
        self._is_writing = True
        results: list[Result] = []
        try:
            with trio.CancelScope(shield=True):
                results = await engine.write([slip.operation for slip in group])
        except StoreError as error:
            self._slips[:0] = [slip for slip in group if slip.is_stubborn]
            for slip in group:
                if not slip.is_stubborn:
                    slip.on_result(error)
            return error
        finally:
            self._is_writing = False
        for slip, result in zip(group, results, strict=True):
            slip.on_result(result)
        return None

    def give_up(self, error: StoreError) -> None:
        """Nothing is written any more: whoever waits hears it."""
        slips, self._slips = self._slips, []
        for slip in slips:
            if not slip.is_stubborn:
                slip.on_result(error)
        self._flushed.unpark_all()
