"""Requests with a key outlive the process where the store does: nobody is asked twice."""

from __future__ import annotations

import functools
import math
import time
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors.delivery import SQLiteStore
from actors.errors import SystemClosed
from actors.events import PersonEscalated, PersonWarned
from tests.delivery.keepers import TextStore
from tests.people.lives import Lives, seen, shown, until


@pytest.fixture(params=["text", "sqlite"])
def lives(
    request: pytest.FixtureRequest, tmp_path: Path, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> Lives:
    """The clock goes on, and jumps where a test says so: a store in a file has threads."""
    text = TextStore()

    def make() -> Any:
        return text if request.param == "text" else SQLiteStore(tmp_path / "a.db")

    return Lives(make, mock_clock).patch(monkeypatch)


def left(request: actors.PersonRequest) -> float:
    """Seconds until its deadline."""
    return request.deadline - trio.current_time()


@actors.function
async def clerk_of_ada(ctx: actors.Context, got: list[bool]) -> None:
    """Asks, and works on what it hears."""
    got.append(await ctx.system.desk.approval("Deploy?", to="ada", key="deploy", timeout=600.0))


# --- the process ends ---------------------------------------------------------------


@pytest.mark.parametrize("how", ["left", "cancelled", "failed", "stopped"])
async def test_a_request_is_found_again_however_the_system_has_ended(
    lives: Lives, mock_clock: MockClock, how: str
) -> None:
    """By its id and all that people see of it, in the moment in which the system is open."""
    got: list[bool] = []
    policy = actors.Policy(shutdown=0.1)
    with pytest.raises(RuntimeError) if how == "failed" else trio.CancelScope() as scope:
        async with lives.life() as system:
            system.spawn(clerk_of_ada, got, name="clerk", policy=policy)
            request = await shown(system, "deploy")
            if how == "cancelled":
                scope.cancel()  # type: ignore[union-attr]
                await trio.sleep_forever()
            elif how == "stopped":
                system.stop()
                await trio.sleep_forever()
            elif how == "failed":
                raise RuntimeError("the body has failed")
    lives.away += 60
    async with lives.life() as system:
        [found] = system.desk.pending()
        for name in ("id", "kind", "text", "to", "key", "priority", "sender", "options", "node"):
            assert getattr(found, name) == getattr(request, name)
        assert system.desk.statistics().asked == 0  # nobody was asked in this life
        await system.desk.decide(found.id, True, by="ada")
        system.spawn(clerk_of_ada, got, name="clerk")
        await until(lambda: bool(got))
        assert got == [True]
        assert system.desk.pending() == ()


async def test_answered_before_the_asker_comes_back_it_is_answered_at_once(
    lives: Lives, mock_clock: MockClock
) -> None:
    """Also in a life after that, and nobody is asked anything."""
    request = await lives.left()
    async with lives.life() as system:
        await system.desk.decide(request.id, True, by="ada")
    for _ in range(2):
        async with lives.life() as system:
            assert system.desk.pending() == ()
            with trio.fail_after(5):
                assert await system.desk.approval("Deploy?", key="deploy") is True
            with pytest.raises(actors.AlreadyAnswered, match="ada has answered"):
                system.desk.answer(request.id, False)
            assert system.desk.statistics().asked == 0


async def test_answered_while_the_asker_waits_again_it_is_woken(lives: Lives, mock_clock: MockClock) -> None:
    request = await lives.left()
    async with lives.life() as system:
        told: list[actors.PersonRequest] = []
        answers: list[bool] = []

        async def ask() -> None:
            answers.append(await system.desk.approval("Deploy?", key="deploy", timeout=600.0))

        with system.desk.notify(told.append):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                nursery.start_soon(ask)
                await until(lambda: system.desk.statistics().waiting == 2)
                assert [one.id for one in system.desk.pending()] == [request.id]
                system.desk.answer(request.id, True)
        assert answers == [True, True]
        assert told == []  # nobody was asked twice


async def test_what_was_asked_without_a_key_is_not_kept(lives: Lives, mock_clock: MockClock) -> None:
    await lives.left(key=None)
    assert await lives.kept() == []
    async with lives.life() as system:
        assert system.desk.pending() == ()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.desk.approval, "Deploy?")
            request = await shown(system, None)
            await system.desk.decide(request.id, True)
    assert await lives.kept() == []


async def test_each_request_is_kept_at_a_path_that_no_actor_has(lives: Lives, mock_clock: MockClock) -> None:
    request = await lives.left()
    assert await lives.kept() == [f"/system/desk/{request.id.replace(':', '-')}"]
    async with lives.life() as system:
        system.desk.withdraw(request.id)
    assert await lives.kept() == []


async def test_a_system_of_another_name_takes_up_what_is_in_its_file(
    lives: Lives, mock_clock: MockClock
) -> None:
    request = await lives.left("alpha")
    async with lives.life("beta") as system:
        [found] = system.desk.pending()
        assert (found.id, found.node) == (request.id, "beta")
        await system.desk.decide(found.id, True)
        assert await system.desk.approval("Deploy?", key="deploy") is True


# --- time goes on -------------------------------------------------------------------


async def test_the_deadline_goes_on_while_no_process_runs(lives: Lives, mock_clock: MockClock) -> None:
    """And for the asker who comes back with the same limit."""
    async with lives.life() as system:
        await lives.asked(system, timeout=600.0)
        mock_clock.jump(100)
    lives.away += 200
    async with lives.life() as system:
        [found] = system.desk.pending()
        assert left(found) == pytest.approx(300, abs=5)
        began = trio.current_time()
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                assert await system.desk.approval("Deploy?", key="deploy", timeout=600.0) is False

            nursery.start_soon(ask)
            await until(lambda: system.desk.statistics().waiting == 1)
            assert left(system.desk.pending()[0]) == pytest.approx(300, abs=5)
            mock_clock.jump(305)
        assert trio.current_time() - began == pytest.approx(305, abs=5)
    assert await lives.kept() == []


async def test_whoever_comes_back_with_another_limit_waits_for_that_one(
    lives: Lives, mock_clock: MockClock
) -> None:
    await lives.left(timeout=math.inf)
    async with lives.life() as system:
        with trio.fail_after(5):
            assert await system.desk.approval("Deploy?", key="deploy", timeout=0.1) is False


async def test_what_expired_while_no_process_ran_is_gone(lives: Lives, mock_clock: MockClock) -> None:
    """Asked again it is another request."""
    request = await lives.left(timeout=600.0)
    lives.away += 601
    async with lives.life() as system:
        assert system.desk.pending() == ()
        with pytest.raises(actors.RequestExpired):
            system.desk.answer(request.id, True)
        again = await lives.asked(system)
        assert again.id != request.id
    assert len(await lives.kept()) == 1


async def test_more_time_is_kept(lives: Lives, mock_clock: MockClock) -> None:
    async with lives.life() as system:
        request = await lives.asked(system, timeout=600.0)
        system.desk.extend(request.id, 1000)
    async with lives.life() as system:
        assert left(system.desk.pending()[0]) == pytest.approx(1600, abs=5)
        await lives.asked(system, timeout=600.0)
        assert left(system.desk.pending()[0]) == pytest.approx(1600, abs=5)


async def test_the_ladder_goes_on_where_it_was(lives: Lives, mock_clock: MockClock) -> None:
    ladder = actors.Escalate("bob", 100.0, actors.Escalate("eve", 100.0, True))
    question: dict[str, Any] = {"timeout": 100.0, "default": ladder}
    async with lives.life() as system, system.subscribe(PersonEscalated) as events:
        await lives.asked(system, **question)
        mock_clock.jump(105)
        assert (await anext(aiter(events))).before == "ada"
    async with lives.life() as system:
        [found] = system.desk.pending()
        assert (found.to, left(found)) == ("bob", pytest.approx(100, abs=5))
        again = await lives.asked(system, **question)
        assert (again.to, left(again)) == ("bob", pytest.approx(100, abs=5))
    lives.away += 105
    async with lives.life() as system:
        [found] = system.desk.pending()
        assert (found.to, left(found)) == ("eve", pytest.approx(100, abs=5))
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                assert await system.desk.approval("Deploy?", key="deploy", **question) is True

            nursery.start_soon(ask)
            await until(lambda: system.desk.statistics().waiting == 1)
            mock_clock.jump(105)
        assert system.desk.statistics().escalated == 1


async def test_a_request_warns_once_in_all_its_lives(lives: Lives, mock_clock: MockClock) -> None:
    async with lives.life() as system, system.subscribe(PersonWarned) as events:
        await lives.asked(system, timeout=100.0)
        mock_clock.jump(85)
        await anext(aiter(events))
    async with lives.life() as system:
        async with system.subscribe(PersonWarned) as events:
            mock_clock.jump(5)
            await lives.asked(system, text="Another?", key="another", timeout=1.0)
            async for event in events:
                assert event.request.key == "another"  # the one of before comes first if it comes
                break
        system.desk.extend(system.desk.pending()[0].id, 1000)
        async with trio.open_nursery() as nursery:
            warned: list[actors.events.PersonWarned] = []

            async def listen() -> None:
                warned.append(await seen(system, PersonWarned))

            nursery.start_soon(listen)
            await trio.sleep(0.01)
            mock_clock.jump(900)
        assert [event.request.key for event in warned] == ["deploy"]  # its deadline had moved


async def test_a_request_that_has_not_warned_does_it_in_the_next_life(
    lives: Lives, mock_clock: MockClock
) -> None:
    await lives.left(timeout=100.0)
    lives.away += 75
    async with lives.life() as system, trio.open_nursery() as nursery:
        nursery.start_soon(seen, system, PersonWarned)
        await trio.sleep(0.01)
        mock_clock.jump(10)


# --- an answer stands for a while -----------------------------------------------------


async def test_an_answer_stands_for_so_many_seconds_and_is_forgotten_in_the_store_too(
    lives: Lives, mock_clock: MockClock
) -> None:
    """By itself, while nothing else happens."""
    async with lives.life(keep=60.0) as system:
        request = await lives.asked(system)
        await system.desk.decide(request.id, True)
        mock_clock.jump(55)
        assert await system.desk.approval("Deploy?", key="deploy") is True
        assert system.desk.statistics().kept == 1
        mock_clock.jump(6)
        await until(lambda: not system.desk.statistics().kept)
        assert (await lives.asked(system)).id != request.id
        system.desk.withdraw(system.desk.pending()[0].id)
    assert await lives.kept() == []


async def test_an_answer_is_forgotten_in_a_later_life(lives: Lives, mock_clock: MockClock) -> None:
    async with lives.life(keep=60.0) as system:
        for key in ("deploy", "another"):
            request = await lives.asked(system, text=f"{key}?", key=key)
            await system.desk.decide(request.id, True)
            mock_clock.jump(20)
    lives.away += 30
    async with lives.life(keep=60.0) as system:
        assert system.desk.statistics().kept == 1
        assert await system.desk.approval("another?", key="another") is True
        mock_clock.jump(30)
        await until(lambda: not system.desk.statistics().kept)
    assert await lives.kept() == []


async def test_answers_are_kept_no_longer_than_is_said_now(lives: Lives, mock_clock: MockClock) -> None:
    async with lives.life(keep=86_400.0) as system:
        request = await lives.asked(system)
        await system.desk.decide(request.id, True)
    async with lives.life(keep=60.0) as system:
        mock_clock.jump(61)
        await until(lambda: not system.desk.statistics().kept)
    assert await lives.kept() == []


# --- whatever is in the store -----------------------------------------------------------


@pytest.mark.parametrize(
    "state", ["[]", "{", '{"state": "open"}', '"text"', '{"state": "answered", "id": 7}']
)
async def test_what_cannot_be_read_is_named_in_the_log_and_hinders_nothing(
    lives: Lives, mock_clock: MockClock, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    request = await lives.left()
    opening = actors.delivery.Opening("x", "x", time.time)
    async with lives.make().open(opening) as engine:
        saved = actors.delivery.operations.Saved("/system/desk/alpha-0", state)
        await engine.write([actors.delivery.operations.Save(saved)])
    async with lives.life() as system:
        assert [one.id for one in system.desk.pending()] == [request.id]
    assert "is left alone" in caplog.text


async def test_the_end_of_the_desk_s_actor_brings_nothing_back(lives: Lives, mock_clock: MockClock) -> None:
    """What the desk knows outlives its actor: the store may be behind it."""
    async with lives.life() as system:
        first = await lives.asked(system)
        second = await lives.asked(system, text="Another?", key="another")
        clerk = system.find("/system/desk")
        assert clerk is not None
        system.desk.withdraw(first.id)
        clerk.kill()
        await clerk.wait_stopped()
        assert [one.id for one in system.desk.pending()] == [second.id]
        await lives.asked(system, text="A third?", key="third")
        await trio.sleep(0.05)
        assert [one.key for one in system.desk.pending()] == ["another", "third"]


# --- at the end -------------------------------------------------------------------------


async def test_after_the_end_everything_says_so(lives: Lives, mock_clock: MockClock) -> None:
    async with lives.life() as system:
        request = await lives.asked(system)
    with trio.fail_after(5):
        with pytest.raises((SystemClosed, actors.DeskError)):
            await system.desk.decide(request.id, True)
        with pytest.raises(SystemClosed):
            await system.desk.approval("Deploy?", key="deploy")
    async with lives.life() as system:
        assert [one.id for one in system.desk.pending()] == [request.id]


@pytest.mark.parametrize("how", ["left", "failed", "cancelled"])
async def test_an_answer_given_in_the_last_moment_is_on_the_disk(
    lives: Lives, mock_clock: MockClock, how: str
) -> None:
    """The store is closed behind the desk."""
    request = await lives.left()
    with pytest.raises(RuntimeError) if how == "failed" else trio.CancelScope() as scope:
        async with lives.life() as system:
            system.desk.answer(request.id, True, by="ada")
            if how == "failed":
                raise RuntimeError("the body has failed")
            if how == "cancelled":
                scope.cancel()  # type: ignore[union-attr]
                await trio.lowlevel.checkpoint()
    async with lives.life() as system:
        with trio.fail_after(5):
            assert await system.desk.approval("Deploy?", key="deploy") is True


# --- many -------------------------------------------------------------------------------


async def test_ten_thousand_keyed_requests_leave_nothing_in_the_store(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = TextStore()
    lives = Lives(lambda: store, autojump_clock, rate=0.0).patch(monkeypatch)
    async with lives.life(keep=60.0) as system:
        with system.desk.notify(lambda request: system.desk.answer(request.id, True)):
            for start in range(0, 10_000, 1000):
                async with trio.open_nursery() as nursery:
                    for number in range(start, start + 1000):
                        ask = functools.partial(system.desk.approval, f"{number}?", key=f"{number}")
                        nursery.start_soon(ask)
        assert system.desk.statistics().kept == 10_000
        assert len(store.shelf.states) == 10_000
        await trio.sleep(61)
        await wait_all_tasks_blocked()
        found = system.desk.statistics()
        assert (found.kept, found.pending, found.waiting) == (0, 0, 0)
        assert store.shelf.states == {}
