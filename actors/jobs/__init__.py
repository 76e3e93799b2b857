"""Many pieces of work at once, under a limit: `Job` and `longest`. `System.run_jobs` runs them."""

from actors.jobs.job import Job
from actors.jobs.plan import longest

__all__ = ["Job", "longest"]
