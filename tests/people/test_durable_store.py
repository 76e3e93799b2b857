"""The store beneath requests with a key: what fails in it, who shares it, and a process that is killed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import Action
from actors.delivery import Opening, SQLiteStore
from actors.delivery.errors import StoreDamaged, StoreError, StoreInvalid, StoreUnavailable
from actors.errors import SystemClosed
from actors.events import PersonEscalated, StoreFailing, StoreRecovered
from tests.delivery.keepers import Failing, TextStore
from tests.delivery.redis_server import RedisServer, redis_server
from tests.people.lives import Lives, kept_paths, shown

__all__ = ["redis_server"]

DROP = Action("drop", {"table": "orders"})
OTHER = Action("drop", {"table": "customers"})


@pytest.fixture
def text() -> TextStore:
    """Text in memory, which takes no time."""
    return TextStore()


def on(store: Any, clock: MockClock) -> Lives:
    """Lives whose clock jumps by itself."""
    return Lives(lambda: store, clock, rate=0.0)


async def permit_of(system: actors.System, action: Action = DROP) -> actors.Permit:
    """What its key leads to, at once."""
    with trio.fail_after(1):
        return await system.desk.permission(action, key="drop", timeout=None)


async def approved(system: actors.System, action: Action = DROP) -> actors.Permit:
    """A person approves it."""
    with system.desk.notify(lambda request: system.desk.answer(request.id, True, by="ada")):
        return await permit_of(system, action)


# --- while the store fails ----------------------------------------------------------


async def test_whoever_waits_is_woken_when_the_answer_is_written(
    text: TextStore, autojump_clock: MockClock
) -> None:
    """And so is one who asks meanwhile; `decide` returns then."""
    is_away = False
    failing = Failing(
        text, lambda name: StoreUnavailable("x", "away") if is_away and name == "write" else None
    )
    heard: list[str] = []
    async with on(failing, autojump_clock).life() as system, trio.open_nursery() as nursery:

        async def ask(who: str) -> None:
            assert await system.desk.approval("Deploy?", key="deploy", timeout=1.0) is True
            heard.append(who)

        async def decide() -> None:
            await system.desk.decide(request.id, True)
            heard.append("person")

        nursery.start_soon(ask, "first")
        request = await shown(system, "deploy")
        is_away = True
        async with system.subscribe(StoreFailing, StoreRecovered) as events:
            nursery.start_soon(decide)
            assert isinstance(await anext(aiter(events)), StoreFailing)
            nursery.start_soon(ask, "second")
            await trio.sleep(60)
            assert heard == []  # not even when their time has passed: it is decided
            with pytest.raises(actors.AlreadyAnswered):
                system.desk.answer(request.id, False)
            is_away = False
            async for event in events:
                if isinstance(event, StoreRecovered):
                    break
        await wait_all_tasks_blocked()
        assert sorted(heard) == ["first", "person", "second"]


async def test_a_question_is_shown_when_it_is_kept(text: TextStore, autojump_clock: MockClock) -> None:
    is_away = True
    failing = Failing(
        text, lambda name: StoreUnavailable("x", "away") if is_away and name == "write" else None
    )
    async with on(failing, autojump_clock).life() as system, trio.open_nursery() as nursery:
        nursery.start_soon(system.desk.approval, "Deploy?")
        await shown(system, None)  # it needs no store

        async def ask() -> None:
            assert await system.desk.approval("Deploy?", key="deploy", timeout=600.0) is True

        nursery.start_soon(ask)
        await trio.sleep(10)
        assert [one.key for one in system.desk.pending()] == [None]
        is_away = False
        request = await shown(system, "deploy")
        system.desk.answer(request.id, True)
        system.desk.withdraw(system.desk.pending()[0].id)


async def test_what_can_never_be_kept_is_refused_to_whoever_asks(
    text: TextStore, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    failing = Failing(text, lambda name: ZeroDivisionError("odd") if name == "write" else None)
    async with on(failing, autojump_clock).life() as system:
        with pytest.raises(StoreError, match="odd"):
            await system.desk.approval("Deploy?", key="deploy", timeout=None)
        assert system.desk.statistics().pending == 0
    assert "could not be kept" in caplog.text


async def test_a_store_that_is_behind_brings_nothing_back(text: TextStore, autojump_clock: MockClock) -> None:
    """The desk's actor begins anew, and what is over is in the store still."""
    is_away = False
    failing = Failing(
        text, lambda name: StoreUnavailable("x", "away") if is_away and name == "write" else None
    )
    lives = on(failing, autojump_clock)
    async with lives.life() as system:
        request = await lives.asked(system)
        is_away = True
        system.desk.withdraw(request.id)
        clerk = system.find("/system/desk")
        assert clerk is not None
        clerk.kill()
        await trio.sleep(1)
        with trio.move_on_after(1):
            await system.desk.approval("Another?", timeout=None)
        assert system.find("/system/desk") is not None
        assert system.desk.pending() == ()
        assert len(text.shelf.states) == 1
        is_away = False
        await trio.sleep(60)
        assert text.shelf.states == {}


async def test_it_is_kept_that_a_request_has_warned(text: TextStore, autojump_clock: MockClock) -> None:
    lives = on(text, autojump_clock)
    async with lives.life() as system:
        await lives.asked(system, timeout=100.0)
        for seconds, has_warned in ((79, False), (2, True)):
            await trio.sleep(seconds)
            [state] = text.shelf.states.values()
            assert json.loads(state)["warned"] is has_warned


async def test_an_answer_to_the_news_that_another_is_asked_is_kept(
    text: TextStore, autojump_clock: MockClock
) -> None:
    """Nothing of the same moment is written over it, and nobody is asked twice."""
    lives = on(text, autojump_clock)

    def answer(event: Any) -> None:
        if isinstance(event, PersonEscalated):
            system.desk.answer(event.request.id, True)

    upwards = actors.Escalate("bo", 0.0, default=False)
    async with lives.life() as system:
        system.desk.watch(answer)
        assert await system.desk.approval("Deploy?", timeout=5.0, key="deploy", default=upwards)
    async with lives.life() as system:
        assert await system.desk.approval("Deploy?", timeout=0.0, key="deploy")


async def test_an_action_is_not_begun_before_that_is_on_the_disk(
    text: TextStore, autojump_clock: MockClock
) -> None:
    """Nor where it never will be; and not the second time either."""
    error: Exception | None = None
    failing = Failing(text, lambda name: error if name == "write" else None)
    async with on(failing, autojump_clock).life() as system:
        permit = await approved(system)
        begun: list[float] = []
        error = StoreUnavailable("x", "away")
        async with trio.open_nursery() as nursery:

            async def carry_out() -> None:
                async with permit.claim(DROP):
                    begun.append(trio.current_time())

            nursery.start_soon(carry_out)
            await trio.sleep(30)
            assert begun == []
            error = None
        assert len(begun) == 1
        text.shelf.states.clear()
        system.desk._register._book._kept.clear()
        permit = await approved(system)
        error = ZeroDivisionError("odd")
        for wanted in (StoreError, actors.PermitUsed):
            with pytest.raises(wanted):
                async with permit.claim(DROP):
                    begun.append(0.0)
        assert len(begun) == 1


# --- at most once --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text", "sqlite"])
async def test_an_approved_action_is_carried_out_once_in_all_lives(
    kind: str, text: TextStore, tmp_path: Path
) -> None:
    store = text if kind == "text" else SQLiteStore(tmp_path / "a.db")
    lives = Lives(lambda: store, MockClock())
    async with lives.life() as system:
        await approved(system)
    async with lives.life() as system:
        permit = await permit_of(system)  # nobody is asked again
        assert (permit.by, permit.is_open) == ("ada", True)
        with pytest.raises(ZeroDivisionError):
            async with permit.claim(DROP):
                raise ZeroDivisionError  # what came of it is for the program to find out
    for _ in range(2):
        async with lives.life() as system:
            permit = await permit_of(system)
            assert not permit.is_open
            with pytest.raises(actors.PermitUsed, match="before a restart"):
                async with permit.claim(DROP):
                    raise AssertionError("it is carried out twice")


async def test_a_changed_action_is_asked_for_anew_and_the_old_one_is_void_for_ever(
    text: TextStore, autojump_clock: MockClock
) -> None:
    lives = on(text, autojump_clock)
    async with lives.life() as system:
        old = await approved(system)
    async with lives.life() as system:
        asked: list[actors.PersonRequest] = []
        with system.desk.notify(asked.append):
            new = await approved(system, OTHER)
        assert len(asked) == 1
        assert new.id != old.id
    assert len(text.shelf.states) == 1
    async with lives.life() as system:
        assert (await permit_of(system, OTHER)).id == new.id


async def test_a_permit_that_was_claimed_for_another_action_is_void_after_a_restart(
    text: TextStore, autojump_clock: MockClock
) -> None:
    lives = on(text, autojump_clock)
    async with lives.life() as system:
        permit = await approved(system)
        with pytest.raises(actors.ActionChanged):
            async with permit.claim(OTHER):
                raise AssertionError("it is another one")
    async with lives.life() as system:
        with pytest.raises(actors.PermitUsed, match="void"):
            async with (await permit_of(system)).claim(DROP):
                raise AssertionError("it is void")


async def test_after_the_end_of_the_system_nothing_is_begun(
    text: TextStore, autojump_clock: MockClock
) -> None:
    """It could not be kept that it was."""
    lives = on(text, autojump_clock)
    async with lives.life() as system:
        permit = await approved(system)
    with pytest.raises(SystemClosed):
        async with permit.claim(DROP):
            raise AssertionError("it is begun")
    async with lives.life() as system, (await permit_of(system)).claim(DROP):
        pass


# --- stores of users, and shared ones ------------------------------------------------


class Older:
    """A durable store of a user's, from before states could be listed."""

    def __init__(self) -> None:
        self.inner = TextStore()
        self.where, self.is_durable, self.is_shared = "old.db", True, False

    @asynccontextmanager
    async def open(self, opening: Opening) -> AsyncGenerator[Any]:
        async with self.inner.open(opening) as engine:

            class OlderEngine:
                def __getattr__(self, name: str) -> Any:
                    if name == "states":
                        raise AttributeError(name)
                    return getattr(engine, name)

            yield OlderEngine()


async def test_a_store_that_lists_no_states_serves_all_but_requests_with_a_key(
    autojump_clock: MockClock,
) -> None:
    async with on(Older(), autojump_clock).life() as system:
        with system.desk.notify(lambda request: system.desk.answer(request.id, True)):
            assert await system.desk.approval("Deploy?") is True
            with pytest.raises(StoreInvalid, match=r"old\.db.*the method `states`, or ask without a key"):
                await system.desk.approval("Deploy?", key="deploy")


async def test_two_nodes_on_one_store_keep_to_their_own(autojump_clock: MockClock) -> None:
    await _two_nodes(on(TextStore(shared=True), autojump_clock))


async def test_two_nodes_on_one_server_keep_to_their_own(redis_server: RedisServer) -> None:
    await _two_nodes(Lives(lambda: redis_server.store("people"), MockClock()))


async def _two_nodes(lives: Lives) -> None:
    """Also where one's name begins with the other's, and both use the same key."""
    async with lives.life("a") as one, lives.life("a_b") as two:
        first = await lives.asked(one)
        second = await lives.asked(two, text="Another?")
        assert [request.id for request in one.desk.pending()] == [first.id]
        await two.desk.decide(second.id, True)
    async with lives.life("a_b") as two, lives.life("a") as one:
        assert two.desk.pending() == ()
        assert await two.desk.approval("Another?", key="deploy") is True
        assert [request.id for request in one.desk.pending()] == [first.id]
        permit = await approved(one)
        async with permit.claim(DROP):
            pass
        one.desk.withdraw(first.id)
    async with lives.life("a") as one:
        assert one.desk.pending() == ()
        with pytest.raises(actors.PermitUsed):
            async with (await permit_of(one)).claim(DROP):
                raise AssertionError("it is carried out twice")


@pytest.mark.parametrize("error", [StoreUnavailable("x", "away"), StoreDamaged("x", "its index is damaged")])
async def test_a_store_that_cannot_say_what_was_asked_is_not_opened(
    error: StoreError, text: TextStore, autojump_clock: MockClock
) -> None:
    """Or people would be asked twice. Nothing is lost: the next life finds it."""
    lives = on(text, autojump_clock)
    request = await lives.left()
    failing = Failing(text, lambda name: error if name == "states" else None)
    with pytest.raises(type(error)):
        async with on(failing, autojump_clock).life():
            raise AssertionError("it is open")
    async with lives.life() as system:
        assert [one.id for one in system.desk.pending()] == [request.id]


# --- a process that is killed ----------------------------------------------------------

PROGRAM = """
import sys

import trio

import actors

DROP = actors.Action("drop", {"table": "orders"})


async def main():
    store = actors.delivery.SQLiteStore(sys.argv[1])
    async with actors.open_system("alpha", store=store) as system, trio.open_nursery() as nursery:
        with system.desk.notify(lambda request: request.digest and system.desk.answer(request.id, True)):
            permit = await system.desk.permission(DROP, key="drop")
            async with permit.claim(DROP):
                nursery.start_soon(lambda: system.desk.approval("Deploy?", key="deploy", timeout=None))
                async with system.desk.queue() as queue:
                    async for event in queue:
                        print(event.request.id, flush=True)
                        await trio.sleep_forever()


trio.run(main)
"""


def killed(path: Path) -> str:
    """Run the program on that file, and kill it: the id of what it has asked."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, path], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        asked = process.stdout.readline().strip()
        process.kill()
    return asked


async def test_a_process_that_is_killed_has_asked_and_begun_what_the_next_one_finds(tmp_path: Path) -> None:
    asked = killed(tmp_path / "a.db")
    store = SQLiteStore(tmp_path / "a.db")
    async with actors.open_system("alpha", store=store) as system:
        assert [one.id for one in system.desk.pending()] == [asked]
        with pytest.raises(actors.PermitUsed):
            async with (await permit_of(system)).claim(DROP):
                raise AssertionError("it is carried out twice")
        await system.desk.decide(asked, True, by="ada")
        assert await system.desk.approval("Deploy?", key="deploy") is True
    assert len(await kept_paths(store)) == 2
