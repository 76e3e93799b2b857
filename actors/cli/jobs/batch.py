"""From a file to a `Batch`: the records, what each job is called, and every mistake at once."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from actors.cli.jobs.spec import BatchSpec, JobSpec, structure_batch
from actors.cli.load import BadFile, read_toml
from actors.cli.strict import Fault, faults_of
from actors.cli.team import Agent, Place
from actors.cli.what import Surroundings, agent_faults, what_of
from actors.jobs.graph import called_by, links, waves
from actors.jobs.job import Job
from actors.outcome import Outcome

__all__ = ["Batch", "Task", "faults_here", "load_batch"]

_PARENT = "/jobs"


@attrs.frozen
class Task:
    """One job of a file: what it is called, and a digest of all that it says but that."""

    label: str
    spec: JobSpec
    digest: str
    place: Place

    @property
    def what(self) -> str:
        """The program and its arguments, or the function."""
        return self.spec.what or " ".join(self.spec.command or ())

    def job(self, surroundings: Surroundings, outcome: Outcome | None = None) -> Job:
        """The job to run, or that has been run. Imports modules, and raises what that raises."""
        fallback = self.fallback
        return Job(
            what_of(self.agent, surroundings),
            name=self.spec.name,
            policy=self.spec.policy,
            timeout=self.spec.timeout,
            fallback=None if fallback is None else what_of(fallback, surroundings),
            label=self.label,
            after=self.spec.after,
            outcome=outcome,
        )

    @property
    def agent(self) -> Agent:
        """What its attempts run."""
        return Agent(self.spec.agent(), self.place, _PARENT)

    @property
    def fallback(self) -> Agent | None:
        """What its fallback runs."""
        spec = self.spec.fallback_agent()
        return None if spec is None else Agent(spec, self.place, _PARENT)


@attrs.frozen
class Batch:
    """A file of jobs, ready to be run."""

    path: Path
    spec: BatchSpec
    tasks: tuple[Task, ...]

    @functools.cached_property
    def waves(self) -> tuple[tuple[Task, ...], ...]:
        """The jobs by wave, in the order of the file."""
        found = waves(links([task.spec for task in self.tasks]))
        return tuple(tuple(self.tasks[index] for index in wave) for wave in found)

    def jobs(self, surroundings: Surroundings, done: Mapping[str, Outcome]) -> list[Job]:
        """The jobs in the order of the file; `done` has the outcomes of those that are not run again."""
        return [task.job(surroundings, done.get(task.label)) for task in self.tasks]


def load_batch(path: Path) -> Batch:
    """The jobs that a file describes. Reads it; raises `BadFile`."""
    place = Place(path)
    data = read_toml(path, place)
    try:
        spec = structure_batch(data)
    except Exception as error:  # cattrs raises groups of whatever the checks raised
        raise BadFile(tuple(attrs.evolve(fault, file=str(path)) for fault in faults_of(error))) from None
    faults = tuple(_label_faults(spec, place)) or tuple(_link_faults(spec, place))
    if faults:
        raise BadFile(faults)
    tasks = (
        Task(label, job, _digest(table), place.at(f"jobs[{index}]"))
        for index, (label, job, table) in enumerate(zip(_labels(spec), spec.jobs, data["jobs"], strict=True))
    )
    return Batch(path, spec, tuple(tasks))


def _labels(spec: BatchSpec) -> list[str]:
    """What each is called: its label, else its name where only one has it, else its number, from 1."""
    names = [job.name for job in spec.jobs]

    def label(index: int, job: JobSpec) -> str:
        if job.label is not None:
            return job.label
        return job.name if job.name is not None and names.count(job.name) == 1 else f"job-{index + 1}"

    return [label(index, job) for index, job in enumerate(spec.jobs)]


def _digest(table: Mapping[str, Any]) -> str:
    """Changes when the table says something else, under whatever label."""
    said = {key: value for key, value in table.items() if key != "label"}
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]


# --- mistakes -----------------------------------------------------------------------


def _label_faults(spec: BatchSpec, place: Place) -> Iterator[Fault]:
    """Labels tell jobs apart, in this run and in the next."""
    first: dict[str, int] = {}
    for index, label in enumerate(_labels(spec)):
        if label in first:
            here = place.at(f"jobs[{index}]").at("label")
            taken = f"$.jobs[{first[label]}]"
            yield here.fault(f'"{label}" is what {taken} is called: give this job a label of its own')
        first.setdefault(label, index)
    for index, job in enumerate(spec.jobs):
        owner = first.get(job.name or "", index)
        if owner != index:
            here = place.at(f"jobs[{owner}]").at("label")
            yield here.fault(f'"{job.name}" is the name of $.jobs[{index}]: choose another label')


def _link_faults(spec: BatchSpec, place: Place) -> Iterator[Fault]:
    called = called_by(spec.jobs)
    wrong = False
    for index, job in enumerate(spec.jobs):
        for at, wanted in enumerate(job.after):
            found = called.get(wanted, [])
            here = place.at(f"jobs[{index}]").at(f"after[{at}]")
            if not found:
                yield here.fault(f'there is no job "{wanted}": name one by its label or name')
            elif len(found) > 1:
                those = ", ".join(f"$.jobs[{one}]" for one in found)
                yield here.fault(f'"{wanted}" may be {those}: give each of them a label')
            wrong = wrong or len(found) != 1
    if not wrong:
        try:
            links(spec.jobs)
        except ValueError as error:
            yield place.at("jobs").fault(str(error))


def faults_here(batch: Batch, surroundings: Surroundings) -> Iterator[Fault]:
    """Programs, folders and functions that are not on this machine."""
    for task in batch.tasks:
        for fault in agent_faults(task.agent, surroundings):
            yield attrs.evolve(fault, where=fault.where.replace(".class", ".what"))
        if task.fallback is not None:
            for fault in agent_faults(task.fallback, surroundings):
                yield attrs.evolve(fault, where=f"{task.place.where}.fallback")
