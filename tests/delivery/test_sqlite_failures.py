"""A store that cannot be written says so, loses nothing, and works again when the cause is gone."""

from __future__ import annotations

import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from actors.delivery.errors import RecipientFull, StoreUnavailable
from actors.delivery.operations import Append, Drop, Moved, Operation, Prune, Save, Saved
from actors.delivery.sqlite.counts import Counts
from actors.delivery.store import Engine
from actors.delivery.ticket import Entry, Failure, Move, TicketState
from tests.delivery.sqlite_bench import (
    START,
    Faults,
    answered,
    delivered,
    entry,
    faulty_connect,
    open_store,
    post,
)

GROUPS: tuple[tuple[Operation, ...], ...] = (
    (post(id="a", key="k"), post(id="b"), post(id="c", due=START + 100)),
    (delivered("a"), delivered("b")),
    (answered("a", saved=Saved("/a", "[1]"), follow=entry(id="reply", path="/b")),),
    (delivered("c"), Save(Saved("/b", "[2]"))),
    (delivered("reply"), answered("reply"), Drop("reply")),
    (post(id="d", key="k"), Prune(START + 1.5, frozenset({TicketState.RESPONDED}))),
)
"""What is written; each group is safe to write again."""


async def _all_of_it(engine: Engine) -> dict[str, Any]:
    return {
        "tickets": {one.id: (one.state, one.attempts, one.answer) for one in await engine.find()},
        "states": [await engine.load(path) for path in ("/a", "/b")],
        "waiting": await engine.waiting(),
        "pending": [one.id for one in await engine.take("/a", 10)],
        "changes": [(one.number, one.id, one.state) for one in await engine.changes(0, 100)],
        "last": await engine.last_change(),
    }


async def _insist(engine: Engine, group: tuple[Operation, ...]) -> int:
    """Write it, again where that fails; how often it failed."""
    for failed in range(3):
        try:
            await engine.write(group)
        except StoreUnavailable:
            pass
        else:
            return failed
    pytest.fail("it does not work again")


async def _run(path: Path, faults: Faults) -> dict[str, Any]:
    """All groups, with an opening before; what is there, as it is told and as it is counted anew."""
    try:
        await _write_all(path)
    except StoreUnavailable:  # at opening: nothing of it was acknowledged
        await _write_all(path)
    async with open_store(path) as engine:
        return await _all_of_it(engine)


async def _write_all(path: Path) -> None:
    async with open_store(path) as engine:
        for group in GROUPS:
            await _insist(engine, group)
        told = await engine.waiting(), await engine.last_change()
        connection = sqlite3.connect(path)
        counts = Counts.read(connection)
        connection.close()
        assert told == (counts.live, counts.number)


@pytest.mark.parametrize(
    "faults", [Faults(), Faults(after=True, only="COMMIT")], ids=["any", "a commit that was made"]
)
async def test_every_statement_may_fail_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: Faults
) -> None:
    """The n-th fails, for each n until none is left: all that was acknowledged is there."""
    (tmp_path / "good").mkdir()
    expected = await _run(tmp_path / "good" / "a.db", Faults())
    faulty_connect(monkeypatch, faults)
    number = 0
    while faults.seen >= number:
        number += 1
        faults.at, faults.seen = number, 0
        path = tmp_path / f"{number}.db"
        found = await _run_reading_again(path, faults)
        assert found == expected, f"statement {number}"
    assert number > (5 if faults.only else 100)


async def _run_reading_again(path: Path, faults: Faults) -> dict[str, Any]:
    """As `_run`; a fault in reading shows there, and is no concern of what is written."""
    try:
        return await _run(path, faults)
    except sqlite3.OperationalError:
        return await _run(path, faults)
    except StoreUnavailable:
        async with open_store(path) as engine:
            return await _all_of_it(engine)


async def test_a_failing_commit_fails_for_everybody_in_it_and_the_counts_stay_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults(only="COMMIT", code=sqlite3.SQLITE_FULL)
    faulty_connect(monkeypatch, faults)
    found: list[object] = []

    async def write(number: int) -> None:
        try:
            found.append(await engine.write([Append(entry(id=f"t{number}"), 10)]))
        except StoreUnavailable as error:
            found.append(str(error))

    async with open_store(tmp_path / "a.db") as engine:
        faults.at = faults.seen + 1
        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(write, number)
        assert len(found) == 10
        texts = [one for one in found if isinstance(one, str)]
        assert texts
        assert all("the disk is full: free some space, and write again" in text for text in texts)
        assert await engine.waiting() == ({"/a": 10 - len(texts)} if len(texts) < 10 else {})
        found.clear()
        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(write, number)
        assert await engine.waiting() == {"/a": 10}
        [refusal] = await engine.write([Append(entry(), 10)])
        assert isinstance(refusal, RecipientFull)


async def test_a_commit_that_is_on_the_disk_though_it_said_otherwise_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults(only="COMMIT", after=True)
    faulty_connect(monkeypatch, faults)
    async with open_store(tmp_path / "a.db") as engine:
        faults.at = faults.seen + 1
        with pytest.raises(StoreUnavailable):
            await engine.write([post(id="x")])
        first, second = await engine.write([post(id="x"), post(id="y")])
        assert isinstance(first, Entry)
        assert isinstance(second, Entry)
        assert (first.seq, second.seq) == (1, 2)
        assert await engine.waiting() == {"/a": 2}
        assert [one.id for one in await engine.take("/a", 10)] == ["x", "y"]


async def test_a_full_disk_recovers_without_opening_the_store_anew(tmp_path: Path) -> None:
    async with open_store(tmp_path / "a.db") as engine:
        connection: sqlite3.Connection = engine._connection  # type: ignore[attr-defined]
        [pages] = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 20}")
        kept = 0
        with pytest.raises(StoreUnavailable, match="the disk is full: free some space"):  # noqa: PT012
            while True:
                kept += len(await engine.write([post(id=f"t{kept}", payload='"' + "x" * 1000 + '"')]))
        assert await engine.waiting() == {"/a": kept}
        assert [one.id for one in await engine.take("/a", 1000)] == [f"t{number}" for number in range(kept)]
        connection.execute("PRAGMA max_page_count = 1000000")
        await engine.write([post(id="later")])
        assert await engine.waiting() == {"/a": kept + 1}


_LIMITED = """
import resource, sys, trio
from tests.delivery.sqlite_bench import *
from actors.delivery.errors import StoreUnavailable

async def main():
    async with open_store(sys.argv[1]) as engine:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
        for number in range(10_000):
            try:
                await engine.write([post(id=f"t{number}", payload='"' + "x" * 1000 + '"')])
            except StoreUnavailable as error:
                print(number, error, flush=True)
                break
        try:
            await engine.write([post(id="still")])
        except StoreUnavailable as error:
            print("still")
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await engine.write([post(id="later")])
        print(sum((await engine.waiting()).values()), flush=True)

trio.run(main)
"""


async def test_a_file_that_may_not_grow_is_told_and_works_again_when_it_may(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    done = await trio.run_process([sys.executable, "-c", _LIMITED, str(path)], capture_stdout=True)
    lines = done.stdout.decode().splitlines()
    kept = int(lines[0].split()[0])
    assert kept > 5
    assert "look at its space, its limits and its health" in lines[0]
    assert lines[1:] == ["still", str(kept + 1)]
    async with open_store(path) as engine:
        expected = [f"t{number}" for number in range(kept)] + ["later"]
        assert [one.id for one in await engine.take("/a", 10_000)] == expected


async def test_a_file_locked_by_another_program_is_told_and_works_again_later(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with open_store(path) as engine:
        engine._connection.execute("PRAGMA busy_timeout = 1")  # type: ignore[attr-defined]
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="another program is writing to it"):
            await engine.write([post()])
        other.close()
        await engine.write([post()])
        assert await engine.waiting() == {"/a": 1}


@pytest.mark.parametrize(
    "bad", [{"payload": b"\0\1"}, {"payload": "\ud800"}, {"payload": {"n": 1}}, {"priority": 2**70}]
)
async def test_what_cannot_be_written_fails_for_its_caller_alone(tmp_path: Path, bad: dict[str, Any]) -> None:
    found: dict[str, object] = {}

    async def write(name: str, operation: Operation) -> None:
        try:
            found[name] = await engine.write([operation])
        except Exception as error:
            found[name] = error

    async with open_store(tmp_path / "a.db") as engine:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write, "bad", post(id="bad", **bad))
            for number in range(5):
                nursery.start_soon(write, f"good{number}", post())
        assert isinstance(found.pop("bad"), Exception)
        assert all(isinstance(one, list) for one in found.values())
        assert await engine.waiting() == {"/a": 5}
        assert await engine.get("bad") is None


async def test_a_cancelled_writer_leaves_its_operations_written_or_not_at_all(tmp_path: Path) -> None:
    returned: list[str] = []

    async def write(number: int) -> None:
        await engine.write([post(id=f"{number}a"), post(id=f"{number}b")])
        returned.append(str(number))

    async with open_store(tmp_path / "a.db") as engine:
        for start in range(0, 200, 20):
            async with trio.open_nursery() as nursery:
                for number in range(start, start + 20):
                    nursery.start_soon(write, number)
                for _ in range(start // 20):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
        there = {one.id for one in await engine.find(limit=1000)}
        assert {f"{number}{half}" for number in returned for half in "ab"} <= there
        assert all(f"{one[:-1]}a" in there and f"{one[:-1]}b" in there for one in there)
        assert await engine.waiting() == ({"/a": len(there)} if there else {})


async def test_the_loop_runs_while_the_disk_takes_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may = threading.Event()

    class Slow(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            if sql == "COMMIT":
                assert may.wait(20)
            return super().execute(sql, *arguments)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, factory=Slow, **k))
    may.set()
    with trio.fail_after(20):
        async with open_store(tmp_path / "a.db") as engine:
            may.clear()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(engine.write, [post(id="x")])
                await wait_all_tasks_blocked(0.01)
                assert await engine.waiting() == {}
                assert await engine.get("x") is None  # reading does not wait for writing
                may.set()
            assert await engine.waiting() == {"/a": 1}


async def test_every_failure_of_a_delivery_is_kept_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with open_store(path) as engine:
        await engine.write([post(id="x", max_attempts=3)])
        failures = tuple(Failure(START + n + 0.1, n, "app.Broken", f"no {n}", "trace") for n in (1, 2, 3))
        for number, failure in enumerate(failures, start=1):
            moved = Moved("x", Move.FAIL, START + number, number, failure=failure)
            await engine.write([delivered("x", number), moved])
    async with open_store(path) as engine:
        found = await engine.get("x")
        assert found is not None
        assert (found.state, found.failures) == (TicketState.DEAD, failures)
