"""The pump: one task that writes what happened, a group at a time.

While one group is on its way the next gathers: so the more there is to write, the larger the groups,
and a commit is shared by many. Each operation's result goes to whoever put it in, in order.

A store that says what is wrong (`StoreError`) is tried again, for ever if need be. One that fails otherwise
has a fault, or was given what it cannot take: then each operation is written by itself, so that the others
are, and one that fails so again and again is given up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final

import attrs
import trio

from actors.delivery.errors import StoreError, StoreUnavailable
from actors.delivery.operations import Operation, Result
from actors.delivery.store import Engine
from actors.policy import Backoff
from actors.supervision.backoff import delay

__all__ = ["Pump"]

GROUP: Final = 1000
"""Operations in one group at most."""
FAULTS: Final = 6
"""How often a fault of the store may strike one operation that has to be written."""
_AGAIN: Final = Backoff(initial=0.1, maximum=5.0)
_CUT: Final = "it was closed while this was written: it may be there, post it again with the same key"
OnResult = Callable[[Result | StoreError], object]


@attrs.define(eq=False)
class _Slip:
    operation: Operation
    on_result: OnResult
    is_stubborn: bool
    """It has happened, and is written whenever that is possible."""
    faults: int = 0


class Pump:
    """What waits to be written. Plain calls, but for those that run, write or wait."""

    def __init__(
        self,
        draw: Callable[[], float],
        on_trouble: Callable[[StoreError | None, float], None],
        where: str = "store",
    ) -> None:
        self._slips: list[_Slip] = []
        self._group: list[_Slip] = []  # what is being written
        self._alone = 0  # how many are to be written each by itself
        self._task: trio.lowlevel.Task | None = None
        self._written = trio.lowlevel.ParkingLot()
        self._until = math.inf  # a write that is on its way then is cut short
        self._writing: trio.CancelScope | None = None
        self._draw = draw
        self._on_trouble = on_trouble
        """Told the error and the seconds until it is tried again, and None when it works again."""
        self._where = where

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
            results.append(result)
            if waits:
                trio.lowlevel.reschedule(task)
            if then is not None:
                then(result)

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
        await self.settled(lambda _: True)

    async def settled(self, concerns: Callable[[Operation], bool]) -> None:
        """Return when no operation that `concerns` is true for waits to be written. A checkpoint."""
        await self._gone(lambda slip: concerns(slip.operation))

    async def caught_up(self) -> None:
        """Return when what waits now is written, whatever has come since. A checkpoint."""
        newest = (self._slips or self._group)[-1:]
        await self._gone(lambda slip: slip in newest)

    async def _gone(self, wanted: Callable[[_Slip], bool]) -> None:
        await trio.lowlevel.checkpoint()
        while any(map(wanted, chain(self._group, self._slips))):
            await self._written.park()

    @trio.lowlevel.enable_ki_protection  # between a write and the last who hears of it is no good moment
    async def run(self, engine: Engine) -> None:
        """Write until cancelled; a group that is on its way is finished first, but see `hurry`."""
        tries, self._until = 0, math.inf
        while True:
            if not self._slips:
                await self._park()
                continue
            await trio.lowlevel.checkpoint()  # twice: those whom the last group has woken have more to write,
            await trio.lowlevel.checkpoint()  # and in one round it is left to chance who runs first
            error = await self._write_group(engine)
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

    def hurry(self, seconds: float) -> None:
        """It is to end: what is not written in so many seconds waits for the next engine."""
        self._until = trio.current_time() + seconds
        if self._writing is not None:
            self._writing.deadline = self._until

    @trio.lowlevel.enable_ki_protection
    async def last_words(self, engine: Engine) -> None:
        """Write what is left, as long as `hurry` has said. Shielded.

        What must be written and could not be waits for the next engine; nobody else waits.
        """
        error: StoreError | None = None
        with trio.CancelScope(shield=True):
            while self._slips and error is None and trio.current_time() < self._until:
                await trio.lowlevel.checkpoint()
                error = await self._write_group(engine)
        late = StoreUnavailable(self._where, "it was closed before this was written: post it again")
        self._let_down(error or late)

    async def _park(self) -> None:
        self._task = trio.lowlevel.current_task()

        def leave(_: Any) -> trio.lowlevel.Abort:
            self._task = None
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(leave)

    async def _write_group(self, engine: Engine) -> StoreError | None:
        """Write a group and hand the results out; the error, if nothing of it counts as written."""
        size = 1 if self._alone else GROUP
        group, self._slips = self._slips[:size], self._slips[size:]
        self._alone -= bool(self._alone)
        self._group = group
        results: list[Result] = []
        try:
            with trio.CancelScope(shield=True, deadline=self._until) as self._writing:
                results = await engine.write([slip.operation for slip in group])
            if self._writing.cancelled_caught:
                raise StoreUnavailable(self._where, _CUT)
            if len(results) != len(group):
                raise RuntimeError(f"{len(results)} results of {len(group)} operations")
        except StoreError as error:
            self._refuse(group, error)
            return error
        except Exception as error:
            return self._blame(group, error)
        except BaseException:
            self._slips[:0] = group
            raise
        finally:
            self._group, self._writing = [], None
        self._hand_out(zip(group, results, strict=True))
        return None

    def _blame(self, group: Sequence[_Slip], fault: Exception) -> StoreError:
        """The store has a fault, or something in the group is such that it cannot be written."""
        error = StoreUnavailable(self._where, f"it has failed with {type(fault).__qualname__}: {fault}")
        error.__cause__ = fault
        if len(group) > 1:
            self._alone = len(group)
            self._slips[:0] = group
            return error
        (slip,) = group
        slip.faults += 1
        if slip.faults < FAULTS:
            self._alone += slip.is_stubborn
            self._refuse(group, error)
        else:
            self._hand_out([(slip, error)])
        return error

    def _refuse(self, group: Sequence[_Slip], error: StoreError) -> None:
        """Nothing of it is written: what has happened stays in front, the others hear it."""
        self._slips[:0] = [slip for slip in group if slip.is_stubborn]
        self._hand_out([(slip, error) for slip in group if not slip.is_stubborn])

    def _hand_out(self, results: Iterable[tuple[_Slip, Result | StoreError]]) -> None:
        """Tell each its result, also when telling another one has failed."""
        fault: Exception | None = None
        for slip, result in results:
            try:
                slip.on_result(result)
            except Exception as error:
                fault = fault or error
        self._written.unpark_all()
        if fault is not None:
            raise fault

    def _let_down(self, error: StoreError) -> None:
        """Whoever waits for its result hears that there will be none."""
        slips = self._slips
        self._slips = [slip for slip in slips if slip.is_stubborn]
        self._hand_out([(slip, error) for slip in slips if not slip.is_stubborn])

    def give_up(self, error: StoreError) -> None:
        """Nothing is written any more: whoever waits hears it."""
        self._let_down(error)
        self._slips.clear()
        self._written.unpark_all()
