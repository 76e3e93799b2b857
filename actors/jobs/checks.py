"""What `run_jobs` takes, checked before anything starts."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from actors.core.cell import Cell
from actors.core.scope import CURRENT
from actors.jobs.job import Job

if TYPE_CHECKING:
    from actors.supervision.family import Family

__all__ = ["as_batch", "check_callback", "check_names"]


def as_batch(jobs: object) -> list[Job]:
    """The jobs as a list; TypeError for anything else, with the place and the cure."""
    if isinstance(jobs, Job) or not isinstance(jobs, Iterable):
        raise TypeError(f"jobs must be a list of jobs, not {jobs!r}: write run_jobs([Job(...), ...])")
    batch = list(cast("Iterable[Any]", jobs))
    for index, job in enumerate(batch):
        if inspect.iscoroutine(job):
            job.close()
            name = job.__qualname__
            raise TypeError(f"jobs[{index}] is the call {name}(...), not a Job: write Job({name}, ...)")
        if not isinstance(job, Job):
            name = getattr(job, "__qualname__", repr(job))
            raise TypeError(f"jobs[{index}] is {job!r}, not a Job: write Job({name}, ...)")
    return batch


def check_callback(on_progress: object) -> None:
    """Raise TypeError for anything but a plain function, or None."""
    if on_progress is None:
        return
    if not callable(on_progress):
        raise TypeError(
            f"on_progress must be callable as on_progress(done, total, outcome), not {on_progress!r}"
        )
    if inspect.iscoroutinefunction(on_progress):
        raise TypeError(
            f"on_progress must be a plain function, not the async {on_progress!r}: let it tell an actor"
        )


def check_names(family: Family, batch: Sequence[Job]) -> None:
    """Raise ValueError in a job that would run one of its own name: it would wait for itself."""
    names = {job.name for job in batch if job.name is not None and job.outcome is None}
    cell: object = CURRENT.get()
    while isinstance(cell, Cell):
        if cell.parent is family and cell.name in names:
            raise ValueError(
                f"{cell.path} would wait for itself: jobs of one name run one after the other, "
                f"and it has not ended. Give the job inside it another name, or none"
            )
        cell = cell.parent
