"""Which job comes after which: names for jobs, the links between them, and the waves that follow.

Jobs are only read here: `label`, `name` and `after` are all that counts. An index is a
job's place in its batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

__all__ = ["Linked", "Links", "called_by", "followers_of", "keys", "links", "waves"]


class Linked(Protocol):
    """A job, as far as it is read here."""

    @property
    def label(self) -> str | None:
        """What it is called."""
        ...

    @property
    def name(self) -> str | None:
        """Whose work it is."""
        ...

    @property
    def after(self) -> Sequence[object]:
        """What it comes after: jobs as objects, or by label or name."""
        ...


Links: TypeAlias = Sequence[Sequence[int]]
"""For each job, the jobs that it comes after."""


def keys(jobs: Sequence[Linked]) -> tuple[str | int, ...]:
    """What each job is called: its label, else its name, where no other job is called so; else its index."""
    called = called_by(jobs)

    def key(index: int, job: Linked) -> str | int:
        for text in (job.label, job.name):
            if text is not None and called[text] == [index]:
                return text
        return index

    return tuple(key(index, job) for index, job in enumerate(jobs))


def called_by(jobs: Sequence[Linked]) -> dict[str, list[int]]:
    """Label or name → the jobs that are called so."""
    called: dict[str, list[int]] = {}
    for index, job in enumerate(jobs):
        for text in dict.fromkeys((job.label, job.name)):
            if text is not None:
                called.setdefault(text, []).append(index)
    return called


def links(jobs: Sequence[Linked]) -> Links:
    """The indexes behind each job's `after`.

    Raises ValueError for one that is unknown, or that more than one job answers to, and
    for a circle, which it names.
    """
    called = called_by(jobs)
    places: dict[int, list[int]] = {}
    for index, job in enumerate(jobs):
        places.setdefault(id(job), []).append(index)

    def find(index: int, wanted: object) -> int:
        found = called.get(wanted, []) if isinstance(wanted, str) else places.get(id(wanted), [])
        if len(found) == 1:
            return found[0]
        shown = repr(wanted)
        if not found:
            raise ValueError(
                f"jobs[{index}] comes after {shown}, which is not in this batch: "
                f"add that job, or name one by its label or name"
            )
        those = ", ".join(f"jobs[{one}]" for one in found)
        raise ValueError(
            f"jobs[{index}] comes after {shown}, which may be {those}: give each of them a label of its own"
        )

    found = tuple(
        tuple(dict.fromkeys(find(index, wanted) for wanted in job.after)) for index, job in enumerate(jobs)
    )
    waves(found, keys(jobs))
    return found


def waves(after: Links, called: Sequence[str | int] = ()) -> tuple[tuple[int, ...], ...]:
    """The jobs by wave, in input order: each comes after at least one of the wave before.

    Raises ValueError for a circle; `called` is what it calls the jobs.
    """
    missing = [len(before) for before in after]
    followers = followers_of(after)
    wave = [index for index, count in enumerate(missing) if not count]
    found: list[tuple[int, ...]] = []
    while wave:
        found.append(tuple(wave))
        following: list[int] = []
        for index in wave:
            for follower in followers[index]:
                missing[follower] -= 1
                if not missing[follower]:
                    following.append(follower)
        wave = sorted(following)
    if any(missing):
        circle = _circle(after, missing)
        shown = " → ".join(str(called[index]) if called else f"jobs[{index}]" for index in circle)
        raise ValueError(f"jobs wait for each other in a circle: {shown}. Take one of them out of an after=")
    return tuple(found)


def followers_of(after: Links) -> list[list[int]]:
    """For each job, the jobs that come after it."""
    followers: list[list[int]] = [[] for _ in after]
    for index, before in enumerate(after):
        for earlier in before:
            followers[earlier].append(index)
    return followers


def _circle(after: Links, missing: Sequence[int]) -> list[int]:
    """A circle among the jobs that never lost all they wait for, from its first job round to it again."""
    index = next(index for index, count in enumerate(missing) if count)
    path: dict[int, None] = {}
    while index not in path:
        path[index] = None
        index = next(earlier for earlier in after[index] if missing[earlier])
    walk = list(path)
    circle = walk[walk.index(index) :]
    first = circle.index(min(circle))
    return [*circle[first:], *circle[: first + 1]]
