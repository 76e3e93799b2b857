"""`actors jobs`: a batch of jobs from a TOML file, and what is remembered of it for the next run."""

__all__: list[str] = []
