"""Who may come in, from where, and what browsers are told."""

from __future__ import annotations

import h2.config
import h2.connection
import h2.events
import pytest
import trio

import actors
from actors.http import gate
from actors.observe.web import start_observatory
from tests.observe.web.served import TOKEN, served, until


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
async def test_without_a_token_only_this_machine_may_look(host: str) -> None:
    """An address that others reach needs one."""
    async with actors.open_system("alpha") as system:
        with pytest.raises(actors.InsecureListen):
            await start_observatory(system, host)


async def test_with_a_token_any_address_will_do() -> None:
    """And the URL says where."""
    async with actors.open_system("alpha") as system:
        observatory = await start_observatory(system, "0.0.0.0", token=TOKEN)
        assert observatory.url.startswith("http://0.0.0.0:")


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"token": ""}, ValueError),
        ({"token": " a"}, ValueError),
        ({"port": -1}, ValueError),
        ({"port": True}, ValueError),
        ({"host": ""}, TypeError),
        ({"origins": "https://a.example"}, TypeError),
        ({"origins": ["a.example"]}, ValueError),
        ({"origins": ["https://a.example/page"]}, ValueError),
        ({"people": {"ada": "x"}}, ValueError),
        ({"people": {"ada": ""}, "token": "t"}, ValueError),
        ({"people": {"ada": "t"}, "token": "t"}, ValueError),
        ({"people": {"ada": "x", "bob": "x"}, "token": "t"}, ValueError),
        ({"max_clients": 0}, ValueError),
        ({"port": 1, "host": "203.0.113.7", "token": "t"}, OSError),
    ],
)
async def test_settings_that_make_no_sense_are_refused_at_the_door(settings: dict, error: type) -> None:
    """Nothing is served then."""
    async with actors.open_system("alpha") as system:
        with pytest.raises(error):
            await start_observatory(system, **settings)
        assert system.find("/system/observatory") is None


@pytest.mark.parametrize("said", [None, "wrong", TOKEN + "x", TOKEN[:-1], "ü", "\U0001f511"])
async def test_a_wrong_token_opens_nothing(said: str | None) -> None:
    """401 for the API, the live connection and the figures; the page leads to the form."""
    async with served(TOKEN) as here, here.client_of() as client:
        headers = {} if said is None else {"authorization": b"Bearer " + said.encode()}
        for path in ("/api/v1/tree", "/api/v1/requests", "/api/v1/live", "/metrics", "/nowhere"):
            answer = await client.get(path, headers=headers)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
        page = await client.get("/", headers=headers)
        assert (page.status_code, page.headers["location"]) == (303, "/login")


async def test_a_token_becomes_a_cookie_that_is_not_the_token() -> None:
    """By the form or by the address; the cookie is for HTTP alone, for this site alone."""
    async with served(TOKEN) as here, here.client_of() as client:
        by_address = await client.get("/", params={"token": TOKEN})
        by_form = await client.post("/login", data={"token": TOKEN}, headers={"origin": here.observatory.url})
        for answer in (by_address, by_form):
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
            cookie = answer.headers["set-cookie"]
            assert TOKEN not in cookie
            assert "HttpOnly" in cookie
            assert "samesite=strict" in cookie.lower()
        assert (await client.get("/")).status_code == 200
        assert (await client.get("/api/v1/tree")).status_code == 200
        await client.post("/logout", headers={"origin": here.observatory.url})
        assert (await client.get("/api/v1/tree")).status_code == 401


async def test_a_wrong_token_in_the_form_is_said() -> None:
    """And no cookie comes of it."""
    async with served(TOKEN) as here, here.client_of() as client:
        answer = await client.post(
            "/login", data={"token": "wrong"}, headers={"origin": here.observatory.url}
        )
        assert answer.headers["location"] == "/login?wrong"
        assert "set-cookie" not in answer.headers
        assert "not a token" in (await client.get("/login?wrong")).text


async def test_a_cookie_of_another_observatory_is_worth_nothing() -> None:
    """The secret is drawn at the start."""
    async with served(TOKEN) as here, here.client_of() as client:
        name = f"observatory-{here.observatory.url.rpartition(':')[2]}"
        for value in ("", "x", TOKEN, "0" * 64, '"' + "0" * 64 + '"'):
            answer = await client.get("/api/v1/tree", headers={"cookie": f"a; b=c; {name}={value}"})
            assert answer.status_code == 401


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "file://", "http://", "x"]
)
async def test_a_foreign_page_changes_nothing_and_hears_nothing(origin: str) -> None:
    """Neither with a token that it should not have, nor where none is needed."""
    async with served() as here:
        headers = {"origin": origin}
        assert (
            await here.client.post("/api/v1/dead/1/redeliver", json={}, headers=headers)
        ).status_code == 403
        assert (await here.client.delete("/api/v1/dead/1", headers=headers)).status_code == 403
        with pytest.raises(Exception, match="403"):
            async with here.client.websocket("/api/v1/live", headers=headers):
                pass


async def test_a_page_of_its_own_or_of_a_named_origin_may() -> None:
    """The own origin needs no naming; letters may be large or small."""
    async with served(origins=["https://watch.example"]) as here:
        for origin in (here.observatory.url, "https://watch.example", "HTTPS://WATCH.example"):
            answer = await here.client.delete("/api/v1/dead/1", headers={"origin": origin})
            assert answer.status_code == 404
            async with here.client.websocket("/api/v1/live", headers={"origin": origin}):
                pass


async def test_with_a_cookie_alone_a_browser_must_say_where_it_comes_from() -> None:
    """A request that changes something, with a cookie and without an origin, is not a browser's own."""
    async with served(TOKEN) as here, here.client_of() as client:
        await client.get("/", params={"token": TOKEN})
        assert (await client.delete("/api/v1/dead/1")).status_code == 403
        assert (
            await client.delete("/api/v1/dead/1", headers={"origin": here.observatory.url})
        ).status_code == 404
        assert (await here.client.delete("/api/v1/dead/1")).status_code == 404
        cross = {"sec-fetch-site": "cross-site"}
        assert (await here.client.delete("/api/v1/dead/1", headers=cross)).status_code == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 403),
        ("evil.example:80", 403),
        ("127.0.0.1.evil.example", 403),
        ("user@127.0.0.1", 403),
        ("127.0.0.1:99999999", 403),
        ("", 403),
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:9", 200),
        ("[::1]:9", 200),
        ("watch.example", 200),
    ],
)
async def test_a_name_that_somebody_else_has_led_here_is_refused(host: str, status: int) -> None:
    """A page whose name leads to this machine would be of the same origin."""
    async with served(origins=["https://watch.example"]) as here:
        answer = await here.client.get("/api/v1/tree", headers={"host": host})
        assert answer.status_code == status


@pytest.mark.parametrize(
    "path", ["/", "/login", "/static/app.js", "/api/v1/tree", "/api/v1/none", "/static/none"]
)
async def test_every_answer_tells_browsers_to_be_strict(path: str) -> None:
    """No script but its own, no frame, no guess of types, no referrer; answers are kept nowhere."""
    async with served() as here:
        headers = (await here.client.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == ("same-origin" if path == "/login" else "no-referrer")
        assert headers["cache-control"] == ("no-store" if "api" in path or "none" in path else "no-cache")
        assert "server" not in headers


async def test_a_path_out_of_the_folder_leads_nowhere() -> None:
    """Files are known by their names alone."""
    async with served() as here:
        for path in ("/static/../observatory.py", "/static/%2e%2e%2fobservatory.py", "/static//etc/passwd"):
            assert (await here.client.get(path)).status_code == 404


async def test_a_page_that_has_not_changed_is_not_sent_again() -> None:
    """By its tag."""
    async with served() as here:
        first = await here.client.get("/static/app.js")
        again = await here.client.get("/static/app.js", headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


async def test_what_is_no_http_is_turned_away() -> None:
    """And others are served meanwhile."""
    async with served() as here:
        port = int(here.observatory.url.rpartition(":")[2])
        for said in (b"\x16\x03\x01\x00\x00", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000, b"\r\n\r\n\0"):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            async with stream:
                with trio.move_on_after(5) as limit:
                    try:
                        await stream.send_all(said)
                        while await stream.receive_some():
                            pass
                    except trio.BrokenResourceError:
                        pass
                assert not limit.cancelled_caught or said.startswith(b"\x16")
        assert (await here.get("/tree"))["name"] == "alpha"


async def test_a_body_that_comes_a_byte_now_and_then_is_waited_for_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where anybody may send one: else some would keep all connections, without a token."""
    assert gate._SLOWEST_BODY <= 30
    monkeypatch.setattr(gate, "_SLOWEST_BODY", 0.1)
    monkeypatch.setattr(gate, "_PATIENCE", 0.1)
    monkeypatch.setattr(gate, "_LAST_WORDS", 0.1)
    async with served(TOKEN) as here:
        port = int(here.observatory.url.rpartition(":")[2])
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nt")
            got = b""
            with trio.fail_after(5):
                while more := await stream.receive_some():
                    got += more
    assert got.startswith(b"HTTP/1.1 408")
    assert b"TooSlow" in got


async def test_many_requests_over_one_connection_of_http_2_are_refused() -> None:
    """A connection is cut as a whole, and its bounds are those of one request at a time."""
    async with served(TOKEN) as here:
        port = int(here.observatory.url.rpartition(":")[2])
        client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        client.initiate_connection()
        asked = {
            ":method": "GET",
            ":scheme": "http",
            ":authority": f"127.0.0.1:{port}",
            ":path": "/api/v1/tree",
        }
        client.send_headers(1, [*asked.items(), ("authorization", f"Bearer {TOKEN}")], end_stream=True)
        said: dict[str, str] = {}
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(client.data_to_send())
            with trio.fail_after(5):
                while more := await stream.receive_some():  # to its end
                    for event in client.receive_data(more):
                        if isinstance(event, h2.events.ResponseReceived):
                            said |= dict(event.headers or ())
    assert said[":status"] == "505"


async def test_a_request_that_moves_on_while_an_answer_is_written_is_not_answered_by_the_first_one() -> None:
    """Whose it is counts when all of the answer is there."""
    people = {"ada": "of-ada", "bob": "of-bob"}
    async with served(TOKEN, people=people) as here, trio.open_nursery() as nursery:

        async def wait() -> None:
            then = actors.Escalate(to="bob", timeout=60.0)
            await here.system.desk.approval("Pay?", to="ada", timeout=0.2, default=then)

        nursery.start_soon(wait)
        [request] = await until(here.system.desk.pending)
        port = int(here.observatory.url.rpartition(":")[2])
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(
                f"POST /api/v1/requests/{request.id}/answer HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                "Authorization: Bearer of-ada\r\nContent-Type: application/json\r\n"
                'Content-Length: 15\r\n\r\n{"value"'.encode()
            )
            await until(lambda: [one.to for one in here.system.desk.pending()] == ["bob"])
            await stream.send_all(b": true}")
            with trio.fail_after(5):
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 403")
        assert [one.to for one in here.system.desk.pending()] == ["bob"]
        nursery.cancel_scope.cancel()
