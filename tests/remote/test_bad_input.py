"""What strangers send: each gets one clear refusal, which both ends log, and the node goes on."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import resource
import tracemalloc
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionRejected

import actors
from actors.events import ConnectionRefused
from actors.remote import answers, links, session
from actors.remote.credit import WINDOW
from tests.remote.strangers import TOKEN, UPGRADE, Parrot, door, hello, read_all, stranger

DEEP = "[" * 100 + "]" * 100
BEAT: dict[str, Any] = {"k": "beat", "time": 0, "echo": None, "sent": [0, 0], "ack": [0, 0]}


@actors.message(tag="test.bad_input.Wait")
class Wait(actors.Request[None]):
    pass


class Slow(actors.Actor):
    @actors.receive
    async def wait(self, message: Wait) -> None:
        await trio.sleep_forever()


# --- before there is a WebSocket -------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: there\r\n\r\n", b"400", "bad-frame"),
        (b"POST / HTTP/1.1\r\nHost: there\r\nContent-Length: 9\r\n\r\n123456789", b"400", "bad-frame"),
        (b"\x00\xff\xfe" * 400, b"400", "bad-frame"),
        (b"hello\r\n\r\n", b"400", "bad-frame"),
        (b"A" * 100_000, b"400", "bad-frame"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x07" * 500, b"400", "bad-frame"),
        (UPGRADE.replace(b"Host: there", b"Host: \xff\xff"), None, "broken"),
        (UPGRADE.replace(b"GET /", b"GET /\xc3"), b"400", "bad-frame"),
        (UPGRADE.replace(b"Version: 13", b"Version: 7"), b"426", "bad-frame"),
        (UPGRADE.replace(b"actors.v1", b"actors.v0"), b"400", "protocol-mismatch"),
        (UPGRADE.replace(b"Sec-WebSocket-Protocol: actors.v1\r\n", b""), b"400", "protocol-mismatch"),
        (UPGRADE.replace(b"Host", b"Origin: http://evil.example\r\nHost"), b"403", "forbidden-origin"),
    ],
    ids=[
        "http",
        "post",
        "garbage",
        "text",
        "long",
        "tls",
        "host",
        "path",
        "version",
        "old",
        "none",
        "origin",
    ],
)
async def test_what_is_no_handshake_is_answered_with_http(
    sent: bytes, status: bytes | None, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with door() as node:
        async with await node.dial() as stream:
            host, port = stream.socket.getsockname()
            await stream.send_all(sent)
            answer = await read_all(stream)
        if status is not None:
            assert answer.startswith(b"HTTP/1.1 " + status)
            assert b"actors.v1" in answer or b"listen(origins=" in answer
        refusal = await node.refusal()
        assert (refusal.reason, refusal.address) == (reason, f"{host}:{port}")
        assert any(refusal.text in record.getMessage() for record in caplog.records)
        await node.serves()
        assert not node.has_refused_more


async def test_whoever_hangs_up_at_once_is_noted_at_once() -> None:
    async with door() as node:
        with trio.fail_after(8):  # less than a handshake may take
            async with await node.dial():
                pass
            assert (await node.refusal()).reason == "broken"


@pytest.mark.parametrize("sent", [b"", UPGRADE[:40]], ids=["silent", "half a request"])
async def test_half_a_handshake_ends_in_time(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind a half-open TCP connection, of which nothing more will come."""
    monkeypatch.setattr(links, "HANDSHAKE", 0.2)
    async with door() as node:
        async with await node.dial() as stream:
            await stream.send_all(sent)
            assert (await read_all(stream)).startswith(b"HTTP/1.1 408")
        assert (await node.refusal()).reason == "too-slow"


async def test_a_websocket_that_says_nothing_is_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "HANDSHAKE", 0.2)
    async with door() as node:
        async with stranger(node.url) as mute:
            assert (await mute.refused())[0] == "too-slow"
        assert (await node.refusal()).reason == "too-slow"


async def test_another_subprotocol_is_refused_with_the_one_that_is_spoken() -> None:
    async with door() as node:
        with pytest.raises(ConnectionRejected) as caught:
            async with stranger(node.url, subprotocol="actors.v2"):
                pass
        assert caught.value.body == (b"protocol-mismatch: ask for the subprotocol actors.v1, not actors.v2\n")
        assert (await node.refusal()).reason == "protocol-mismatch"


async def test_a_thousand_that_never_speak_keep_nobody_out(caplog: pytest.LogCaptureFixture) -> None:
    """The oldest strangers make room, and are told so; the node keeps few of them."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    crowd = min(1000, most // 2 - 200)
    caplog.set_level(logging.ERROR, "actors.remote")  # a thousand lines are memory too
    async with door() as node:
        await node.serves()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            silent = [await node.dial() for _ in range(crowd)]
            await node.serves()
            first = await read_all(silent[0])
            assert first.startswith(b"HTTP/1.1 503")
            refused = [await node.refusal() for _ in range(crowd - 64)]
            assert {one.reason for one in refused} == {"overloaded"}
            for one in silent:
                await one.aclose()
            for _ in range(64 - 1):  # the good node was one more stranger
                await node.refusal()
            del silent, refused, one
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
            assert after - before < 1_000_000
        finally:
            tracemalloc.stop()
        await node.serves()


async def test_websockets_that_never_say_hello_make_room_too() -> None:
    async with door() as node, contextlib.AsyncExitStack() as stack:
        mutes = [await stack.enter_async_context(stranger(node.url)) for _ in range(80)]
        for mute in mutes[:16]:
            assert await mute.refused() == ("overloaded", "too many connections that have said nothing")
            assert (await node.refusal()).reason == "overloaded"
        await mutes[-1].join()
        assert not node.has_refused_more


# --- the handshake ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "reason", "words"),
    [
        (hello(token=None), "unauthorized", "a token is needed"),
        (hello(token=""), "unauthorized", "not the right one"),
        (hello(token="Secret"), "unauthorized", "not the right one"),
        (hello(token="sécret☃"), "unauthorized", "not the right one"),
        (hello(token="\ud800"), "unauthorized", "not the right one"),
        (hello(token=7), "bad-frame", "token"),
        (hello(protocol=0), "protocol-mismatch", "you speak 0"),
        (hello(settings={"codec": "pickle", "envelope": "1"}), "settings-mismatch", "'pickle'"),
        (hello(settings={}), "settings-mismatch", "codec must be 'json'"),
        (hello(node="beta"), "same-name", "both nodes are named 'beta'"),
        (hello(node="a/b"), "bad-name", "a/b"),
        (hello(node="\ud800"), "bad-name", "name"),
        (hello(node="n" * 10_000), "bad-name", "name"),
        (hello(incarnation="i" * 100), "bad-name", "incarnation"),
        (hello(lease=0), "settings-mismatch", "lease"),
        (hello(lease=-1), "settings-mismatch", "lease"),
        (json.dumps(hello(lease=7)).replace("7", "1e999"), "bad-frame", "too large"),
        (json.dumps(hello(lease=7)).replace("7", "NaN"), "bad-frame", "NaN"),
        (hello(resume={"session": "s", "incarnation": "i", "received": [0, 0]}), "session-gone", "begin"),
        (hello(surprise=1), "bad-frame", "surprise"),
        ({"k": "welcome", "node": "a", "incarnation": "b", "session": "c", "received": [0, 0]},
         "bad-frame", "must be a hello"),
        (BEAT, "bad-frame", "'beat'"),
        ("{", "bad-frame", "no JSON"),
        ("", "bad-frame", "no JSON"),
        ("[" * 100_000, "bad-frame", "no JSON"),
        (f'{{"k":"hello","protocol":{DEEP}}}', "bad-frame", "in each other"),
        (f'{{"k":{DEEP}}}', "bad-frame", "in each other"),
        (f'{{"k":{DEEP[50:-50]}}}', "bad-frame", "no object with a kind"),
        ("9" * 5000, "bad-frame", "no JSON"),
        ("null", "bad-frame", "no object with a kind"),
        ("[]", "bad-frame", "no object with a kind"),
        ({"k": "nonsense"}, "bad-frame", "'nonsense'"),
        ({"k": None}, "bad-frame", "no object with a kind"),
    ],
)  # fmt: skip
async def test_a_bad_hello_is_refused_with_the_reason(
    said: Any, reason: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with door() as node:
        async with stranger(node.url) as caller:
            await caller.say(said)
            refused, text = await caller.refused()
        assert refused == reason
        assert words in text
        assert TOKEN not in text
        event = await node.refusal()
        assert (event.reason, event.text) == (reason, text)
        assert event.address.startswith("127.0.0.1:")
        assert any(text in record.getMessage() for record in caplog.records)
        assert len(text) < 600
        await node.serves()
        assert not node.has_refused_more


async def test_binary_frames_are_refused_before_and_behind_the_handshake() -> None:
    async with door() as node:
        async with stranger(node.url) as caller:
            await caller.socket.send_message(b"{}")
            assert (await caller.refused())[0] == "bad-frame"
        assert "binary" in (await node.refusal()).text
        async with stranger(node.url) as caller:
            await caller.join()
            await caller.socket.send_message(b"{}")
            assert (await caller.refused())[0] == "bad-frame"
        assert "binary" in (await node.refusal()).text
        await node.serves()


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff\xff\xff\xff",
        b"\x81\x02{}",
        b"\x81\x82\x00\x00\x00\x00\xff\xfe",
        b"\x80\x80\x00\x00\x00\x00",
        b"\x89\xfe\x01\x00\x00\x00\x00\x00" + b"p" * 256,
    ],
    ids=["garbage", "unmasked", "no-utf8", "continuation", "large-ping"],
)
async def test_what_is_no_frame_closes_with_a_reason(sent: bytes) -> None:
    async with door() as node:
        async with await node.dial() as stream:
            await stream.send_all(UPGRADE)
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 101")
            await stream.send_all(sent)
            answer = await read_all(stream)
        assert answer[0] == 0x88  # a closing frame
        assert b"no WebSocket frame" in answer
        assert (await node.refusal()).reason == "bad-frame"
        await node.serves()


async def test_a_frame_of_100_mb_is_refused_before_it_is_in_memory() -> None:
    """Whoever sends it may write all of it and gets to read why it was for nothing."""
    size, piece = 100_000_000, bytes(1_000_000)
    async with door() as node:
        await node.serves()
        async with await node.dial() as stream:
            await stream.send_all(UPGRADE)
            await stream.receive_some()
            tracemalloc.start()
            try:
                before, _ = tracemalloc.get_traced_memory()
                tracemalloc.reset_peak()
                await stream.send_all(b"\x81\xff" + size.to_bytes(8, "big") + bytes(4))
                try:
                    for _ in range(size // len(piece)):
                        await stream.send_all(piece)
                except trio.BrokenResourceError:
                    pass  # it is closed by now; what it said is in the buffer
                answer = await read_all(stream)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert peak - before < 5_000_000
        assert answer[0] == 0x88
        assert int.from_bytes(answer[2:4], "big") == 1009
        assert (await node.refusal()).reason == "too-large"
        await node.serves()


# --- sessions --------------------------------------------------------------------------

TELL: dict[str, Any] = {
    "k": "tell", "to": {"path": "/parrot"}, "m": {"$": "test.strangers.Echo", "text": "x"}
}  # fmt: skip


@pytest.mark.parametrize(
    ("frame", "reason", "words"),
    [
        ({"k": "nonsense"}, "bad-frame", "'nonsense'"),
        ("{", "bad-frame", "no JSON"),
        (DEEP, "bad-frame", "in each other"),
        (hello(), "bad-frame", "'hello'"),
        ({"k": "items", "ack": [5, 0]}, "bad-numbers", "item 5 is acknowledged"),
        ({"k": "items", "ack": [0, 10**30]}, "bad-numbers", "is acknowledged"),
        ({"k": "items", "ack": [0]}, "bad-frame", "ack"),
        ({"k": "items", "ack": [0, "0"]}, "bad-frame", "ack"),
        ({"k": "items", "ack": [0, 0], "d": [7, [TELL]]}, "bad-numbers", "item 7 came, but 1 is next"),
        ({"k": "items", "ack": [0, 0], "c": [-3, [TELL]]}, "bad-numbers", "item -3 came"),
        (BEAT | {"sent": [0, 9]}, "bad-numbers", "lost on the way"),
        (BEAT | {"ack": [9, 0]}, "bad-numbers", "is acknowledged"),
        (BEAT | {"time": "now"}, "bad-frame", "$.time"),
    ],
)  # fmt: skip
async def test_a_bad_frame_ends_the_connection_with_the_reason(frame: Any, reason: str, words: str) -> None:
    async with door() as node:
        async with stranger(node.url) as caller:
            await caller.join()
            await caller.say(frame)
            refused, text = await caller.refused()
        assert refused == reason
        assert words in text
        assert (await node.refusal()).text == text
        await node.serves()
        assert not node.has_refused_more


@pytest.mark.parametrize(
    ("item", "reason", "words"),
    [
        ({"k": "nonsense"}, "bad-frame", "'nonsense'"),
        (7, "bad-frame", "no object with a kind"),
        ({"k": "tell"}, "bad-frame", "to"),
        (TELL | {"extra": 1}, "bad-frame", "extra"),
        (TELL | {"to": {"path": "/parrot", "life": "1"}}, "bad-frame", "expected int"),
        (TELL | {"to": {"path": "/parrot", "node": ["a", "b", "c"]}}, "bad-frame", ""),
        (TELL | {"to": {"path": "/parrot", "node": []}}, "bad-frame", ""),
        ({"k": "order", "to": {"path": "/parrot"}, "order": "dance"}, "bad-frame", "'dance'"),
        ({"k": "child-order", "child": 1, "order": "dance"}, "bad-frame", "'dance'"),
        ({"k": "credit", "to": {"path": "/parrot"}, "n": 1}, "bad-frame", "none are owed"),
        ({"k": "join", "group": "g", "ref": ["x"]}, "bad-frame", "a ref is"),
        ({"k": "join", "group": "a b", "ref": ["stranger", "a1", "/x", 1]}, "bad-frame", "'a b'"),
        ({"k": "leave", "group": "g", "ref": [1, 2, 3, 4]}, "bad-frame", "a ref is"),
        ({"k": "alive", "children": [[1]]}, "bad-frame", ""),
        ({"part": 7, "left": True}, "bad-numbers", "a piece must be"),
        ({"part": "", "left": True}, "bad-numbers", "only the last"),
        ({"part": "x", "left": False}, "bad-numbers", "no JSON"),
        ({"part": DEEP, "left": False}, "bad-numbers", "in each other"),
    ],
)
async def test_a_bad_item_ends_the_connection_with_the_reason(item: Any, reason: str, words: str) -> None:
    async with door() as node:
        async with stranger(node.url) as caller:
            await caller.join()
            await caller.put(item)
            refused, text = await caller.refused()
        assert refused == reason
        assert words in text
        assert (await node.refusal()).text == text
        await node.serves()


async def test_pieces_of_an_endless_message_are_not_kept() -> None:
    async with door() as node:
        async with stranger(node.url) as caller:
            await caller.join()
            for _ in range(12):
                await caller.put({"part": "x" * 100_000, "left": True})
            reason, text = await caller.refused()
            assert reason == "bad-numbers"
            assert text == f"a message of more than {1024 * 1024} characters"
        await node.serves()


async def test_a_request_number_that_is_open_already_is_refused() -> None:
    async with door() as node:
        node.system.spawn(Slow, name="slow")
        ask = {"k": "ask", "id": 1, "to": {"path": "/slow"}, "m": {"$": "test.bad_input.Wait"}}
        async with stranger(node.url) as caller:
            await caller.join()
            await caller.put(ask, ask)
            assert await caller.refused() == ("bad-frame", "the request 1 is open already")
        await node.serves()


@pytest.mark.parametrize("what", ["subscribe", "started"])
async def test_a_call_number_that_is_open_already_is_refused(what: str) -> None:
    async with door() as node:
        node.system.spawn(Slow, name="slow")
        call: dict[str, Any] = {"k": "call", "id": 1, "what": "subscribe"}
        again = {"k": "call", "id": 1, "what": what, "to": {"path": "/slow"}}
        async with stranger(node.url) as caller:
            await caller.join()
            await caller.put(call, again, lane="c")
            assert await caller.refused() == ("bad-frame", "the call 1 is open already")
        await node.serves()


async def test_more_messages_than_there_is_credit_for_are_refused() -> None:
    async with door() as node:
        node.system.spawn(Slow, name="slow", policy=actors.Policy(mailbox=actors.Mailbox(capacity=1)))
        tell = TELL | {"to": {"path": "/slow"}, "m": {"$": "test.bad_input.Wait"}}
        async with stranger(node.url) as caller:
            await caller.join()
            for _ in range(WINDOW + 10):
                await caller.put(tell)
            reason, text = await caller.refused()
        assert reason == "no-credit"
        assert f"more than {WINDOW} messages for /slow" in text
        await node.serves()


async def test_a_second_node_of_a_linked_name_is_refused_and_the_first_goes_on() -> None:
    async with (
        door() as node,
        stranger(node.url) as first,
        stranger(node.url) as second,
        stranger(node.url) as third,
    ):
        await first.join()
        await second.say(hello(incarnation="b2"))
        reason, text = await second.refused()
        assert reason == "name-taken"
        assert "'stranger'" in text
        await third.say(hello())
        assert (await third.refused())[0] == "already-linked"
        await first.put({"k": "ask", "id": 1, "to": TELL["to"], "m": TELL["m"]})
        assert (await first.take("reply"))["v"] == "x"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"session": "somebody's"}, "session-gone"),
        ({"incarnation": "of another life"}, "session-gone"),
        ({"received": [50, 0]}, "bad-numbers"),
    ],
    ids=["foreign session", "another life of the listener", "numbers that were never sent"],
)
async def test_a_session_is_not_stolen_or_replayed(changed: dict[str, Any], reason: str) -> None:
    async with door() as node, stranger(node.url) as owner, stranger(node.url) as thief:
        welcome = await owner.join()
        mine = {"session": welcome["session"], "incarnation": welcome["incarnation"], "received": [0, 0]}
        await thief.say(hello(resume=mine | changed))
        assert (await thief.refused())[0] == reason
        async with stranger(node.url) as other:
            await other.say(hello(node="other", resume=mine))
            assert (await other.refused())[0] == "session-gone"
        await owner.put({"k": "ask", "id": 1, "to": TELL["to"], "m": TELL["m"]})
        assert (await owner.take("reply"))["v"] == "x"


async def test_a_session_that_is_over_cannot_be_resumed() -> None:
    async with door() as node:
        async with stranger(node.url) as owner:
            welcome = await owner.join()
            peer = node.system.node("stranger")
            await owner.say({"k": "bye", "reason": "enough"})
            with trio.fail_after(5):
                await peer.wait_down()
        mine = {"session": welcome["session"], "incarnation": welcome["incarnation"], "received": [0, 0]}
        async with stranger(node.url) as again:
            await again.say(hello(resume=mine))
            assert (await again.refused())[0] == "session-gone"


async def test_items_that_came_already_are_dropped_when_they_come_again() -> None:
    """Also after a resume that claims to have nothing of what was sent."""
    async with door() as node:
        ask = {"k": "ask", "id": 1, "to": TELL["to"], "m": TELL["m"]}
        async with stranger(node.url) as caller:
            welcome = await caller.join()
            await caller.put(ask)
            assert (await caller.take("reply"))["id"] == 1
            await caller.say({"k": "items", "ack": [0, 0], "d": [1, [ask, ask | {"id": 2}]]})
            assert (await caller.take("reply"))["id"] == 2
        mine = {"session": welcome["session"], "incarnation": welcome["incarnation"], "received": [0, 0]}
        async with stranger(node.url) as caller:
            await caller.say(hello(resume=mine))
            again = await caller.hear()
            assert (again["k"], again["received"], again["resumed"]) == ("welcome", [0, 2], True)
            caller.sent[1] = 2
            await caller.beat()
            frame = await caller.hear("items")
            assert frame["c"] == [1, [{"k": "reply", "id": 1, "v": "x"}, {"k": "reply", "id": 2, "v": "x"}]]


# --- what is wrong, and no reason to part ------------------------------------------------


async def test_what_cannot_be_read_or_found_is_answered_and_the_link_goes_on() -> None:
    async with door() as node:
        async with stranger(node.url) as caller:
            await caller.join()
            unknown = {"$": "shop.Unknown"}
            await caller.put(TELL | {"m": unknown})
            unread = await caller.take("unread")
            assert "'shop.Unknown'" in unread["why"]
            assert unread["to"]["path"] == "/parrot"
            for number, (path, m, kind) in enumerate(
                [
                    ("/parrot", unknown, "unreadable"),
                    ("/parrot", {"$": "test.strangers.Echo"}, "unreadable"),
                    ("/parrot", {"$": "test.strangers.Echo", "text": 7}, "unreadable"),
                    ("/parrot", {"$": 7}, "unreadable"),
                    ("/parrot", [], "unreadable"),
                    ("/parrot", json.loads(DEEP[50:-50]), "unreadable"),
                    ("/nobody", TELL["m"], "stopped"),
                    ("nowhere", TELL["m"], "stopped"),
                    ("", TELL["m"], "stopped"),
                    ("/" * 5000, TELL["m"], "stopped"),
                    ("/", TELL["m"], "unhandled"),  # the root takes no messages
                ],
                start=1,
            ):
                await caller.put({"k": "ask", "id": number, "to": {"path": path}, "m": m})
                fail = await caller.take("fail")
                assert (fail["id"], fail["error"]["kind"]) == (number, kind)
            for what in ("dance", "interrupt", "find"):
                await caller.put({"k": "call", "id": 99, "what": what, "to": {"path": "nowhere"}}, lane="c")
            await caller.put({"k": "call", "id": 98, "what": "tree"}, lane="c")
            assert (await caller.take("fail"))["error"]["kind"] == "unknown-call"
            await caller.put({"k": "ask", "id": 50, "to": TELL["to"], "m": TELL["m"]})
            assert (await caller.take("reply")) is not None
        assert node.system.find("/parrot") is not None


async def test_nobody_orders_the_root_or_the_services_of_another_node() -> None:
    async with door() as node:
        async with stranger(node.url) as caller:
            await caller.join()
            for path in ("/", "/system", "/system/links"):
                for order in ("stop", "kill", "drain", "suspend"):
                    await caller.put({"k": "order", "to": {"path": path}, "order": order}, lane="c")
                    unread = await caller.take("unread")
                    assert unread["to"]["path"] == path
                    assert "belongs to its own node" in unread["why"]
            await caller.put({"k": "ask", "id": 1, "to": TELL["to"], "m": TELL["m"]})
            assert (await caller.take("reply"))["v"] == "x"
        await node.serves()


async def test_only_what_is_allowed_is_spawned() -> None:
    async with door() as node:
        async with stranger(node.url) as caller:
            welcome = await caller.join()
            spawn = {
                "k": "spawn", "child": 1,
                "ref": ["stranger", "a1", "/c", 1], "parent": ["stranger", "a1", "/", 0],
            }  # fmt: skip
            for what in ("os:system", "actors:Actor", f"{Parrot.__module__}:Parrot.echo", ""):
                await caller.put(spawn | {"what": what}, lane="c")
                fell = await caller.take("fell")
                assert fell["exit"]["kind"] == "START_FAILED"
                assert fell["exit"]["error"]["type"] == "NotSpawnable"
            allowed = f"{Parrot.__module__}:Parrot"
            for wrong in (
                {"args": [1, 2, 3]},
                {"options": {"x": 1}},
                {"policy": {"restart": "always"}},
                {"policy": {"timeout": 7}},
                {"policy": {"timeout": {"initial": "soon"}}},
                {"policy": {"shutdown": -1}},
                {"args": [{"$": "shop.Unknown"}]},
                {"ref": ["beta", welcome["incarnation"], "/parrot", 1]},
                {"ref": ["gamma", "c3", "/c", 1]},
                {"grant": {"depth": 0, "max_depth": 3, "slots": 0}},
                {"grant": {"depth": -1, "max_depth": 3, "slots": 1}},
                {"grant": {"depth": 0, "max_depth": 10**30, "slots": 1}},
            ):
                await caller.put(spawn | {"what": allowed} | wrong, lane="c")
                assert (await caller.take("fell"))["exit"]["kind"] == "START_FAILED"
            await caller.put(spawn | {"what": allowed, "child": 2}, lane="c")
            assert (await caller.take("ready"))["child"] == 2
        await node.serves()


GRANT = {"depth": 0, "max_depth": 3, "slots": 1}


@pytest.mark.parametrize(
    "grant",
    [
        7, [], {}, {"slots": 2}, GRANT | {"slots": 2.0}, GRANT | {"slots": True}, GRANT | {"depth": None},
        GRANT | {"max_depth": "3"}, GRANT | {"cooldown": 1},
    ],
)  # fmt: skip
async def test_a_grant_that_is_none_is_refused(grant: Any) -> None:
    async with door() as node:
        async with stranger(node.url) as caller:
            await caller.join()
            spawn = {
                "k": "spawn", "child": 1, "what": f"{Parrot.__module__}:Parrot", "grant": grant,
                "ref": ["stranger", "a1", "/c", 1], "parent": ["stranger", "a1", "/", 0],
            }  # fmt: skip
            await caller.put(spawn, lane="c")
            assert (await caller.refused())[0] == "bad-frame"
        await node.serves()


# --- those who do not let go -------------------------------------------------------------


async def test_pings_while_it_closes_hurt_nobody() -> None:
    """The library's reader raises when a ping comes behind its own closing frame."""
    ping = b"\x89\x80\x00\x00\x00\x00"
    async with door() as node:
        async with await node.dial() as stream:
            await stream.send_all(UPGRADE)
            await stream.receive_some()
            await stream.send_all(b"\x81\x82\x00\x00\x00\x00{}" + ping * 5000)
            try:
                with trio.move_on_after(5):
                    while await stream.receive_some():
                        await stream.send_all(ping * 5000)
            except trio.BrokenResourceError:
                pass
        refusal = await node.refusal()
        assert (refusal.reason, refusal.text[:9]) == ("bad-frame", "no object")
        await node.serves()
        assert not node.has_refused_more


async def test_whoever_never_closes_is_dropped() -> None:
    """The closing handshake takes a second at most."""
    async with door() as node:
        async with await node.dial() as stream:
            await stream.send_all(UPGRADE)
            await stream.receive_some()
            await stream.send_all(b"\x81\x82\x00\x00\x00\x00{}")
            with trio.fail_after(5):
                assert b"bad-frame" in await read_all(stream)
        await node.serves()


async def test_a_refusal_is_an_event_and_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with door() as node:
        async with stranger(node.url) as caller:
            await caller.say(hello(token="guess"))
            await caller.refused()
        event = await node.refusal()
        assert isinstance(event, ConnectionRefused)
        (line,) = [one for one in caplog.records if one.name == "actors.remote"]
        assert line.levelno == logging.WARNING
        assert line.getMessage() == (
            f"a connection from {event.address} ended: unauthorized (the token is not the right one)"
        )


# --- who is let in, and asks for too much ----------------------------------------------


async def test_no_spelling_of_an_address_is_worth_more_credit() -> None:
    async with door() as node:
        ref = node.system.spawn(Slow, name="slow", policy=actors.Policy(mailbox=actors.Mailbox(capacity=1)))
        async with stranger(node.url) as caller:
            await caller.join()
            await caller.put({"k": "call", "id": 1, "what": "find", "to": {"path": "/slow"}}, lane="c")
            life = (await caller.take("reply"))["v"][3]
            wait = {"k": "ask", "m": {"$": "test.bad_input.Wait"}}
            await caller.put(wait | {"id": 2, "to": {"path": "/slow"}})
            await caller.put(wait | {"id": 3, "to": {"path": "/slow", "life": life}})
            for number, to in enumerate(
                [{"path": "//slow"}, {"path": "/slow/"}, {"path": "/sl0w", "life": life}]
            ):
                await caller.put(wait | {"id": 4 + number, "to": to})
                failed = await caller.take("fail")
                assert (failed["id"], failed["error"]["kind"]) == (4 + number, "stopped")
            assert (ref.state, ref.statistics().depth["normal"]) == (actors.ActorState.BUSY, 1)
        await node.serves()


async def test_a_peer_that_acknowledges_nothing_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(session, "BACKLOG_ITEMS", 100)
    async with door() as node:
        async with stranger(node.url) as caller:
            await caller.join()
            await caller.put(*[{"k": "watch", "to": {"path": f"/nobody-{n}"}} for n in range(101)], lane="c")
            reason, text = await caller.refused()
        assert reason == "closing"
        assert "101 items are not acknowledged by 'stranger'" in text
        assert any(text in record.getMessage() for record in caplog.records)
        assert not node.system.nodes
        await node.serves()


async def test_calls_that_wait_are_not_taken_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "OPEN_CALLS", 3)
    async with door() as node:
        async with stranger(node.url) as caller:
            await caller.join()
            calls = [{"k": "call", "id": number, "what": "subscribe"} for number in range(1, 5)]
            await caller.put(*calls, lane="c")
            failed = await caller.take("fail")
            assert (failed["id"], failed["error"]["kind"]) == (4, "overloaded")
            await caller.put({"k": "cancel", "id": 1}, calls[3] | {"id": 5}, lane="c")
            assert (await caller.take("reply"))["id"] == 5
        await node.serves()
