"""Telling, asking, and what comes back, by tools."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

import actors
from actors.mcp import Offer, build_server
from tests.mcp.world import Add, Worker, a_gate, a_talk, talking


def add(one: int, other: int) -> dict[str, Any]:
    """As a client says it."""
    return {"$": "mcp-tests.Add", "one": one, "other": other}


def work(seconds: float) -> dict[str, Any]:
    """As a client says it."""
    return {"$": "mcp-tests.Work", "seconds": seconds}


async def test_text_and_messages_reach_an_actor_as_they_are(autojump_clock: MockClock) -> None:
    """Also a text that looks like JSON, of many lines, or of many characters."""
    texts = ["hello", '{"a": 1}', "[1, 2]", "null", "true", "3", "", "two\nlines", "ж" * 100_000]
    async with a_talk() as (_, talk):
        await talk("spawn", template="worker", name="w")
        for text in texts:
            await talk("tell", path="w", message=text)
        await talk("tell", path="w", message={"$": "mcp-tests.Note", "text": "as a message"})
        assert (await talk("ask", path="w", message="notes"))["reply"] == [*texts, "as a message"]
        assert (await talk("ask", path="w", message=add(1, 2)))["reply"] == 3


async def test_text_may_go_in_the_class_that_an_actor_takes(autojump_clock: MockClock) -> None:
    """The offer of its template says which."""

    async def echo(ctx: actors.Context) -> None:
        async for message in ctx.inbox:
            ctx.reply(type(message).__name__)

    gate = a_gate(templates={"echo": Offer(echo, text=Question)})
    async with a_talk(gate) as (_, talk):
        await talk("spawn", template="echo", name="e")
        assert (await talk("ask", path="e", message="what?"))["reply"] == "Question"


@actors.message(tag="mcp-tests.Question")
class Question(actors.Request[str]):
    """A text."""

    said: str


@pytest.mark.row(65)
async def test_overlapping_requests_get_their_own_replies(autojump_clock: MockClock) -> None:
    """Answered in the reverse order."""
    async with a_talk() as (_, talk):
        await talk("spawn", template="worker", name="slow")
        await talk("spawn", template="worker", name="fast")
        slow = await talk("ask", path="slow", message=work(5), wait=False)
        fast = await talk("ask", path="fast", message=work(1), wait=False)
        [first] = (await talk("pending_replies", wait=10))["replies"]
        [second] = (await talk("pending_replies", wait=10))["replies"]
        assert (first["request"], first["reply"]) == (fast["request"], "worked 1 s")
        assert (second["request"], second["reply"]) == (slow["request"], "worked 5 s")


@pytest.mark.row(65)
async def test_a_request_has_a_timeout(autojump_clock: MockClock) -> None:
    """In seconds; the actor lives on, and the late reply goes nowhere."""
    async with a_talk() as (_, talk):
        await talk("spawn", template="worker", name="w")
        began = trio.current_time()
        assert "AskTimeout" in await talk.error("ask", path="w", message=work(10), timeout=2.5)
        assert trio.current_time() - began == 2.5
        await trio.sleep(20)
        assert (await talk("pending_replies"))["replies"] == []
        assert (await talk("ask", path="w", message=add(1, 1)))["reply"] == 2


@pytest.mark.row(74)
async def test_pending_replies_drains_or_waits_for_the_first(autojump_clock: MockClock) -> None:
    """0: what is there now; more: the first, then all of that moment; [] when the time is over."""
    async with a_talk() as (_, talk):
        for name in ("a", "b", "c"):
            await talk("spawn", template="worker", name=name)
        assert await talk("pending_replies", wait=0) == {"replies": [], "open": 0}
        for name, seconds in (("a", 2), ("b", 2), ("c", 9)):
            await talk("ask", path=name, message=work(seconds), wait=False)
        began = trio.current_time()
        assert await talk("pending_replies") == {"replies": [], "open": 3}
        assert await talk("pending_replies", wait=1.5) == {"replies": [], "open": 3}
        assert trio.current_time() - began == 1.5
        both = await talk("pending_replies", wait=60)
        assert trio.current_time() - began == 2.0
        assert [one["to"][-1] for one in both["replies"]] == ["a", "b"]
        assert both["open"] == 1
        await trio.sleep(60)
        assert [one["ok"] for one in (await talk("pending_replies"))["replies"]] == [True]


@pytest.mark.row(74)
async def test_only_replies_to_me_are_mine(autojump_clock: MockClock) -> None:
    """Not those to another agent, nor what I owe somebody."""
    async with actors.open_system("town") as system:
        server = build_server(system, a_gate())
        async with talking(server, "one") as one, talking(server, "other") as other:
            await one("spawn", template="worker", name="w")
            await one("ask", path="w", message="hello", wait=False)
            await other("ask", path="/agents/one", message="your turn", wait=False)
            await trio.sleep(1)
            assert (await other("pending_replies"))["replies"] == []
            assert [r["reply"] for r in (await one("pending_replies"))["replies"]] == ["hello, hello"]
            [letter] = (await one("messages"))["messages"]
            assert letter["needs_reply"]
            await one("reply", id=letter["id"], value={"done": [1, None]})
            [reply] = (await other("pending_replies", wait=1))["replies"]
            assert reply["reply"] == {"done": [1, None]}


@pytest.mark.parametrize("what", ["messages", "pending_replies"])
async def test_what_comes_in_the_moment_of_a_cancellation_is_not_lost(
    autojump_clock: MockClock, what: str
) -> None:
    """Whoever waited takes nothing along that cannot be delivered; the next call has it."""
    async with a_talk() as (system, talk):
        await talk("spawn", template="worker", name="w")
        me = system.find("/agents/coder")
        assert me is not None
        agent: Any = me.cell.actor
        await talk("ask", path="w", message=work(1000), wait=False)
        [pending] = agent.open.values()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                if what == "messages":
                    nursery.start_soon(agent.take, 100.0, 10)
                else:
                    nursery.start_soon(agent.replies, 100.0)
                await trio.testing.wait_all_tasks_blocked(0.1)
                if what == "messages":
                    agent._keep("a letter", None, None)
                else:
                    pending.answer("a letter")
                scope.cancel()
        assert "a letter" in str(await talk(what))


async def test_an_error_is_what_becomes_of_a_request(autojump_clock: MockClock) -> None:
    """Also of one that nobody waits for."""
    async with a_talk() as (_, talk):
        await talk("spawn", template="worker", name="w")
        asked = await talk("ask", path="w", message="fail", wait=False)
        [reply] = (await talk("pending_replies", wait=5))["replies"]
        assert (reply["request"], reply["ok"]) == (asked["request"], False)
        assert reply["error"].startswith("ActorFailed: /agents/coder/w failed")
        assert "Traceback" not in reply["error"]


async def test_a_reply_goes_to_whoever_asked_once(autojump_clock: MockClock) -> None:
    """A refusal does, too; what is unknown, and what was answered, is an error with the cure."""
    async with a_talk() as (system, talk):
        agent = system.find("/agents/coder")
        assert agent is not None
        first, second = agent.request(Add(1, 2)), agent.request(Add(3, 4))
        agent.tell("no answer needed")
        letters = (await talk("messages", wait=1))["messages"]
        letters += (await talk("messages"))["messages"]
        assert [one["message"] for one in letters[:2]] == [add(1, 2), add(3, 4)]
        assert [one["needs_reply"] for one in letters] == [True, True, False]
        assert await talk("reply", id=letters[0]["id"], value=3) == {"id": 1, "to": None, "late": False}
        assert await first.wait() == 3
        await talk("reply", id=letters[1]["id"], error="I do not add")
        with pytest.raises(actors.Refused, match="I do not add"):
            await second.wait()
        assert "waiting: none" in await talk.error("reply", id=letters[0]["id"], value=3)
        assert "no message 3 of yours" in await talk.error("reply", id=3, value=3)


async def test_a_late_reply_is_said_to_be_late(autojump_clock: MockClock) -> None:
    """Nobody waits for it any more."""
    async with a_talk() as (system, talk):
        agent = system.find("/agents/coder")
        assert agent is not None
        pending = agent.request(Add(1, 2), timeout=5.0)
        [letter] = (await talk("messages", wait=1))["messages"]
        await trio.sleep(6)
        assert pending.done
        assert (await talk("reply", id=letter["id"], value=3))["late"]


@pytest.mark.row(75)
async def test_a_broadcast_has_an_outcome_for_each_child(autojump_clock: MockClock) -> None:
    """All at the same time; one that cannot answer stops no other; without children there are none."""
    async with a_talk() as (_, talk):
        assert await talk("broadcast", message="hello") == {"outcomes": [], "count": 0, "ok": 0}
        for name in ("a", "b", "c"):
            await talk("spawn", template="worker", name=name)
        await talk("suspend", path="b")
        began = trio.current_time()
        said = await talk("broadcast", message=work(2), timeout=5)
        assert trio.current_time() - began == 5.0
        assert (said["count"], said["ok"]) == (3, 2)
        assert [one["ok"] for one in said["outcomes"]] == [True, False, True]
        assert "AskTimeout" in said["outcomes"][1]["error"]
        await talk("resume", path="b")
        said = await talk("broadcast", message="hello", ask=True)
        assert [one["reply"] for one in said["outcomes"]] == ["hello, hello"] * 3
        assert (await talk("broadcast", message="just so"))["ok"] == 3
        await talk("stop", paths=["b"])
        assert (await talk("broadcast", message="again"))["count"] == 2


@pytest.mark.row(75)
async def test_a_child_that_dies_in_a_broadcast_is_one_outcome(autojump_clock: MockClock) -> None:
    """The other two have done their work."""
    async with a_talk() as (system, talk), trio.open_nursery() as nursery:
        for name in ("a", "b", "c"):
            await talk("spawn", template="worker", name=name)
        dying = system.find("/agents/coder/b")
        assert dying is not None

        async def kill() -> None:
            await trio.sleep(1)
            dying.kill()

        nursery.start_soon(kill)
        said = await talk("broadcast", message=work(3))
        assert [one["ok"] for one in said["outcomes"]] == [True, False, True]
        assert [one.get("reply") for one in said["outcomes"]] == ["worked 3 s", None, "worked 3 s"]
        assert said["outcomes"][1]["error"].startswith("ActorStopped")


class Narrow(Worker):
    """With little room."""


@pytest.mark.row(76)
@pytest.mark.parametrize("overflow", ["reject", "drop_newest", "drop_oldest"])
async def test_the_sender_sees_that_a_mailbox_is_full(autojump_clock: MockClock, overflow: Any) -> None:
    """Whatever its rule is, nothing is lost in silence."""
    policy = actors.Policy(mailbox=actors.Mailbox(capacity=2, overflow=overflow))
    gate = a_gate(templates={"narrow": actors.Template(Narrow, policy=policy)})
    async with a_talk(gate) as (system, talk):
        await talk("spawn", template="narrow", name="n")
        await talk("suspend", path="n")
        for text in ("one", "two"):
            assert not (await talk("tell", path="n", message=text))["dropped_oldest"]
        if overflow == "drop_oldest":
            assert (await talk("tell", path="n", message="three"))["dropped_oldest"]
        else:
            assert "full" in await talk.error("tell", path="n", message="three")
        [seen] = (await talk("children"))["actors"]
        assert seen["waiting"] == 2
        dropped = {"drop_oldest": ["one"], "drop_newest": ["three"], "reject": []}[overflow]
        assert [letter.message for letter in system.dead_letters] == dropped
        await talk("resume", path="n")
        kept = ["two", "three"] if overflow == "drop_oldest" else ["one", "two"]
        await trio.sleep(1)
        assert (await talk("ask", path="n", message="notes"))["reply"] == kept


async def test_whoever_cancels_a_request_interrupts_its_handler(autojump_clock: MockClock) -> None:
    """Nobody else waits for the reply. The actor lives on, and so does the session."""
    async with a_talk() as (system, talk):
        await talk("spawn", template="worker", name="w")
        worker = system.find("/agents/coder/w")
        assert worker is not None
        with trio.move_on_after(3):
            await talk("ask", path="w", message=work(1000))
        await trio.sleep(0.5)
        assert worker.state is actors.ActorState.IDLE
        assert (await talk("ask", path="w", message="you"))["reply"] == "hello, you"


async def test_in_a_pool_the_worker_that_has_it_in_hand_is_interrupted(autojump_clock: MockClock) -> None:
    """It alone: who works for somebody else goes on."""
    pool = actors.Pool(actors.Template(Worker), 2, 2)
    async with a_talk(a_gate(templates={"pool": pool})) as (system, talk):
        await talk("spawn", template="pool", name="p")
        other = await talk("ask", path="p", message=work(20), wait=False)
        with trio.move_on_after(3):
            await talk("ask", path="p", message=work(1000))
        await trio.sleep(0.5)
        nodes = [node for node in system.tree().walk() if node.path.startswith("/agents/coder/p/")]
        assert sorted(node.state for node in nodes) == ["BUSY", "IDLE"]
        [reply] = (await talk("pending_replies", wait=60))["replies"]
        assert (reply["request"], reply["reply"]) == (other["request"], "worked 20 s")


async def test_the_time_of_a_client_of_its_own_ends_the_request(autojump_clock: MockClock) -> None:
    """Over a wire too, where the SDK tells that it has been cancelled."""
    async with a_talk(mode="legacy") as (system, talk):
        await talk("spawn", template="worker", name="w")
        worker = system.find("/agents/coder/w")
        assert worker is not None
        with pytest.raises(Exception, match=r"[Tt]imed out"):
            await talk.client.call_tool("ask", {"path": "w", "message": work(1000)}, read_timeout_seconds=4.0)
        await trio.sleep(0.5)
        assert worker.state is actors.ActorState.IDLE
        assert (await talk("tree"))["you"] == "/agents/coder"


async def test_a_request_that_waits_is_withdrawn_and_what_is_in_hand_is_left(
    autojump_clock: MockClock,
) -> None:
    """Only the handler that works for the one who cancels is interrupted."""
    async with a_talk() as (system, talk):
        await talk("spawn", template="worker", name="w")
        first = await talk("ask", path="w", message=work(20), wait=False)
        with trio.move_on_after(3):
            await talk("ask", path="w", message=work(1000))
        [reply] = (await talk("pending_replies", wait=60))["replies"]
        assert (reply["request"], reply["reply"]) == (first["request"], "worked 20 s")
        worker = system.find("/agents/coder/w")
        assert worker is not None
        await trio.sleep(1)
        assert worker.state is actors.ActorState.IDLE


async def test_the_next_message_is_never_interrupted_for_the_last_one(autojump_clock: MockClock) -> None:
    """Also when a request is cancelled in the very moment in which it is answered."""
    async with a_talk() as (_, talk):
        await talk("spawn", template="worker", name="w")
        for _ in range(20):
            with trio.move_on_after(2.0):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(partial(talk, "ask", path="w", message=work(2.0)))
                    await trio.sleep(1.0)
                    await talk("ask", path="w", message=work(1.0), wait=False)
            [reply] = (await talk("pending_replies", wait=10))["replies"]
            assert reply["ok"], reply


async def test_a_function_is_not_begun_anew_because_a_request_was_cancelled(
    autojump_clock: MockClock,
) -> None:
    """It would lose what it knows; what it does inside of `ctx.handling()` is interrupted."""
    begun: list[str] = []

    async def careless(ctx: actors.Context) -> None:
        begun.append("careless")
        async for _ in ctx.inbox:
            await trio.sleep(10)

    async def careful(ctx: actors.Context) -> None:
        begun.append("careful")
        async for _ in ctx.inbox:
            with ctx.handling():
                await trio.sleep(1000)

    async with a_talk(a_gate(templates={"careless": careless, "careful": careful})) as (system, talk):
        for name in ("careless", "careful"):
            await talk("spawn", template=name, name=name)
            with trio.move_on_after(1):
                await talk("ask", path=name, message="go")
        await trio.sleep(1)
        careful_one = system.find("/agents/coder/careful")
        assert careful_one is not None
        assert careful_one.state is actors.ActorState.IDLE
        await trio.sleep(20)
        assert begun == ["careless", "careful"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_nobody_listens_to_signs_of_life_that_nobody_wants(
    autojump_clock: MockClock, mode: str
) -> None:
    """No event is made of them then, of no actor of the system."""
    async with a_talk(mode=mode) as (system, talk), trio.open_nursery() as nursery:
        wants = system.__actor_family__().kernel.sink.wants
        await talk("spawn", template="worker", name="w")
        nursery.start_soon(partial(talk, "ask", path="w", message=work(5)))
        await trio.sleep(1)
        assert not wants(actors.events.Progressed)
        nursery.start_soon(partial(talk, "ask", path="w", message=work(5), idle=20.0))
        await trio.sleep(1)
        assert wants(actors.events.Progressed)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_signs_of_life_are_told_as_progress(autojump_clock: MockClock, mode: str) -> None:
    """Of the actor that is asked, and of what is below it, for as long as its reply takes."""
    heard: list[tuple[float, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))

    async with a_talk(mode=mode) as (_, talk):
        await talk("spawn", template="worker", name="w")
        await talk.client.call_tool("ask", {"path": "w", "message": work(3.5)}, progress_callback=note)
    assert [progress for progress, _ in heard][:3] == [1.0, 2.0, 3.0]
    assert heard[0][1] == "/agents/coder/w is at work"


async def test_signs_of_life_begin_the_time_of_silence_anew(autojump_clock: MockClock) -> None:
    """Who works on is waited for; who is silent for too long is not, and is interrupted."""
    async with a_talk() as (system, talk):
        await talk("spawn", template="worker", name="w")
        assert (await talk("ask", path="w", message=work(30), idle=2.0))["reply"] == "worked 30 s"
        worker = system.find("/agents/coder/w")
        assert worker is not None
        began = trio.current_time()
        assert "no sign of life" in await talk.error("ask", path="w", message=work(30), idle=0.5)
        assert trio.current_time() - began == 0.5
        await trio.sleep(1.0)
        assert worker.state is actors.ActorState.IDLE


async def test_asking_oneself_is_refused(autojump_clock: MockClock) -> None:
    """It would wait for ever."""
    async with a_talk() as (_, talk):
        assert "Deadlock" in await talk.error("ask", path="/agents/coder", message="me?")


async def test_half_a_character_does_not_end_a_connection(autojump_clock: MockClock) -> None:
    """A name of a file may have one, and no wire carries it."""

    async def odd(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            ctx.reply(["\ud800 half", "whole"])

    async with a_talk(a_gate(templates={"odd": odd})) as (_, talk):
        await talk("spawn", template="odd", name="o")
        assert (await talk("ask", path="o", message="?"))["reply"] == ["\ufffd half", "whole"]


async def test_what_json_has_no_word_for_is_described(autojump_clock: MockClock) -> None:
    """The reply is not lost."""

    async def odd(ctx: actors.Context) -> None:
        async for _ in ctx.inbox:
            ctx.reply(object)

    async with a_talk(a_gate(templates={"odd": odd})) as (_, talk):
        await talk("spawn", template="odd", name="o")
        assert (await talk("ask", path="o", message="?"))["reply"] == {"$repr": "<class 'object'>"}
