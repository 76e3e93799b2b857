"""What can be asked and done over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import actors
from actors.observe.web import start_observatory
from tests.observe.web.served import Echo, Served, served, until

MARKUP = "<img src=x onerror=alert(1)>"


async def ask(
    here: Served, nursery: trio.Nursery, kind: str = "approval", text: str = "May I?", **more: Any
) -> str:
    """Open a request; its id."""

    async def wait() -> None:
        await here.system.desk.request(kind, text, **more)

    before = {one.id for one in here.system.desk.pending()}
    nursery.start_soon(wait)
    found = await until(lambda: [one.id for one in here.system.desk.pending() if one.id not in before])
    return found[0]


async def test_the_system_is_told_as_json() -> None:
    """Tree, snapshot, statistics, nodes and events are plain JSON."""
    async with served() as here:
        await here.system.spawn(Echo, name="echo").wait_started()
        tree = await here.get("/tree")
        assert {child["path"] for child in tree["children"]} == {"/system", "/echo"}
        assert (await here.get("/snapshot"))["system"] == "alpha"
        assert (await here.get("/statistics"))["actors"] == 3
        assert await here.get("/nodes") == {"nodes": []}
        facts = (await here.get("/events", path="/echo"))["facts"]
        assert [fact["kind"] for fact in facts] == ["Spawned", "Started"]


async def test_events_are_read_in_pages_by_number_kind_and_path() -> None:
    """Whoever reads on from `after` gets each fact once."""
    async with served() as here:
        for number in range(5):
            await here.system.spawn(Echo, name=f"echo-{number}").wait_started()
        seen: list[str] = []
        after = 0
        while True:
            page = await here.get("/events", after=after, kind="Started", limit=2)
            if not page["facts"]:
                break
            assert len(page["facts"]) <= 2
            seen += [fact["path"] for fact in page["facts"]]
            after = page["after"]
        assert [path for path in seen if "echo" in path] == [f"/echo-{number}" for number in range(5)]


async def test_an_actors_page_says_why_it_began_anew() -> None:
    """Facts, breaker, history and the chain of causes of one actor."""
    async with served() as here:
        ref = here.system.spawn(Echo, name="echo")
        ref.tell(f"boom {MARKUP}")
        await until(lambda: ref.cell.restarts and ref.cell.is_started)
        said = await here.get("/actors/echo")
        assert said["actor"]["restarts"] == 1
        assert said["breaker"]["failures"] == 1
        assert [fact["kind"] for fact in said["history"]][-1] == "Restarted"
        assert any(MARKUP in step["text"] for step in said["why"]["steps"])


async def test_an_actor_that_is_gone_is_still_known() -> None:
    """Its page has its history and its end."""
    async with served() as here:
        ref = here.system.spawn(Echo, name="echo")
        await ref.wait_started()
        ref.stop()
        await ref.wait_stopped()
        said = await here.get("/actors/echo")
        assert said["actor"] is None
        assert said["why"]["state"] == "gone"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/actors/nobody", 404),
        ("GET", "/actors/a%2F..%2Fb", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/events?after=x", 400),
        ("GET", "/events?after=-1", 400),
        ("GET", "/events?limit=0", 400),
        ("GET", "/events?kind=Nonsense", 400),
        ("GET", "/events?path=relative", 400),
        ("POST", "/requests/none/answer", 400),
        ("POST", "/requests/none/extend", 400),
        ("POST", "/dead/7/redeliver", 404),
        ("POST", "/dead/x/redeliver", 404),
        ("POST", "/dead/99999999999999999999999/redeliver", 404),
        ("DELETE", "/dead/7", 404),
        ("DELETE", "/tree", 405),
        ("POST", "/live", 404),
    ],
)
async def test_what_is_not_there_is_said_as_json(method: str, path: str, status: int) -> None:
    """Each fault has a status and says in words what is wrong."""
    async with served() as here:
        answer = await here.client.request(method, "/api/v1" + path, json={} if method == "POST" else None)
        assert answer.status_code == status, answer.text
        assert set(answer.json()) == {"error", "text"}
        assert answer.json()["text"]


# --- people ---


async def test_an_approval_is_answered_once() -> None:
    """The first decision wakes whoever waits; the second one is told who was faster."""
    async with served() as here, trio.open_nursery() as nursery:
        got: list[bool] = []

        async def wait() -> None:
            got.append(await here.system.desk.approval("Deploy?"))

        nursery.start_soon(wait)
        [one] = await until(here.system.desk.pending)
        path = f"/requests/{one.id}/answer"
        assert (await here.post(path, value=True, by="ada")).status_code == 200
        late = await here.post(path, value=False)
        assert (late.status_code, late.json()["error"]) == (409, "AlreadyAnswered")
        assert "ada" in late.json()["text"]
        await until(lambda: got)
        assert got == [True]


async def test_a_late_answer_is_told_that_the_time_is_over() -> None:
    """An expired request is 410, an unknown one 404."""
    async with served() as here, trio.open_nursery() as nursery:
        request = await ask(here, nursery, timeout=0.05, default=False)
        await until(lambda: not here.system.desk.pending())
        late = await here.post(f"/requests/{request}/answer", value=True)
        assert (late.status_code, late.json()["error"]) == (410, "RequestExpired")
        unknown = await here.post("/requests/alpha:0/answer", value=True)
        assert unknown.status_code == 404


@pytest.mark.parametrize("value", ["maybe", 1, None, {"yes": True}, [True]])
async def test_an_answer_that_does_not_fit_leaves_the_request_open(value: Any) -> None:
    """422, and the next answer counts."""
    async with served() as here, trio.open_nursery() as nursery:
        request = await ask(here, nursery)
        answer = await here.post(f"/requests/{request}/answer", value=value)
        assert (answer.status_code, answer.json()["error"]) == (422, "InvalidAnswer")
        assert (await here.post(f"/requests/{request}/answer", value=True)).status_code == 200


async def test_an_option_that_was_not_offered_is_refused() -> None:
    """And so is markup, a number that looks like an option, and an answer of a megabyte."""
    async with served() as here, trio.open_nursery() as nursery:
        request = await ask(here, nursery, "choice", "Which?", options=("tea", "1"))
        path = f"/requests/{request}/answer"
        for value in ("coffee", MARKUP, 1, "te"):
            assert (await here.post(path, value=value)).status_code == 422
        huge = await here.post(path, value="x" * 1_000_000)
        assert huge.status_code == 413
        assert "524288" in huge.json()["text"]
        assert (await here.post(path, value="x" * 100_000)).status_code == 422
        assert (await here.post(path, value="tea")).status_code == 200


async def test_a_body_without_an_end_is_cut_off() -> None:
    """Whoever sends more and more is answered, and the connection ends."""
    async with served() as here:

        async def body() -> Any:
            for _ in range(400):
                yield b"x" * 65_536

        try:
            answer = await here.client.post(
                "/api/v1/requests/a/answer", content=body(), headers={"content-type": "application/json"}
            )
        except Exception:  # it may be cut before it has heard the answer
            pass
        else:
            assert answer.status_code == 413
        assert (await here.get("/tree"))["name"] == "alpha"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"\xff", b'{"value": NaN}', b"[" * 100_000, b'{"by": "ada"}']
)
async def test_a_body_that_is_no_answer_is_refused(body: bytes) -> None:
    """Never a fault of this side."""
    async with served() as here, trio.open_nursery() as nursery:
        request = await ask(here, nursery)
        answer = await here.client.post(
            f"/api/v1/requests/{request}/answer", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code in (400, 422), answer.text
        assert [one.id for one in here.system.desk.pending()] == [request]
        nursery.cancel_scope.cancel()


async def test_a_form_is_no_json() -> None:
    """What a page elsewhere can send without being asked is not read."""
    async with served() as here:
        answer = await here.client.post("/api/v1/requests/a/answer", data={"value": "true"})
        assert (answer.status_code, answer.json()["error"]) == (415, "NotJson")


@pytest.mark.row(112)
async def test_a_deadline_is_moved_while_somebody_waits() -> None:
    """Extending says how the request is now."""
    async with served() as here, trio.open_nursery() as nursery:
        request = await ask(here, nursery, timeout=60.0, default=False)
        [before] = (await here.get("/requests"))["requests"]
        answer = await here.post(f"/requests/{request}/extend", seconds=60)
        after = answer.json()["request"]
        assert after["deadline"] == pytest.approx(before["deadline"] + 60, abs=0.01)
        for seconds in (0, -1, "60", True, 1e300, None):
            assert (await here.post(f"/requests/{request}/extend", seconds=seconds)).status_code == 400
        nursery.cancel_scope.cancel()


@pytest.mark.row(115)
async def test_a_person_has_her_own_queue_and_no_other() -> None:
    """What is for her and for anybody; `by` is hers, whatever is said; all else is closed."""
    async with (
        served("all", people={"ada": "of-ada", "bob": "of-bob"}) as here,
        trio.open_nursery() as nursery,
        here.client_of("of-ada") as ada,
    ):
        hers = await ask(here, nursery, text="for ada", to="ada")
        his = await ask(here, nursery, text="for bob", to="bob")
        anybody = await ask(here, nursery, text="for anybody")
        seen = (await ada.get("/api/v1/requests")).json()["requests"]
        assert {one["id"] for one in seen} == {hers, anybody}
        assert (await ada.get("/api/v1/requests?to=bob")).status_code == 403
        for path in ("snapshot", "tree", "actors/echo", "events", "dead", "nodes", "statistics"):
            assert (await ada.get("/api/v1/" + path)).status_code == 403
        assert (await ada.get("/metrics")).status_code == 403
        assert (await ada.post(f"/api/v1/requests/{his}/answer", json={"value": True})).status_code == 403
        assert (await ada.post(f"/api/v1/requests/{his}/extend", json={"seconds": 5})).status_code == 403
        assert (await ada.post("/api/v1/dead/1/redeliver", json={})).status_code == 403
        answer = await ada.post(f"/api/v1/requests/{hers}/answer", json={"value": True, "by": "the queen"})
        assert answer.json() == {"id": hers, "by": "ada"}
        assert {one["id"] for one in (await here.get("/requests"))["requests"]} == {his, anybody}
        nursery.cancel_scope.cancel()


# --- dead letters ---


async def test_a_told_letter_is_sent_again_once() -> None:
    """It goes to whoever lives there now, and is not there any more."""
    async with served() as here:
        ref = here.system.spawn(Echo, name="echo", policy=actors.Policy(restart="temporary"))
        ref.tell("boom")
        await ref.wait_stopped()
        ref.tell("hello")
        [letter, _] = (await here.get("/dead"))["told"]
        assert letter["message"] == "'hello'"
        nobody = await here.post(f"/dead/{letter['id']}/redeliver")
        assert (nobody.status_code, nobody.json()["error"]) == (409, "NobodyThere")
        again = here.system.spawn(Echo, name="echo")
        assert (await here.post(f"/dead/{letter['id']}/redeliver")).json() == {"path": "/echo"}
        assert (await here.post(f"/dead/{letter['id']}/redeliver")).status_code == 404
        await until(lambda: again.cell.handled == 1)
        [other] = (await here.get("/dead"))["told"]
        assert (await here.client.delete(f"/api/v1/dead/{other['id']}")).status_code == 200
        assert (await here.get("/dead"))["told"] == []


async def test_a_posted_letter_is_posted_again_or_dropped() -> None:
    """A ticket that used up its attempts has them anew; a live one is not touched."""
    async with served() as here:
        here.system.spawn(Echo, name="echo", policy=actors.Policy(restart="permanent", breaker=None))
        ticket = await here.system.post("/echo", "boom", max_attempts=1)
        with pytest.raises(actors.TicketFailed):
            await ticket.wait_reply(5)
        [letter] = (await here.get("/dead"))["posted"]
        assert letter["id"] == ticket.id
        assert "ValueError: boom" in letter["failures"][0]
        again = await here.post(f"/dead/{ticket.id}/redeliver")
        assert again.json()["path"] == "/echo"
        second = again.json()["ticket"]
        await until(lambda: here.system.dead_letters is not None)
        with pytest.raises(actors.TicketFailed):
            await (await here.system.ticket(second)).wait_reply(5)
        assert (await here.client.delete(f"/api/v1/dead/{second}")).status_code == 200
        assert (await here.get("/dead"))["posted"] == []
        waiting = await here.system.post("/nobody", "hello")
        assert (await here.client.delete(f"/api/v1/dead/{waiting.id}")).status_code == 409


@pytest.mark.row(40)
async def test_figures_are_served_for_prometheus() -> None:
    """As text, with the name of the system."""
    async with served() as here:
        answer = await here.client.get("/metrics")
        assert answer.status_code == 200
        assert 'system="alpha"' in answer.text


async def test_a_second_observatory_is_refused_and_one_after_another_is_not() -> None:
    """There is one; when it has stopped, there may be another."""
    async with served() as here:
        with pytest.raises(actors.NameTaken):
            await start_observatory(here.system)
        here.observatory.stop()
        await here.observatory.ref.wait_stopped()
        again = await start_observatory(here.system)
        assert again.url.startswith("http://127.0.0.1:")
