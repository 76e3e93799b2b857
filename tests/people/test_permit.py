"""An approval is bound to an action, and allows it once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import RAISE, Action, Escalate
from actors.events import PersonAsked, PersonWithdrawn
from tests.people.scene import ask, asking, desk_events, nothing_left, one

DELETE = Action("delete", {"path": "/srv/old"})
OTHER = Action("delete", {"path": "/srv"})


@asynccontextmanager
async def saying(value: bool, **bounds: Any) -> AsyncGenerator[actors.System]:
    """A system in which everything is approved at once, or refused."""
    async with actors.open_system("alpha", asking=actors.Asking(**bounds)) as system:
        with system.desk.notify(lambda request: system.desk.answer(request.id, value, "ada")):
            yield system


async def test_an_approved_action_is_carried_out_once(autojump_clock: MockClock) -> None:
    """The second time the permit is used up, also for another task that holds it."""
    async with saying(True) as system:
        permit = await system.desk.permission(DELETE)
        assert (permit.by, permit.at, permit.digest) == ("ada", 0.0, DELETE.digest)
        assert permit.is_open
        async with permit.claim(Action("delete", {"path": "/srv/old"})):
            assert not permit.is_open
        assert repr(permit) == f"<Permit {permit.id} for delete(path='/srv/old'), claimed>"
        with pytest.raises(
            actors.PermitUsed, match=r"it was begun before, here or before a restart.*ask anew"
        ):
            async with permit.claim(DELETE):
                raise AssertionError("done twice")


async def test_a_person_sees_the_action_whatever_the_question_says(autojump_clock: MockClock) -> None:
    """In full: what is left out is not approved."""
    async with saying(True) as system:
        told = desk_events(system)
        long = Action("write", {"text": "x" * 5000})
        await system.desk.permission(DELETE)
        await system.desk.permission(DELETE, "It is old.")
        await system.desk.permission(long)
        texts = [event.request.text for event in told if isinstance(event, PersonAsked)]
        assert texts[:2] == [
            "Approve delete(path='/srv/old')?",
            "It is old.\ndelete(path='/srv/old')",
        ]
        assert texts[2] == f"Approve {long.call}?"
        assert {event.request.digest for event in told} == {DELETE.digest, long.digest}
        with pytest.raises(TypeError, match="text must be text, not 3"):
            await system.desk.permission(DELETE, 3)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="may have 65536"):
            await system.desk.permission(Action("write", {"text": "x" * 65_536}))


async def test_changed_arguments_make_the_permit_void(autojump_clock: MockClock) -> None:
    """For the approved action too: whoever has changed it once is not trusted with it."""
    async with saying(True) as system:
        permit = await system.desk.permission(DELETE)
        with pytest.raises(actors.ActionChanged, match="the permit is void, ask for the new one") as caught:
            async with permit.claim(OTHER):
                raise AssertionError("done unapproved")
        assert (caught.value.approved, caught.value.given) == (str(DELETE), str(OTHER))
        with pytest.raises(actors.PermitUsed, match="its permit is void"):
            async with permit.claim(DELETE):
                raise AssertionError("done")
        assert isinstance(caught.value, actors.PermitError)


async def test_a_refused_action_is_not_carried_out(autojump_clock: MockClock) -> None:
    """The error says who has refused it; asked again with its key it is refused still."""
    async with saying(False) as system:
        for _ in range(2):
            with pytest.raises(actors.NotApproved, match="must not be carried out: ada has refused it"):
                await system.desk.permission(DELETE, key="k")
        assert system.desk.statistics().asked == 1


async def test_an_action_that_nobody_approves_is_not_carried_out(autojump_clock: MockClock) -> None:
    """Unless another person is asked, who does."""
    async with asking() as (system, nursery):
        with pytest.raises(actors.NotApproved, match="nobody has approved it in time"):
            await system.desk.permission(DELETE)
        assert trio.current_time() == 300.0
        with pytest.raises(actors.NoAnswer):
            await system.desk.permission(DELETE, default=RAISE)
        for default in (True, Escalate("bo", default=True), "yes", None):
            with pytest.raises(ValueError, match="never approved because nobody has answered"):
                await system.desk.permission(DELETE, default=default)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"write actors\.Action"):
            await system.desk.permission("delete")  # type: ignore[arg-type]
        asked = await ask(nursery, system.desk.permission, DELETE, timeout=1.0, default=Escalate("bo", 5.0))
        await trio.sleep(2.0)
        system.desk.answer(one(system).id, True, "bo")
        await wait_all_tasks_blocked()
        assert asked.outcome.by == "bo"


async def test_of_two_tasks_that_race_for_one_permit_one_gets_it(autojump_clock: MockClock) -> None:
    """Whatever trio's order, and also by two permits of two who waited for the same approval."""
    for _ in range(20):
        async with asking() as (system, nursery):
            waiting = [await ask(nursery, system.desk.permission, DELETE, key="k") for _ in range(2)]
            system.desk.answer(one(system).id, True)
            await wait_all_tasks_blocked()
            done: list[str] = []
            used: list[str] = []

            async def carry_out(permit: actors.Permit, done: list[str], used: list[str]) -> None:
                try:
                    async with permit.claim(DELETE):
                        done.append(permit.id)
                        await trio.sleep(1)
                except actors.PermitUsed:
                    used.append(permit.id)

            async with trio.open_nursery() as racing:
                for asked in waiting:
                    for _ in range(2):
                        racing.start_soon(carry_out, asked.outcome, done, used)
            assert (len(done), len(used)) == (1, 3)


@pytest.mark.parametrize("how", ["cancelled", "failed"])
async def test_what_was_begun_is_not_begun_again(how: str, autojump_clock: MockClock) -> None:
    """However the block was left; and neither by a permit that is found again by its key."""
    async with saying(True) as system:
        permit = await system.desk.permission(DELETE, key="k")
        with suppress(ValueError), trio.move_on_after(1):
            async with permit.claim(DELETE):
                if how == "failed":
                    raise ValueError("half done")
                await trio.sleep_forever()
        again = await system.desk.permission(DELETE, key="k")
        assert not again.is_open
        with pytest.raises(actors.PermitUsed):
            async with again.claim(DELETE):
                raise AssertionError("done twice")


async def test_a_claim_that_was_cancelled_before_it_began_is_none(autojump_clock: MockClock) -> None:
    """The permit is open still; so is one that was claimed with what is no action."""
    async with saying(True) as system:
        permit = await system.desk.permission(DELETE, key="k")
        with trio.CancelScope() as scope:
            scope.cancel()
            async with permit.claim(DELETE):
                raise AssertionError("begun")
        assert scope.cancelled_caught
        with pytest.raises(TypeError, match="pass the one that is to be carried out now"):
            async with permit.claim("delete"):  # type: ignore[arg-type]
                raise AssertionError("begun")
        assert permit.is_open
        async with permit.claim(DELETE):
            pass


async def test_a_changed_action_under_the_same_key_is_asked_for_anew(autojump_clock: MockClock) -> None:
    """What was approved before is void, and what was asked before is withdrawn."""
    async with asking() as (system, nursery):
        told = desk_events(system)
        first = await ask(nursery, system.desk.permission, DELETE, key="k")
        second = await ask(nursery, system.desk.permission, OTHER, key="k")
        assert first.outcome is actors.NotApproved
        assert one(system).digest == OTHER.digest
        system.desk.answer(one(system).id, True)
        await wait_all_tasks_blocked()
        third = await ask(nursery, system.desk.permission, DELETE, key="k")
        with pytest.raises(actors.PermitUsed, match="void"):
            async with second.outcome.claim(OTHER):
                raise AssertionError("done")
        assert third.outcome == "waits"
        nursery.cancel_scope.cancel()
    assert [type(event) for event in told].count(PersonWithdrawn) == 2
    assert nothing_left(system)


async def test_a_bad_call_leaves_what_was_approved_alone(autojump_clock: MockClock) -> None:
    """It has asked for nothing."""
    async with saying(True) as system:
        permit = await system.desk.permission(DELETE, key="k")
        with pytest.raises(ValueError, match="timeout"):
            await system.desk.permission(OTHER, key="k", timeout=-1.0)
        with trio.CancelScope() as scope:
            scope.cancel()
            await system.desk.permission(OTHER, key="k")
        assert permit.is_open
        async with permit.claim(DELETE):
            with pytest.raises(actors.PermitUsed):  # what has begun stays begun
                async with permit.claim(DELETE):
                    raise AssertionError("twice")
            await system.desk.permission(OTHER, key="k")
        with pytest.raises(actors.PermitUsed, match="begun before"):
            async with permit.claim(DELETE):
                raise AssertionError("twice")


async def test_an_approval_in_words_is_no_permit(autojump_clock: MockClock) -> None:
    """A key that stands for a question without an action is not taken over."""
    async with saying(True) as system:
        assert await system.desk.approval("Approve delete(path='/srv/old')?", key="k")
        with pytest.raises(actors.KeyReused):
            await system.desk.permission(DELETE, key="k")


async def test_a_permit_without_a_key_is_nobody_else_s(autojump_clock: MockClock) -> None:
    """Each call asks a person."""
    async with saying(True) as system:
        one_, two = await system.desk.permission(DELETE), await system.desk.permission(DELETE)
        assert one_.id != two.id
        async with one_.claim(DELETE), two.claim(DELETE):
            pass
        assert system.desk.statistics().asked == 2
