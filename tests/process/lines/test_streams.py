"""Replies of a child in chunks."""

from __future__ import annotations

import pytest
import trio
import trio.testing

import actors
from actors.events import Progressed
from actors.process import Call, ChildError
from tests.process.lines.scripted import ask, child, progress, shell
from tests.process.witnesses import runs


@actors.message(tag="tests.lines.Words")
class Words(actors.StreamRequest[str]):
    text: str


CHUNKS = ['{"id": ID, "chunk": "a"}', '{"id": ID, "chunk": "b"}', '{"id": ID, "reply": null}']


async def test_chunks_come_one_by_one() -> None:
    """In order, and what is replied with is behind them."""
    async with actors.open_system("test") as system:
        ref = await system.start(child())
        async with ref.stream(Call(["say", CHUNKS])) as chunks:
            assert [chunk async for chunk in chunks] == ["a", "b"]
        last = [*CHUNKS[:2], '{"id": ID, "reply": "c"}']
        async with ref.stream(Call(["say", last])) as chunks:
            assert [chunk async for chunk in chunks] == ["a", "b", "c"]


async def test_whoever_asks_has_all_of_them() -> None:
    """A tuple, as of any `StreamRequest`; also where there were none."""
    script = """echo '{"ready": true}'
        read -r l; echo '{"id": 1, "chunk": "a"}'; echo '{"id": 1, "reply": null}'
        read -r l; echo '{"id": 2, "reply": null}'; read -r l"""
    async with actors.open_system("test") as system:
        ref = await system.start(shell(script))
        assert await ref.ask(Words("x")) == ("a",)
        assert await ref.ask(Words("x")) == ()


async def test_an_error_comes_behind_the_chunks() -> None:
    """And a chunk that cannot be read is one."""
    async with actors.open_system("test") as system:
        ref = await system.start(child("polite"))
        lines = [CHUNKS[0], '{"id": ID, "error": "out of words"}']
        async with ref.stream(Call(["say", lines])) as chunks:
            assert await anext(chunks) == "a"
            with pytest.raises(ChildError, match="out of words"):
                await anext(chunks)
        lines = ['{"id": ID, "chunk": {"$": "no.such"}}', '{"id": ID, "reply": null}']
        with pytest.raises(ChildError, match="a chunk of its reply cannot be read"):
            await ask(ref, "say", lines)
        assert await ask(ref, "echo", 1) == 1


async def test_who_stops_taking_holds_up_the_child() -> None:
    """No more than a window waits here: the rest stays in the pipe, and the child cannot write on."""
    script = """
        echo '{"ready": true}'; read -r line; n=0
        while [ $n -lt 20000 ]; do n=$((n+1)); echo '{"id": 1, "chunk": '$n'}'; done
        echo '{"id": 1, "reply": null}'; echo done >&2; read -r line"""
    async with actors.open_system("test") as system:
        ref = await system.start(shell(script))
        async with ref.stream(Call(1), window=4) as chunks:
            assert await anext(chunks) == 1
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert len(chunks._flow.chunks) <= 4
            assert sum([1 async for _ in chunks]) == 19_999


@pytest.mark.parametrize("ends", ["exit 0", "exit 3"])
async def test_a_child_that_ends_while_its_taker_is_slow_has_said_all_of_it(ends: str) -> None:
    """What was read and waits for room comes before what the pipe still holds; nothing between is lost."""
    say = """printf '{"id": 1, "chunk": %d}\\n' """
    script = f"""
        echo '{{"ready": true}}'; read -r line
        {say} $$ $(seq 1 100); {say} $(seq 101 300)
        echo '{{"id": 1, "reply": null}}'; {ends}"""
    async with actors.open_system("test") as system:
        ref = await system.start(shell(script), policy=actors.Policy(restart="temporary"))
        async with ref.stream(Call(1), window=4) as chunks:
            pid = await anext(chunks)
            with trio.fail_after(20):
                while runs(pid):
                    await trio.testing.wait_all_tasks_blocked(0.01)
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert [chunk async for chunk in chunks] == list(range(1, 301))
        exit = await ref.wait_stopped()
    assert exit.is_failure is (ends == "exit 3")


async def test_who_leaves_cancels_the_request() -> None:
    """The child is told, and what it still says of it goes nowhere."""
    async with actors.open_system("test") as system, system.subscribe(Progressed) as events:
        ref = await system.start(child("polite"))
        async with ref.stream(Call(["hold", None])):
            await progress(events)
        assert await ask(ref, "echo", 1) == 1
