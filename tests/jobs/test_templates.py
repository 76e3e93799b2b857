"""Jobs whose work is a template: its arguments, its name and its policy are theirs."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from actors import Job, Pool, Template, open_system
from tests.jobs.cast import Stage, ends, steady, values


async def test_jobs_of_a_template_without_a_name_run_at_once(autojump_clock: MockClock) -> None:
    async with open_system("alpha") as system:
        stage = Stage()
        work = Template(stage.work, {"seconds": 2.0})
        jobs = [Job(work.specialise(key=key)) for key in range(3)]
        assert values(await system.run_jobs(jobs)) == [0, 1, 2]
        assert (stage.peak, stage.now) == (3, 2.0)


async def test_jobs_of_a_template_with_a_name_have_it_and_run_one_after_the_other(
    autojump_clock: MockClock,
) -> None:
    async with open_system("alpha") as system:
        stage = Stage()
        work = Template(stage.work, name="worker")
        jobs = [Job(work.specialise(key=0)), Job(work.specialise(key=1)), Job(stage.work, 2)]
        assert [job.name for job in jobs] == ["worker", "worker", None]
        assert values(await system.run_jobs(jobs)) == [0, 1, 2]
        assert stage.starts == [(0.0, 0), (0.0, 2), (1.0, 1)]


async def test_a_job_has_the_policy_of_its_template_and_its_own_wins(autojump_clock: MockClock) -> None:
    async with open_system("alpha") as system:
        stage = Stage()
        work = Template(stage.fails(2), name="worker", policy=steady(2))
        assert [one.attempts for one in await system.run_jobs([Job(work)])] == [3]
        poor = Template(stage.fails(2), name="poor", policy=steady(2))
        once = await system.run_jobs([Job(poor, name="other", policy=steady(0))])
        assert ([one.attempts for one in once], ends(once)) == ([1], ["ERROR"])


async def test_a_fallback_is_adhoc_whatever_its_template_is_called(autojump_clock: MockClock) -> None:
    """Two at once do not take the name from each other, nor from the job that has it."""
    async with open_system("alpha") as system:
        stage = Stage()
        spare = Template(stage.work, {"key": "spare"}, name="spare")
        jobs = [Job(Template(stage.fails(1)), fallback=spare) for _ in range(2)]
        outcomes = await system.run_jobs([*jobs, Job(spare)])
        assert values(outcomes) == ["spare"] * 3
        assert [one.fallback for one in outcomes] == [True, True, False]
        assert stage.peak >= 2


@pytest.mark.parametrize("place", ["what", "fallback"])
def test_a_pool_is_no_job_as_it_never_ends(place: str) -> None:
    async def work(ctx: object) -> None: ...

    given = {"what": work, "fallback": None, place: Pool(work)}
    with pytest.raises(ValueError, match="a Pool never ends by itself, and a job is waited for"):
        Job(given["what"], fallback=given["fallback"])
