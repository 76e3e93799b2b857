"""The store in a file: what is there after reopening, who may open it, and what no file of ours is."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.delivery.errors import StoreInUse, StoreInvalid, StoreTooNew, StoreUnavailable
from actors.delivery.operations import Drop, Save, Saved
from actors.delivery.shelf import NODE_ENDED
from actors.delivery.sqlite import SQLiteStore
from actors.delivery.sqlite.batch import Batch
from actors.delivery.sqlite.rows import from_ns, to_ns
from actors.delivery.sqlite.schema import APPLICATION, MIGRATIONS, connect, migrate, prepare
from actors.delivery.store import Opening
from actors.delivery.ticket import Entry, TicketState
from tests.delivery.sqlite_bench import START, answered, delivered, open_store, post


def own_process(path: Path, program: str) -> subprocess.Popen[str]:
    """A process that has the store open, runs `program` in it, says so, and waits to be killed."""
    text = f"""
import trio
from tests.delivery.sqlite_bench import *
async def main():
    async with open_store({str(path)!r}) as engine:
        {program}
        print("done", flush=True)
        await trio.sleep_forever()
trio.run(main)
"""
    process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "done\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


# --- closing and opening again ----------------------------------------------------------


async def test_closing_leaves_one_file_with_everything_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with open_store(path) as engine:
        [kept] = await engine.write([post()])
    assert sorted(os.listdir(tmp_path)) == ["a.db", "a.db-lock"]
    async with open_store(path) as engine:
        assert isinstance(kept, Entry)
        assert await engine.get(kept.id) == kept


async def test_a_group_that_is_under_way_is_written_before_the_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    posts = [post() for _ in range(50)]
    async with trio.open_nursery() as nursery, open_store(path) as engine:
        for one in posts:
            nursery.start_soon(engine.write, [one])
        await engine.write([post()])
    async with open_store(path) as engine:
        assert await engine.waiting() == {"/a": 51}


async def test_a_closed_store_refuses(tmp_path: Path) -> None:
    async with open_store(tmp_path / "a.db") as engine:
        pass
    with pytest.raises(StoreUnavailable, match="closed"):
        await engine.write([post()])
    with pytest.raises(StoreUnavailable, match="closed"):
        await engine.get("t")


async def test_what_a_killed_process_had_written_is_there_and_what_it_had_in_hand_failed_once(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.db"
    process = own_process(
        path,
        "await engine.write([post(id='waits'), post(id='held'), post(id='last', max_attempts=1)]);"
        "await engine.write([delivered('held'), delivered('last')])",
    )
    end(process)
    async with open_store(path, at=START + 99) as engine:
        held, last = await engine.get("held"), await engine.get("last")
        assert held is not None
        assert last is not None
        assert (held.state, held.attempts, held.working) == (TicketState.PENDING, 1, False)
        assert (last.state, last.changed) == (TicketState.DEAD, START + 99)
        [failure] = last.failures
        assert (failure.kind, failure.attempt, failure.text) == ("", 1, NODE_ENDED)
        assert [one.id for one in await engine.take("/a", 10)] == ["waits", "held"]
        assert await engine.waiting() == {"/a": 2}


async def test_places_are_not_given_again_when_the_newest_tickets_are_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with open_store(path) as engine:
        await engine.write([post(id="x"), post(id="y"), delivered("y"), answered("y")])
        await engine.write([Drop("y")])
    async with open_store(path) as engine:
        [kept] = await engine.write([post(id="z")])
        assert isinstance(kept, Entry)
        assert kept.seq == 3


@pytest.mark.parametrize("count", [1, 3000])
async def test_pending_ones_keep_their_order_whether_they_are_young_or_in_the_index(
    tmp_path: Path, count: int
) -> None:
    path = tmp_path / "a.db"
    async with open_store(path) as engine:
        ids: list[str] = []
        for start in range(0, count, 500):
            group = [post(priority=number % 3) for number in range(start, min(count, start + 500))]
            results = await engine.write(group)
            ids += [one.id for one in results if isinstance(one, Entry)]
        expected = [ids[number] for wanted in (2, 1, 0) for number in range(count) if number % 3 == wanted]
        assert [one.id for one in await engine.take("/a", 10_000)] == expected
        await engine.write([delivered(expected[0])])
        assert [one.id for one in await engine.take("/a", 5)] == expected[1:6]
    async with open_store(path) as engine:
        assert [one.id for one in await engine.take("/a", 10_000)] == expected


# --- one process at a time --------------------------------------------------------------


async def test_a_second_opening_is_told_who_has_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    process = own_process(path, "pass")
    try:
        with pytest.raises(StoreInUse, match=rf"the process {process.pid} \(node test\) has it open"):
            async with open_store(path):
                pass
        assert SQLiteStore(path).read_note() == {"pid": process.pid, "node": "test"}
    finally:
        end(process)
    assert SQLiteStore(path).read_note() is None
    async with open_store(path) as engine:
        await engine.write([post()])


async def test_the_same_process_cannot_open_it_twice_by_whatever_name(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    (tmp_path / "link.db").symlink_to(path)
    async with open_store(path) as engine:
        with pytest.raises(StoreInUse, match="this process has it open already"):
            async with open_store(tmp_path / "link.db"):
                pass
        await engine.write([post()])


async def test_the_owner_leaves_a_note_that_only_it_can_read_and_that_goes_with_it(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "a.db")
    with pytest.raises(StoreUnavailable, match="not open here"):
        store.tell(url="ws://127.0.0.1:1")
    async with store.open(Opening("here", "life", lambda: START)):
        store.tell(url="ws://127.0.0.1:1", token="secret")
        expected = {"pid": os.getpid(), "node": "here", "url": "ws://127.0.0.1:1", "token": "secret"}
        assert SQLiteStore(tmp_path / "a.db").read_note() == expected
        assert (tmp_path / "a.db-lock").stat().st_mode & 0o077 == 0
    assert store.read_note() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', '{"pid": -1}', '{"pid": 999999999999}'])
def test_a_note_that_makes_no_sense_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.db-lock").write_text(text)
    assert SQLiteStore(tmp_path / "a.db").read_note() is None


# --- looking from outside ---------------------------------------------------------------


async def test_another_process_can_look_while_the_owner_writes(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    process = own_process(
        path, "await engine.write([post(id='x'), post(id='y', path='/b'), delivered('x'), post(id='z')])"
    )
    try:
        async with SQLiteStore(path).open_for_reading() as reader:
            assert await reader.waiting() == {"/a": 2, "/b": 1}
            assert [one.id for one in await reader.find()] == ["x", "y", "z"]
            assert [one.id for one in await reader.find(states={TicketState.DELIVERED})] == ["x"]
            found = await reader.get("x")
            assert found is not None
            assert found.working
            assert await reader.last_change() == 4
            assert [one.number for one in await reader.changes(1, 10)] == [2, 3, 4]
            assert await reader.load("/a") is None
            with pytest.raises(StoreUnavailable, match="may only be read"):
                await reader.run(lambda connection: connection.execute("DELETE FROM tickets"))
    finally:
        end(process)


async def test_looking_changes_nothing_and_needs_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with pytest.raises(StoreInvalid, match="nothing is kept there yet"):
        async with SQLiteStore(path).open_for_reading():
            pass
    assert os.listdir(tmp_path) == []
    async with open_store(path) as engine:
        await engine.write([post(id="x"), Save(Saved("/a", "[1]"))])
    before = path.read_bytes()
    async with SQLiteStore(path).open_for_reading() as reader:
        assert await reader.load("/a") == "[1]"
        assert await reader.waiting() == {"/a": 1}
    assert path.read_bytes() == before


# --- what is no file of ours -------------------------------------------------------------


async def refused(path: Path | str, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        async with open_store(path):
            pass


async def test_a_file_that_is_no_database_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.7 and so on" * 100)
    await refused(path, StoreInvalid, r"it is no database, it begins with b'%PDF-1\.7")
    with pytest.raises(StoreInvalid, match="no database"):
        async with SQLiteStore(path).open_for_reading():
            pass
    assert path.read_bytes() == b"%PDF-1.7 and so on" * 100


async def test_the_database_of_another_program_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE invoices (a)")
    other.execute("PRAGMA application_id = 7")
    other.commit()
    other.close()
    before = path.read_bytes()
    await refused(path, StoreInvalid, r"another program \(application 0x7, with invoices\)")
    assert path.read_bytes() == before


async def test_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with open_store(path):
        pass
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    await refused(path, StoreTooNew, r"schema 99, known here: 1\): install that version")
    with pytest.raises(StoreTooNew):
        async with SQLiteStore(path).open_for_reading():
            pass


async def test_places_that_cannot_be_used_are_told_with_the_cure(tmp_path: Path) -> None:
    await refused(tmp_path / "nowhere" / "a.db", StoreInvalid, "its folder is not there: make it first")
    await refused(tmp_path, StoreInvalid, "it is a folder")
    (tmp_path / "file").write_text("x")
    await refused(tmp_path / "file" / "a.db", StoreInvalid, "its folder is not there")


@pytest.mark.parametrize("path", ["", "a\0b", b"a.db"])
def test_what_is_no_name_of_a_file_is_refused_where_it_is_said(path: Any) -> None:
    with pytest.raises(StoreInvalid, match="no name of a file"):
        SQLiteStore(path)


@pytest.mark.parametrize("path", [None, 7, ["a.db"]])
def test_what_is_no_path_at_all_is_refused_with_the_cure(path: Any) -> None:
    with pytest.raises(TypeError, match="give the name of a file"):
        SQLiteStore(path)


def test_the_name_that_means_memory_elsewhere_is_refused_with_the_cure() -> None:
    with pytest.raises(StoreInvalid, match="use MemoryStore"):
        SQLiteStore(":memory:")


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/null")])
async def test_what_is_there_and_no_file_is_refused_without_waiting_for_it(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "a.db")
    with trio.fail_after(5):
        await refused(tmp_path / "a.db", StoreInvalid, "a device, a pipe or a socket")
    assert os.listdir(tmp_path) == ["a.db"]


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (PermissionError(13, "denied"), StoreInvalid, "may not read and write there"),
        (OSError(30, "read-only"), StoreInvalid, "a disk that may only be read"),
        (OSError(28, "full"), StoreUnavailable, "the disk is full"),
        (OSError(5, "broken"), StoreUnavailable, "it cannot be opened"),
    ],
)
async def test_what_the_system_refuses_is_told_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, kind: type[Exception], text: str
) -> None:
    def refuse(*_: object) -> int:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("actors.delivery.sqlite.lock.os.open", refuse)
        await refused(tmp_path / "a.db", kind, text)


async def test_a_file_that_may_only_be_read_is_told_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    async with open_store(path):
        pass
    monkeypatch.setattr("actors.delivery.sqlite.store.connect", lambda path: connect(path, mode="ro"))
    await refused(path, StoreUnavailable, "it may only be read: let this process write")


async def test_a_name_that_looks_like_an_address_of_sqlite_is_a_name(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=memory&x#y %41.db"
    async with open_store(path) as engine:
        await engine.write([post()])
    assert path.exists()


async def test_what_cannot_be_opened_leaves_the_file_to_others(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"x" * 100)
    await refused(path, StoreInvalid, "no database")
    path.unlink()
    async with open_store(path) as engine:
        await engine.write([post()])


# --- versions ---------------------------------------------------------------------------

_OLDER = (
    ("CREATE TABLE old (a)", f"PRAGMA application_id = {APPLICATION}"),
    ("INSERT INTO old VALUES (1)",),
    ("ALTER TABLE old ADD COLUMN b DEFAULT 2", "UPDATE old SET a = a + 1"),
)


def _version(path: Path) -> int:
    connection = sqlite3.connect(path)
    [version] = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return version


@pytest.mark.parametrize("older", [0, 1, 2])
def test_an_older_file_is_brought_to_the_newest_version_step_by_step(tmp_path: Path, older: int) -> None:
    path = str(tmp_path / "a.db")
    connection = connect(path)
    prepare(connection, path)
    migrate(connection, path, _OLDER[:older])
    migrate(connection, path, _OLDER)
    assert connection.execute("SELECT * FROM old").fetchall() == [(2, 2)]
    assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    connection.close()


def test_a_step_that_fails_leaves_the_version_before_it(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    connection = connect(path)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, path, (*_OLDER[:2], ("DELETE FROM old", "no SQL")))
    connection.close()
    assert _version(tmp_path / "a.db") == 2
    connection = connect(path)
    migrate(connection, path, _OLDER)
    assert connection.execute("SELECT * FROM old").fetchall() == [(2, 2)]
    connection.close()


async def test_an_older_file_is_not_read_without_being_brought_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    async with open_store(path):
        pass
    newer = (*MIGRATIONS, ("CREATE TABLE more (a)",))
    monkeypatch.setattr("actors.delivery.sqlite.reading.MIGRATIONS", newer)
    with pytest.raises(StoreInvalid, match="an older version has written it"):
        async with SQLiteStore(path).open_for_reading():
            pass


async def test_a_look_at_it_in_its_own_process_leaves_the_log_to_it(tmp_path: Path) -> None:
    """Another program that has looked too would remove the log, with what is written from then on."""
    path = tmp_path / "a.db"
    look = (
        f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute('SELECT * FROM tickets'); c.close()"
    )
    async with open_store(path) as engine:
        await engine.write([post(id="a")])
        log = os.stat(f"{path}-wal").st_ino
        async with SQLiteStore(path).open_for_reading() as reader:
            assert [one.id for one in await reader.find()] == ["a"]
        await trio.run_process([sys.executable, "-c", look])
        assert os.stat(f"{path}-wal").st_ino == log


async def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    connection = connect(path)
    prepare(connection, path)
    settings = [
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
    ]
    connection.close()
    assert settings == ["wal", 2]


def test_times_come_back_as_they_were() -> None:
    for number in range(2000):
        seconds = START + number * 0.123456789
        assert from_ns(to_ns(seconds)) == seconds
    assert to_ns(float("inf")) < 2**63


async def test_the_feed_stays_short_and_keeps_what_it_promises(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with open_store(path) as engine:
        for _ in range(13):
            await engine.write([post() for _ in range(1000)])
        assert await engine.last_change() == 13_000
        kept = await engine.changes(0, 20_000)
        assert 10_000 <= len(kept) <= 11_100
        assert [one.number for one in kept] == list(range(13_001 - len(kept), 13_001))


async def test_a_change_is_in_the_feed_when_it_is_counted_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sees the last change of a feed and asks what still waits, must not be told of what has ended."""
    committed, go_on, count = threading.Event(), threading.Event(), Batch.count

    def late(batch: Batch) -> None:
        committed.set()
        go_on.wait(10)
        count(batch)

    async with open_store(tmp_path / "t.db") as engine:
        monkeypatch.setattr(Batch, "count", late)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.write, [post(id="t1")])
            assert await trio.to_thread.run_sync(committed.wait, 10)
            assert (await engine.changes(0, 10), await engine.waiting()) == ([], {})
            go_on.set()
            await engine.wait_change(0)
            assert [one.id for one in await engine.changes(0, 10)] == ["t1"]
