"""What is remembered from run to run: the jobs that succeeded, in a file beside the plan.

The file is replaced as a whole, so that it is never half written. A job is known again by
its label and by the digest of what its table says; one that says something else now is
run again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from actors.cli.jobs.batch import Batch, Task
from actors.cli.lines import to_json
from actors.cli.load import BadFile
from actors.cli.strict import Fault
from actors.outcome import Outcome

__all__ = ["Record", "done_path", "read_done", "remembered", "write_done"]

VERSION = 1


@attrs.frozen
class Record:
    """One success: the digest of the job, how long it took, and its value where JSON can hold it."""

    digest: str
    elapsed: float
    attempts: int = 1
    value: Any = None

    @classmethod
    def of(cls, task: Task, outcome: Outcome) -> Record:
        """What is kept of an outcome."""
        return cls(task.digest, outcome.elapsed, outcome.attempts, _as_data(outcome.value))

    def outcome(self) -> Outcome:
        """What those that come after it are told."""
        return Outcome(ok=True, value=self.value, attempts=self.attempts, elapsed=self.elapsed)


def _as_data(value: Any) -> Any:
    """The value if it comes out of JSON as it went in, else None."""
    try:
        return value if json.loads(to_json(value)) == value else None
    except (TypeError, ValueError):
        return None


def done_path(file: Path) -> Path:
    """Where the successes of a file are remembered: beside it."""
    return file.with_name(f"{file.name}.done.json")


def read_done(path: Path) -> dict[str, Record]:
    """The records of a file, by label; {} when there is none. Raises `BadFile` for a damaged one."""
    try:
        data = json.loads(path.read_text("utf-8"))
        if data["version"] != VERSION:
            raise ValueError(f"version {data['version']!r} is not {VERSION}")
        return {str(label): _record(entry) for label, entry in data["done"].items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        text = f"cannot read {path}: {error.strerror or error}. Name another with --done"
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        said = f"{type(error).__name__}: {error}"
        text = f"it is damaged ({said}): delete it, or run with --again, which writes it anew"
    raise BadFile((Fault("$", text, str(path)),))


def _record(entry: Any) -> Record:
    record = Record(**entry)
    if not isinstance(record.digest, str) or not isinstance(record.elapsed, int | float):  # pyright: ignore
        raise ValueError(f"no record of a job: {entry!r}")
    return record


def write_done(path: Path, records: Mapping[str, Record]) -> None:
    """Replace the file. Blocks; raises OSError."""
    data = {"version": VERSION, "done": {label: attrs.asdict(one) for label, one in records.items()}}
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(data, file, ensure_ascii=True, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def remembered(batch: Batch, records: Mapping[str, Record]) -> dict[str, Record]:
    """The records of those jobs that say today what they said then."""
    return {
        task.label: record
        for task in batch.tasks
        if (record := records.get(task.label)) is not None and record.digest == task.digest
    }
