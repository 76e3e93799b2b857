"""Jobs that come after others: waves, failures that are told to the next, and processes that read them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors import FailureKind, Job, Outcome, open_system
from actors.process import Command
from tests.jobs.cast import Boom, Stage, ends, guarded, steady, values


@pytest.mark.row(42)
async def test_a_job_starts_when_all_before_it_have_ended(autojump_clock: MockClock) -> None:
    """Each wave as soon as it can, and in input order."""
    async with open_system("alpha") as system:
        stage = Stage()
        jobs = [
            Job(stage.work, "report", 1.0, after=["left", "right"]),
            Job(stage.work, "left", 2.0, label="left", after=["fetch"]),
            Job(stage.work, "right", 1.0, label="right", after=["fetch"]),
            Job(stage.work, "fetch", 1.0, name="fetch"),
            Job(stage.work, "free", 0.5),
        ]
        assert values(await system.run_jobs(jobs)) == ["report", "left", "right", "fetch", "free"]
        assert stage.starts == [(0.0, "fetch"), (0.0, "free"), (1.0, "left"), (1.0, "right"), (3.0, "report")]


@pytest.mark.row(42)
async def test_who_waits_for_others_holds_no_slot(autojump_clock: MockClock) -> None:
    async with open_system("alpha") as system:
        stage = Stage()
        first = Job(stage.work, "first", 2.0)
        await system.run_jobs(
            [Job(stage.work, "last", after=[first]), first, Job(stage.work, "free")], limit=2
        )
        assert stage.starts == [(0.0, "first"), (0.0, "free"), (2.0, "last")]


def told(ctx: actors.Context) -> dict[str | int, Any]:
    return {key: (outcome.ok, outcome.failure) for key, outcome in ctx.dependencies.items()}


async def tells(ctx: actors.Context) -> dict[str | int, Any]:
    return told(ctx)


@pytest.mark.row(42)
async def test_a_failed_dependency_is_told_to_the_next(autojump_clock: MockClock) -> None:
    """It runs all the same, and finds every outcome by label, name or index, in the order of its `after`."""
    async with open_system("alpha") as system:
        stage = Stage()
        bad = Job(stage.work, 0, 1.0, Boom("why"), label="bad")
        slow = Job(stage.work, 1, 9.0, name="slow", timeout=1.0)
        fine = Job(stage.work, 2)
        outcomes = await system.run_jobs([bad, slow, fine, Job(tells, after=[fine, "bad", slow])])
        assert ends(outcomes) == ["ERROR", "TIMEOUT", "ok", "ok"]
        expected = {2: (True, None), "bad": (False, FailureKind.ERROR), "slow": (False, FailureKind.TIMEOUT)}
        assert outcomes[3].value == expected
        assert list(outcomes[3].value) == list(expected)


@pytest.mark.row(42)
async def test_a_refused_or_stopped_dependency_has_ended_too(autojump_clock: MockClock) -> None:
    """Whatever became of it, those after it start."""
    async with open_system("alpha") as system:
        stage = Stage()
        failing = Job(stage.work, 0, 0.0, Boom(), name="x", policy=guarded())
        refused = Job(stage.work, 1, name="x", policy=guarded(), label="refused")
        outcomes = await system.run_jobs([failing, refused, Job(tells, after=[refused])])
        assert outcomes[2].value == {"refused": (False, FailureKind.CIRCUIT_OPEN)}


async def test_values_are_handed_on(autojump_clock: MockClock) -> None:
    """From wave to wave; the mapping is read only."""

    async def add(ctx: actors.Context, number: int) -> int:
        assert not isinstance(ctx.dependencies, dict)
        assert isinstance(ctx.dependencies, Mapping)
        return number + sum(outcome.unwrap() for outcome in ctx.dependencies.values())

    async with open_system("alpha") as system:
        a = Job(add, 1)
        b = Job(add, 2, after=[a])
        assert values(await system.run_jobs([Job(add, 3, after=[a, b]), b, a])) == [7, 3, 1]


async def test_every_attempt_and_the_fallback_are_told(autojump_clock: MockClock) -> None:
    async with open_system("alpha") as system:
        seen: list[Any] = []

        async def fails(ctx: actors.Context) -> None:
            seen.append(list(ctx.dependencies))
            raise Boom

        async def first(ctx: actors.Context) -> None: ...

        jobs = [Job(first, label="a"), Job(fails, name="x", policy=steady(1), fallback=tells, after=["a"])]
        assert values(await system.run_jobs(jobs)) == [None, {"a": (True, None)}]
        assert seen == [["a"], ["a"]]


class Reader(actors.Actor):
    async def on_start(self) -> None:
        self.found = told(self.ctx)
        self.ctx.after(0.0, "stop")

    @actors.receive
    def stop(self, message: str) -> None:
        assert told(self.ctx) == self.found == {"a": (True, None)}
        self.ctx.stop()


async def test_an_actor_class_is_told(autojump_clock: MockClock) -> None:
    """By its context, in hooks and handlers."""
    async with open_system("alpha") as system:
        stage = Stage()
        outcomes = await system.run_jobs([Job(stage.work, 0, label="a"), Job(Reader, after=["a"])])
        assert ends(outcomes) == ["ok", "ok"]


async def test_who_comes_after_nobody_is_told_of_nobody(autojump_clock: MockClock) -> None:
    """Also inside a job that comes after others; and so is an actor that is no job."""
    async with open_system("alpha") as system:

        async def outer(ctx: actors.Context) -> Any:
            return values(await ctx.system.run_jobs([Job(tells)]))

        async def first(ctx: actors.Context) -> None: ...

        outcomes = await system.run_jobs([Job(first, label="a"), Job(outer, after=["a"]), Job(tells)])
        assert values(outcomes) == [None, [{}], {}]
        ref = system.spawn(tells)
        assert (await ref.wait_stopped()).value == {}
        kept: list[actors.Context] = []

        async def keep(ctx: actors.Context) -> None:
            kept.append(ctx)

        await system.run_jobs([Job(first, label="a"), Job(keep, after=["a"])])
        assert kept[0].dependencies == {}


async def test_one_name_and_an_order_against_it(autojump_clock: MockClock) -> None:
    """Input order is the tie-breaker: what must come first does, whatever its place."""
    async with open_system("alpha") as system:
        stage = Stage()
        second = Job(stage.work, "b", 1.0, name="x")
        jobs = [Job(stage.work, "a", 1.0, name="x", after=[second]), second, Job(stage.work, "c", name="x")]
        await system.run_jobs(jobs)
        assert stage.starts == [(0.0, "b"), (1.0, "a"), (2.0, "c")]


async def test_a_long_chain_is_no_problem(autojump_clock: MockClock) -> None:
    """A thousand, each after the one before."""
    async with open_system("alpha") as system:
        stage = Stage()
        jobs: list[Job] = []
        for index in range(1000):
            jobs.append(Job(stage.work, index, 1.0, after=jobs[-1:]))
        await system.run_jobs(jobs)
        assert (stage.order, stage.peak, stage.now) == (list(range(1000)), 1, 1000.0)


async def test_a_circle_starts_nothing(autojump_clock: MockClock) -> None:
    """It is named."""
    async with open_system("alpha") as system:
        stage = Stage()
        jobs = [
            Job(stage.work, 0),
            Job(stage.work, 1, label="a", after=["b"]),
            Job(stage.work, 2, label="b", after=["a"]),
        ]
        with pytest.raises(ValueError, match="circle: a → b → a"):
            await system.run_jobs(jobs)
        await trio.sleep(1)
        assert stage.starts == []


# --- processes --------------------------------------------------------------------

SHOW = ["sh", "-c", 'echo "$ACTORS_DEPENDENCIES"; echo "$ACTORS_FAILED_DEPENDENCIES"; echo "$MORE"']


async def shown(jobs: list[Job]) -> list[str]:
    """What the last job, a process, wrote."""
    async with open_system("alpha") as system:
        *_, last = await system.run_jobs(jobs)
        return last.unwrap().stdout.decode().splitlines()


async def quick(ctx: actors.Context, error: Exception | None = None) -> None:
    if error is not None:
        raise error


@pytest.mark.row(42)
async def test_a_process_reads_its_dependencies_from_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON of all, and the labels of the failed ones; its own variables are there too."""
    monkeypatch.setenv("MORE", "inherited")
    jobs = [
        Job(quick, label="a"),
        Job(quick, Boom(), label="b"),
        Job(Command(["sh", "-c", "exit 3"])),
        Job(Command(SHOW), after=["a", "b"]),
    ]
    jobs[3] = Job(Command(SHOW), after=["a", "b", jobs[2]])
    told, failed, more = await shown(jobs)
    assert json.loads(told) == {
        "a": {"ok": True, "failure": None},
        "b": {"ok": False, "failure": "ERROR"},
        "2": {"ok": False, "failure": "ERROR"},
    }
    assert (failed, more) == ("b 2", "inherited")


@pytest.mark.row(42)
async def test_a_process_with_an_environment_of_its_own_reads_them_too() -> None:
    env = {"PATH": os.environ["PATH"], "MORE": "own"}
    told, failed, more = await shown([Job(quick, label="a"), Job(Command(SHOW, env=env), after=["a"])])
    assert (json.loads(told), failed, more) == ({"a": {"ok": True, "failure": None}}, "", "own")


async def test_a_process_that_comes_after_nobody_has_no_such_variables() -> None:
    """Nor one that is no job."""
    assert await shown([Job(quick, label="a"), Job(Command(SHOW))]) == ["", "", ""]
    async with open_system("alpha") as system:
        exit = await system.spawn(Command(SHOW)).wait_stopped()
        assert exit.value.stdout == b"\n\n\n"


async def test_dependencies_of_a_done_job_are_those_it_had(autojump_clock: MockClock) -> None:
    """A job that ended earlier is told to the next like any other."""
    async with open_system("alpha") as system:
        former = Job(quick, label="a", outcome=Outcome(ok=False, failure=FailureKind.STALL))
        outcomes = await system.run_jobs([former, Job(tells, after=[former])])
        assert outcomes[1].value == {"a": (False, FailureKind.STALL)}
