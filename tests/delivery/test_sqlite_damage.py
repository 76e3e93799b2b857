"""Damaged files: what is not as it was written is never given out as good, and the rest goes on."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.delivery.errors import IllegalMove, StoreDamaged, StoreError
from actors.delivery.operations import Append, Handled, Redeliver, Save, Saved
from actors.delivery.sqlite import schema
from actors.delivery.sqlite.rows import DAMAGED
from actors.delivery.sqlite.texts import past
from actors.delivery.ticket import Entry, TicketState
from tests.delivery.sqlite_bench import START, answered, delivered, entry, open_store, post


def spoil(path: Path, *statements: str) -> None:
    """Change the file behind the store's back."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        assert connection.execute(statement).rowcount != 0
    connection.close()


async def three(path: Path) -> None:
    async with open_store(path) as engine:
        await engine.write([post(id=one, payload=f'{{"of": "{one}"}}') for one in "xyz"])


SPOILED = {
    "a changed payload": ('UPDATE messages SET payload = \'{"of": "!"}\' WHERE seq = 2',),
    "bytes that are no text": ("UPDATE messages SET payload = CAST(x'7bff00fe' AS TEXT) WHERE seq = 2",),
    "a payload of another type": ("UPDATE messages SET payload = x'7bff' WHERE seq = 2",),
    "no payload": ("UPDATE messages SET payload = NULL WHERE seq = 2",),
    "no message": ("DELETE FROM messages WHERE seq = 2",),
    "another sender": ("UPDATE messages SET sender = '/mallory' WHERE seq = 2",),
    "the message of another": (
        "UPDATE messages SET seq = -1 WHERE seq = 2",
        "UPDATE messages SET seq = 2 WHERE seq = 3",
        "UPDATE messages SET seq = 3 WHERE seq = -1",
    ),
    "a changed checksum": ("UPDATE messages SET checksum = 'x' WHERE seq = 2",),
    "a changed row": ("UPDATE tickets SET attempts = 3 WHERE seq = 2",),
    "a limit of another type": ("UPDATE tickets SET max_attempts = 'five' WHERE seq = 2",),
    "another priority": ("UPDATE tickets SET priority = 9 WHERE seq = 2",),
}


@pytest.mark.parametrize("name", SPOILED)
async def test_a_damaged_ticket_is_dead_and_says_why_and_the_others_go_on(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.db"
    await three(path)
    spoil(path, *SPOILED[name])
    swapped = name == "the message of another"
    async with open_store(path, at=START + 50) as engine:
        if "row" in name or "limit" in name or "priority" in name or "message" in name or "payload" in name:
            with pytest.raises(StoreDamaged, match="of the ticket y is damaged"):
                await engine.get("y")
        assert [one.id for one in await engine.take("/a", 10)] == (["x"] if swapped else ["x", "z"])
        dead = await engine.find(states={TicketState.DEAD})
        assert [one.id for one in dead] == (["y", "z"] if swapped else ["y"])
        assert dead[0].failures[-1].kind == DAMAGED
        assert "post it again" in dead[0].failures[-1].text
        assert dead[0].changed == START + 50
        assert await engine.waiting() == {"/a": 1 if swapped else 2}
        assert (await engine.changes(3, 10))[0].state is TicketState.DEAD
        [first] = await engine.write([delivered("x")])
        assert not isinstance(first, Exception)


async def test_lists_show_that_a_damaged_one_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await three(path)
    spoil(path, *SPOILED["a changed payload"])
    async with open_store(path) as engine:
        found = await engine.find()
        assert [(one.id, one.payload) for one in found] == [
            ("x", '{"of": "x"}'),
            ("y", None),
            ("z", '{"of": "z"}'),
        ]


async def test_a_dead_letter_whose_payload_is_damaged_is_not_redelivered(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await three(path)
    spoil(path, *SPOILED["a changed payload"])
    async with open_store(path) as engine:
        await engine.take("/a", 10)
        [refusal] = await engine.write([Redeliver("y", entry(id="again"))])
        assert isinstance(refusal, IllegalMove)
        assert "its message damaged" in str(refusal)
        assert await engine.get("again") is None


async def test_moves_of_a_damaged_row_are_refused_and_it_is_dead(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await three(path)
    spoil(path, *SPOILED["a changed row"])
    async with open_store(path) as engine:
        refusal, other = await engine.write([delivered("y"), delivered("x")])
        assert isinstance(refusal, IllegalMove)
        assert not isinstance(other, Exception)
        assert [one.id for one in await engine.find(states={TicketState.DEAD})] == ["y"]
        assert await engine.waiting() == {"/a": 2}


async def test_a_ticket_that_was_moved_by_damage_is_given_to_nobody(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await three(path)
    spoil(path, "UPDATE tickets SET path = '/b' WHERE seq = 2")
    async with open_store(path) as engine:
        assert [one.id for one in await engine.take("/a", 10)] == ["x", "z"]
        assert await engine.take("/b", 10) == []
        assert await engine.waiting() == {"/a": 2}


async def test_a_damaged_answer_is_not_given_out(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with open_store(path) as engine:
        await engine.write([post(id="x"), delivered("x"), answered("x")])
    spoil(path, "UPDATE answers SET text = '\"no\"'")
    async with open_store(path) as engine:
        with pytest.raises(StoreDamaged, match="its answer of the ticket x"):
            await engine.get("x")
        [found] = await engine.find()
        assert (found.state, found.answer) == (TicketState.RESPONDED, None)


@pytest.mark.parametrize(
    "spoiled",
    ["UPDATE states SET text = '[2]' WHERE path = '/a'", "UPDATE states SET path = '/c' WHERE path = '/a'"],
)
async def test_a_damaged_state_is_not_given_out(tmp_path: Path, spoiled: str) -> None:
    path = tmp_path / "a.db"
    async with open_store(path) as engine:
        await engine.write([Save(Saved("/a", "[1]")), Save(Saved("/b", "[1]"))])
    spoil(path, spoiled)
    async with open_store(path) as engine:
        with pytest.raises(StoreDamaged, match="forget it"):
            await engine.load("/c" if "/c" in spoiled else "/a")
        assert await engine.load("/b") == "[1]"
        await engine.write([Save(Saved("/a", "[3]"))])
        assert await engine.load("/a") == "[3]"


@pytest.mark.parametrize(
    "spoiled",
    [
        "UPDATE states SET text = '[2]' WHERE path = '/x/b'",
        "UPDATE states SET text = CAST(x'ff' AS TEXT) WHERE path = '/x/b'",
        "UPDATE states SET checksum = 7 WHERE path = '/x/b'",
        "UPDATE states SET path = '/x/' || CAST(x'ff' AS TEXT) WHERE path = '/x/b'",
    ],
)
async def test_a_damaged_state_is_left_out_of_a_list_and_named_in_the_log(
    tmp_path: Path, spoiled: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.db"
    async with open_store(path) as engine:
        await engine.write([Save(Saved(f"/x/{name}", "[1]")) for name in "abc"])
    spoil(path, spoiled)
    async with open_store(path) as engine:
        assert await engine.states("/x/") == [Saved("/x/a", "[1]"), Saved("/x/c", "[1]")]
    [record] = caplog.records
    assert "saved state" in record.message
    assert "left out" in record.message


def test_the_end_of_a_range_is_behind_all_that_begins_so() -> None:
    for prefix in ("a", "/x/", "a\ud7ff", "z\U0010ffff", "\U0010fffe"):
        end = past(prefix)
        assert end is not None
        assert prefix < f"{prefix}\U0010ffff\U0010ffff" < end
        end.encode()  # and SQLite takes it
    assert past("") is past("\U0010ffff") is None


async def test_a_damaged_record_of_a_handled_ticket_is_not_given_out(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with open_store(path) as engine:
        await engine.write([Handled("far", "/a", START, answer="1")])
    spoil(path, "UPDATE handled SET answer = '2'")
    async with open_store(path) as engine:
        with pytest.raises(StoreDamaged, match="far"):
            await engine.handled("far")


async def test_a_damaged_failure_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with open_store(path) as engine:
        await engine.write([post(id="x"), delivered("x")])
    async with open_store(path):
        pass
    spoil(path, "UPDATE failures SET text = 'x'")
    async with open_store(path) as engine:
        found = await engine.get("x")
        assert found is not None
        assert [one.kind for one in found.failures] == [DAMAGED]


# --- pages ------------------------------------------------------------------------------


async def test_an_index_that_lost_a_row_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await three(path)
    async with open_store(path):
        pass  # what was young comes to the index
    raw = bytearray(path.read_bytes())
    connection = sqlite3.connect(path)
    [root] = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = 'tickets_pending'"
    ).fetchone()
    connection.close()
    page = raw[(root - 1) * 4096 : root * 4096]
    at = page.rindex(b"/a")
    raw[(root - 1) * 4096 + at + 1] = ord("q")  # one entry is of another recipient now
    path.write_bytes(raw)
    async with open_store(path) as engine:
        assert [one.id for one in await engine.take("/a", 10)] == ["x", "y", "z"]


async def test_a_damaged_page_is_found_at_opening(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await three(path)
    raw = bytearray(path.read_bytes())
    raw[4096:8192] = random.Random(1).randbytes(4096)
    path.write_bytes(raw)
    with pytest.raises(StoreDamaged, match=r"put a copy back, or move it away"):
        async with open_store(path):
            pass


async def test_damaged_first_bytes_of_a_file_of_ours_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await three(path)
    raw = bytearray(path.read_bytes())
    raw[0] = 0
    path.write_bytes(raw)
    with pytest.raises(StoreDamaged, match="the first bytes"):
        async with open_store(path):
            pass


async def test_a_page_that_is_damaged_later_is_told_to_whoever_needs_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others of the same commit are written."""
    path = tmp_path / "a.db"
    payload = '"' + "x" * 900 + '"'
    async with open_store(path) as engine:
        await engine.write(
            [post(id=f"t{number:03}", payload=payload, key=f"k{number}") for number in range(200)]
        )
    connection = sqlite3.connect(path)
    [root] = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'messages'").fetchone()
    connection.close()
    raw = bytearray(path.read_bytes())
    for start in range(4096, len(raw), 4096):  # leaves of the table of messages: full of payloads
        if (
            raw[start] == 13
            and raw[start : start + 4096].count(b"x" * 900) >= 3
            and start != (root - 1) * 4096
        ):
            raw[start] = 99
            break
    else:
        pytest.fail("no leaf found")
    path.write_bytes(raw)
    monkeypatch.setattr(schema, "_WHOLLY_CHECKED", 0)
    monkeypatch.setattr(schema, "_CHECKED_AFTER_A_CRASH", 0)
    found: dict[str, Any] = {}

    async def write(name: str, *group: Any) -> None:
        try:
            found[name] = await engine.write(group)
        except StoreError as error:
            found[name] = error

    async with open_store(path) as engine:
        damaged = [one for one in range(200) if not await _readable(engine, f"t{one:03}")]
        assert 0 < len(damaged) < 20
        bad = entry(id="other", payload=payload, key=f"k{damaged[0]}")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write, "bad", Append(bad, 1000))
            for number in range(10):
                nursery.start_soon(write, f"good{number}", post(id=f"new{number}"))
        assert isinstance(found.pop("bad"), StoreDamaged)
        assert all(isinstance(results[0], Entry) for results in found.values())
        assert await engine.waiting() == {"/a": 210}


async def _readable(engine: Any, ticket_id: str) -> bool:
    try:
        return await engine.get(ticket_id) is not None
    except StoreDamaged:
        return False


def _mutated(data: bytes, draw: random.Random) -> bytes:
    raw = bytearray(data)
    for _ in range(draw.choice((1, 1, 3))):
        at = draw.randrange(len(raw))
        match draw.choice(("bit", "byte", "page", "cut", "zero", "swap")):
            case "bit":
                raw[at] ^= 1 << draw.randrange(8)
            case "byte":
                raw[at] = draw.randrange(256)
            case "page":
                raw[at : at + 4096] = draw.randbytes(len(raw[at : at + 4096]))
            case "zero":
                raw[at : at + 512] = bytes(len(raw[at : at + 512]))
            case "swap":
                one, other = at // 4096 * 4096, draw.randrange(len(raw)) // 4096 * 4096
                first, second = raw[one : one + 4096], raw[other : other + 4096]
                if len(first) == len(second):
                    raw[one : one + 4096], raw[other : other + 4096] = second, first
            case _:
                del raw[at + 1 :]
    return bytes(raw)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("suffix", ["", "-wal"])
async def test_no_damage_makes_it_crash_hang_lose_or_give_out_a_wrong_payload(
    tmp_path: Path, seed: int, suffix: str
) -> None:
    """It is harmless, or reported; of a damaged log the last commits may be cut off."""
    first, second = [f"t{number}" for number in range(60)], [f"u{number}" for number in range(40)]
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    async with open_store(path) as engine:
        await engine.write([post(id=one, payload=f'{{"of": "{one}"}}') for one in first])
        await engine.write([Save(Saved("/a", "[1]"))])
    async with open_store(path) as engine:
        await engine.write([post(id=one, payload=f'{{"of": "{one}"}}') for one in second])
        shutil.copy(path, copy)
        shutil.copy(f"{path}-wal", f"{copy}-wal")
    damaged = tmp_path / f"copy.db{suffix}"
    damaged.write_bytes(_mutated(damaged.read_bytes(), random.Random(f"{suffix}{seed}")))
    reported: StoreError | None = None
    with trio.fail_after(20):
        try:
            async with open_store(copy) as engine:
                for one in (taken := await engine.take("/a", 1000)):
                    assert one.payload == f'{{"of": "{one.id}"}}'
                dead = await engine.find(states={TicketState.DEAD}, limit=1000)
                assert {one.failures[-1].kind for one in dead} <= {DAMAGED}
                everything = await engine.find(limit=1000)
                for one in everything:
                    assert one.payload in (f'{{"of": "{one.id}"}}', None)
                kept = (
                    [one.id for one in taken] if not dead else first + second[: len(everything) - len(first)]
                )
                assert kept in ([*first, *second], first)
                assert suffix == "-wal" or len(taken) + len(dead) == len(first + second)
                assert await engine.load("/a") == "[1]"
                await engine.write([post(id="new", path="/new")])
                assert [one.id for one in await engine.take("/new", 1)] == ["new"]
        except StoreError as error:
            reported = error
    assert reported is None or ":" in str(reported)


@pytest.mark.parametrize("column", ["path = '/b'", "state = 4", "id = 'q'"])
async def test_a_ticket_that_is_damaged_while_the_store_is_open_is_dead(tmp_path: Path, column: str) -> None:
    path = tmp_path / "a.db"
    with trio.fail_after(20):
        async with open_store(path) as engine:
            await engine.write([post(id=one) for one in "xyz"])
            spoil(path, f"UPDATE tickets SET {column} WHERE seq = 2")
            assert [one.id for one in await engine.take("/a", 10)] == ["x", "z"]
            assert await engine.take("/b", 10) == []
            assert await engine.waiting() == {"/a": 2}
            [dead] = await engine.find(states={TicketState.DEAD})
            assert dead.failures[-1].kind == DAMAGED


@pytest.mark.parametrize("is_gone", [False, True])
async def test_a_file_that_is_empty_or_gone_beside_its_log_is_no_new_store(
    tmp_path: Path, is_gone: bool
) -> None:
    path = tmp_path / "a.db"
    async with open_store(path) as engine:
        await engine.write([post(id="x")])
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", tmp_path / f"b.db{end}")
    left = tmp_path / "b.db"
    left.unlink()
    if not is_gone:
        left.touch()
    with pytest.raises(StoreDamaged, match=r"its log b\.db-wal is not: put a copy of both back"):
        async with open_store(left):
            pass
    assert (tmp_path / "b.db-wal").stat().st_size > 0
    (tmp_path / "b.db-wal").unlink()
    async with open_store(left) as engine:
        assert await engine.find() == []
