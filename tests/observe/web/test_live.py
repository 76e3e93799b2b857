"""The live connection: what is pushed, to whom, and what becomes of those who are away or too slow."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
import trio
from httpx2.websockets import WebSocketDisconnect

import actors
from actors.http import serving
from actors.observe.web import sockets
from tests.observe.web.served import Echo, Served, served, until, viewing


async def spawned(here: Served, *names: str) -> list[actors.Ref]:
    """Actors that are ready."""
    refs = [here.system.spawn(Echo, name=name) for name in names]
    for ref in refs:
        await ref.wait_started()
    return refs


def rows(frames: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The tree that a client has after these frames."""
    tree: dict[str, dict[str, Any]] = {}
    for frame in frames:
        if frame["type"] == "tree":
            tree |= {row["path"]: row for row in frame["nodes"]}
            for path in frame["gone"]:
                tree.pop(path, None)
    return tree


async def test_a_newcomer_is_told_everything_and_then_what_changes() -> None:
    """First who serves, the tree, links, letters and the queue; then patches of the tree and facts."""
    async with served() as here:
        [ref] = await spawned(here, "echo")
        async with viewing(here.client) as view:
            hello = await view.hello()
            assert (hello["system"], hello["person"]) == ("alpha", None)
            assert {"tree", "nodes", "dead", "requests"} <= {frame["type"] for frame in view.frames}
            assert set(rows(view.frames)) >= {"/", "/system", "/echo"}
            before = len(view.frames)
            ref.tell("boom")
            await view.take_until(lambda frame: any(f["kind"] == "Restarted" for f in view.facts))
            kinds = [fact["kind"] for fact in view.facts if fact["path"] == "/echo"]
            assert kinds == ["Failed", "Restarting", "DeadLetter", "Restarted"]
            assert rows(view.frames)["/echo"]["restarts"] == 1
            assert "/system" not in rows(view.frames[before:])
            ref.stop()
            await view.take_until(lambda frame: frame["type"] == "tree" and "/echo" in frame["gone"])


async def test_what_no_event_tells_of_is_seen_too() -> None:
    """The depth of a mailbox, and that somebody is busy."""
    async with served() as here:
        [ref] = await spawned(here, "echo")
        async with viewing(here.client) as view:
            await view.hello()
            ref.tell("sleep")
            ref.tell("hello")
            await view.take_until(lambda frame: rows(view.frames)["/echo"]["depth"] == 1)
            assert rows(view.frames)["/echo"]["state"] == "BUSY"
            ref.kill()


async def test_whoever_comes_back_misses_nothing() -> None:
    """The number of the last fact that was seen is where it goes on."""
    async with served() as here:
        async with viewing(here.client) as view:
            hello = await view.hello()
            await spawned(here, "one")
            await view.take_until(lambda frame: any(fact["path"] == "/one" for fact in view.facts))
            after = next(frame for frame in reversed(view.frames) if frame["type"] == "events")["after"]
            seen = view.facts
        await spawned(here, "two", "three")
        async with viewing(here.client, after=after, session=hello["session"]) as again:
            await again.hello()
            await spawned(here, "four")
            await again.take_until(lambda frame: any(fact["path"] == "/four" for fact in again.facts))
            numbers = [
                fact["number"]
                for fact in seen + again.facts
                if fact["path"] in ("/one", "/two", "/three", "/four")
            ]
            assert numbers == sorted(set(numbers))
            told = [fact["path"] for fact in again.facts if fact["kind"] == "Spawned"]
            assert [path for path in told if path != "/one"] == ["/two", "/three", "/four"]


async def test_numbers_of_another_life_of_the_system_are_worth_nothing() -> None:
    """Then all that is kept is told."""
    async with served() as here:
        await spawned(here, "one")
        async with viewing(here.client, after=5000, session="another") as view:
            await view.hello()
            assert view.facts[0]["number"] == 1


async def test_the_past_is_told_as_far_as_it_is_asked_for() -> None:
    """A negative number counts from the end."""
    async with served() as here:
        await spawned(here, "one", "two", "three")
        async with viewing(here.client, after=-2) as view:
            await view.hello()
            assert len(view.facts) == 2


async def test_facts_that_are_not_kept_any_more_are_counted() -> None:
    """`missed` says how many; nobody is told that nothing happened."""
    async with served() as here:
        journal = here.system.journal
        moved = actors.events.TicketMoved(0.0, "id", "/echo", "pending", 1, "x" * 150)
        for _ in range(10_050):  # more than may wait for a client at once
            journal.put(moved)
        async with viewing(here.client, after=1) as view:
            await view.hello()
            missed = sum(frame["missed"] for frame in view.frames if frame["type"] == "events")
            assert missed > 0
            assert len(view.facts) + missed + 1 == view.facts[-1]["number"]


async def test_a_client_chooses_what_it_hears() -> None:
    """By kinds and by path, at the beginning and later; what it cannot mean is said to it."""
    async with served() as here, viewing(here.client, kind="Spawned", path="/one") as view:
        await view.hello()
        await spawned(here, "one", "two")
        await view.take_until(lambda frame: view.facts)
        await view.say(filter={"kinds": ["Started"]})
        for bad in (
            {"filter": {"kinds": "Started"}},
            {"filter": {"kinds": ["Nonsense"]}},
            {"filter": {"path": 5}},
            {"x": 1},
        ):
            await view.say(**bad)
            assert (await view.take_until(lambda frame: frame["type"] == "error"))["text"]
        await spawned(here, "three")
        await view.take_until(lambda frame: len(view.facts) >= 2)
        assert [(fact["kind"], fact["path"]) for fact in view.facts] == [
            ("Spawned", "/one"),
            ("Started", "/three"),
        ]


@pytest.mark.parametrize("query", ["after=x", "kind=Nonsense", "path=relative", "after=-99999999"])
async def test_a_question_that_makes_no_sense_is_refused_before_the_handshake(query: str) -> None:
    """400, and what is wrong."""
    async with served() as here:
        with pytest.raises(Exception, match="400"):
            async with here.client.websocket(f"/api/v1/live?{query}"):
                pass


@pytest.mark.row(115)
async def test_requests_come_to_whom_they_are_for_and_go_when_they_are_answered() -> None:
    """Held while the person is away, shown when she comes, never another's; an escalated one moves on."""
    async with (
        served("all", people={"ada": "of-ada", "bob": "of-bob"}) as here,
        here.client_of("of-ada") as ada,
        here.client_of("of-bob") as bob,
        trio.open_nursery() as nursery,
    ):

        async def wait(text: str, **more: Any) -> None:
            await here.system.desk.approval(text, **more)

        nursery.start_soon(lambda: wait("held", to="ada"))
        await until(here.system.desk.pending)
        async with viewing(ada) as hers, viewing(bob) as his:
            await hers.hello()
            await his.hello()
            assert [one["text"] for one in hers.frames[-1]["requests"]] == ["held"]
            assert his.frames[-1]["requests"] == []
            assert {frame["type"] for frame in hers.frames} == {"hello", "requests"}
            then = actors.Escalate(to="bob", timeout=60.0)
            nursery.start_soon(lambda: wait("urgent", to="ada", timeout=0.3, default=then))
            shown = await hers.take_until(lambda frame: frame["type"] == "requests" and frame["requests"])
            assert shown["requests"][0]["text"] == "urgent"
            gone = await hers.take_until(lambda frame: frame["type"] == "requests" and frame["gone"])
            assert gone["gone"] == [shown["requests"][0]["id"]]
            moved = await his.take_until(lambda frame: frame["type"] == "requests" and frame["requests"])
            assert moved["requests"][0]["text"] == "urgent"
            await bob.post(f"/api/v1/requests/{moved['requests'][0]['id']}/answer", json={"value": True})
            await his.take_until(lambda frame: frame["type"] == "requests" and frame["gone"])
        nursery.cancel_scope.cancel()


async def test_one_more_than_may_look_is_refused() -> None:
    """503 before the handshake, and there is room again when one goes."""
    async with served(max_clients=2) as here:
        async with viewing(here.client) as first, viewing(here.client):
            await first.hello()
            assert here.observatory.clients == 2
            with pytest.raises(Exception, match="503"):
                async with here.client.websocket("/api/v1/live"):
                    pass
        await until(lambda: here.observatory.clients == 0)
        async with viewing(here.client) as third:
            await third.hello()


async def test_a_thousand_look_and_one_more_is_refused() -> None:
    """All are told of a crash; HTTP is served meanwhile, and all are told to go in the end."""
    async with served() as here:
        [ref] = await spawned(here, "echo")
        port = int(here.observatory.url.rpartition(":")[2])
        streams: list[trio.SocketStream] = []

        async def look() -> None:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            streams.append(stream)
            await stream.send_all(_UPGRADE % port)
            got = b""
            while b"101 " not in got:
                got += await stream.receive_some()

        with trio.fail_after(30):
            for _ in range(20):
                async with trio.open_nursery() as nursery:
                    for _ in range(50):
                        nursery.start_soon(look)
            assert here.observatory.clients == 1000
            with pytest.raises(Exception, match="503"):
                async with here.client.websocket("/api/v1/live"):
                    pass
            assert (await here.get("/tree"))["name"] == "alpha"
            ref.tell("boom")

            async def hears(stream: trio.SocketStream) -> None:
                got = b""
                while b'"Restarted"' not in got:
                    got += await stream.receive_some()

            async with trio.open_nursery() as nursery:
                for stream in streams:
                    nursery.start_soon(hears, stream)
            here.observatory.stop()
            await here.observatory.ref.wait_stopped()
            for stream in streams:
                await trio.aclose_forcefully(stream)


_UPGRADE = (
    b"GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.mark.row(115)
async def test_a_connection_is_kept_alive_by_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every 20 s, so that no proxy takes silence for the end; here more often."""
    assert serving._PING_EVERY == 20.0
    monkeypatch.setattr(serving, "_PING_EVERY", 0.05)
    async with served() as here:
        port = int(here.observatory.url.rpartition(":")[2])
        async with await trio.open_tcp_stream("127.0.0.1", port) as idle:
            await idle.send_all(_UPGRADE % port)
            heard = b""
            with trio.fail_after(5):
                while b"\x89\x00" not in heard:  # a ping, empty, as a server sends it
                    heard += await idle.receive_some(65536)
        assert heard.startswith(b"HTTP/1.1 101")


@pytest.mark.row(115)
async def test_whoever_hears_nothing_for_long_hears_that_somebody_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Scripts of a page see no pings: without this they could not tell a dead connection from a quiet one."""
    assert sockets._BEAT_EVERY == 20.0
    monkeypatch.setattr(sockets, "_BEAT_EVERY", 0.05)
    async with served() as here, viewing(here.client) as view:
        await view.hello()
        for _ in range(2):
            assert await view.take_until(lambda frame: frame["type"] == "beat") == {"type": "beat"}
        await spawned(here, "echo")
        await view.take_until(lambda frame: "/echo" in rows(view.frames))


async def test_a_client_that_reads_nothing_is_let_go_and_goes_on_where_it_was() -> None:
    """A browser that sleeps: what waits for it is bounded, others are told all, and it has missed nothing."""
    async with served() as here:
        port = int(here.observatory.url.rpartition(":")[2])
        raw = trio.socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await raw.connect(("127.0.0.1", port))
        async with trio.SocketStream(raw) as sleeper:
            await sleeper.send_all(_UPGRADE % port)
            await until(lambda: here.observatory.clients == 1)
            await sleeper.receive_some(200)
            journal, note = here.system.journal, "x" * 400
            async with viewing(here.client) as view:
                await view.hello()
                for _ in range(90):
                    for _ in range(400):
                        here.system._bus.emit(
                            actors.events.TicketMoved(0.0, note, "/echo", "pending", 1, note)
                        )
                    last = journal.last
                    await view.take_until(lambda frame: frame.get("after", 0) >= last)  # noqa: B023
                    if here.observatory.clients == 1:
                        break
                await until(lambda: here.observatory.clients == 1)
        async with viewing(here.client, after=journal.last - 1000) as again:
            await again.hello()
            assert len(again.facts) >= 1000


async def test_closing_tells_whoever_looks_that_it_goes() -> None:
    """Code 1001, and nothing is waited for."""
    async with served() as here:
        async with viewing(here.client) as view:
            await view.hello()
            here.observatory.stop()
            with pytest.raises(WebSocketDisconnect) as closed, trio.fail_after(2):
                await view.take_until(lambda _: False)
            assert closed.value.code == 1001
        with trio.fail_after(2):
            await here.observatory.ref.wait_stopped()


async def test_a_system_closes_at_once_whatever_clients_do() -> None:
    """Some read nothing, some have sent half a request, some are idle."""
    async with served() as here:
        port = int(here.observatory.url.rpartition(":")[2])
        streams = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(4)]
        await streams[0].send_all(_UPGRADE % port)
        await streams[1].send_all(
            b"POST /api/v1/requests/a/answer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50\r\n\r\n{"
        )
        await streams[2].send_all(b"GET / HT")
        await streams[3].send_all(b"GET /api/v1/tree HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await until(lambda: here.observatory.clients == 1)
        began = trio.current_time()
        here.observatory.stop()
        await here.observatory.ref.wait_stopped()
        assert trio.current_time() - began < 2.5
        for stream in streams:
            await trio.aclose_forcefully(stream)


async def test_it_comes_back_on_the_same_port_when_it_has_failed() -> None:
    """Supervised: clients connect again to the same address, with the same cookie."""
    async with served("secret") as here, here.client_of() as browser:
        await browser.get("/", params={"token": "secret"})
        url = here.observatory.url
        here.observatory.ref.cell.fail()
        await until(lambda: here.observatory.ref.cell.restarts == 1 and here.observatory.ref.cell.is_started)
        assert here.observatory.url == url
        assert (await browser.get("/api/v1/tree")).status_code == 200


async def test_nothing_runs_while_nobody_looks() -> None:
    """No subscriber on the bus but the journal, no alarm, and no task that wakes."""
    async with served() as here:
        async with viewing(here.client) as view:
            await view.hello()
            assert len(here.system._bus.listeners) == 2
        await until(lambda: len(here.system._bus.listeners) == 1)
        await trio.sleep(0.05)

        class Wakes(trio.abc.Instrument):
            def __init__(self) -> None:
                self.names: list[str] = []

            def before_task_step(self, task: trio.lowlevel.Task) -> None:
                self.names.append(task.name)

        trio.lowlevel.add_instrument(wakes := Wakes())
        await trio.sleep(0.3)
        trio.lowlevel.remove_instrument(wakes)
        assert [name for name in wakes.names if "web" in name or "observatory" in name] == []


async def test_markup_stays_text_in_every_frame() -> None:
    """JSON says it as it is; nothing else is made of it."""
    async with served() as here:
        [ref] = await spawned(here, "echo")
        async with viewing(here.client) as view:
            await view.hello()
            ref.tell("boom <script>alert(1)</script> \u2028 \ud800".encode("utf-8", "replace").decode())
            await view.take_until(lambda frame: any("<script>" in fact["text"] for fact in view.facts))
            assert json.loads(json.dumps(view.frames)) == view.frames
