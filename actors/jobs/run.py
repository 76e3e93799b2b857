"""`run_jobs`: one batch from its call to its end.

The task of the call is the only one that decides: it asks the `Plan` what may start,
spawns it as a child of `/jobs`, and takes the ends as they come. Each run has one more
task, which waits for its child and, when that is cancelled, kills it and sees it gone. So
whatever ends the batch, the children are gone before it returns.

Every start is followed by a checkpoint: a job runs before the next one is started, and
the order of the starts is that of the input.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias, cast

import attrs
import trio

from actors.checks import check_count, check_seconds
from actors.core import orders as order
from actors.core.cell import Cell
from actors.core.scope import CURRENT, DEPENDENCIES
from actors.core.spending import PAYER, Payer
from actors.errors import (
    ActorStopped,
    CircuitOpen,
    DeadlineExceeded,
    SystemClosed,
    TimedOut,
    flatten,
)
from actors.exits import Exit, ExitKind
from actors.jobs.checks import as_batch, check_callback, check_names
from actors.jobs.graph import Links, keys, links
from actors.jobs.job import Job
from actors.jobs.plan import Names, Plan
from actors.jobs.work import Work
from actors.names import join
from actors.outcome import FailureKind, Outcome
from actors.policy import Policy
from actors.supervision.breaker import CircuitState
from actors.supervision.supervisor import Supervisor

if TYPE_CHECKING:
    from actors.core.alarms import Alarm
    from actors.supervision.family import Family

__all__ = ["JOBS", "JOBS_POLICY", "Jobs", "OnProgress", "run_jobs"]

OnProgress: TypeAlias = Callable[[int, int, Outcome], object]
"""Called as `on_progress(done, total, outcome)`."""
JOBS = "jobs"
"""The name, below the root, of the supervisor of all jobs."""
JOBS_POLICY = Policy(restart="temporary", breaker=None)
"""What `/jobs` itself runs under."""

_log = logging.getLogger("actors.jobs")


class Jobs(Supervisor):
    """`/jobs`: the parent of every run of a job. Its children run once, so it never gives up."""

    _tasks_for_all = True  # a job runs before the next one is started, and does not queue for a turn
    _parks = False  # a job is waited for


async def run_jobs(
    family: Family,
    names: Names,
    jobs: Iterable[Job],
    *,
    limit: int = 10,
    stagger: float = 0.0,
    deadline: float | None = None,
    on_progress: OnProgress | None = None,
) -> list[Outcome]:
    """See `System.run_jobs`; `family` is the cell of `/jobs`, `names` those at work in its system."""
    began = trio.current_time()
    batch = as_batch(jobs)
    after = links(batch)
    check_count("limit", limit)
    check_seconds("stagger", stagger)
    if stagger == math.inf:
        raise ValueError("stagger must be finite: with infinity the second job would never start")
    if deadline is not None:
        check_seconds("deadline", deadline)
    check_callback(on_progress)
    check_names(family, batch)
    ended = [index for index, job in enumerate(batch) if job.outcome is not None]
    plan = Plan(after, [job.name for job in batch], limit=limit, stagger=stagger, ended=ended)
    with _waiting(family):
        await family.wait_started()
        run = _Batch(family, names, batch, after, plan, on_progress)
        return await run.run(began, math.inf if deadline is None else deadline)


def _waiting(family: Family) -> AbstractContextManager[None]:
    """The actor that runs the batch is not silent while it waits for it."""
    asker = CURRENT.get()
    return nullcontext() if asker is None or asker.vigil is None else asker.vigil.waiting(family.path)


# --- one batch --------------------------------------------------------------------


class _Batch:
    """A call of `run_jobs` under way."""

    def __init__(
        self,
        family: Family,
        names: Names,
        jobs: list[Job],
        after: Links,
        plan: Plan,
        on_progress: OnProgress | None,
    ) -> None:
        self._family = family
        self._names = names
        self._kernel = family.kernel
        self._jobs = jobs
        self._after = after
        self._plan = plan
        self._on_progress = on_progress
        self._keys = keys(jobs)
        self._works = [Work(job, job.policy_over(self._kernel.policy)) for job in jobs]
        self._outcomes: list[Outcome | None] = [
            None if job.outcome is None else attrs.evolve(job.outcome, label=key)
            for job, key in zip(jobs, self._keys, strict=True)
        ]
        self._done = 0
        self._gone: deque[int] = deque()
        self._payer = Payer.now()
        self._news = trio.Event()

    async def run(self, began: float, deadline: float) -> list[Outcome]:
        """Run all, and return one outcome a job."""
        fault: BaseException | None = None
        try:
            async with trio.open_nursery() as self._nursery:
                self._nursery.start_soon(self._mind_the_family, name="/jobs ends?")
                with trio.CancelScope(deadline=began + deadline):
                    await self._follow()
                self._nursery.cancel_scope.cancel()  # what still runs is killed, and seen gone
        except BaseExceptionGroup as group:
            fault = _one_of(group)
        finally:
            self._payer.is_open = False  # what a job has left behind does not live on this account
            self._names.forget(self._name_is_free)
            for work in self._works:
                self._give_name_back(work)
        if fault is not None:
            raise fault
        self._expire(deadline)
        return [outcome for outcome in self._outcomes if outcome is not None]

    async def _follow(self) -> None:
        """Start what may start and take what has ended, until all has."""
        await trio.lowlevel.checkpoint()
        for outcome in self._outcomes:
            if outcome is not None:
                self._tell_progress(outcome)
        while not self._plan.done:
            if self._family.is_final:
                self._close()
            index = self._plan.take(self._kernel.now(), self._claim)
            if index is not None:
                if self._start(index):
                    await trio.lowlevel.checkpoint()
            elif not self._gone and not self._plan.done:
                await self._wait_for_news()
            while self._gone:
                self._settle(self._gone.popleft())

    async def _wait_for_news(self) -> None:
        self._news = trio.Event()
        with trio.CancelScope(deadline=self._plan.next_due()):
            await self._news.wait()

    async def _mind_the_family(self) -> None:
        """`/jobs` may end before the batch: with its system, or because somebody stopped it."""
        while not self._family.is_final:
            await self._family.changed()
        self._news.set()

    # --- names ---

    def _claim(self, name: str) -> bool:
        return self._names.take(name, self._name_is_free)

    def _give_name_back(self, work: Work) -> None:
        if work.has_name and work.job.name is not None:
            work.has_name = False
            self._names.give_back(work.job.name)

    def _name_is_free(self, name: str) -> None:
        self._plan.free(name)
        self._news.set()

    # --- one run of one job ---

    def _start(self, index: int) -> bool:
        """Start the next attempt, or the fallback; False when nothing was started."""
        work = self._works[index]
        work.has_name = work.job.name is not None
        refused = None if work.falls_back else self._refusal(work)
        if refused is not None and work.job.fallback is None:
            self._end(index, work.failed(FailureKind.CIRCUIT_OPEN, refused, self._kernel.now()))
            return False
        work.falls_back = work.falls_back or refused is not None
        work.cell = self._spawn(index, work)
        work.in_fallback = work.falls_back
        if work.started is None:
            work.started = self._kernel.now()
            self._plan.begin(work.started)
        work.attempts += not work.falls_back
        self._nursery.start_soon(self._see_through, index, work.cell, name=f"run of {work.cell.path}")
        return True

    def _refusal(self, work: Work) -> CircuitOpen | None:
        """What its breaker says. Half-open it lets this run pass as the probe: no other of its name runs."""
        name = work.job.name
        if name is None or work.policy.breaker is None:
            return None
        path = join(self._family.path, name)
        circuit = self._family.breakers.find(path)
        now = self._kernel.now()
        if circuit is None or circuit.state is not CircuitState.OPEN or circuit.due(now):
            return None
        view = circuit.view(now)
        error = CircuitOpen(path, view.failures, view.retry_after)
        error.__cause__ = None if work.exit is None else work.exit.error
        return error

    def _spawn(self, index: int, work: Work) -> Cell:
        job = work.job
        what, name = (job.fallback, None) if work.falls_back else (job.what, job.name)
        before, paid = DEPENDENCIES.set(self._dependencies(index)), PAYER.set(self._payer)
        try:
            cell = self._family.spawn(what, *job.args, name=name, policy=work.policy).cell
        finally:
            DEPENDENCIES.reset(before)
            PAYER.reset(paid)
        work.keep_ledger(cell)
        # the run is the probe, not the first message it takes
        cell.orders &= ~order.PROBE
        cell.barred = False
        return cell

    def _dependencies(self, index: int) -> Mapping[str | int, Outcome]:
        ended = {self._keys[earlier]: self._outcomes[earlier] for earlier in self._after[index]}
        return MappingProxyType(cast("dict[str | int, Outcome]", ended))

    async def _see_through(self, index: int, cell: Cell) -> None:
        """Wait for the end of a run; cancelled, bring it about."""
        limit = self._limit(index, cell)
        try:
            await cell.wait_stopped()
        except BaseException:
            cell.kill()
            with trio.CancelScope(shield=True):
                await cell.wait_stopped()
            raise
        finally:
            if limit is not None:
                limit.cancel()
            self._gone.append(index)
            self._news.set()

    def _limit(self, index: int, cell: Cell) -> Alarm | None:
        """A job's own `timeout` bounds the whole run of a class too, not one handling."""
        seconds = self._works[index].job.timeout
        if seconds is None or cell.recipe.actor_class is None or cell.vigil is None:
            return None
        vigil, error = cell.vigil, TimedOut(seconds, ref=cell.ref)
        exit = Exit(ExitKind.TIMED_OUT, error=error)
        return self._kernel.alarms.after(seconds, lambda: vigil.condemn(exit, idle=True))

    # --- ends ---

    def _settle(self, index: int) -> None:
        """A run is gone: another attempt, the fallback, or the end of the job."""
        work = self._works[index]
        exit = work.exit
        assert exit is not None
        now = self._kernel.now()
        if self._family.is_final or not exit.is_failure:
            self._end(index, work.outcome(exit, now))
        elif work.tries_again(exit) and not self._is_closed_to(work, due := now + self._rest(work, exit)):
            self._plan.rest(index, due)
        elif work.may_fall_back(exit):
            work.falls_back = True
            self._plan.rest(index, now)
        else:
            self._end(index, work.outcome(exit, now))

    def _rest(self, work: Work, exit: Exit) -> float:
        return work.rest_after(exit, self._kernel.random.random())

    def _is_closed_to(self, work: Work, due: float) -> bool:
        """True when its breaker will be open still at the next attempt: nobody waits to be refused."""
        if work.job.name is None or work.policy.breaker is None:
            return False
        circuit = self._family.breakers.find(join(self._family.path, work.job.name))
        return circuit is not None and circuit.state is CircuitState.OPEN and circuit.until > due

    def _end(self, index: int, outcome: Outcome) -> None:
        """The job is over."""
        outcome = self._outcomes[index] = attrs.evolve(outcome, label=self._keys[index])
        self._works[index].cell = None
        self._plan.end(index)
        self._give_name_back(self._works[index])
        self._tell_progress(outcome)

    def _tell_progress(self, outcome: Outcome) -> None:
        self._done += 1
        if self._on_progress is None:
            return
        try:
            self._on_progress(self._done, len(self._jobs), outcome)
        except Exception:
            _log.exception("on_progress raised; the batch goes on")

    def _close(self) -> None:
        """`/jobs` is ending: what does not run yet never will."""
        ref = self._family.ref
        for index in self._plan.close():
            work = self._works[index]
            closing = self._kernel.closing
            error = SystemClosed(self._kernel.name) if closing else ActorStopped(ref, self._family.exit)
            self._end(index, work.failed(FailureKind.ERROR, error, self._kernel.now()))

    def _expire(self, deadline: float) -> None:
        """The deadline has passed: what ended in that very moment counts, the rest has not ended."""
        now = self._kernel.now()
        for index in self._plan.open:
            work = self._works[index]
            if work.exit is not None and work.is_over(work.exit):
                self._end(index, work.outcome(work.exit, now))
                continue
            key = self._keys[index]
            error = DeadlineExceeded(deadline, f"jobs[{key}]" if isinstance(key, int) else key, work.attempts)
            self._end(index, work.failed(FailureKind.DEADLINE, error, now))


def _one_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a group of the nursery comes down to: one plain exception where there is one cause."""
    leaves = list(flatten(group))
    told = [leaf for leaf in leaves if not isinstance(leaf, trio.Cancelled)]
    if not told:
        return leaves[0]
    return told[0] if len(told) == 1 else group
