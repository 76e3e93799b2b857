"""`actors post`, `actors tickets` and `actors dead`: at files that nobody has open, at running systems."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

import actors
from actors import events
from actors.cli.commands import execute
from actors.cli.run import Run, Verdict
from actors.cli.what import Surroundings
from actors.coding import JsonCoder
from actors.delivery import Entry, MemoryStore, Opening, SQLiteStore, service
from actors.delivery.operations import Append, Moved, Operation, Save, Saved
from actors.delivery.ticket import Failure, Move
from tests.cli.cast import Notes, team_of

TEA = '{"$": "cli.Order", "item": "tea"}'


@actors.message(tag="cli.Order")
class Order(actors.Request[str]):
    item: str


class Shop(actors.Actor):
    @actors.receive
    async def order(self, message: Order) -> str:
        if message.item == "gold":
            raise actors.Refused("not for sale")
        if message.item == "stone":
            raise ValueError("stones have no price")
        if message.item == "moon":
            await trio.sleep_forever()
        return f"one {message.item}"


ONCE = actors.Policy(breaker=None, backoff=actors.Backoff.immediate(), shutdown=0.0)


@attrs.frozen
class Said:
    """What a command has said."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def why(self) -> str:
        """The one line of an error."""
        assert self.out == ""
        assert self.err.count("\n") == 1, self.err
        return self.err


class Actors:
    """The program, in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *words: object) -> Said:
        self._capfd.readouterr()
        code = execute([str(word) for word in words])
        return Said(code, *self._capfd.readouterr())

    async def beside(self, *words: object) -> Said:
        """The same while a system runs here."""
        return await trio.to_thread.run_sync(self, *words)


@pytest.fixture
def program(capfd: pytest.CaptureFixture[str]) -> Actors:
    return Actors(capfd)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shop.db"


def written(file: Path, operations: Sequence[Operation], ago: float = 0.0) -> None:
    """A file in which this was written, by a process that is gone."""

    async def write() -> None:
        wall = time.time() - ago
        async with SQLiteStore(file).open(Opening("before", "1", lambda: wall)) as engine:
            for result in await engine.write(operations):
                assert not isinstance(result, Exception), result

    trio.run(write)


def entry(ticket_id: str, path: str = "/shop", ago: float = 0.0, **more: Any) -> Entry:
    payload = JsonCoder().out(Order("tea"))
    return Entry(ticket_id, path, payload, time.time() - ago, max_attempts=1, **more)


def appended(ticket_id: str, path: str = "/shop") -> list[Operation]:
    return [Append(entry(ticket_id, path), 100)]


def dead(ticket_id: str, path: str = "/shop") -> list[Operation]:
    at = time.time()
    failure = Failure(at, 1, "builtins.ValueError", "no\nprice", "Traceback: here")
    return [
        *appended(ticket_id, path),
        Moved(ticket_id, Move.DELIVER, at, 1),
        Moved(ticket_id, Move.FAIL, at, 1, failure=failure),
    ]


def answered(ticket_id: str, **more: Any) -> list[Operation]:
    at = time.time()
    return [
        Append(entry(ticket_id, **more), 100),
        Moved(ticket_id, Move.DELIVER, at, 1),
        Moved(ticket_id, Move.ANSWER, at, 1, answer='"one tea"'),
    ]


def states(program: Actors, file: Path) -> dict[str, str]:
    return {one["id"]: one["state"] for one in program("tickets", file, "--json").lines}


# --- a file that nobody has open ----------------------------------------------------------


def test_a_message_is_posted_before_its_recipient_exists(program: Actors, file: Path) -> None:
    """Its id is printed; the file is made, and the ticket is in it."""
    posted = program("post", file, "/shop", TEA, "--priority", 3, "--max-attempts", 2, "--timeout", 60)
    assert (posted.code, posted.err) == (0, "")
    [ticket] = program("tickets", file, "--json").lines
    assert f"{ticket['id']}\n" == posted.out
    assert ticket["message"] == {"$": "cli.Order", "item": "tea"}
    assert (ticket["path"], ticket["state"], ticket["sender"]) == ("/shop", "pending", None)
    assert (ticket["priority"], ticket["max_attempts"], ticket["wants_reply"]) == (3, 2, True)
    assert ticket["due"] - ticket["posted"] == pytest.approx(60)


def test_posted_twice_with_one_key_it_is_posted_once(program: Actors, file: Path) -> None:
    """Spaces are no matter; another message with this key is refused."""
    first = program("post", file, "/shop", TEA, "--key", "1")
    assert program("post", file, "/shop", TEA.replace(" ", ""), "--key", "1").out == first.out
    other = program("post", file, "/shop", TEA.replace("tea", "milk"), "--key", "1")
    assert other.code == 1
    assert "the key '1' was used for another message" in other.why
    assert len(states(program, file)) == 1


def test_nobody_is_waited_for_where_nobody_can_answer(program: Actors, file: Path) -> None:
    """The message is safe all the same, and its id is told; what is answered already is printed."""
    waited = program("post", file, "/shop", TEA, "--wait")
    [ticket_id] = states(program, file)
    assert waited.code == 1
    assert f"posted as {ticket_id}, and nobody has {file} open" in waited.why
    written(file, answered("t1", key="1"))
    again = program("post", file, "/shop", TEA.replace(" ", ""), "--key", "1", "--wait")
    assert (again.code, again.out, again.err) == (0, '"one tea"\n', "")


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["post", "FILE", "/shop", "{"], 2, "the message is no JSON"),
        (["post", "FILE", "/shop", "[1]"], 2, 'with its tag under "$"'),
        (["post", "FILE", "/shop", '{"item": "tea"}'], 2, 'with its tag under "$"'),
        (["post", "FILE", "/shop", '{"$": "x", "n": NaN}'], 2, "NaN is no JSON"),
        (["post", "FILE", "/shop", '{"$": "\\ud800"}'], 2, "the message is no text"),
        (["post", "FILE", "shop", TEA], 2, "not a path from the root"),
        (["post", "FILE", "/", TEA], 2, "below the root"),
        (["post", "FILE", "/system/courier", TEA], 2, "system"),
        (["post", "FILE", "/shop", TEA, "--max-attempts", "0"], 2, "--max-attempts"),
        (["post", "FILE", "/shop", TEA, "--timeout", "0"], 2, "--timeout"),
        (["post", "FILE", "/shop", TEA, "--wait=-1"], 2, "--wait"),
        (["post", "FILE", "/shop", TEA, "--key", ""], 2, "--key"),
        (["post", "FILE", "/shop", TEA, "--priority", str(2**31)], 2, "--priority"),
        (["post", "FILE", "/shop", TEA, "--token-file", "no"], 2, "--token-file no: No such file"),
        (["post", "", "/shop", TEA], 2, "name of the file is empty"),
        (["post", "http://x", "/shop", TEA], 2, "no URL that begins with redis:// or ws://"),
        (["post", "ws://x", "/shop", TEA], 2, "ws://host:port"),
        (["post", "ws://127.0.0.1:1", "/shop", TEA], 1, "no node answers"),
        (["post", "no/folder/x.db", "/shop", TEA], 2, "its folder is not there"),
        (["tickets", "FILE"], 2, "nothing is kept there yet"),
        (["tickets", "FILE", "--forget", "/shop"], 2, "nothing is kept there yet"),
        (["tickets", "FILE", "--follow"], 1, "nobody has"),
        (["tickets", "FILE", "--state", "lost"], 2, "unknown state 'lost'"),
        (["tickets", "FILE", "--limit", "0"], 2, "--limit"),
        (["tickets", "FILE", "--path", "shop"], 2, "not a path from the root"),
        (["tickets", "FILE", "t1", "--follow"], 2, "do not go together"),
        (["tickets", "FILE", "t1", "--state", "dead"], 2, "do not go together"),
        (["dead", "list", "FILE"], 2, "nothing is kept there yet"),
        (["dead", "drop", "FILE", "--all"], 2, "nothing is kept there yet"),
        (["dead", "drop", "FILE"], 2, "name the ids of dead letters, or all"),
        (["dead", "redeliver", "FILE", "t1", "--all"], 2, "name the ids of dead letters, or all"),
        (["dead", "redeliver", "FILE", "t1", "--path", "/shop"], 2, "--path goes with --all"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_told_in_one_line(
    program: Actors, file: Path, arguments: list[str], code: int, why: str
) -> None:
    """2 where the command line is wrong, 1 where it is not; no file is made."""
    said = program(*(str(file) if word == "FILE" else word for word in arguments))
    assert why in said.why
    assert said.why.startswith("actors ")
    assert said.code == code
    assert not file.exists()


def test_a_file_that_is_none_of_ours_is_left_alone(program: Actors, file: Path) -> None:
    """With the words of the store."""
    file.write_text("shopping list: tea")
    for arguments in (("post", file, "/shop", TEA), ("tickets", file), ("dead", "drop", file, "--all")):
        said = program(*arguments)
        assert said.code == 2
        assert str(file) in said.why
    assert file.read_text() == "shopping list: tea"


def test_a_message_is_held_against_its_class(
    program: Actors, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its module is named; it is posted as the class writes it."""
    fields = "item: str\n    count: int = 1\n"
    (tmp_path / "cafe.py").write_text(
        f'import actors\n\n@actors.message(tag="cafe.Cup")\nclass Cup:\n    {fields}'
    )
    (tmp_path / "broken.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    cup = '{"$": "cafe.Cup", "item": "tea"}'
    for module, message, why in (
        ("cafe", '{"$": "cafe.Cup", "item": 7}', "is no cafe.Cup"),
        ("cafe", '{"$": "cafe.Mug"}', "no message class with the tag 'cafe.Mug' is in cafe"),
        ("missing", cup, "--import missing: ModuleNotFoundError"),
        ("broken", cup, "--import broken: ZeroDivisionError"),
    ):
        said = program("post", file, "/shop", message, "--import", module)
        assert said.code == 2
        assert why in said.why
    assert program("post", file, "/shop", cup, "--import", "cafe").code == 0
    [ticket] = program("tickets", file, "--json").lines
    assert ticket["message"] == {"$": "cafe.Cup", "item": "tea", "count": 1}


async def test_looking_at_a_file_takes_nothing_from_whoever_has_it_open(program: Actors, file: Path) -> None:
    """What is delivered stays so, with its attempt."""
    async with SQLiteStore(file).open(Opening("busy", "1", time.time)) as engine:
        await engine.write([*appended("t1"), Moved("t1", Move.DELIVER, time.time(), 1)])
        for arguments in (("tickets", file), ("tickets", file, "t1"), ("dead", "list", file)):
            assert (await program.beside(*arguments)).code == 0
        kept = await engine.get("t1")
        assert kept is not None
        assert (kept.state, kept.attempts) == (actors.TicketState.DELIVERED, 1)


def test_what_is_posted_to_a_file_delivers_and_tidies_up_nothing(program: Actors, file: Path) -> None:
    """How long what is kept is up to the system whose file it is."""
    month = 30 * 86_400.0
    written(file, [*answered("old", ago=month), Append(entry("waits", ago=month), 100)], ago=month)
    assert program("post", file, "/shop", TEA).code == 0
    kept = states(program, file)
    assert (kept["old"], kept["waits"], len(kept)) == ("responded", "pending", 3)


def test_tickets_are_shown_to_people(program: Actors, file: Path) -> None:
    """A line each, with what went wrong last; and all about one."""
    written(file, [*dead("t1"), *answered("t2")])
    table = program("tickets", file)
    header, first, second = table.out.splitlines()
    assert header.split() == ["id", "recipient", "state", "attempts", "age", "last", "failure"]
    assert first.split()[:6] == ["t1", "/shop", "dead", "1", "of", "1"]
    assert first.endswith("ValueError: no price")
    assert second.split()[:3] == ["t2", "/shop", "responded"]
    story = program("tickets", file, "t2").out
    assert 'reply     "one tea"\n' in story
    told = [line.split("  ")[-1] for line in story.partition("history\n")[2].splitlines()]
    assert told == ["posted", "delivered (attempt 1)", "responded (attempt 1)"]
    story = program("tickets", file, "t1").out
    assert "dead (attempt 1): ValueError: no price\n" in story
    assert "Traceback: here" in story
    unknown = program("tickets", file, "t3")
    assert unknown.code == 1
    assert "no ticket 't3'" in unknown.why


def test_tickets_are_told_to_programs(program: Actors, file: Path) -> None:
    """One object a line; of one ticket with its changes."""
    written(file, [*dead("t1"), *answered("t2")])
    first, second = program("tickets", file, "--json").lines
    assert first["failures"][0]["text"] == "no\nprice"
    assert (second["reply"], second["failures"]) == ("one tea", [])
    [told] = program("tickets", file, "t2", "--json").lines
    assert [one["state"] for one in told.pop("changes")] == ["pending", "delivered", "responded"]
    assert told == second


def test_tickets_are_found_by_state_and_recipient_and_page_by_page(program: Actors, file: Path) -> None:
    """More than were wanted are announced, with where to go on."""
    written(file, [*appended("t1"), *appended("t2", "/other"), *dead("t3"), *appended("t4")])

    def ids(*options: object) -> list[str]:
        return [one["id"] for one in program("tickets", file, "--json", *options).lines]

    assert ids("--state", "dead", "--state", "pending", "--path", "/shop") == ["t1", "t3", "t4"]
    assert ids("--state", "dead") == ["t3"]
    assert ids("--limit", 2) == ["t1", "t2"]
    assert ids("--limit", 2, "--after", 2) == ["t3", "t4"]
    assert program("tickets", file, "--limit", 3).out.splitlines()[-1] == "there are more: --after 3"
    assert program("tickets", file, "--limit", 4).out.count("\n") == 5
    assert program("tickets", file, "--path", "/nobody").out == "no tickets\n"


def test_dead_letters_are_listed_posted_anew_and_dropped(program: Actors, file: Path) -> None:
    """What is not possible with one is told, and the others go on."""
    written(file, [*dead("t1"), *dead("t2", "/other"), *dead("t3"), *dead("t4"), *appended("live")])
    assert [one["id"] for one in program("dead", "list", file, "--json").lines] == ["t1", "t2", "t3", "t4"]
    again = program("dead", "redeliver", file, "t1", "live", "t9", "t3")
    first, second = (line.split(" is posted again as ") for line in again.out.splitlines())
    assert (again.code, first[0], second[0]) == (1, "t1", "t3")
    assert ["live is pending" in line for line in again.err.splitlines()] == [True, False]
    assert "no ticket 't9'" in again.err
    assert states(program, file) == {
        "t2": "dead", "t4": "dead", "live": "pending", first[1]: "pending", second[1]: "pending",
    }  # fmt: skip
    assert program("dead", "drop", file, "--all", "--path", "/other").out == "t2 is dropped\n"
    assert program("dead", "drop", file, "--all").out == "t4 is dropped\n"
    assert program("dead", "drop", file, "live").code == 1
    assert set(states(program, file)) == {"live", first[1], second[1]}


def test_the_state_of_an_actor_is_forgotten(program: Actors, file: Path) -> None:
    """And that of no other."""
    written(file, [Save(Saved("/shop", '{"a":1}')), Save(Saved("/other", '{"a":2}'))])
    said = program("tickets", file, "--forget", "/shop")
    assert (said.code, said.out) == (0, "/shop: its state is forgotten\n")

    async def loaded() -> list[Any]:
        async with SQLiteStore(file).open_for_reading() as reader:
            return [await reader.load("/shop"), await reader.load("/other")]

    assert trio.run(loaded) == [None, '{"a":2}']


# --- systems that run ---------------------------------------------------------------------


@asynccontextmanager
async def node(tmp_path: Path, store: Any = None) -> AsyncGenerator[tuple[actors.System, tuple[str, ...]]]:
    """A node with a shop: how it is reached."""
    (tmp_path / "token").write_text("sesame\n")
    async with actors.open_system("shop", store=store) as system:
        await system.start(Shop, name="shop", policy=ONCE)
        listener = await system.listen("127.0.0.1", 0, token="sesame")
        yield system, (listener.url, "--token-file", str(tmp_path / "token"))


async def test_the_courier_of_a_node_is_spoken_to(program: Actors, tmp_path: Path) -> None:
    """The reply is printed as JSON; what went wrong is one line."""
    async with node(tmp_path, MemoryStore()) as (_, (url, *token)):

        async def post(item: str, *options: object) -> Said:
            message = TEA.replace("tea", item)
            return await program.beside("post", url, "/shop", message, *options, *token)

        served = await post("tea", "--wait")
        assert (served.code, served.out, served.err) == (0, '"one tea"\n', "")
        refused = await post("gold", "--wait")
        assert (refused.code, refused.why) == (1, "actors post: not for sale\n")
        failed = await post("stone", "--wait", "--max-attempts", 2)
        assert failed.code == 1
        assert "in each of 2 deliveries, last: stones have no price" in failed.why
        slow = await post("moon", "--wait=0.05")
        assert slow.code == 1
        assert "within 0.05 s; it is delivered, and goes on" in slow.why
        gone = await post("tea", "--wait", "--timeout", "0.05")
        assert gone.code == 1
        assert "nobody took it: withdrawn" in gone.why
        found = (await program.beside("tickets", url, "--json", *token)).lines
        wanted = ["responded", "failed", "dead", "delivered", "timed_out"]
        assert [one["state"] for one in found] == wanted
        dropped = await program.beside("dead", "drop", url, "--all", *token)
        assert dropped.out == f"{found[2]['id']} is dropped\n"
        denied = await program.beside("tickets", url)
        assert denied.code == 1
        assert "token" in denied.why


async def test_a_node_without_a_store_says_so(program: Actors, tmp_path: Path) -> None:
    """Nobody would keep it."""
    async with node(tmp_path) as (_, (url, *token)):
        said = await program.beside("post", url, "/shop", TEA, *token)
        assert said.code == 1
        assert "the node shop keeps no posted messages: give its system a store" in said.why


async def test_a_file_of_a_system_that_does_not_listen_names_its_process(program: Actors, file: Path) -> None:
    """And what to do; looking is possible."""
    async with actors.open_system("quiet", store=SQLiteStore(file)) as system:
        await system.post("/shop", Order("tea"))
        said = await program.beside("post", file, "/shop", TEA)
        assert said.code == 1
        assert f"the process {os.getpid()} (node quiet) has {file} open, and does not listen" in said.why
        assert len((await program.beside("tickets", file, "--json")).lines) == 1


@asynccontextmanager
async def team(folder: Path, text: str) -> AsyncGenerator[tuple[actors.System, list[Verdict]]]:
    """`actors run` in this process, when it listens."""
    began = team_of(folder, f'[[agents]]\nname = "shop"\nclass = "tests.cli.test_post:Shop"\n{text}')
    over = trio.Event()
    opened, verdicts = list[actors.System](), list[Verdict]()

    def started(system: actors.System, _: object) -> bool:
        opened.append(system)
        over.set()
        return False

    run = Run(began, started, None, None, SQLiteStore(folder / began.tickets))
    async with trio.open_nursery() as nursery:

        async def live() -> None:
            verdicts.append(await run.run(Surroundings({}, "python"), Notes()))

        nursery.start_soon(live)
        await over.wait()
        yield opened[0], verdicts
        opened[0].stop()


def note(folder: Path) -> dict[str, Any] | None:
    return SQLiteStore(folder / "team.tickets.db").read_note()


async def test_a_run_lets_others_post_to_it_through_its_file(program: Actors, tmp_path: Path) -> None:
    """Its address and a token are beside the file, for its owner alone, and gone at the end."""
    file = tmp_path / "team.tickets.db"
    async with team(tmp_path, "") as _:
        lock = file.with_name("team.tickets.db-lock")
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600
        served = await program.beside("post", file, "/shop", TEA, "--wait")
        assert (served.code, served.out) == (0, '"one tea"\n')
        unfit = await program.beside("post", file, "/shop", '{"$": "cli.Order"}')
        assert unfit.code == 1
        assert "Order: required field missing @ $.item" in unfit.why
    assert note(tmp_path) is None
    assert [one["state"] for one in (await program.beside("tickets", file, "--json")).lines] == ["responded"]


async def test_what_a_run_needs_for_that_is_not_shown_with_its_agents(tmp_path: Path) -> None:
    """The table and the lines are about those of the file."""
    async with team(tmp_path, "") as (_, verdicts):
        pass
    assert [row.path for row in verdicts[0].rows] == ["/shop"]


async def test_a_courier_that_starts_again_is_found_again(
    program: Actors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opens the file anew, and says anew where."""

    async def slip(*_: object) -> None:
        raise RuntimeError("a slip of the courier")

    async with team(tmp_path, "") as (system, _):
        before = note(tmp_path)
        courier = system.find("/system/courier")
        assert before is not None
        assert courier is not None
        async with system.subscribe(events.Restarted) as restarts:
            with monkeypatch.context() as patch:
                patch.setattr("actors.delivery.admin.Admin.serve", slip)
                courier.tell(service.FindTickets())
                await anext(restarts)
        await trio.testing.wait_all_tasks_blocked()
        assert note(tmp_path) == before
        file = tmp_path / "team.tickets.db"
        assert (await program.beside("post", file, "/shop", TEA, "--wait")).out == '"one tea"\n'


async def test_the_feed_is_followed_from_where_one_was(
    program: Actors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until nobody reads any more."""
    read, write = os.pipe()
    file = tmp_path / "team.tickets.db"
    async with team(tmp_path, "") as (system, _):
        await system.post("/other", Order("tea"))
        ticket = await system.post("/shop", Order("tea"))
        await ticket.wait_reply()
        async with trio.open_nursery() as nursery:
            with os.fdopen(write, "w") as stream:
                monkeypatch.setattr("sys.stdout", stream)
                words = ["tickets", str(file), "--follow", "--json", "--after", "1", "--path", "/shop"]
                codes = list[int]()

                async def follow() -> None:
                    codes.append(await trio.to_thread.run_sync(execute, words))

                nursery.start_soon(follow)
                text = ""
                while text.count("\n") < 3:
                    await trio.lowlevel.wait_readable(read)
                    text += os.read(read, 65536).decode()
                told = [json.loads(line) for line in text.splitlines()]
                assert [one["state"] for one in told] == ["pending", "delivered", "responded"]
                assert {one["id"] for one in told} == {ticket.id}
                os.close(read)
                later = await system.post("/shop", Order("tea"))
                await later.wait_reply()
                while not codes:
                    await trio.testing.wait_all_tasks_blocked(0.01)
        assert codes == [141]
