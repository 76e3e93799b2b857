"""Calls of the desk, cancelled at every step: asked or not asked, decided or not; nothing is left of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import actors
from actors import Action, System
from tests.cancellation.harness import At, Lives, cut, sweep
from tests.people.scene import ask as begin
from tests.people.scene import nothing_left, one

TAKES_NO_ROAD = True
DELETE = Action("delete", {"path": "/srv"})
Check = Callable[[bool], Awaitable[None]]
Call = Callable[[System, trio.Nursery], Awaitable[tuple[Callable[[], Awaitable[object]], Check]]]
"""Prepares; the call to cut; and what must be true after it, told whether it was cut."""


async def gone(was_cut: bool) -> None:
    await wait_all_tasks_blocked()


async def ask(system: System, nursery: trio.Nursery) -> tuple[Callable[[], Awaitable[object]], Check]:
    """Asked and answered, or withdrawn."""

    async def answer() -> None:
        await trio.sleep(1)
        for request in system.desk.pending():
            system.desk.answer(request.id, True)

    async def call() -> None:
        nursery.start_soon(answer)
        assert await system.desk.approval("Deploy?") is True

    return call, gone


async def expire(system: System, nursery: trio.Nursery) -> tuple[Callable[[], Awaitable[object]], Check]:
    """Through a ladder, up to its end."""

    async def call() -> None:
        with pytest.raises(actors.NoAnswer):
            await system.desk.clarification("?", timeout=2.0, default=actors.Escalate("bo", 2.0))

    return call, gone


async def join(system: System, nursery: trio.Nursery) -> tuple[Callable[[], Awaitable[object]], Check]:
    """Who joins and goes takes nothing from who was there."""
    asked = await begin(nursery, system.desk.approval, "Deploy?", key="k", timeout=50.0)

    async def call() -> None:
        await system.desk.approval("Deploy?", key="k", timeout=60.0)

    async def check(was_cut: bool) -> None:
        await wait_all_tasks_blocked()
        if asked.outcome == "waits":
            assert one(system).deadline == 50.0
            system.desk.answer(one(system).id, True)
            await wait_all_tasks_blocked()
            assert asked.outcome is True
        await trio.sleep(86_400)  # for so long an answer is kept

    return call, check


async def decide(system: System, nursery: trio.Nursery) -> tuple[Callable[[], Awaitable[object]], Check]:
    """Not cut, it is decided; cut, it is or is not, and the next one is told."""
    asked = await begin(nursery, system.desk.approval, "Deploy?")
    request = one(system)

    async def check(was_cut: bool) -> None:
        await wait_all_tasks_blocked()
        assert was_cut or asked.outcome is True
        if asked.outcome == "waits":
            await system.desk.decide(request.id, True)
        with pytest.raises(actors.AlreadyAnswered):
            system.desk.answer(request.id, False)

    return lambda: system.desk.decide(request.id, True), check


async def claim(system: System, nursery: trio.Nursery) -> tuple[Callable[[], Awaitable[object]], Check]:
    """Cut before its block the permit is open; cut inside of it, used."""
    with system.desk.notify(lambda request: system.desk.answer(request.id, True)):
        permit = await system.desk.permission(DELETE)
    begun: list[bool] = []

    async def call() -> None:
        async with permit.claim(DELETE):
            begun.append(True)
            await trio.sleep(1)

    async def check(was_cut: bool) -> None:
        assert permit.is_open is (not begun)
        if begun:
            with pytest.raises(actors.PermitUsed):
                await call()
        else:
            await call()
        assert begun == [True]

    return call, check


async def read(system: System, nursery: trio.Nursery) -> tuple[Callable[[], Awaitable[object]], Check]:
    """No event of a queue is lost: what was not handed out comes next."""
    opened = system.desk.queue()
    queue = await opened.__aenter__()
    seen: list[str] = []

    async def asks() -> None:
        for n in range(4):
            with trio.move_on_after(1):
                await system.desk.approval(str(n))

    async def take() -> None:
        event = await anext(queue)
        assert not isinstance(event, actors.events.EventsLost)
        seen.append(event.request.text)

    nursery.start_soon(asks)

    async def call() -> None:
        while len(seen) < 8:
            await take()

    async def check(was_cut: bool) -> None:
        await call()
        assert seen == [str(n // 2) for n in range(8)]
        await opened.__aexit__(None, None, None)

    return call, check


@pytest.mark.row(110)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("prepare", [ask, expire, join, decide, claim, read], ids=lambda call: call.__name__)
def test_a_call_of_the_desk_that_is_cancelled_anywhere_leaves_nothing(prepare: Call, seed: int) -> None:
    """The cancellation comes out of it, and the desk serves the next one."""

    async def scenario(lives: Lives, step: int) -> At:
        async with actors.open_system("s") as system, trio.open_nursery() as nursery:
            call, check = await prepare(system, nursery)
            with cut(step) as (at, scope):
                await call()
            await check(scope.cancelled_caught)
            nursery.cancel_scope.cancel()
        assert nothing_left(system)
        return at

    assert sweep(scenario, seed) >= 2


@pytest.mark.row(109)
def test_a_system_that_is_cancelled_while_people_are_asked_leaves_nothing() -> None:
    """At every step of its life, with waiters of one key, a ladder, a queue and a permit."""

    async def scenario(lives: Lives, step: int) -> At:
        system: System | None = None
        with cut(step) as (at, _):
            async with actors.open_system("s") as system, trio.open_nursery() as nursery:
                desk = system.desk
                async with desk.queue() as queue:
                    for limit in (1.0, 2.0):
                        nursery.start_soon(lambda limit=limit: desk.approval("?", key="k", timeout=limit))
                    nursery.start_soon(
                        lambda: desk.approval("?", timeout=1.0, default=actors.Escalate("b", 1.0, True))
                    )
                    await anext(queue)
                    await trio.sleep(1.5)
                    with desk.notify(lambda request: desk.answer(request.id, True)):
                        permit = await desk.permission(DELETE, key="p")
                    async with permit.claim(DELETE):
                        await trio.sleep(1)
        assert system is None or nothing_left(system)
        return at

    assert sweep(scenario, 0) > 10
