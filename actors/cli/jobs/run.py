"""One run of a batch: the jobs, the signals, what is shown and what is remembered.

The first signal stops `/jobs` in order: processes get TERM and their `shutdown` seconds,
what has not started never does, and the table still tells all. The second one cancels.

Showing and remembering may block, and happen in threads: no job waits for a reader or for
a disk. There is one line a job, so what waits is bounded.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from pathlib import Path

import attrs
import trio

from actors.cli.jobs.batch import Batch
from actors.cli.jobs.done import Record, remembered, write_done
from actors.cli.jobs.show import Board, Ended
from actors.cli.load import name_of
from actors.cli.run import NOBODY_READS, STOPS
from actors.cli.what import Surroundings
from actors.errors import ActorStopped
from actors.outcome import Outcome
from actors.system import System, open_system

__all__ = ["SOME_FAILED", "Result", "run_batch"]

SOME_FAILED = 1
"""Exit code: some jobs failed."""


@attrs.frozen(kw_only=True)
class Result:
    """How a run ended: the exit code, the jobs in the order of their ends, and why nothing was remembered."""

    code: int
    ended: tuple[Ended, ...]
    took: float
    forgot: OSError | None


async def run_batch(
    batch: Batch, surroundings: Surroundings, records: Mapping[str, Record], done_file: Path, board: Board
) -> Result:
    """Run the jobs of a file that are not done by the records. Afterwards nothing of the run is left."""
    return await _Run(batch, surroundings, records, done_file, board).run()


class _Run:
    def __init__(
        self,
        batch: Batch,
        surroundings: Surroundings,
        records: Mapping[str, Record],
        done_file: Path,
        board: Board,
    ) -> None:
        self._batch = batch
        self._surroundings = surroundings
        self._done = remembered(batch, records)
        self._records = dict(records)
        self._done_file = done_file
        self._board = board
        self._tasks = {task.label: task for task in batch.tasks}
        self._since = trio.current_time()
        self._scope = trio.CancelScope()
        self._system: System | None = None
        self._signal: int | None = None
        self._heard = True
        self._forgot: OSError | None = None
        self._ended: list[Ended] = []
        self._to_show, self._showing = trio.open_memory_channel[Ended](math.inf)
        self._to_keep, self._keeping = trio.open_memory_channel[None](1)

    async def run(self) -> Result:
        """See `run_batch`."""
        async with trio.open_nursery() as writers:
            writers.start_soon(self._show)
            writers.start_soon(self._keep)
            async with trio.open_nursery() as watchers:
                await watchers.start(self._obey_signals)
                await self._live()
                watchers.cancel_scope.cancel()
            self._to_show.close()
            self._to_keep.close()
        self._showing.close()
        self._keeping.close()
        took = trio.current_time() - self._since
        return Result(code=self._code(), ended=tuple(self._ended), took=took, forgot=self._forgot)

    def _code(self) -> int:
        if self._signal is not None:
            return 128 + self._signal
        if not self._heard:
            return NOBODY_READS
        all_well = len(self._ended) == len(self._tasks) and all(one.outcome.ok for one in self._ended)
        return 0 if all_well else SOME_FAILED

    # --- the jobs ---

    async def _live(self) -> None:
        spec = self._batch.spec
        former = {label: record.outcome() for label, record in self._done.items()}
        jobs = self._batch.jobs(self._surroundings, former)
        with self._scope:
            async with open_system(name_of(self._batch.path), policy=spec.policy) as self._system:
                with contextlib.suppress(ActorStopped):  # a signal came before the first start
                    await self._system.run_jobs(
                        jobs,
                        limit=spec.limit,
                        stagger=spec.stagger,
                        deadline=spec.deadline,
                        on_progress=self._on_progress,
                    )

    def _on_progress(self, done: int, total: int, outcome: Outcome) -> None:
        task = self._tasks[str(outcome.label)]
        at = trio.current_time() - self._since
        ended = Ended(at, task, outcome, task.label in self._done, done, total)
        self._ended.append(ended)
        if self._heard:
            self._to_show.send_nowait(ended)
        if outcome.ok and not ended.skipped:
            self._records[task.label] = Record.of(task, outcome)
            self._remember()

    # --- orders from outside ---

    async def _obey_signals(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """The first signal stops in order, the next one cancels everything."""
        with trio.open_signal_receiver(*STOPS) as signals:
            task_status.started()
            async for number in signals:
                first, self._signal = self._signal is None, self._signal or number
                self._stop(in_order=first)

    def _stop(self, in_order: bool) -> None:
        jobs = None if self._system is None else self._system.find("/jobs")
        if in_order and jobs is not None:
            jobs.stop()
        else:
            self._scope.cancel()

    # --- threads ---

    async def _show(self) -> None:
        """Show all; when nobody reads any more there is no use in going on."""
        async for first in self._showing:
            ended = [first]
            while self._showing.statistics().current_buffer_used:
                ended.append(self._showing.receive_nowait())
            try:
                await trio.to_thread.run_sync(self._board.show, ended, abandon_on_cancel=True)
            except OSError:
                self._heard = False
                self._stop(in_order=True)
                return

    def _remember(self) -> None:
        if not self._to_keep.statistics().current_buffer_used:
            self._to_keep.send_nowait(None)

    async def _keep(self) -> None:
        """Write the records; those that come meanwhile are written together."""
        async for _ in self._keeping:
            try:
                await trio.to_thread.run_sync(write_done, self._done_file, dict(self._records))
            except OSError as error:
                self._forgot = error
