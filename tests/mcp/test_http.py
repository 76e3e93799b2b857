"""Clients that come over streamable HTTP: the official one, over a real socket."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
import trio
from mcp import MCPError

import actors
from actors.mcp import Gate, start_mcp
from tests.mcp.reached import Hand, Reached, gate, reached, said, until

pytestmark = pytest.mark.filterwarnings("ignore:Async generator '(httpx2|httpcore2):ResourceWarning")
"""The official client leaves its own unfinished."""

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
}


async def initialized(here: Reached, http: Any) -> dict[str, str]:
    """The headers of a session that has begun without the official client."""
    answer = await http.post(here.server.url, json=INITIALIZE)
    assert answer.status_code == 200, answer.text
    headers = {
        "mcp-session-id": answer.headers["mcp-session-id"],
        "mcp-protocol-version": "2025-11-25",
    }
    done = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert (await http.post(here.server.url, json=done, headers=headers)).status_code == 202
    await until(here.paths)
    return headers


def called(number: int, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A call as it goes over the wire."""
    params = {"name": name, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


async def spawned(client: Any, name: str = "one") -> str:
    """A hand of this client."""
    return said(await client.call_tool("spawn", {"template": "hand", "name": name}))["path"]


# --- what goes well ----------------------------------------------------------------


async def test_a_client_spawns_and_asks_over_http() -> None:
    """A session is an agent, with children of its own."""
    async with reached() as here, here.client() as client:
        path = await spawned(client)
        assert path == "/agents/crew/one"
        asked = await client.call_tool("ask", {"path": path, "message": "good day"})
        assert said(asked)["reply"] == "good day"
        assert here.server.sessions == 1


async def test_two_agents_at_once_do_not_see_each_other() -> None:
    """Each has its own name, children and calls."""
    async with reached() as here, here.client() as one, here.client() as two:
        first, second = await spawned(one), await spawned(two)
        assert {first, second} == {"/agents/crew/one", "/agents/crew-2/one"}
        replies: dict[str, str] = {}

        async def ask(client: Any, path: str) -> None:
            replies[path] = said(await client.call_tool("ask", {"path": path, "message": path}))["reply"]

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, one, first)
            nursery.start_soon(ask, two, second)
        assert replies == {first: first, second: second}
        assert (await one.call_tool("ask", {"path": second, "message": "x"})).is_error
        assert here.server.sessions == 2


async def test_a_cancelled_call_interrupts_and_the_session_goes_on() -> None:
    """The actor that was asked is free again."""
    async with reached() as here, here.client() as client:
        path = await spawned(client)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.call_tool, "ask", {"path": path, "message": "wait"})
            await until(here.is_busy)
            nursery.cancel_scope.cancel()
        await until(lambda: Hand.cut == [path])
        assert said(await client.call_tool("ask", {"path": path, "message": "on"}))["reply"] == "on"


async def test_progress_reaches_the_client() -> None:
    """While an actor works, its signs of life are told."""
    heard: list[float] = []

    async def hear(progress: float, total: float | None, text: str | None) -> None:
        heard.append(progress)

    async with reached() as here, here.client() as client:
        path = await spawned(client)
        call = await client.call_tool("ask", {"path": path, "message": "steps"}, progress_callback=hear)
        assert said(call)["reply"] == "steps"
        assert heard == sorted(heard)
        assert heard


async def test_a_client_that_leaves_takes_what_it_spawned_with_it() -> None:
    """DELETE ends its session at once."""
    async with reached() as here:
        async with here.client() as client:
            await spawned(client)
        await until(lambda: not here.paths())
        assert here.server.sessions == 0


async def test_a_client_that_comes_back_hears_what_it_has_missed() -> None:
    """A dropped stream is resumed after the last event that was had."""
    async with reached() as here, here.http() as http:
        headers = await initialized(here, http)
        calls = [("spawn", {"template": "hand", "name": "one"}), ("ask", {"path": "one", "message": "steps"})]
        requests = [
            {
                "jsonrpc": "2.0",
                "id": number,
                "method": "tools/call",
                "params": {"name": name, "arguments": it},
            }
            for number, (name, it) in enumerate(calls, 2)
        ]
        await http.post(here.server.url, json=requests[0], headers=headers)
        async with http.stream("POST", here.server.url, json=requests[1], headers=headers) as stream:
            lines = stream.aiter_lines()
            first = [line async for line in _some(lines, 1)]
        last = next(line for line in first if line.startswith("id: ")).removeprefix("id: ")
        async with http.stream("GET", here.server.url, headers=headers | {"last-event-id": last}) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: ") and '"result"' in line:
                    break
        assert json.loads(line.removeprefix("data: "))["result"]["structuredContent"]["reply"] == "steps"


async def _some(lines: Any, events: int) -> Any:
    async for line in lines:
        yield line
        events -= not line
        if not events:
            return


# --- who may come ------------------------------------------------------------------


async def test_without_a_token_and_with_a_wrong_one_nobody_comes_in() -> None:
    """401, in JSON, with the scheme that is wanted."""
    async with reached(token="a-secret") as here:
        for token in (None, "another", "a-secret "[:7]):
            async with here.http(token) as http:
                answer = await http.post(here.server.url, json=INITIALIZE)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert answer.json()["error"] == "Unauthorized"
            assert "Authorization: Bearer" in answer.json()["text"]
        assert here.server.sessions == 0
        async with here.client("a-secret") as client:
            assert await client.list_tools()


async def test_each_token_has_its_gate() -> None:
    """Who comes with which token, may do what that says."""
    gates = {"wide": gate(name="chief"), "narrow": Gate(tools=("tree",), name="guest")}
    async with reached(tokens=gates) as here, here.client("wide") as wide, here.client("narrow") as narrow:
        assert await spawned(wide) == "/agents/chief/one"
        assert [tool.name for tool in (await narrow.list_tools()).tools] == ["tree"]
        assert "/agents/guest" in here.paths()


async def test_a_session_is_for_its_token_alone() -> None:
    """Whoever guesses the id of another's hears what those hear who invent one."""
    async with reached(tokens={"one": gate(), "two": gate()}) as here, here.http("one") as http:
        headers = await initialized(here, http)
        async with here.http("two") as other:
            ping = {"jsonrpc": "2.0", "id": 7, "method": "ping"}
            answer = await other.post(here.server.url, json=ping, headers=headers)
            invented = await other.post(
                here.server.url, json=ping, headers=headers | {"mcp-session-id": "0" * 32}
            )
            ended = await other.delete(here.server.url, headers=headers)
        assert (answer.status_code, answer.text) == (invented.status_code, invented.text)
        assert ended.status_code == 404
        assert (await http.post(here.server.url, json=ping, headers=headers)).status_code == 200


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_pages_from_elsewhere_are_refused(method: str) -> None:
    """By their origin, and by a name that is not that of this machine."""
    async with reached(origins=["https://agents.example.org"]) as here:
        async with here.http() as http:
            origin = await http.request(method, here.server.url, headers={"origin": "https://evil.example"})
            host = await http.request(method, here.server.url, headers={"host": "evil.example:80"})
        assert [answer.json()["error"] for answer in (origin, host)] == ["ForbiddenOrigin", "ForbiddenHost"]
        assert [answer.status_code for answer in (origin, host)] == [403, 403]
        async with here.http(origin="https://agents.example.org") as http:
            assert (await http.post(here.server.url, json=INITIALIZE)).status_code == 200


async def test_an_address_that_others_reach_needs_a_token() -> None:
    async with actors.open_system("alpha") as system:
        with pytest.raises(actors.InsecureListen):
            await start_mcp(system, gate(), "0.0.0.0")
        server = await start_mcp(system, gate(), "0.0.0.0", token="a-secret")
        assert server.url.startswith("http://0.0.0.0:")


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"token": ""}, "token"),
        ({"token": " blanks "}, "token"),
        ({"tokens": {"a": Gate()}}, "gate is for whoever brings token="),
        ({"token": "a", "tokens": {"a": Gate()}}, "one of tokens too"),
        ({"port": 70000}, "from 0 to 65535"),
        ({"port": True}, "from 0 to 65535"),
        ({"origins": ["evil"]}, "no origin"),
        ({"session_idle": 0}, "session_idle"),
        ({"session_lost": -1}, "session_lost"),
        ({"max_sessions": 0}, "max_sessions"),
        ({"max_body": 0}, "max_body"),
    ],
)
async def test_what_makes_no_sense_is_refused_at_the_door(settings: dict[str, Any], wrong: str) -> None:
    async with actors.open_system("alpha") as system:
        with pytest.raises(ValueError, match=wrong):
            await start_mcp(system, Gate(), **settings)
        assert system.find("/system/mcp") is None


async def test_what_is_no_gate_is_refused() -> None:
    async with actors.open_system("alpha") as system:
        for given in (None, "gate"):
            with pytest.raises(TypeError, match="Gate, not"):
                await start_mcp(system, given)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="host"):
            await start_mcp(system, Gate(), None)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="origins"):
            await start_mcp(system, Gate(), origins="http://a")
        await start_mcp(system, Gate())
        with pytest.raises(actors.NameTaken):
            await start_mcp(system, Gate())


# --- bad input ---------------------------------------------------------------------


async def test_wrong_calls_are_answered_and_change_nothing() -> None:
    """Unknown tools, wrong arguments, unknown methods: the session goes on."""
    async with reached() as here, here.client() as client:
        for name, given in (("nonsense", {}), ("spawn", {}), ("ask", {"path": 1, "message": []})):
            assert (await client.call_tool(name, given)).is_error
        with pytest.raises(MCPError):
            await client.read_resource("actors://nowhere")
        assert said(await client.call_tool("tree"))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"[" * 100_000, -32700),
        (b"\xff\xfe\x00", -32700),
        (b"[]", -32600),
        (b"7", -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}', -32600),
    ],
)
async def test_garbage_begins_no_session(body: bytes, code: int) -> None:
    """It is answered as JSON-RPC answers, with 400."""
    async with reached() as here, here.http() as http:
        kind = {"content-type": "application/json"}
        answer = await http.post(here.server.url, content=body, headers=kind)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
        assert here.server.sessions == 0
        assert here.paths() == []


async def test_garbage_within_a_session_ends_nothing() -> None:
    async with reached() as here, here.http() as http:
        headers = await initialized(here, http) | {"content-type": "application/json"}
        for body in (b"{", b"[]", b'{"jsonrpc": "2.0", "id": {}, "method": 7}', b"\xff"):
            answer = await http.post(here.server.url, content=body, headers=headers)
            assert answer.status_code == 400
        ping = {"jsonrpc": "2.0", "id": 7, "method": "ping"}
        assert (await http.post(here.server.url, json=ping, headers=headers)).status_code == 200


async def test_a_body_that_is_too_long_is_refused() -> None:
    async with reached(max_body=10_000) as here, here.http() as http:
        answer = await http.post(here.server.url, content=b"x" * 50_000)
        assert (answer.status_code, answer.json()["error"]) == (413, "TooLarge")
        assert (await http.post(here.server.url, json=INITIALIZE)).status_code == 200


async def test_other_addresses_methods_and_revisions_are_refused() -> None:
    """A revision without sessions is answered with those that are served, and so clients take one of them."""
    async with reached() as here, here.http() as http:
        assert (await http.get(here.server.url.removesuffix("/mcp"))).status_code == 404
        assert (await http.put(here.server.url)).status_code == 400
        modern = {"mcp-protocol-version": "2026-07-28"}
        answer = await http.post(here.server.url, json=INITIALIZE | {"id": "x"}, headers=modern)
        assert (answer.status_code, answer.json()["id"]) == (400, "x")
        assert "2025-11-25" in answer.json()["error"]["data"]["supported"]


async def test_no_more_sessions_than_may_be() -> None:
    """The next one is refused in words, and there is room again when one ends."""
    async with reached(max_sessions=1) as here:
        async with here.client() as client:
            assert await client.list_tools()
            async with here.http() as http:
                answer = await http.post(here.server.url, json=INITIALIZE)
            assert answer.status_code == 503
            assert "1 sessions are open" in answer.json()["error"]["message"]
        async with here.client() as client:
            assert await client.list_tools()


async def test_an_opening_that_is_refused_leaves_no_session() -> None:
    async with reached() as here, here.http() as http:
        answer = await http.post(here.server.url, json=INITIALIZE, headers={"accept": "text/plain"})
        assert answer.status_code == 406
        await until(lambda: here.server.sessions == 0)


# --- the end -----------------------------------------------------------------------


async def test_a_client_that_goes_in_the_middle_of_a_call_is_missed() -> None:
    """Its agent, the call, and what it spawned end after `session_lost` seconds."""
    async with reached(session_lost=0.1) as here:
        async with here.http() as http, trio.open_nursery() as nursery:  # it closes when nobody reads in it
            headers = await initialized(here, http)
            spawn = called(2, "spawn", {"template": "hand", "name": "one"})
            ask = called(3, "ask", {"path": "one", "message": "wait"})
            await http.post(here.server.url, json=spawn, headers=headers)
            nursery.start_soon(partial(http.post, here.server.url, json=ask, headers=headers))
            await until(here.is_busy)
            nursery.cancel_scope.cancel()
        await until(lambda: here.server.sessions == 0)
        await until(lambda: not here.paths())
        assert Hand.cut == ["/agents/raw/one"]


async def test_calls_in_a_session_that_ends_meanwhile_are_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each with a whole answer, or that the session has ended: no connection is left halfway."""
    async with reached() as here, here.http() as http:
        answers: list[int] = []

        async def post(number: int, headers: dict[str, str]) -> None:
            call = called(number, "tree", {})
            answers.append((await http.post(here.server.url, json=call, headers=headers)).status_code)

        async def end(steps: int) -> None:
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            for session in tuple(here.server._site.sessions._sessions.values()):
                session.scope.cancel()

        for steps in range(0, 24, 2):
            headers = await initialized(here, http)
            async with trio.open_nursery() as nursery:
                for number in range(2, 8):
                    nursery.start_soon(post, number, headers)
                nursery.start_soon(end, steps)
            await until(lambda: here.server.sessions == 0)
    assert len(answers) == 72
    assert set(answers) == {200, 404}
    assert not [one for one in caplog.records if one.name == "actors.http"]


async def test_a_session_that_is_not_used_ends() -> None:
    """After `session_idle` seconds; one that calls is used."""
    async with reached(session_idle=0.3) as here, here.http() as http:
        headers = await initialized(here, http)
        ping = {"jsonrpc": "2.0", "id": 7, "method": "ping"}
        for _ in range(4):
            await trio.sleep(0.12)
            assert (await http.post(here.server.url, json=ping, headers=headers)).status_code == 200
        await until(lambda: here.server.sessions == 0)
        await until(lambda: not here.paths())
        assert (await http.post(here.server.url, json=ping, headers=headers)).status_code == 404


async def test_a_client_that_listens_is_there() -> None:
    """As long as its stream is open."""
    async with reached(session_idle=0.1, session_lost=0.1) as here, here.client() as client:
        await until(lambda: here.server.sessions == 1)
        await trio.sleep(0.4)
        assert said(await client.call_tool("tree"))


@pytest.mark.parametrize("how", ["stop", "system"])
async def test_the_end_is_quick_with_open_streams_and_calls(how: str) -> None:
    """Nothing is waited for that does not end by itself."""
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with reached() as here:
                client = await nursery.start(_client_at_work, here)
                await until(here.is_busy)
                since = trio.current_time()
                if how == "stop":
                    here.server.stop()
                    await here.server.ref.wait_stopped()
                    assert trio.current_time() - since < 1
                scope.shield = False
        assert trio.current_time() - since < 1.5
        assert Hand.cut
        client.cancel()


async def _client_at_work(
    here: Reached, task_status: trio.TaskStatus[trio.CancelScope] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.CancelScope() as scope:
        try:
            async with here.client() as client:
                path = await spawned(client)
                task_status.started(scope)
                await client.call_tool("ask", {"path": path, "message": "wait"})
        except Exception:  # whichever: its server has gone
            return


async def test_a_server_that_is_started_anew_keeps_its_port() -> None:
    """Sessions have ended, and clients initialize anew."""
    async with reached() as here:
        url = here.server.url
        at_work = here.server._site.sessions
        at_work._nursery.start_soon(_fail)
        await until(lambda: here.server._site.sessions is not at_work)
        await here.server.ref.wait_started()
        async with here.client() as client:
            assert await client.list_tools()
        assert here.server.url == url


async def _fail() -> None:
    raise RuntimeError("a fault")


async def test_a_reader_that_stands_still_holds_nobody_up() -> None:
    """Others are served meanwhile."""
    async with reached() as here, here.http() as http, here.client() as client:
        headers = await initialized(here, http)
        spawn = {"name": "spawn", "arguments": {"template": "hand", "name": "one"}}
        big = {"name": "ask", "arguments": {"path": "one", "message": "big"}}
        call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": spawn}
        await http.post(here.server.url, json=call, headers=headers)
        async with trio.open_nursery() as nursery:
            for number in range(3, 9):
                call = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": big}
                nursery.start_soon(_unread, http, here.server.url, call, headers)
            await trio.sleep(0.2)
            with trio.fail_after(2):
                assert said(await client.call_tool("tree"))
            nursery.cancel_scope.cancel()


async def _unread(http: Any, url: str, call: Any, headers: Any) -> None:
    async with http.stream("POST", url, json=call, headers=headers):
        await trio.sleep_forever()


async def test_without_sessions_an_agent_is_known_by_its_name() -> None:
    """The newest revision, for those who ask for it."""
    async with reached(sessionless=True) as here:
        async with here.client(name="solo") as client:
            assert client.protocol_version == "2026-07-28"
            assert await spawned(client) == "/agents/solo/one"
        async with here.client(name="solo") as client:
            assert (
                said(await client.call_tool("ask", {"path": "one", "message": "still"}))["reply"] == "still"
            )
        assert here.server.sessions == 0


async def test_without_sessions_another_name_is_another_agent_until_there_are_too_many() -> None:
    """`max_sessions` bounds them, too."""
    async with reached(sessionless=True, max_sessions=2) as here:
        for name in ("one", "two"):
            async with here.client(name=name) as client:
                assert said(await client.call_tool("tree"))["you"] == f"/agents/{name}"
        async with here.client(name="three") as client:
            refused = await client.call_tool("tree")
            assert refused.is_error
            assert "2 agents are connected, and no more may be" in refused.content[0].text
