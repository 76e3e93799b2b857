"""What is read and written without threads, and what is kept for a client that comes back."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from mcp.server.streamable_http import EventMessage
from mcp_types import JSONRPCNotification

from actors.mcp.replay import Replay
from actors.mcp.wire import Lines, ReaderGone, TextOut


@contextmanager
def pipe() -> Generator[tuple[int, int]]:
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        for number in (reading, writing):
            with suppress(OSError):  # the test has done so
                os.close(number)


async def read(pieces: list[bytes], longest: int = 100) -> list[str]:
    """What comes out of a pipe."""
    with pipe() as (reading, writing):
        found: list[str] = []
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def write() -> None:
                for piece in pieces:
                    os.write(writing, piece)
                    await trio.testing.wait_all_tasks_blocked()
                os.close(writing)

            async for line in Lines(reading, longest):
                found.append(line)
        return found


@given(
    text=st.text(st.characters(exclude_characters="\r", codec="utf-8"), max_size=60),
    cuts=st.lists(st.integers(0, 80), max_size=4),
)
def test_lines_come_out_as_they_went_in(text: str, cuts: list[int]) -> None:
    """However they are cut into pieces."""
    data = text.encode()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[one:other] for one, other in pairwise(places)]
    found = trio.run(read, pieces, 1000)
    assert "".join(found) == text
    assert all(line.endswith("\n") for line in found[:-1])


async def test_a_line_that_is_too_long_is_read_away() -> None:
    """What comes before and after it is read."""
    found = await read([b"one\n", b"x" * 500, b"y" * 500 + b"\ntwo\n", b"z" * 300])
    assert found == ["one\n", "a line of more than 100 bytes", "two\n", "a line of more than 100 bytes"]


async def test_what_is_no_text_is_replaced() -> None:
    assert await read([b"\xff\n"]) == ["\ufffd\n"]


async def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_text("one\ntwo")
    with file.open("rb") as opened:
        assert [line async for line in Lines(opened.fileno())] == ["one\n", "two"]
    with file.open("wb") as opened:
        await TextOut(opened.fileno()).write("three")
    assert file.read_text() == "three"


async def test_whoever_reads_nothing_more_is_noticed() -> None:
    with pipe() as (reading, writing):
        os.close(reading)
        with pytest.raises(ReaderGone):
            await TextOut(writing).write("x")


async def test_a_write_into_a_full_pipe_can_be_cancelled() -> None:
    with pipe() as (_, writing):
        with trio.move_on_after(0.1) as scope:
            await TextOut(writing).write("x" * 1_000_000)
        assert scope.cancelled_caught


async def test_the_newest_events_are_kept() -> None:
    """Those of one stream, after the one that is named; what is too old is unknown."""
    replay = Replay(most=3)
    sent: list[EventMessage] = []

    async def send(message: EventMessage) -> None:
        sent.append(message)

    note = JSONRPCNotification(jsonrpc="2.0", method="x")
    ids = [await replay.store_event(stream, note) for stream in ("a", "a", "b", "a")]
    assert replay.kept == 3
    assert await replay.replay_events_after(ids[0], send) is None
    assert await replay.replay_events_after("nonsense", send) is None
    assert await replay.replay_events_after(ids[1], send) == "a"
    assert [message.event_id for message in sent] == [ids[3]]


async def test_events_are_bounded_by_their_size_too() -> None:
    """The last one is kept, however large."""
    replay = Replay(most_bytes=1000)
    for size in (400, 400, 400, 5000):
        await replay.store_event("a", JSONRPCNotification(jsonrpc="2.0", method="x" * size))
    assert replay.kept == 1
