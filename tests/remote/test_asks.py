"""Telling and asking over a link: every answer, and every way in which there is none."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

import actors
from actors import ActorState
from actors.events import Expired, LateReply, MessageUnread
from actors.messages import MessageRegistry
from tests.remote.folk import (
    Break,
    Deny,
    Echo,
    Hold,
    Keep,
    Note,
    Seen,
    Unknown,
    Worker,
    at_rest,
    link_of,
    settled,
)
from tests.remote.stage import World, linked

ONE = actors.Policy(mailbox=actors.Mailbox(capacity=1), breaker=None)


@attrs.frozen
class Plain:
    """No message class."""


async def found(world: World, kind: Any = Worker, policy: actors.Policy | None = None) -> actors.Ref:
    """A new actor of beta's, as alpha sees it."""
    world.beta.spawn(kind, name="worker", policy=policy)
    ref = await world.peer.find("/worker")
    assert ref is not None
    return ref


async def test_told_and_sent_messages_arrive_in_order(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        for number in range(50):
            if number % 2:
                worker.tell(Note(str(number)))
            else:
                await worker.send(Note(str(number)))
        assert await worker.ask(Seen(), timeout=5) == [str(number) for number in range(50)]


async def test_an_urgent_message_comes_before_what_waits(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        worker.tell(Hold(1))
        worker.tell(Note("waits"))
        worker.tell(Note("urgent"), urgent=True)
        assert await worker.ask(Seen(), timeout=5) == ["urgent", "waits"]


async def test_a_failing_handler_is_actor_failed_with_the_error_as_text(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        with pytest.raises(actors.ActorFailed) as caught:
            await worker.ask(Break("bad wheel"), timeout=5)
        assert caught.value.ref == worker
        cause = caught.value.__cause__
        assert isinstance(cause, actors.RemoteError)
        assert (cause.type_name, cause.message) == ("ValueError", "bad wheel")
        assert "raise ValueError(message.text)" in cause.traceback_text
        assert str(caught.value).endswith("ValueError: bad wheel")


async def test_a_refusal_an_unknown_message_and_an_interruption(autojump_clock: MockClock) -> None:
    async with linked() as world, trio.open_nursery() as nursery:
        worker = await found(world)
        with pytest.raises(actors.Refused, match="not today"):
            await worker.ask(Deny(), timeout=5)
        with pytest.raises(actors.Unhandled, match="/worker has no handler for Unknown") as unhandled:
            await worker.ask(Unknown(), timeout=5)
        assert unhandled.value.message == Unknown()
        results: list[Any] = []

        async def ask() -> None:
            with pytest.raises(actors.Interrupted) as caught:
                await worker.ask(Hold(60))
            results.append(caught.value.ref)

        nursery.start_soon(ask)
        await settled()
        assert await worker.interrupt() is True
        await settled()
        assert results == [worker]
        assert await worker.interrupt() is False
        assert await worker.ask(Echo("lives"), timeout=5) == "lives"


async def test_the_dead_and_the_dying_end_an_ask_at_once(autojump_clock: MockClock) -> None:
    async with linked() as world, trio.open_nursery() as nursery:
        worker = await found(world)
        results: list[Any] = []

        async def ask(request: actors.Request[Any]) -> None:
            try:
                results.append(await worker.ask(request))
            except actors.ActorStopped as error:
                results.append((type(request).__name__, error.ref == worker))

        nursery.start_soon(ask, Hold(3))
        await settled()
        nursery.start_soon(ask, Echo("queued"))
        await settled()
        worker.stop()
        await settled()
        assert results == [("Echo", True)]
        exit = await worker.wait_stopped()
        await settled()
        assert results == [("Echo", True), "held"]
        assert trio.current_time() == pytest.approx(3.0, abs=0.01)
        with pytest.raises(actors.ActorStopped, match=r"/worker has stopped \(stopped\)") as caught:
            await worker.ask(Echo("late"), timeout=5)
        assert caught.value.exit == exit
        worker.tell(Note("late"))
        assert [letter.message for letter in world.alpha.dead_letters] == [Note("late")]


async def test_an_open_breaker_is_told_with_the_seconds_that_are_left(autojump_clock: MockClock) -> None:
    async with linked() as world:
        policy = actors.Policy(breaker=actors.Breaker(failures=1, reset_after=30.0))
        worker = await found(world, policy=policy)
        with pytest.raises(actors.ActorFailed):
            await worker.ask(Break(), timeout=5)
        with pytest.raises(actors.CircuitOpen) as caught:
            await worker.ask(Echo(), timeout=5)
        assert caught.value.failures == 1
        assert caught.value.retry_after == pytest.approx(30.0, abs=0.1)


async def test_asking_oneself_by_a_ref_that_came_back_is_a_deadlock(autojump_clock: MockClock) -> None:
    class Narcissus(actors.Actor):
        @actors.receive
        async def look(self, message: Keep) -> Any:
            mirror = await message.what.ask(Keep(self.ctx.ref), timeout=5)
            try:
                return await mirror.ask(Echo(), timeout=5)
            except actors.Deadlock as error:
                return "deadlock" if error.ref == self.ctx.ref else error

    async with linked() as world:
        worker = await found(world)
        assert await world.alpha.spawn(Narcissus).ask(Keep(worker)) == "deadlock"


async def test_a_timeout_names_the_target_the_limit_and_the_state(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        with pytest.raises(
            actors.AskTimeout, match=r"^/worker did not answer Hold within 2 s; it is "
        ) as caught:
            await worker.ask(Hold(60), timeout=2)
        assert trio.current_time() == pytest.approx(2.0)
        assert (caught.value.ref, caught.value.message, caught.value.limit) == (worker, Hold(60), 2)
        assert isinstance(caught.value.state, ActorState)
        world.cable.silent()
        await trio.sleep(12)
        with pytest.raises(actors.AskTimeout, match="it is UNREACHABLE now"):
            await worker.ask(Echo(), timeout=0.5)


async def test_a_timeout_says_what_the_actor_was_doing(autojump_clock: MockClock) -> None:
    """As its node said with the last beat; without an open request no more is known than that it lives."""
    async with linked() as world:
        worker = await found(world)
        assert worker.state is ActorState.IDLE
        pending = worker.request(Hold(60))
        with pytest.raises(actors.AskTimeout, match="it is BUSY now"):
            await worker.ask(Echo(), timeout=2.5)
        assert worker.state is ActorState.BUSY
        worker.suspend()
        pending.cancel()
        assert worker.state is ActorState.IDLE
        await worker.interrupt()
        with pytest.raises(actors.AskTimeout, match="it is SUSPENDED now"):
            await worker.ask(Echo(), timeout=2.5)
        by_path = world.peer.ref("/worker")
        waiting = by_path.request(Echo("later"))
        await trio.sleep(2.5)
        assert by_path.state is ActorState.SUSPENDED
        worker.resume()
        assert await waiting.wait() == "later"
        assert by_path.state is ActorState.IDLE
        assert await at_rest(world) == {"alpha.proxies": 2}


# --- what cannot travel ---


@pytest.mark.parametrize("message", [Plain(), "text", Keep(Plain()), Keep([{"a": Plain()}])], ids=repr)
async def test_what_is_no_message_is_refused_at_the_sender(autojump_clock: MockClock, message: Any) -> None:
    async with linked() as world:
        worker = await found(world)
        frames = len(world.cable.frames)
        named = "str" if message == "text" else "Plain"
        with pytest.raises(actors.NotSerializable, match=named):
            worker.tell(message)
        with pytest.raises(actors.NotSerializable, match=named):
            await worker.send(message)
        if isinstance(message, actors.Request):
            with pytest.raises(actors.NotSerializable, match=named):
                await worker.ask(message)
            with pytest.raises(actors.NotSerializable, match=named):
                worker.request(message)
        assert [text for _, text in world.cable.frames[frames:] if '"items"' in text] == []
        link = link_of(world.alpha, "beta")
        assert (link.windows, link.asks) == ({}, {})


async def test_a_reply_that_cannot_travel_fails_its_asker(autojump_clock: MockClock) -> None:
    class Bad(actors.Actor):
        @actors.receive
        async def keep(self, message: Keep) -> Any:
            return Plain() if message.what == "plain" else object()

    async with linked() as world:
        worker = await found(world, Bad)
        with pytest.raises(actors.ActorFailed, match="Plain") as caught:
            await worker.ask(Keep("plain"), timeout=5)
        assert isinstance(caught.value.__cause__, actors.RemoteError)
        assert caught.value.__cause__.type_name == "NotSerializable"
        with pytest.raises(actors.ActorFailed, match="object"):
            await worker.ask(Keep("object"), timeout=5)
        assert worker.state is ActorState.IDLE


async def test_a_class_that_is_unknown_over_there(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A told one is a dead letter there, and both ends log it; an asker gets `Unhandled`."""
    async with linked() as world:
        worker = await found(world)
        find = MessageRegistry.find
        strange = {"test.folk.Note"}
        monkeypatch.setattr(
            MessageRegistry, "find", lambda book, tag: None if tag in strange else find(book, tag)
        )
        async with world.alpha.subscribe(MessageUnread) as unread:
            worker.tell(Note("strange"))
            async for event in unread:
                assert (event.node, "test.folk.Note" in event.why) == ("beta", True)
                break
        assert [letter.reason for letter in world.beta.dead_letters] == ["unhandled"]
        strange.add("test.folk.Echo")
        with pytest.raises(actors.Unhandled) as caught:
            await worker.ask(Echo(), timeout=5)
        assert "import its module" in str(caught.value.__cause__)
        strange.clear()
        assert await worker.ask(Echo("fine"), timeout=5) == "fine"


# --- requests ---


async def test_requests_of_an_actor_are_pending_until_it_takes_the_replies(autojump_clock: MockClock) -> None:
    class Boss(actors.Actor):
        @actors.receive
        async def keep(self, message: Keep) -> Any:
            asked = {message.what.request(Echo(str(number))) for number in range(3)}
            assert set(self.ctx.pending) == asked
            replies: list[str] = []
            while self.ctx.pending:
                replies += [pending.take() for pending in await self.ctx.replies(timeout=5)]
            return sorted(replies), len(asked)

    async with linked() as world:
        worker = await found(world)
        assert await world.alpha.spawn(Boss).ask(Keep(worker)) == (["0", "1", "2"], 3)


async def test_a_wait_that_ends_too_early_leaves_the_request_open(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        pending = worker.request(Hold(3))
        with pytest.raises(actors.AskTimeout):
            await pending.wait(timeout=1)
        assert not pending.done
        assert await pending.wait() == "held"
        assert await pending.wait() == "held"


async def test_reply_later_answers_over_the_link(autojump_clock: MockClock) -> None:
    class Patient(actors.Actor):
        def __init__(self) -> None:
            self.ports: list[actors.ReplyPort] = []

        @actors.receive
        async def keep(self, message: Keep) -> None:
            self.ports.append(self.ctx.reply_later())

        @actors.receive
        async def note(self, message: Note) -> None:
            first, second, third, *_ = self.ports
            first.answer(message.text)
            first.answer("once more")
            second.fail(actors.Refused("no"))
            third.fail(KeyError("gone"))

    async with linked() as world:
        worker = await found(world, Patient)
        asked = [worker.request(Keep(number)) for number in range(4)]
        await settled()
        worker.tell(Note("later"))
        assert await asked[0].wait() == "later"
        with pytest.raises(actors.Refused, match="no"):
            await asked[1].wait()
        with pytest.raises(actors.ActorFailed) as caught:
            await asked[2].wait()
        assert isinstance(caught.value.__cause__, actors.RemoteError)
        assert caught.value.__cause__.type_name == "KeyError"
        worker.stop()
        with pytest.raises(actors.ActorStopped):
            await asked[3].wait()


# --- askers that give up ---


@pytest.mark.parametrize("how", ["timeout", "cancelled", "cancel"])
async def test_what_an_asker_gives_up_is_not_handled(autojump_clock: MockClock, how: str) -> None:
    async with linked() as world:
        worker = await found(world)
        async with world.beta.subscribe(Expired) as expired:
            worker.tell(Hold(10))
            if how == "timeout":
                with pytest.raises(actors.AskTimeout):
                    await worker.ask(Echo("given up"), timeout=1)
            elif how == "cancelled":
                with trio.move_on_after(1):
                    await worker.ask(Echo("given up"))
            else:
                pending = worker.request(Echo("given up"))
                await trio.sleep(1)
                pending.cancel()
            assert await worker.ask(Seen(), timeout=20) == []
            async for event in expired:
                assert event.message == Echo("given up")
                break
        assert await at_rest(world) == {"alpha.proxies": 1}


async def test_what_is_given_up_while_the_link_is_down_is_not_handled_later(
    autojump_clock: MockClock,
) -> None:
    """The withdrawal does not overtake the request."""
    async with linked() as world:
        worker = await found(world)
        world.cable.cut()
        await trio.sleep(1)
        with trio.move_on_after(1):
            await worker.ask(Echo("given up"))
        with pytest.raises(actors.AskTimeout):
            await worker.ask(Echo("too late"), timeout=2)
        world.cable.mend()
        assert await worker.ask(Seen(), timeout=20) == []
        assert await at_rest(world) == {"alpha.proxies": 1}


async def test_a_deadline_travels_as_time_left(autojump_clock: MockClock) -> None:
    """Over there the request expires by itself, also when nobody can tell."""
    async with linked() as world:
        worker = await found(world)
        worker.tell(Hold(5))
        pending = worker.request(Echo("expires"), timeout=3)
        await settled()
        world.cable.cut()
        await trio.sleep(5.5)
        assert pending.done
        world.cable.mend()
        assert await worker.ask(Seen(), timeout=20) == []


async def test_a_request_in_hand_goes_on_and_its_late_reply_is_dropped(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        async with world.beta.subscribe(LateReply) as late:
            with pytest.raises(actors.AskTimeout):
                await worker.ask(Hold(5), timeout=1)
            async for event in late:
                assert event.message == Hold(5)
                break
        assert trio.current_time() == pytest.approx(5.0)
        assert await worker.ask(Echo("next"), timeout=1) == "next"


async def test_a_reply_that_crosses_the_withdrawal_harms_nobody(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        for number in range(20):
            pending = worker.request(Echo(str(number)))
            for _ in range(number):
                await trio.lowlevel.checkpoint()
            pending.cancel()
            assert await worker.ask(Echo("whole"), timeout=5) == "whole"
        assert await at_rest(world) == {"alpha.proxies": 1}


async def test_a_hundred_asks_at_once_get_their_own_replies(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        replies: dict[int, str] = {}

        async def ask(number: int) -> None:
            replies[number] = await worker.ask(Echo(str(number)), timeout=5)

        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(ask, number)
        assert replies == {number: str(number) for number in range(100)}


# --- large ones ---


async def test_a_large_message_and_a_large_reply_come_through(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        text = "ä" * 100_000 + '"\\' * 100_000
        assert await worker.ask(Echo(text), timeout=5) == text


async def test_a_message_that_is_too_long_is_refused_at_the_sender(autojump_clock: MockClock) -> None:
    async with linked() as world:
        worker = await found(world)
        long = "x" * (1024 * 1024)
        why = r"Note of \d+ characters on the wire is more than 'beta' takes, which is 1048576"
        with pytest.raises(actors.NotSerializable, match=why):
            worker.tell(Note(long))
        with pytest.raises(actors.NotSerializable, match=why):
            await worker.send(Note(long))
        with pytest.raises(actors.NotSerializable, match="Echo of"):
            await worker.ask(Echo(long))
        with pytest.raises(actors.NotSerializable, match="Echo of"):
            worker.request(Echo(long))
        assert await worker.ask(Seen(), timeout=5) == []
        assert world.peer.state is actors.LinkState.UP
        assert await at_rest(world) == {"alpha.proxies": 1}


async def test_a_reply_that_is_too_long_fails_its_asker(autojump_clock: MockClock) -> None:
    class Long(actors.Actor):
        @actors.receive
        async def keep(self, message: Keep) -> Any:
            return "x" * 2_000_000

    async with linked() as world:
        worker = await found(world, Long)
        with pytest.raises(actors.ActorFailed, match="more than 'alpha' takes"):
            await worker.ask(Keep(), timeout=5)
        assert world.peer.state is actors.LinkState.UP


async def test_a_message_that_is_too_long_for_a_child_over_there_ends_nothing_else(
    autojump_clock: MockClock,
) -> None:
    async with linked(spawnable=(Worker,)) as world:
        child = world.alpha.spawn(Worker, name="child", on="beta")
        long = "x" * 2_000_000
        with pytest.raises(actors.NotSerializable, match="more than 'beta' takes"):
            await child.ask(Echo(long), timeout=5)
        child.tell(Note(long))
        assert await child.ask(Seen(), timeout=5) == []
        assert [letter.reason for letter in world.alpha.dead_letters] == ["unhandled"]
        assert child.cell.restarts == 0
        assert await child.ask(Echo("x" * 900_000), timeout=5) == "x" * 900_000


async def test_an_exit_with_a_long_value_is_told_without_it(autojump_clock: MockClock) -> None:
    async def wordy(ctx: actors.Context) -> str:
        async for _ in ctx.inbox:
            pass
        return "x" * 2_000_000

    async with linked() as world:
        world.beta.spawn(wordy, name="wordy")
        ref = await world.peer.find("/wordy")
        assert ref is not None
        ref.stop()
        exit = await ref.wait_stopped()
        assert (exit.kind, exit.value) == (actors.ExitKind.SHUTDOWN, None)


async def test_the_limit_of_each_end_is_its_own() -> None:
    """Over real sockets: each end is told the other's with the handshake."""
    async with actors.open_system("beta") as beta, actors.open_system("alpha") as alpha:
        listener = await beta.listen("127.0.0.1", 0, max_message=2048)
        peer = await alpha.connect(listener.url, max_message=4096)
        await peer.wait_up()
        worker = beta.spawn(Worker, name="worker")
        ref = peer.ref("/worker")
        text = "x" * 3000
        with pytest.raises(actors.NotSerializable, match="is more than 'beta' takes, which is 2048"):
            await ref.ask(Echo(text), timeout=5)
        worker.tell(Note(text))
        assert await ref.ask(Seen(), timeout=5) == [text]
        worker.tell(Note(text))
        with pytest.raises(actors.ActorFailed, match="is more than 'alpha' takes, which is 4096"):
            await ref.ask(Seen(), timeout=5)
        assert peer.state is actors.LinkState.UP
