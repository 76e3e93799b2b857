"""The command `actors jobs`, from its options to its exit code."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import attrs
import trio

from actors.cli.jobs.batch import Batch, faults_here, load_batch
from actors.cli.jobs.done import Record, done_path, read_done, remembered, write_done
from actors.cli.jobs.run import Result, run_batch
from actors.cli.jobs.show import board, outcome_table, plan_json, plan_text
from actors.cli.lines import to_json
from actors.cli.load import BadFile
from actors.cli.report import print_console, tell_faults
from actors.cli.screens import write_all
from actors.cli.strict import Fault
from actors.cli.what import Surroundings, look_beside
from actors.jobs.plan import longest

__all__ = ["Options", "run_file"]

_BAD_INPUT = 2


@attrs.frozen(kw_only=True)
class Options:
    """What the command line says; `given` are keys of the file that it wins over."""

    given: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    dry_run: bool = False
    json: bool = False
    again: bool = False
    done_file: Path | None = None


def run_file(file: Path, options: Options, surroundings: Surroundings, stdout: TextIO, stderr: TextIO) -> int:
    """Run the jobs of a file, or show them, and return the exit code."""
    look_beside(file)
    done_file = done_path(file) if options.done_file is None else options.done_file
    try:
        batch = _loaded(file, options, surroundings)
        records = {} if options.again else read_done(done_file)
        if not options.dry_run:
            _prove_writable(done_file, records)
    except BadFile as error:
        tell_faults(error.faults, str(file), stdout, stderr, json=options.json)
        return _BAD_INPUT
    if options.dry_run:
        done = remembered(batch, records)
        _show_plan(batch, done, surroundings, stdout, json=options.json)
        return 0
    with board(stdout, len(batch.tasks), json=options.json) as where:
        result = trio.run(run_batch, batch, surroundings, records, done_file, where)
    if result.forgot is not None:
        write_all(stderr, f"{done_file}: not written, this run is not remembered: {result.forgot}\n")
    with contextlib.suppress(OSError):  # nobody reads any more; the code says so
        _tell_end(batch, result, stdout, json=options.json)
    return result.code


def _loaded(file: Path, options: Options, surroundings: Surroundings) -> Batch:
    batch = load_batch(file)
    faults = tuple(faults_here(batch, surroundings))
    if faults:
        raise BadFile(faults)
    try:
        return attrs.evolve(batch, spec=attrs.evolve(batch.spec, **options.given))
    except ValueError as error:
        raise BadFile((Fault(f"--{str(error).split()[0]}", str(error), "the command line"),)) from None


def _prove_writable(done_file: Path, records: Mapping[str, Record]) -> None:
    """Better now than when the first job has ended."""
    try:
        write_done(done_file, records)
    except OSError as error:
        text = f"cannot write {done_file}: {error.strerror or error}. Name another with --done"
        raise BadFile((Fault("$", text, str(done_file)),)) from None


def _show_plan(
    batch: Batch, done: Mapping[str, Record], surroundings: Surroundings, stdout: TextIO, *, json: bool
) -> None:
    former = {label: record.outcome() for label, record in done.items()}
    spec = batch.spec
    bound = longest(batch.jobs(surroundings, former), spec.limit, spec.stagger, spec.policy)
    bound = min(bound, math.inf if spec.deadline is None else spec.deadline)
    shown = plan_json(batch, done, bound) + "\n" if json else plan_text(batch, done, bound)
    write_all(stdout, shown)


def _tell_end(batch: Batch, result: Result, stdout: TextIO, *, json: bool) -> None:
    """The table of all, or the last line of JSON."""
    if not json:
        print_console(stdout).print(outcome_table(batch, result.ended))
        return
    failed = sum(not one.outcome.ok for one in result.ended)
    last = {
        "at": round(result.took, 6),
        "event": "Batch",
        "code": result.code,
        "jobs": len(batch.tasks),
        "ok": len(result.ended) - failed,
        "failed": failed,
        "skipped": sum(one.skipped for one in result.ended),
    }
    write_all(stdout, to_json(last) + "\n")
