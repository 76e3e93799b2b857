"""The page about the protocol, held against the code that nodes use."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import pytest

import actors
from actors.core.ref import Ref
from actors.delivery.words import Seek
from actors.events import Event
from actors.exits import ExitKind
from actors.outcome import FailureKind
from actors.remote import answers, conversation, credit, jsontext, link, links, session, transport
from actors.remote.answers import KINDS
from actors.remote.codec import Codec
from actors.remote.handshake import PROTOCOL, SETTINGS, SHORTEST_LEASE, SUBPROTOCOL, Hello, Reason
from actors.remote.items import FRAMES, ITEMS
from actors.remote.peer import MAX_MESSAGE
from actors.remote.wire import decode_frame, decode_handshake, decode_item, encode

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")
EXAMPLES: list[Any] = [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", PAGE, re.S | re.M)]
HANDSHAKE = {"hello", "welcome", "refused"}


@actors.message(tag="shop.Order")
class Order:
    item: str
    count: int


@actors.message(tag="shop.Total")
class Total(actors.Request[float]):
    pass


class Book:
    """Knows one ref, which is a stand-in."""

    ref = cast("Ref", object.__new__(Ref))
    coded = ("beta", "51d0c2b7e6aa", "/orders", 41)

    def ref_out(self, ref: Ref) -> list[Any]:
        assert ref is self.ref
        return list(self.coded)

    def ref_in(self, coded: list[Any]) -> Ref:
        assert tuple(coded) == self.coded
        return self.ref


def kinds() -> list[str]:
    return [one["k"] for one in EXAMPLES if "k" in one]


def rows(head: str) -> list[list[str]]:
    """The cells of the table whose first line begins like this, without its two head lines."""
    table = re.search(rf"^\| {head} .*?\n((?:^\|[^\n]*\n)+)", PAGE, re.S | re.M)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()[1:]]


@pytest.mark.parametrize("said", [one for one in EXAMPLES if "k" in one], ids=kinds())
def test_every_example_is_what_a_node_decodes(said: dict[str, Any]) -> None:
    """A frame with the items in it, or an item; and it goes out as it came in, but for its defaults."""
    if said["k"] in HANDSHAKE:
        decoded: Any = decode_handshake(json.dumps(said))
    elif said["k"] in FRAMES:
        decoded = decode_frame(json.dumps(said))
        for lane in ("c", "d"):
            for item in said.get(lane, [0, []])[1]:
                decode_item(item)
    else:
        decoded = decode_item(said)
    again = json.loads(encode(decoded))
    for key, value in again.items():
        if not isinstance(value, dict):
            assert value == said[key]
    assert again.keys() <= said.keys()


def test_every_kind_of_frame_and_item_has_an_example() -> None:
    missing = (HANDSHAKE | FRAMES.keys() | ITEMS.keys()) - set(kinds())
    assert not missing


def test_every_field_of_every_item_stands_in_an_example() -> None:
    for kind, cls in (FRAMES | ITEMS | {"hello": Hello}).items():
        fields = {field.name for field in cast("Any", cls).__attrs_attrs__}
        shown = set[str]().union(*(one.keys() for one in EXAMPLES if one.get("k") == kind))
        assert fields <= shown, kind


def test_the_lanes_on_the_page_are_numbered_like_items() -> None:
    """The example of a frame of items, and the pieces, go through a session."""
    frame = next(one for one in EXAMPLES if one.get("k") == "items")
    pieces = [one for one in EXAMPLES if "part" in one]
    pieces[0]["part"] = pieces[0]["part"][:-1] + " " * 1024 + pieces[0]["part"][-1:]
    there = session.Session("s")
    first, items = frame["d"]
    before: list[Any] = [{"k": "nothing"}] * (first - 1)
    assert len(list(there.take("data", 1, tuple(before)))) == first - 1
    (tell,) = there.take("data", first, tuple(items))
    assert decode_item(tell).m["item"] == "tea"
    joined = "".join(piece["part"].replace(" " * 1024, "") for piece in pieces)
    assert json.loads(joined) == items[0]
    assert [piece["left"] for piece in pieces] == [True, False]


@pytest.mark.parametrize("cells", rows("Python"), ids=[row[0] for row in rows("Python")])
def test_values_are_written_and_read_as_on_the_page(cells: list[str]) -> None:
    value, coded = eval(cells[0].strip("`")), json.loads(cells[1].strip("`"))
    codec = Codec(cast("Any", Book()))
    assert codec.value_out(value) == coded
    assert codec.value_in(coded) == value
    assert type(codec.value_in(coded)) is type(value)


def test_the_messages_and_refs_on_the_page_are_read() -> None:
    codec = Codec(cast("Any", Book()))
    described = [codec.value_in(one) for one in EXAMPLES if "k" not in one and "part" not in one]
    assert described == [Order("tea", 2), Book.ref]
    for one in EXAMPLES:
        if "m" in one:
            assert codec.message_in(one["m"]) in (Order("tea", 2), Total(), Seek(("/planner",)))


def test_all_reasons_stand_on_the_page() -> None:
    assert [row[0].strip("`") for row in rows("reason")] != []
    assert {row[0].strip("`") for row in rows("reason")} == set(Reason)


def test_the_words_in_the_examples_are_words_of_the_code() -> None:
    text = json.dumps(EXAMPLES)
    assert set(re.findall(r'"exit": \{"kind": "(\w+)"', text)) <= set(ExitKind)
    assert set(re.findall(r'"failure": "(\w+)"', text)) <= set(FailureKind)
    events = {one["event"] for one in EXAMPLES if one.get("k") == "fact"}
    assert events <= KINDS.keys()
    assert all(issubclass(KINDS[event], Event) for event in events)
    hello = next(one for one in EXAMPLES if one.get("k") == "hello")
    assert (hello["protocol"], hello["settings"], hello["max_message"]) == (PROTOCOL, SETTINGS, MAX_MESSAGE)
    assert f"subprotocol `{SUBPROTOCOL}`" in PAGE
    assert f"a lease below {SHORTEST_LEASE} s" in PAGE


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    numbers = [int(re.findall(r"\d+", row[1])[0]) for row in rows("what \\| how")]
    assert numbers == [
        transport.FRAME_LIMIT,
        session.CHUNK,
        session.SMALLEST,
        MAX_MESSAGE,
        jsontext.DEEPEST,
        credit.WINDOW,
        session.ACK_AFTER,
        session.BACKLOG_ITEMS,
        answers.OPEN_CALLS,
        conversation.HANDSHAKE,
        link.BEAT,
        links._STRANGERS,  # pyright: ignore[reportPrivateUsage]
    ]
    for limit in (transport.FRAME_LIMIT, session.CHUNK, session.SMALLEST, credit.WINDOW, session.ACK_AFTER):
        assert len(re.findall(rf"\b{limit}\b", PAGE)) >= 2  # where it is explained, and in the table


@pytest.mark.parametrize("kind", ["items", "beat", "welcome"])
def test_a_field_that_is_not_on_the_page_is_a_mistake(kind: str) -> None:
    said = next(one for one in EXAMPLES if one.get("k") == kind)
    decode = decode_handshake if kind in HANDSHAKE else decode_frame
    with pytest.raises(jsontext.BadFrame, match="surprise"):
        decode(json.dumps(said | {"surprise": 1}))
