"""Programs ask, people answer: what each of them gets, and when."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock, wait_all_tasks_blocked

import actors
from actors import RAISE, Escalate
from actors.events import (
    AnswerRefused,
    PersonAnswered,
    PersonAsked,
    PersonEscalated,
    PersonExtended,
    PersonTimedOut,
    PersonWarned,
    PersonWithdrawn,
)
from tests.people.scene import ask, asking, desk_events, nothing_left, one, sizes

FIXED = "No response received within timeout period."


# --- deadlines and defaults ---------------------------------------------------------------


@pytest.mark.row(102)
@pytest.mark.parametrize("call", ["approval", "clarification"])
async def test_a_request_waits_300_seconds_where_nothing_else_is_said(
    call: str, autojump_clock: MockClock
) -> None:
    """At 299.9 it waits, at 300 it does not."""
    async with asking() as (system, nursery):
        asked = await ask(nursery, getattr(system.desk, call), "Deploy?")
        assert one(system).deadline == 300.0
        await trio.sleep(299.9)
        assert asked.outcome == "waits"
        await trio.sleep(0.1)
        await wait_all_tasks_blocked()
        assert (asked.at, nothing_left(system)) == (300.0, True)


@pytest.mark.row(102)
@pytest.mark.parametrize(
    ("bounds", "options", "seconds"),
    [
        ({"timeout": 60.0}, {}, 60.0),
        ({"timeout": 60.0}, {"timeout": 5.0}, 5.0),
        ({"timeout": 60.0}, {"timeout": 300.0}, 300.0),
        ({"timeout": 60.0, "timeouts": {"approval": 7.0}}, {}, 7.0),
        ({"timeout": 60.0, "timeouts": {"approval": 7.0}}, {"timeout": 300.0}, 300.0),
        ({"timeouts": {"clarification": 7.0}}, {}, 300.0),
        ({}, {"timeout": 0.0}, 0.0),
        ({}, {"timeout": 600}, 600.0),
    ],
    ids=str,
)
async def test_the_limit_is_that_of_the_call_then_of_the_kind_then_of_the_system(
    bounds: dict[str, Any], options: dict[str, Any], seconds: float, autojump_clock: MockClock
) -> None:
    """A 300.0 that somebody writes is theirs, and no default."""
    async with actors.open_system("alpha", asking=actors.Asking(**bounds)) as system:
        assert await system.desk.approval("Deploy?", **options) is False
        assert trio.current_time() == seconds


@pytest.mark.row(102)
@pytest.mark.parametrize("limit", [None, float("inf")])
async def test_without_a_limit_a_request_waits_as_long_as_it_takes(
    limit: float | None, autojump_clock: MockClock
) -> None:
    """No timer runs for it."""
    async with asking() as (system, nursery):
        asked = await ask(nursery, system.desk.approval, "Deploy?", timeout=limit)
        assert one(system).deadline == float("inf")
        assert sizes(system)["live alarms of the system"] == 0
        await trio.sleep(50_000.0)
        system.desk.answer(one(system).id, True)
        await wait_all_tasks_blocked()
        assert (asked.outcome, asked.at) == (True, 50_000.0)


@pytest.mark.row(103)
async def test_an_approval_that_nobody_answers_is_none(autojump_clock: MockClock) -> None:
    """False, not None."""
    async with actors.open_system("alpha") as system:
        assert await system.desk.approval("Deploy?") is False
        assert await system.desk.approval("Deploy?", default=True) is True


@pytest.mark.row(103)
async def test_a_clarification_that_nobody_answers_is_a_fixed_text(autojump_clock: MockClock) -> None:
    """Or another one."""
    async with actors.open_system("alpha") as system:
        assert await system.desk.clarification("Which?") == FIXED
        assert await system.desk.clarification("Which?", default="the first") == "the first"


@pytest.mark.row(103)
@pytest.mark.parametrize("call", ["approval", "clarification"])
async def test_raise_raises_in_place_of_a_default(call: str, autojump_clock: MockClock) -> None:
    """What code that knows only trio catches too."""
    async with actors.open_system("alpha") as system:
        with pytest.raises(trio.TooSlowError) as caught:
            await getattr(system.desk, call)("Deploy?", timeout=5.0, default=RAISE)
    error = caught.value
    assert isinstance(error, actors.NoAnswer)
    assert (error.text, error.seconds) == ("Deploy?", 5.0)
    assert str(error).startswith(
        f"nobody has answered 'Deploy?' within 5 s (request {error.request_id}): give"
    )


async def test_a_free_request_raises_unless_it_has_a_default(autojump_clock: MockClock) -> None:
    """That is handed back as an answer which says that it is none; it may be anything."""
    async with actors.open_system("alpha") as system:
        with pytest.raises(actors.NoAnswer):
            await system.desk.request("pick", "Which?", ("a", "b"))
        nothing = object()
        answer = await system.desk.request("pick", "Which?", ("a", "b"), default=nothing)
        assert (answer.value, answer.by, answer.is_default, answer.at) == (nothing, None, True, 600.0)


async def test_an_answer_says_who_gave_it_and_when(autojump_clock: MockClock) -> None:
    """Of the options one."""
    async with asking() as (system, nursery):
        asked = await ask(nursery, system.desk.request, "pick", "Which?", ["a", "b"])
        request = one(system)
        assert (request.options, request.kind, request.sender) == (("a", "b"), "pick", None)
        await trio.sleep(3)
        system.desk.answer(request.id, "b", "ada")
        await wait_all_tasks_blocked()
        assert asked.outcome == actors.Answer(request.id, "pick", "b", "ada", 3.0)


# --- the answer finds whoever waits --------------------------------------------------------


@pytest.mark.row(104)
async def test_an_answer_wakes_whoever_waits_in_the_next_step(autojump_clock: MockClock) -> None:
    """While they wait nothing of the whole system runs, however long that is."""

    class Steps(trio.abc.Instrument):
        count = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.count += 1

    async with asking() as (system, nursery):
        waiting = [await ask(nursery, system.desk.approval, f"{n}?", timeout=None) for n in range(100)]
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        await trio.sleep(100.0)
        assert steps.count == 1  # this task's own
        for request in system.desk.pending():
            system.desk.answer(request.id, True)
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        trio.lowlevel.remove_instrument(steps)
        assert [asked.outcome for asked in waiting] == [True] * 100
        assert {asked.at for asked in waiting} == {100.0}


@pytest.mark.row(105)
@pytest.mark.parametrize("keyed", [None, "k"])
async def test_an_answer_inside_the_callback_that_shows_the_request_is_heard(
    keyed: str | None, autojump_clock: MockClock
) -> None:
    """Registered, then sent: a fast answer is never lost, and costs no time."""
    async with actors.open_system("alpha") as system:
        with system.desk.notify(lambda request: system.desk.answer(request.id, True, "ada")):
            assert await system.desk.approval("Deploy?", key=keyed) is True
            assert await system.desk.approval("Again?", timeout=0.0) is True
        assert trio.current_time() == 0.0
        assert nothing_left(system) or keyed


@pytest.mark.row(105)
async def test_whoever_hears_of_a_request_hears_of_its_answer_afterwards(autojump_clock: MockClock) -> None:
    """Also when another one has answered it before they could hear of it."""
    async with actors.open_system("alpha") as system:
        with system.desk.notify(lambda request: system.desk.answer(request.id, True)):
            told = desk_events(system)
            async with system.desk.queue() as queue:
                assert await system.desk.approval("Deploy?")
                seen = [await anext(queue), await anext(queue)]
        assert [type(event) for event in told] == [PersonAsked, PersonAnswered]
        assert seen == told


async def test_a_request_may_be_withdrawn_or_moved_by_whoever_it_is_shown_to(
    autojump_clock: MockClock,
) -> None:
    """In the very step in which they hear of it."""
    async with actors.open_system("alpha") as system:
        with system.desk.notify(lambda request: system.desk.withdraw(request.id)):
            assert await system.desk.approval("Deploy?", timeout=5.0) is False
        assert trio.current_time() == 0.0
        with system.desk.notify(lambda request: system.desk.extend(request.id, 2.0)):
            assert await system.desk.approval("Deploy?", timeout=5.0) is False
        assert trio.current_time() == 7.0
        assert nothing_left(system)


async def test_one_more_waiter_hears_the_answer_to_what_its_coming_has_told(
    autojump_clock: MockClock,
) -> None:
    """A second one moves the deadline; whoever hears of that may answer at once."""
    async with asking() as (system, nursery):
        first = await ask(nursery, system.desk.approval, "Deploy?", key="k", timeout=5.0)

        def answer(event: Any) -> None:
            if isinstance(event, PersonExtended):
                system.desk.answer(event.request.id, True)

        system.desk.watch(answer)
        assert await system.desk.approval("Deploy?", key="k", timeout=9.0) is True
        await wait_all_tasks_blocked()
        assert (first.outcome, first.at) == (True, 0.0)


def answer_when_escalated(system: actors.System) -> None:
    """Somebody answers as soon as they hear that another person is asked."""

    def answer(event: Any) -> None:
        if isinstance(event, PersonEscalated):
            system.desk.answer(event.request.id, True)

    system.desk.watch(answer)


@pytest.mark.parametrize("seconds", [0.0, 30.0])
async def test_after_the_answer_nothing_more_is_told_of_the_same_moment(
    seconds: float, autojump_clock: MockClock
) -> None:
    """Two ladders move at once, and the news of the first is answered: what follows would bring it back."""
    async with asking() as (system, nursery):
        told = desk_events(system)
        answer_when_escalated(system)
        upwards = Escalate("bo", seconds, default=False)
        askers = [
            await ask(nursery, system.desk.approval, "Deploy?", key="k", timeout=5.0, default=upwards)
            for _ in range(2)
        ]
        await trio.sleep(6.0)
        assert [asker.outcome for asker in askers] == [True, True]
        kinds = [type(event) for event in told]
        assert kinds == [PersonAsked, PersonWarned, PersonEscalated, PersonAnswered]
        assert system.desk.statistics().escalated == 1


async def test_a_call_from_another_thread_is_refused_and_changes_nothing() -> None:
    """It could wake nobody: whoever asks would wait for ever."""
    async with asking() as (system, nursery):
        asked = await ask(nursery, system.desk.approval, "Deploy?", timeout=None)
        desk, waiting = system.desk, one(system)
        calls: list[Any] = [
            lambda: desk.answer(waiting.id, True),
            lambda: desk.extend(waiting.id, 1.0),
            lambda: desk.withdraw(waiting.id),
            lambda: trio.run(desk.approval, "From another loop?"),
        ]
        for call in calls:
            with pytest.raises(RuntimeError, match=r"trio\.from_thread\.run_sync"):
                await trio.to_thread.run_sync(call)
        assert one(system) == waiting
        await trio.to_thread.run_sync(trio.from_thread.run_sync, desk.answer, waiting.id, True)
        await wait_all_tasks_blocked()
        assert asked.outcome is True


async def test_an_async_callback_is_refused(autojump_clock: MockClock) -> None:
    """Nobody would wait for it, and nobody be asked."""

    async def send(request: actors.PersonRequest) -> None:
        raise AssertionError("never called")

    async with actors.open_system("alpha") as system:
        with pytest.raises(TypeError, match="pass a plain function"), system.desk.notify(send):
            raise AssertionError("not entered")


@pytest.mark.row(102)
async def test_an_answer_at_the_very_deadline_counts(autojump_clock: MockClock) -> None:
    """In whatever order trio wakes tasks."""
    for _ in range(20):
        async with asking() as (system, nursery):
            asked = await ask(nursery, system.desk.approval, "Deploy?", timeout=5.0)
            await trio.sleep_until(one(system).deadline)
            system.desk.answer(one(system).id, True)
            await wait_all_tasks_blocked()
            assert asked.outcome is True


async def test_a_callback_that_fails_is_logged_and_hurts_nobody(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The others hear of the request; after the block nobody is called."""
    shown: list[str] = []

    def fail(request: actors.PersonRequest) -> None:
        raise ValueError("the screen is broken")

    async with actors.open_system("alpha") as system:
        with system.desk.notify(fail), system.desk.notify(lambda request: shown.append(request.text)):
            await system.desk.approval("Deploy?")
        await system.desk.approval("Again?")
    assert shown == ["Deploy?"]
    (record,) = caplog.records
    assert "has failed" in record.getMessage()
    assert "the screen is broken" in caplog.text


# --- in vain -----------------------------------------------------------------------------


@pytest.mark.row(106)
async def test_an_id_that_never_was_is_unknown(autojump_clock: MockClock) -> None:
    """A kind of LookupError, which says where those are that wait; nothing is counted."""
    async with actors.open_system("alpha") as system:
        desk = system.desk
        for unknown in ("alpha:00", "", None, 3, [], {}):
            for call, more in ((desk.answer, (True,)), (desk.extend, (1.0,)), (desk.withdraw, ())):
                with pytest.raises(LookupError, match=r"those that wait are in system\.desk\.pending") as got:
                    call(unknown, *more)  # type: ignore[arg-type, operator]
                assert isinstance(got.value, actors.UnknownRequest)
        statistics = system.desk.statistics()
        assert (statistics.late, statistics.duplicate) == (0, 0)


@pytest.mark.row(106)
async def test_a_late_answer_is_told_so_and_reported(autojump_clock: MockClock) -> None:
    """After the deadline, and after whoever asked has gone."""
    async with asking() as (system, nursery), system.subscribe(AnswerRefused) as events:
        asked = await ask(nursery, system.desk.approval, "Deploy?", timeout=5.0)
        request = one(system)
        await trio.sleep(5.1)
        with pytest.raises(actors.RequestExpired, match="its time has passed: the answer came too late"):
            system.desk.answer(request.id, True, "ada")
        assert asked.outcome is False
        refused = await anext(events)
        assert (refused.request_id, refused.by, refused.at) == (request.id, "ada", 5.1)
        assert isinstance(refused.error, actors.RequestExpired)
        gone = await ask(nursery, system.desk.approval, "Deploy?")
        request = one(system)
        gone.scope.cancel()
        await wait_all_tasks_blocked()
        with pytest.raises(actors.RequestWithdrawn, match="has taken it back"):
            system.desk.answer(request.id, True)
        with pytest.raises(actors.RequestExpired):
            await system.desk.decide(request.id, True)
        assert system.desk.statistics().late == 3


@pytest.mark.row(108)
@pytest.mark.parametrize("keyed", [None, "k"])
async def test_the_first_decision_stands(keyed: str | None, autojump_clock: MockClock) -> None:
    """Yes, then no, is yes; the second one hears who was faster, and it is reported."""
    async with asking() as (system, nursery), system.subscribe(AnswerRefused) as events:
        asked = await ask(nursery, system.desk.approval, "Deploy?", key=keyed)
        request = one(system)
        system.desk.answer(request.id, True, "ada")
        with pytest.raises(actors.AlreadyAnswered, match=r"ada has answered .* the first decision stands"):
            system.desk.answer(request.id, False, "bo")
        await wait_all_tasks_blocked()
        with pytest.raises(actors.AlreadyAnswered) as caught:
            await system.desk.decide(request.id, False)
        with pytest.raises(actors.AlreadyAnswered):
            system.desk.extend(request.id, 5.0)
        with pytest.raises(actors.AlreadyAnswered):
            system.desk.withdraw(request.id)
        assert asked.outcome is True
        assert (caught.value.by, caught.value.request_id) == ("ada", request.id)
        assert [(await anext(events)).by for _ in range(2)] == ["bo", None]
        assert system.desk.statistics().duplicate == 2


async def test_a_wrong_answer_leaves_the_request_open(autojump_clock: MockClock) -> None:
    """It is reported; the right one comes after it."""
    async with asking(max_answer=50) as (system, nursery), system.subscribe(AnswerRefused) as events:
        asked = await ask(nursery, system.desk.request, "pick", "Which?", ("a", "b"))
        request = one(system)
        with pytest.raises(actors.InvalidAnswer, match="takes one of 'a', 'b', not 'c': it waits on"):
            system.desk.answer(request.id, "c", "ada")
        with pytest.raises(ValueError, match="takes one of"):
            await system.desk.decide(request.id, "x" * 1_000_000)
        with pytest.raises(TypeError, match="by must be text"):
            system.desk.answer(request.id, "a", 3)  # type: ignore[arg-type]
        assert len(str((await anext(events)).error)) < 200
        assert system.desk.pending() == (request,)
        await system.desk.decide(request.id, "a", "ada")
        await wait_all_tasks_blocked()
        assert asked.outcome.value == "a"


# --- several who wait ---------------------------------------------------------------------


@pytest.mark.row(107)
async def test_each_of_several_waiters_of_one_key_has_a_limit_of_its_own(autojump_clock: MockClock) -> None:
    """The first one's timeout takes nothing from the second, who gets the answer."""
    async with asking() as (system, nursery):
        first = await ask(nursery, system.desk.approval, "Deploy?", key="k", timeout=10.0)
        second = await ask(nursery, system.desk.approval, "Deploy?", key="k", timeout=60.0)
        third = await ask(nursery, system.desk.approval, "Deploy?", key="k", timeout=30.0, default=RAISE)
        assert (one(system).deadline, system.desk.statistics().waiting) == (60.0, 3)
        await trio.sleep(40.0)
        system.desk.answer(one(system).id, True)
        await wait_all_tasks_blocked()
        assert [(who.outcome, who.at) for who in (first, second, third)] == [
            (False, 10.0),
            (True, 40.0),
            (actors.NoAnswer, 30.0),
        ]
        assert nothing_left(system) is False  # the answer is kept by its key, for a day
        assert sizes(system)["open"] == 0


@pytest.mark.row(107)
async def test_one_waiter_s_cancellation_takes_nothing_from_the_others(autojump_clock: MockClock) -> None:
    """The deadline is that of those who are left."""
    async with asking() as (system, nursery):
        told = desk_events(system)
        first = await ask(nursery, system.desk.approval, "Deploy?", key="k", timeout=60.0)
        second = await ask(nursery, system.desk.approval, "Deploy?", key="k", timeout=20.0)
        first.scope.cancel()
        await wait_all_tasks_blocked()
        assert one(system).deadline == 20.0
        assert [type(event) for event in told] == [PersonAsked]
        await trio.sleep(50.0)
        assert (first.outcome, second.outcome, second.at) == ("cancelled", False, 20.0)


async def test_a_key_is_one_question(autojump_clock: MockClock) -> None:
    """While it is open, and as long as its answer is kept."""
    async with asking(keep=100.0) as (system, nursery):
        asked = await ask(nursery, system.desk.approval, "Deploy?", key="k")
        with pytest.raises(actors.KeyReused, match="a key is one question, choose another"):
            await system.desk.approval("Destroy?", key="k")
        with pytest.raises(actors.KeyReused):
            await system.desk.clarification("Deploy?", key="k")
        system.desk.answer(one(system).id, True, "ada")
        await wait_all_tasks_blocked()
        assert asked.outcome is True
        with pytest.raises(ValueError, match="stands for another request, 'Deploy\\?'"):
            await system.desk.approval("Destroy?", key="k")
        answer = await system.desk.request("approval", "Deploy?", key="k", to="bo")
        assert (answer.value, answer.by) == (True, "ada")
        assert system.desk.statistics().asked == 1
        await trio.sleep(100.0)
        assert await system.desk.approval("Destroy?", key="k", timeout=1.0) is False


async def test_what_was_not_answered_is_asked_anew_with_its_key(autojump_clock: MockClock) -> None:
    """A default is no answer, and neither is a question that was taken back."""
    async with asking() as (system, nursery):
        assert await system.desk.approval("Deploy?", key="k", timeout=1.0) is False
        gone = await ask(nursery, system.desk.approval, "Deploy?", key="k")
        gone.scope.cancel()
        await wait_all_tasks_blocked()
        asked = await ask(nursery, system.desk.approval, "Deploy?", key="k")
        system.desk.answer(one(system).id, True)
        await wait_all_tasks_blocked()
        assert asked.outcome is True
        assert system.desk.statistics().asked == 3


# --- cancellation -----------------------------------------------------------------------------


@pytest.mark.row(110)
async def test_cancellation_passes_through_and_withdraws_the_request(autojump_clock: MockClock) -> None:
    """It never becomes a no."""
    async with asking() as (system, nursery):
        told = desk_events(system)
        asked = await ask(nursery, system.desk.approval, "Deploy?")
        asked.scope.cancel()
        await wait_all_tasks_blocked()
        assert asked.outcome == "cancelled"
        assert asked.scope.cancelled_caught
        assert [type(event) for event in told] == [PersonAsked, PersonWithdrawn]
        assert system.desk.pending() == ()
        assert nothing_left(system)
        assert system.desk.statistics().withdrawn == 1


@pytest.mark.row(110)
async def test_whoever_is_cancelled_already_asks_nobody(autojump_clock: MockClock) -> None:
    """Every call is a checkpoint, also one that is answered already."""
    async with actors.open_system("alpha") as system:
        with system.desk.notify(lambda request: system.desk.answer(request.id, True)):
            await system.desk.approval("Deploy?", key="k")
        told = desk_events(system)
        for key in ("k", "other", None):
            with trio.CancelScope() as scope:
                scope.cancel()
                await system.desk.approval("Deploy?", key=key)
            assert scope.cancelled_caught
        assert told == []


async def test_a_request_can_be_taken_back(autojump_clock: MockClock) -> None:
    """For whoever waits it is as if the time had passed."""
    async with asking() as (system, nursery):
        told = desk_events(system)
        one_ = await ask(nursery, system.desk.approval, "1?")
        two = await ask(nursery, system.desk.clarification, "2?", default=RAISE)
        three = await ask(nursery, system.desk.approval, "3?", default=Escalate("bo", default=True))
        for request in system.desk.pending():
            system.desk.withdraw(request.id)
        await wait_all_tasks_blocked()
        assert [who.outcome for who in (one_, two, three)] == [False, actors.NoAnswer, True]
        assert [type(event) for event in told].count(PersonWithdrawn) == 3
        assert (trio.current_time(), nothing_left(system)) == (0.0, True)


# --- time -------------------------------------------------------------------------------------


@pytest.mark.row(111)
async def test_a_request_warns_before_it_expires_and_says_when_it_has(autojump_clock: MockClock) -> None:
    """With its kind, id and text, the seconds that are left, and those that it has waited."""
    async with asking() as (system, nursery):
        told = desk_events(system)
        await ask(nursery, system.desk.approval, "Deploy?", to="ada")
        request = one(system)
        await trio.sleep(301)
        assert told == [
            PersonAsked(0.0, request),
            PersonWarned(240.0, request, 60.0),
            PersonTimedOut(300.0, request, 300.0),
        ]
        assert (request.kind, request.text, request.to) == ("approval", "Deploy?", "ada")


@pytest.mark.row(111)
@pytest.mark.parametrize(("warn", "at"), [(0.5, 150.0), (0.0, 0.0), (1, None)])
async def test_when_a_request_warns_is_a_share_of_its_time(
    warn: float, at: float | None, autojump_clock: MockClock
) -> None:
    """1 is never."""
    async with actors.open_system("alpha", asking=actors.Asking(warn=warn)) as system:
        told = desk_events(system)
        await system.desk.approval("Deploy?")
        assert [event.at for event in told if isinstance(event, PersonWarned)] == ([] if at is None else [at])


@pytest.mark.row(112)
async def test_a_deadline_moves_while_somebody_waits(autojump_clock: MockClock) -> None:
    """At 250 s another 100: at 399.9 it waits, at 400 it does not, and it warns again before that."""
    async with asking() as (system, nursery):
        told = desk_events(system)
        asked = await ask(nursery, system.desk.approval, "Deploy?")
        await trio.sleep(250.0)
        system.desk.extend(one(system).id, 100.0)
        assert one(system).deadline == 400.0
        await trio.sleep(149.9)
        assert asked.outcome == "waits"
        await trio.sleep(0.1)
        await wait_all_tasks_blocked()
        assert (asked.outcome, asked.at) == (False, 400.0)
        assert [(type(event), event.at) for event in told] == [
            (PersonAsked, 0.0),
            (PersonWarned, 240.0),
            (PersonExtended, 250.0),
            (PersonWarned, 320.0),
            (PersonTimedOut, 400.0),
        ]


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), "10", True, None])
async def test_so_many_seconds_cannot_be_given(seconds: Any, autojump_clock: MockClock) -> None:
    """Nothing moves."""
    async with asking() as (system, nursery):
        await ask(nursery, system.desk.approval, "Deploy?")
        with pytest.raises(ValueError, match="seconds must be"):
            system.desk.extend(one(system).id, seconds)
        assert one(system).deadline == 300.0
        nursery.cancel_scope.cancel()


@pytest.mark.row(112)
async def test_requests_stand_by_priority_then_by_age(autojump_clock: MockClock) -> None:
    """And each person sees their own."""
    async with asking() as (system, nursery):
        for text, priority, to in [
            ("a", 0, "ada"),
            ("b", 5, "bo"),
            ("c", 0, None),
            ("d", 5, "ada"),
            ("e", -1, "ada"),
        ]:
            await ask(nursery, system.desk.approval, text, priority=priority, to=to)
            await trio.sleep(1)
        assert [request.text for request in system.desk.pending()] == ["b", "d", "a", "c", "e"]
        assert [request.text for request in system.desk.pending("ada")] == ["d", "a", "e"]
        assert system.desk.pending("cy") == ()
        nursery.cancel_scope.cancel()


async def test_a_request_that_nobody_answers_goes_up_a_ladder(autojump_clock: MockClock) -> None:
    """Each person has their time, and is warned in it; then the last default is taken."""
    async with asking() as (system, nursery):
        told = desk_events(system)
        ladder = Escalate("bo", 20.0, Escalate("cy", 30.0, True))
        asked = await ask(nursery, system.desk.approval, "Deploy?", to="ada", timeout=10.0, default=ladder)
        request = one(system)
        await trio.sleep(10.5)
        assert (one(system).to, one(system).deadline, one(system).id) == ("bo", 30.0, request.id)
        assert system.desk.pending("ada") == ()
        await trio.sleep(100.0)
        assert (asked.outcome, asked.at) == (True, 60.0)
        assert [(type(event), event.at, event.request.to) for event in told] == [
            (PersonAsked, 0.0, "ada"),
            (PersonWarned, 8.0, "ada"),
            (PersonEscalated, 10.0, "bo"),
            (PersonWarned, 26.0, "bo"),
            (PersonEscalated, 30.0, "cy"),
            (PersonWarned, 54.0, "cy"),
            (PersonTimedOut, 60.0, "cy"),
        ]
        assert [event.before for event in told if isinstance(event, PersonEscalated)] == ["ada", "bo"]
        statistics = system.desk.statistics()
        assert (statistics.escalated, statistics.expired) == (2, 1)


async def test_any_person_of_a_ladder_may_answer(autojump_clock: MockClock) -> None:
    """A ladder without an end of its own raises."""
    async with asking() as (system, nursery):
        asked = await ask(nursery, system.desk.clarification, "?", timeout=1.0, default=Escalate("bo", 1.0))
        await trio.sleep(1.5)
        system.desk.answer(one(system).id, "tea", "bo")
        await wait_all_tasks_blocked()
        assert asked.outcome == "tea"
        with pytest.raises(actors.NoAnswer, match=r"within 3 s"):
            await system.desk.clarification("?", timeout=1.0, default=Escalate("bo", 2.0))


# --- bounds and figures -------------------------------------------------------------------------


async def test_no_more_requests_wait_than_may(autojump_clock: MockClock) -> None:
    """The error says what helps; one more who waits for the same question is none."""
    async with asking(capacity=2) as (system, nursery):
        await ask(nursery, system.desk.approval, "1?", key="k")
        await ask(nursery, system.desk.approval, "2?")
        with pytest.raises(actors.DeskFull, match=r"answer or withdraw some, or allow more with Asking\(cap"):
            await system.desk.approval("3?")
        joined = await ask(nursery, system.desk.approval, "1?", key="k")
        assert system.desk.statistics().waiting == 3
        system.desk.answer(system.desk.pending()[0].id, True)
        await wait_all_tasks_blocked()
        assert joined.outcome is True
        assert (await ask(nursery, system.desk.approval, "3?")).outcome == "waits"
        nursery.cancel_scope.cancel()


@pytest.mark.row(106)
async def test_the_last_thousand_ids_are_known_and_no_more(autojump_clock: MockClock) -> None:
    """The one before them is unknown; and the answer to its key is forgotten with it."""
    async with actors.open_system("alpha") as system:
        ids: list[str] = []

        def answer(request: actors.PersonRequest) -> None:
            ids.append(request.id)
            system.desk.answer(request.id, True)

        with system.desk.notify(answer):
            for n in range(1001):
                await system.desk.approval("?", key=f"k{n}")
            assert (system.desk.statistics().remembered, system.desk.statistics().kept) == (1000, 1000)
            with pytest.raises(actors.UnknownRequest):
                system.desk.answer(ids[0], False)
            with pytest.raises(actors.AlreadyAnswered):
                system.desk.answer(ids[1], False)
            await system.desk.approval("?", key="k1")
            assert len(ids) == 1001
            await system.desk.approval("?", key="k0")
            assert len(ids) == 1002


@pytest.mark.row(113)
async def test_the_desk_counts_what_becomes_of_requests_and_how_long_people_take(
    autojump_clock: MockClock,
) -> None:
    """Response times, the share that nobody answered, and how many wait."""
    async with asking() as (system, nursery):
        assert system.desk.statistics().timeout_rate == 0.0
        for seconds in (2.0, 2.0, 50.0):
            asked = await ask(nursery, system.desk.approval, "?")
            await trio.sleep(seconds)
            system.desk.answer(one(system).id, True)
            await wait_all_tasks_blocked()
            assert asked.outcome is True
        await system.desk.approval("?")
        (await ask(nursery, system.desk.approval, "?")).scope.cancel()
        await wait_all_tasks_blocked()
        await ask(nursery, system.desk.approval, "?", key="k")
        await ask(nursery, system.desk.approval, "?", key="k")
        found = system.desk.statistics()
        assert (found.asked, found.answered, found.expired, found.withdrawn) == (6, 3, 1, 1)
        assert (found.pending, found.waiting, found.remembered, found.kept) == (1, 2, 5, 0)
        assert (found.response.count, found.response.total) == (3, 54.0)
        assert found.response.quantile(0.5) == pytest.approx(1.75)
        assert found.timeout_rate == 0.25
        assert repr(system.desk) == "<Desk of 'alpha', 1 pending>"
        nursery.cancel_scope.cancel()


async def test_who_decides_waits_until_it_stands(autojump_clock: MockClock) -> None:
    """On one node that is at once, and a checkpoint; cancelled before, nothing is decided."""
    async with asking() as (system, nursery):
        asked = await ask(nursery, system.desk.approval, "Deploy?")
        with trio.CancelScope() as scope:
            scope.cancel()
            await system.desk.decide(one(system).id, True)
        assert scope.cancelled_caught
        assert asked.outcome == "waits"
        await system.desk.decide(one(system).id, True, "ada")
        await wait_all_tasks_blocked()
        assert asked.outcome is True
        assert nothing_left(system)


async def test_bad_input_asks_nobody(autojump_clock: MockClock) -> None:
    """It is refused before anything has happened."""
    async with actors.open_system("alpha") as system:
        told = desk_events(system)
        calls: list[tuple[Any, ...]] = [
            (system.desk.approval, {"timeout": -1.0}, "timeout must be 0 or more"),
            (system.desk.approval, {"timeout": float("nan")}, "timeout must be"),
            (system.desk.approval, {"timeout": True}, "timeout must be a number"),
            (system.desk.approval, {"default": "yes"}, "write a bool, actors.RAISE"),
            (system.desk.clarification, {"default": True}, "write a str, actors.RAISE"),
            (system.desk.approval, {"to": ""}, "to must be"),
            (system.desk.approval, {"priority": 0.5}, "priority must be"),
        ]
        for call, options, cure in calls:
            with pytest.raises((TypeError, ValueError), match=cure):
                await call("Deploy?", **options)
        with pytest.raises(ValueError, match="may have 65536"):
            await system.desk.approval("x" * 65_537)
        assert told == []
        assert nothing_left(system)


def test_the_bounds_of_a_desk_check_themselves() -> None:
    """When they are made."""
    bad: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"timeout": -1.0}, ValueError, "timeout must be"),
        ({"timeouts": [1]}, TypeError, "write {'approval': 600.0}"),
        ({"timeouts": {3: 1.0}}, ValueError, "3 is no kind"),
        ({"timeouts": {"": 1.0}}, ValueError, "is no kind"),
        ({"timeouts": {"approval": None}}, ValueError, r"timeouts\['approval'\] must be"),
        ({"warn": 1.5}, ValueError, "share from 0 to 1"),
        ({"capacity": 0}, ValueError, "capacity must be"),
        ({"max_text": 0}, ValueError, "max_text must be"),
        ({"max_answer": 1.5}, ValueError, "max_answer must be"),
        ({"remember": 0}, ValueError, "remember must be"),
        ({"keep": float("inf")}, ValueError, "keep must be finite"),
        ({"keep": 0}, ValueError, "keep must be more than 0"),
    ]
    for options, error, text in bad:
        with pytest.raises(error, match=text):
            actors.Asking(**options)
    with pytest.raises(TypeError, match=r"write actors\.Asking"):
        actors.open_system("alpha", asking={"timeout": 5.0})  # type: ignore[arg-type]


async def test_every_call_is_a_checkpoint_also_one_that_is_answered_already(
    autojump_clock: MockClock,
) -> None:
    """Whoever asks in a loop holds nobody up."""
    async with actors.open_system("alpha") as system:
        with system.desk.notify(lambda request: system.desk.answer(request.id, True)):
            for key in (None, "k", "k"):
                with trio.testing.assert_checkpoints():
                    await system.desk.approval("Deploy?", key=key)
            permit = await system.desk.permission(actors.Action("go", {}), key="p")
            with trio.testing.assert_checkpoints():
                async with permit.claim(actors.Action("go", {})):
                    pass
