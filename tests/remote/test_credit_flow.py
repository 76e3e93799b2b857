"""Credit over a link: one slow actor slows only those who send to it."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import actors
from actors.remote.credit import WINDOW
from actors.remote.session import BUFFER_BYTES
from tests.remote.folk import Echo, Keep, Note, Seen, Worker, at_rest, link_of, settled
from tests.remote.stage import World, linked

CAPACITY = 10
SMALL = actors.Policy(mailbox=actors.Mailbox(capacity=CAPACITY))


async def slow(world: World, policy: actors.Policy = SMALL) -> actors.Ref:
    """An actor of beta's that takes nothing until it is resumed."""
    world.beta.spawn(Worker, name="slow", policy=policy).suspend()
    ref = await world.peer.find("/slow")
    assert ref is not None
    return ref


async def quick(world: World) -> actors.Ref:
    """Another one, that does."""
    world.beta.spawn(Worker, name="quick")
    ref = await world.peer.find("/quick")
    assert ref is not None
    return ref


def is_taken(ref: actors.Ref, message: Note) -> bool:
    """Tell it; False when there is no room for the message."""
    try:
        ref.tell(message)
    except actors.MailboxFull:
        return False
    return True


async def fill(ref: actors.Ref) -> int:
    """Tell it until no more are taken; how many were."""
    told, before = 0, -1
    while told > before:
        before = told
        while is_taken(ref, Note(str(told))):
            told += 1
        await trio.sleep(2)  # what is in the mailbox is credit again with the next beat
    return told


async def test_tell_raises_when_the_actor_over_there_is_full(autojump_clock: MockClock) -> None:
    async with linked() as world:
        ref = await slow(world)
        told = await fill(ref)
        assert told == WINDOW + CAPACITY
        with pytest.raises(actors.MailboxFull) as caught:
            await ref.ask(Echo("no room"), timeout=5)
        assert caught.value.message == Echo("no room")
        assert caught.value.capacity == WINDOW
        await trio.sleep(30)
        with pytest.raises(actors.MailboxFull) as caught:
            ref.tell(Note("no room"))
        assert (caught.value.ref, caught.value.message) == (ref, Note("no room"))


async def test_others_of_the_same_node_are_asked_without_delay_meanwhile(autojump_clock: MockClock) -> None:
    async with linked() as world:
        ref, other = await slow(world), await quick(world)
        await fill(ref)
        for number in range(3 * WINDOW):
            other.tell(Note(str(number)))
            if number % 500 == 499:
                began = trio.current_time()
                assert len(await other.ask(Seen(), timeout=5)) == number + 1
                assert trio.current_time() == began


async def test_control_never_waits_behind_data(autojump_clock: MockClock) -> None:
    async with linked() as world:
        ref = await slow(world)
        pending = ref.request(Echo("open"))
        await fill(ref)
        ref.kill()
        assert (await ref.wait_stopped()).kind is actors.ExitKind.KILLED
        with pytest.raises(actors.ActorStopped):
            await pending.wait()


async def test_send_waits_for_room_and_goes_on(autojump_clock: MockClock) -> None:
    """In the order of the senders, and nothing is lost."""
    async with linked() as world:
        ref = await slow(world)
        told = await fill(ref)
        sent: list[int] = []

        async def send(number: int) -> None:
            await ref.send(Note(str(number)))
            sent.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(told, told + 50):
                nursery.start_soon(send, number)
                await settled()
            await trio.sleep(30)
            assert sent == []
            with pytest.raises(actors.MailboxFull):
                ref.tell(Note("passes nobody"))
            ref.resume()
        assert await ref.ask(Seen(), timeout=5) == [str(number) for number in range(told + 50)]
        assert sorted(sent) == list(range(told, told + 50))
        assert await at_rest(world) == {"alpha.proxies": 1}


async def test_a_drain_is_behind_what_still_waits_for_room_over_there(autojump_clock: MockClock) -> None:
    """It was told before, and no exception said that there was no room."""
    async with linked() as world:
        ref = await slow(world)
        told = await fill(ref)
        at_home = world.beta.find("/slow")
        assert at_home is not None
        actor: Any = at_home.cell
        ref.drain()
        assert (await ref.wait_stopped()).kind is actors.ExitKind.SHUTDOWN
        assert actor.handled == told
        assert world.beta.dead_letters == ()


async def test_a_cancelled_sender_has_not_sent(autojump_clock: MockClock) -> None:
    async with linked() as world:
        ref = await slow(world)
        told = await fill(ref)
        with trio.move_on_after(1) as limit:
            await ref.send(Note("cancelled"))
        assert limit.cancelled_caught
        assert link_of(world.alpha, "beta").senders == {}
        ref.resume()
        await settled()
        assert await ref.ask(Seen(), timeout=5) == [str(number) for number in range(told)]
        assert await at_rest(world) == {"alpha.proxies": 1}


async def test_senders_to_two_slow_actors_wait_for_their_own(autojump_clock: MockClock) -> None:
    """The first one that waits does not stand in the way of the second."""
    async with linked() as world:
        first = await slow(world)
        world.beta.spawn(Worker, name="other", policy=SMALL).suspend()
        second = await world.peer.find("/other")
        assert second is not None
        await fill(first)
        await fill(second)
        ended: list[str] = []

        async def send(ref: actors.Ref) -> None:
            await ref.send(Note("waits"))
            ended.append(ref.path)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, first)
            await settled()
            nursery.start_soon(send, second)
            await settled()
            second.resume()
            await trio.sleep(3)
            assert ended == ["/other"]
            first.resume()
        assert ended == ["/other", "/slow"]


async def test_who_waits_hears_of_the_end(autojump_clock: MockClock) -> None:
    """The message is a dead letter, here or there, and the sender goes on; of the node too."""
    async with linked() as world:
        ref = await slow(world)
        await fill(ref)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ref.send, Note("too late"))
            await settled()
            ref.kill()
        await settled()
        letters = (*world.alpha.dead_letters, *world.beta.dead_letters)
        assert [letter.message for letter in letters].count(Note("too late")) == 1
        assert await at_rest(world) == {"alpha.proxies": 1}
        world.beta.spawn(Worker, name="again", policy=SMALL).suspend()
        again = await world.peer.find("/again")
        assert again is not None
        await fill(again)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(again.send, Note("lost"))
            await settled()
            world.cable.silent()
        assert world.alpha.dead_letters[-1].message == Note("lost")


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
async def test_an_actor_that_drops_never_stops_its_senders(autojump_clock: MockClock, overflow: Any) -> None:
    async with linked() as world:
        policy = actors.Policy(mailbox=actors.Mailbox(capacity=CAPACITY, overflow=overflow))
        ref = await slow(world, policy)
        for number in range(3 * WINDOW):
            await ref.send(Note(str(number)))
        await settled()
        ref.resume()
        kept = range(CAPACITY) if overflow == "drop_newest" else range(3 * WINDOW - CAPACITY, 3 * WINDOW)
        await settled()
        assert await ref.ask(Seen(), timeout=5) == [str(number) for number in kept]
        assert {letter.reason for letter in world.beta.dead_letters} == {f"dropped_{overflow[5:]}"}
        assert await at_rest(world) == {"alpha.proxies": 1}


async def test_what_goes_to_nobody_costs_nothing_for_good(autojump_clock: MockClock) -> None:
    async with linked() as world:
        nobody = world.peer.ref("/nobody")
        for _ in range(3 * WINDOW):
            await nobody.send(Note("anybody"))
        await settled()
        assert world.beta._kernel.dead_letter_count == 3 * WINDOW  # pyright: ignore[reportPrivateUsage]
        assert await at_rest(world) == {"alpha.proxies": 1}


async def test_the_tables_are_empty_when_all_is_done(autojump_clock: MockClock) -> None:
    """After asks, tells, watches, waits, errors, and the death of some."""
    async with linked() as world:
        for number in range(30):
            world.beta.spawn(Worker, name=f"w{number}")
            ref = await world.peer.find(f"/w{number}")
            assert ref is not None
            for count in range(number):
                ref.tell(Note(str(count)))
            assert len(await ref.ask(Seen(), timeout=5)) == number
            with trio.move_on_after(0.1):
                await ref.wait_stopped()
            if number % 3 == 0:
                ref.tell(Note("one more"))
                ref.stop()
                await ref.wait_stopped()
            del ref
        assert await at_rest(world) == {}
        link = link_of(world.beta, "alpha")
        assert len(link.inbound.known) == 20
        assert link.session.unacknowledged == (0, 0)


async def test_a_new_life_at_the_same_path_starts_with_a_whole_window(autojump_clock: MockClock) -> None:
    """Late credits of the former one do no harm."""
    async with linked() as world:
        by_path = world.peer.ref("/slow")
        for _ in range(3):
            at_home = world.beta.spawn(Worker, name="slow", policy=SMALL)
            at_home.suspend()
            told = await fill(by_path)
            assert told >= WINDOW
            at_home.kill()
            await by_path.wait_stopped()
            await trio.sleep(3)
        assert world.peer.state is actors.LinkState.UP


# --- while the link is down ---


async def test_tells_wait_in_a_bounded_buffer_while_the_link_is_down(autojump_clock: MockClock) -> None:
    async with linked() as world:
        ref = await quick(world)
        world.cable.cut()
        await settled()
        told = await fill(ref)
        assert told == WINDOW
        world.cable.mend()
        await world.connected()
        await settled()
        assert await ref.ask(Seen(), timeout=5) == [str(number) for number in range(told)]


async def test_the_buffer_is_bounded_in_characters_too(autojump_clock: MockClock) -> None:
    """`send` waits for room in it, `tell` and `ask` do not."""
    async with linked() as world:
        ref, other = await quick(world), await slow(world)
        world.cable.cut()
        await settled()
        text = Note("x" * 100_000)
        told = 0
        while is_taken(ref, text):
            told += 1
        assert told * 100_000 == pytest.approx(BUFFER_BYTES, rel=0.05)
        with pytest.raises(actors.MailboxFull):
            await other.ask(Echo())
        ended: list[str] = []

        async def send(whom: actors.Ref) -> None:
            await whom.send(Note("waits"))
            ended.append(whom.path)

        async with trio.open_nursery() as nursery:
            for whom in (ref, other, ref):
                nursery.start_soon(send, whom)
            await trio.sleep(3)
            assert ended == []
            world.cable.mend()
        assert sorted(ended) == ["/quick", "/quick", "/slow"]
        await trio.sleep(1)
        at_home = world.beta.find("/quick")
        assert at_home is not None
        assert len(await at_home.ask(Seen())) == told + 2


async def test_asks_wait_for_their_own_limit_while_the_link_is_down(autojump_clock: MockClock) -> None:
    async with linked() as world:
        ref = await quick(world)
        world.cable.cut()
        await settled()
        with pytest.raises(actors.AskTimeout, match="within 2 s; it is UNREACHABLE now"):
            await ref.ask(Echo(), timeout=2)
        pending = ref.request(Echo("in time"), timeout=8)
        await trio.sleep(2)
        world.cable.mend()
        assert await pending.wait() == "in time"


async def test_a_large_message_goes_in_pieces_between_which_control_passes(autojump_clock: MockClock) -> None:
    """A reply, or an order, waits for one frame at most."""
    async with linked() as world:
        ref, other = await quick(world), await slow(world)
        mine = world.alpha.spawn(Worker, name="mine")
        back = await world.beta.node("alpha").find("/mine")
        assert back is not None
        frames = world.cable.frames
        del frames[:]
        other.tell(Note("x" * 900_000))
        other.kill()
        await other.wait_stopped()
        await settled()
        sent = [text for sender, text in frames if sender == "alpha" and '"d":' in text]
        assert len(sent) >= 20
        assert max(len(text) for text in sent) < 150_000
        assert '"kill"' in sent[0]
        assert await ref.ask(Echo("after"), timeout=5) == "after"
        assert mine.state is actors.ActorState.IDLE


async def test_a_large_message_delays_another_actors_ask_by_one_frame(autojump_clock: MockClock) -> None:
    """And what is for the same actor stays behind it, as does the notice of its sender's end."""
    async with linked() as world:
        ref = await quick(world)
        world.beta.spawn(Worker, name="other")
        other = await world.peer.find("/other")
        assert other is not None
        frames = world.cable.frames
        del frames[:]
        large = Note("x" * 900_000)
        other.tell(large)
        other.tell(Note("behind"))
        for _ in range(20):  # it is under way
            await trio.lowlevel.checkpoint()
        begun = [text for sender, text in frames if sender == "alpha"]
        assert await ref.ask(Echo("quick"), timeout=5) == "quick"
        behind = [text for sender, text in frames if sender == "alpha"][len(begun) :]
        assert 0 < len(begun) < 20
        assert any('"ask"' in text for text in behind[:2])
        assert await world.peer.ref("/other").ask(Seen(), timeout=5) == [large.text, "behind"]
        assert len([text for sender, text in frames if sender == "alpha" and '"part"' in text]) >= 28
        assert link_of(world.alpha, "beta").session.unacknowledged[1] <= 2
        await at_rest(world)
        assert link_of(world.alpha, "beta").session.unacknowledged == (0, 0)


async def test_a_notice_does_not_pass_a_large_message_of_the_dead(autojump_clock: MockClock) -> None:
    log: list[str] = []

    class Watcher(actors.Actor):
        @actors.receive
        async def keep(self, message: Keep) -> None:
            self.ctx.watch(message.what)

        @actors.receive
        async def note(self, message: Note) -> None:
            log.append(f"{len(message.text)} characters")

        @actors.receive
        async def ended(self, message: actors.Terminated) -> None:
            log.append("ended")

    class Last(actors.Actor):
        @actors.receive
        async def keep(self, message: Keep) -> None:
            message.what.tell(Note("x" * 500_000))
            self.ctx.stop()

    async with linked() as world:
        world.beta.spawn(Last, name="last")
        last = await world.peer.find("/last")
        assert last is not None
        watcher = world.alpha.spawn(Watcher, name="watcher")
        await watcher.ask(Keep(last))
        last.tell(Keep(watcher))
        await trio.sleep(1)
        assert log == ["500000 characters", "ended"]
