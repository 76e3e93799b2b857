"""Between objects and JSON: what goes out comes back, and what is not meant is refused."""

from __future__ import annotations

import contextlib
import enum
import json
import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Literal, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import actors
from actors.core.ref import Ref
from actors.remote import items
from actors.remote.codec import Codec, Raw
from actors.remote.handshake import Hello, Reason, Refusal, Resume, Welcome
from actors.remote.jsontext import DEEPEST, BadFrame, is_deep, parse
from actors.remote.strict import BadValue
from actors.remote.wire import decode_frame, decode_handshake, decode_item, dump, encode

if TYPE_CHECKING:
    from decimal import Decimal


@attrs.frozen
class Cell:
    """As much of one as a ref needs."""

    identity: tuple[str, str, str, int]

    def describe(self) -> str:
        return str(self.identity)


class Book:
    """Refs by number."""

    def __init__(self, name: str = "here") -> None:
        self.name = name
        self.refs = [Ref(cast("Any", Cell((name, "life", "/a", number)))) for number in range(3)]

    def ref_out(self, ref: Ref) -> list[Any]:
        return [self.name, "life", "/a", self.refs.index(ref)]

    def ref_in(self, coded: list[Any]) -> Ref:
        return self.refs[coded[3]]


BOOK = Book()
CODEC = Codec(BOOK)


def round_trip(message: Any, codec: Codec = CODEC) -> Any:
    """Out, over the wire as text, and in."""
    return codec.message_in(parse(dump(codec.message_out(message))))


def value_trip(value: Any) -> Any:
    return CODEC.value_in(parse(dump(CODEC.value_out(value))))


# --- messages ----------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = "red"
    TWO = 2


@attrs.frozen
class Place:
    """A class of users' that is no message."""

    x: int
    y: float = 0.0


@actors.message(tag="test.codec.Leaf")
class Leaf:
    number: int


@actors.message(tag="test.codec.Twig")
class Twig(Leaf):
    text: str = ""


@actors.message(tag="test.codec.Tree")
class Tree:
    top: Leaf | None = None
    leaves: list[Leaf] = attrs.field(factory=list)
    pair: tuple[int, str] = (0, "")
    row: tuple[float, ...] = ()
    some: frozenset[int] = frozenset()
    names: dict[str, Leaf] = attrs.field(factory=dict)
    numbers: dict[int, str] = attrs.field(factory=dict)
    grid: dict[tuple[int, int], Leaf] = attrs.field(factory=dict)
    flags: dict[bool, int] = attrs.field(factory=dict)
    raw: bytes | None = None
    either: Leaf | bytes | str | None = None
    text_or_raw: bytes | str = ""
    limit: float | Literal["none"] = "none"
    what_not: Leaf | Any = None
    share: float = 0.0
    colour: Colour = Colour.RED
    place: Place | None = None
    anything: Any = None
    bare: dict = attrs.field(factory=dict)  # type: ignore[type-arg]
    ref: Ref | None = None
    refs: tuple[Ref, ...] = ()
    ref_or_text: Ref | str = ""


LEAVES = st.builds(Leaf, st.integers()) | st.builds(Twig, st.integers(), st.text())
FLOATS = st.floats(allow_nan=False)
REFS = st.sampled_from(BOOK.refs)
TREES = st.builds(
    Tree,
    top=st.none() | LEAVES,
    leaves=st.lists(LEAVES, max_size=3),
    pair=st.tuples(st.integers(), st.text()),
    row=st.lists(FLOATS, max_size=3).map(tuple),
    some=st.frozensets(st.integers(), max_size=3),
    names=st.dictionaries(st.text(), LEAVES, max_size=3),
    numbers=st.dictionaries(st.integers(), st.text(), max_size=3),
    grid=st.dictionaries(st.tuples(st.integers(), st.integers()), LEAVES, max_size=2),
    flags=st.dictionaries(st.booleans(), st.integers()),
    raw=st.none() | st.binary(),
    either=st.none() | LEAVES | st.binary() | st.text(),
    text_or_raw=st.binary() | st.text(),
    limit=FLOATS | st.just("none"),
    share=FLOATS,
    colour=st.sampled_from(Colour),
    place=st.none() | st.builds(Place, st.integers(), FLOATS),
    ref=st.none() | REFS,
    refs=st.lists(REFS, max_size=2).map(tuple),
    ref_or_text=REFS | st.text(),
)
KEYS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.sampled_from(["$", "$ref", "$tuple"])
    | st.binary()
)
VALUES = st.recursive(
    KEYS | FLOATS | REFS | LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS | st.tuples(KEYS, KEYS), inner, max_size=3)
        | st.frozensets(KEYS, max_size=3)
        | st.sets(KEYS, max_size=3)
    ),
    max_leaves=20,
)


def alike(one: Any, other: Any) -> bool:
    """Equal, and of the same types: True is no 1 here."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict):
        return alike(list(one.items()), list(other.items()))
    return bool(one == other)


@given(TREES)
def test_a_message_comes_back_as_it_went(tree: Tree) -> None:
    assert attrs.asdict(round_trip(tree), recurse=False) == attrs.asdict(tree, recurse=False)


@given(VALUES)
def test_a_value_without_annotation_describes_itself(value: Any) -> None:
    assert alike(value_trip(value), value)


@given(VALUES)
def test_what_anything_holds_comes_back(value: Any) -> None:
    assert alike(round_trip(Tree(anything=value)).anything, value)


@given(st.dictionaries(KEYS, VALUES, max_size=3))
def test_a_dict_that_does_not_say_of_what_comes_back(value: dict[Any, Any]) -> None:
    assert alike(round_trip(Tree(bare=value)).bare, value)


@given(st.sampled_from([math.nan, math.inf, -math.inf]))
def test_numbers_that_json_has_no_word_for_come_back(number: float) -> None:
    back = round_trip(
        Tree(share=number, row=(number, 1.0), limit=number, anything=[number], place=Place(1, number))
    )
    said = [back.share, *back.row, back.limit, *back.anything, back.place.y]
    assert [str(one) for one in said] == [str(number), str(number), "1.0", *[str(number)] * 3]


def test_a_message_is_an_object_with_its_tag() -> None:
    assert CODEC.message_out(Twig(1, "a")) == {"$": "test.codec.Twig", "number": 1, "text": "a"}


def test_a_field_may_hold_a_message_of_a_derived_class() -> None:
    assert round_trip(Tree(top=Twig(1, "a"))).top == Twig(1, "a")


@given(VALUES)
def test_a_union_with_anything_holds_anything(value: Any) -> None:
    assert alike(round_trip(Tree(what_not=value)).what_not, value)


def test_where_the_annotation_says_which_message_the_tag_may_be_left_out() -> None:
    said = {"$": "test.codec.Tree", "top": {"number": 1}}
    assert CODEC.message_in(said).top == Leaf(1)


def test_a_dict_of_a_kind_of_its_own_goes_as_a_dict_where_one_is_meant() -> None:
    assert round_trip(Tree(bare=OrderedDict(a=1))).bare == {"a": 1}


def test_notices_of_the_framework_travel() -> None:
    assert round_trip(actors.Nudge("silent", 3.5, 2)) == actors.Nudge("silent", 3.5, 2)
    error = ValueError("no")
    gone = actors.Terminated(BOOK.refs[1], actors.Exit(actors.ExitKind.FAILED, error=error, reason="broke"))
    back = round_trip(gone)
    assert (back.ref, back.exit.kind, back.exit.reason) == (BOOK.refs[1], actors.ExitKind.FAILED, "broke")
    assert isinstance(back.exit.error, actors.RemoteError)
    assert (back.exit.error.type_name, back.exit.error.message) == ("ValueError", "no")


def test_who_has_no_class_passes_the_json_on() -> None:
    coded = {"$": "some.Other", "x": [1, 2]}
    assert CODEC.message_out(Raw(coded)) == CODEC.value_out(Raw(coded)) == coded


# --- refs --------------------------------------------------------------------------------


def test_a_ref_goes_out_as_the_book_says() -> None:
    assert CODEC.value_out(BOOK.refs[2]) == {"$ref": ["here", "life", "/a", 2]}


def test_refs_are_read_as_who_has_sent_them_means_them() -> None:
    there, elsewhere = Book("there"), Book("elsewhere")
    codec = Codec(BOOK)
    coded = {"$ref": ["there", "life", "/a", 1]}
    with codec.heard_from(there):
        assert codec.value_in(coded) is there.refs[1]
        with codec.heard_from(elsewhere):
            assert codec.value_in(coded) is elsewhere.refs[1]
        assert codec.value_in(coded) is there.refs[1]
    assert codec.value_in(coded) is BOOK.refs[1]


def test_a_ref_that_runs_elsewhere_has_a_fifth_word() -> None:
    assert CODEC.ref_in(["here", "life", "/a", 1, "beta"]) is BOOK.refs[1]


@pytest.mark.parametrize(
    "coded",
    [
        None,
        "x",
        {},
        [],
        ["n", "i", "/a"],
        ["n", "i", "/a", "1"],
        ["n", "i", "/a", True],
        ["n", "i", "/a", 1.0],
        ["n", 1, "/a", 1],
        ["n", "i", "/a", 1, 2],
        ["n", "i", "/a", 1, "b", "c"],
        [[], "i", "/a", 1],
    ],
    ids=repr,
)
def test_what_is_no_ref_is_refused(coded: Any) -> None:
    with pytest.raises(BadValue, match="a ref is"):
        CODEC.ref_in(coded)
    with pytest.raises(BadValue, match="a ref is"):
        CODEC.value_in({"$ref": coded})
    with pytest.raises(BadValue, match="a ref is"):
        CODEC.message_in({"$": "test.codec.Tree", "ref": coded or 0})


# --- what is refused on the way in ---------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"top": {"number": "1"}}, "expected int"),
        ({"top": {"number": True}}, "expected int"),
        ({"top": {"number": 1.0}}, "expected int"),
        ({"top": {"number": None}}, "expected int"),
        ({"top": {}}, "required field missing"),
        ({"top": {"number": 1, "more": 2}}, "more"),
        ({"top": {"$": "test.codec.Tree"}}, "test.codec.Tree is no Leaf"),
        ({"top": {"$": "test.codec.Nothing"}}, "no message class with the tag 'test.codec.Nothing'"),
        ({"top": {"$": 1}}, "needs its tag"),
        ({"top": [1]}, "a message is an object"),
        ({"more": 1}, "more"),
        ({"pair": [1]}, "pair"),
        ({"pair": [1, "a", 2]}, "pair"),
        ({"pair": ["a", 1]}, "expected int"),
        ({"row": [1, "2"]}, "row"),
        ({"row": [{"$float": "one"}]}, "a special number"),
        ({"share": {"$float": []}}, "a special number"),
        ({"share": True}, "share"),
        ({"share": None}, "share"),
        ({"colour": "blue"}, "colour"),
        ({"names": {"a": 1}}, "a message is an object"),
        ({"numbers": {"1": "a"}}, "a dict whose keys are no texts"),
        ({"numbers": {"$dict": [["1", "a"]]}}, "expected int"),
        ({"numbers": {"$dict": [[1, "a", 2]]}}, r"an array of \[key, value\]"),
        ({"numbers": {"$dict": "ab"}}, "expected an array"),
        ({"grid": {"$dict": [[[1], {"number": 1}]]}}, "grid"),
        ({"raw": "no base64!"}, "no base64"),
        ({"raw": 1}, "bytes are base64 text"),
        ({"either": 1}, "is none of"),
        ({"either": True}, "is none of"),
        ({"text_or_raw": None}, "is none of"),
        ({"limit": True}, "is none of"),
        ({"limit": "some"}, "is none of"),
        ({"bare": [1, 2]}, "bare"),
        ({"bare": "text"}, "expected dict"),
        ({"anything": {"$nothing": 1}}, "unknown '\\$nothing'"),
        ({"anything": {"$": "test.codec.Leaf", "number": "1"}}, "expected int"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_a_message_that_is_not_as_its_class_says_is_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(BadValue, match=why):
        CODEC.message_in({"$": "test.codec.Tree", **fields})


@pytest.mark.parametrize(
    "coded", [None, 1, "x", [], {}, {"number": 1}, {"$": None}, {"$": ["test.codec.Leaf"]}]
)
def test_what_is_no_message_is_refused(coded: Any) -> None:
    with pytest.raises(BadValue, match="tag"):
        CODEC.message_in(coded)


def test_a_number_without_a_fraction_is_a_float_where_one_is_meant() -> None:
    back = CODEC.message_in({"$": "test.codec.Tree", "share": 1, "row": [2], "limit": 3})
    assert [type(one) for one in (back.share, back.row[0], back.limit)] == [float] * 3


@pytest.mark.parametrize(
    "coded",
    [
        {"$bytes": 1},
        {"$bytes": "?"},
        {"$float": "1"},
        {"$float": [1]},
        {"$set": "ab"},
        {"$set": [[1]]},
        {"$tuple": {"a": 1}},
        {"$frozenset": 1},
        {"$dict": 1},
        {"$dict": ["ab"]},
        {"$dict": [[[], 1]]},
        {"$what": 1},
        {"$": "test.codec.Leaf"},
        [[{"$float": 1}]],
        {"a": {"$bytes": None}},
        {"$": "actors.Terminated"},
        {"$": "actors.Terminated", "ref": 1, "exit": {}},
        {"$": "actors.Nudge", "reason": 1},
    ],
    ids=json.dumps,
)
def test_a_value_that_describes_nothing_is_refused(coded: Any) -> None:
    with pytest.raises(BadValue):
        CODEC.value_in(coded)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | FLOATS | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.text()
                | st.sampled_from(["$", "$ref", "$dict", "$set", "$tuple", "$float", "$bytes", "ref", "exit"])
                | st.just("number"),
                inner | st.sampled_from(["test.codec.Leaf", "test.codec.Tree", "actors.Terminated"]),
                max_size=3,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_a_value_or_refused(coded: Any) -> None:
    for read in (CODEC.value_in, CODEC.message_in):
        with contextlib.suppress(BadValue):
            read(coded)
    with pytest.raises(BadFrame):
        decode_item({**coded, "k": "nothing"} if isinstance(coded, dict) else coded)


# --- what is refused on the way out ---------------------------------------------------------


class Unmarked:
    pass


@pytest.mark.parametrize(
    "value", [Unmarked(), Place(1), Colour.RED, 1j, print, int, bytearray(b"x"), OrderedDict()]
)
def test_a_part_that_cannot_travel_is_named_with_its_message(value: Any) -> None:
    kind = type(value)
    for message in (Tree(anything=value), Tree(anything=[{"a": (value,)}])):
        with pytest.raises(
            actors.NotSerializable, match=f"{kind.__qualname__} in a Tree is not a message class"
        ) as caught:
            CODEC.message_out(message)
        assert caught.value.kind is kind
    with pytest.raises(actors.NotSerializable) as caught:
        CODEC.value_out([value])
    assert caught.value.kind is kind


def test_what_is_no_message_cannot_be_sent() -> None:
    with pytest.raises(actors.NotSerializable, match="Unmarked is not a message class: decorate it"):
        CODEC.message_out(Unmarked())


def test_a_field_of_another_type_than_it_says_is_named() -> None:
    with pytest.raises(actors.NotSerializable, match=r"Tree cannot be coded"):
        CODEC.message_out(Tree(numbers=cast("Any", 1)))


def test_a_list_that_holds_itself_is_no_message() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(actors.NotSerializable, match="Tree"):
        CODEC.message_out(Tree(anything=endless))


def test_an_annotation_that_only_the_type_checker_knows_is_a_clear_mistake() -> None:
    @actors.message(tag="test.codec.Priced")
    class Priced:
        price: Decimal

    with pytest.raises(
        actors.NotSerializable, match="Priced has an annotation that only the type checker knows"
    ):
        CODEC.message_out(Priced(cast("Any", 1)))
    with pytest.raises(
        BadValue, match=r"Priced has an annotation .*name 'Decimal' is not defined.*import it"
    ):
        CODEC.message_in({"$": "test.codec.Priced", "price": 1})


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, 10**5000, object()], ids=["nan", "inf", "long", "object"]
)
def test_what_is_no_json_is_not_dumped(value: Any) -> None:
    with pytest.raises(actors.NotSerializable):
        dump([value])


# --- frames and items -----------------------------------------------------------------------

HELLO = Hello(
    protocol=1, node="a", incarnation="i", resume=Resume(session="s", incarnation="j", received=(1, 2))
)
WELCOME = Welcome(node="a", incarnation="i", session="s", received=(0, 0), spawnable=("m:C",))
TROUBLE = items.Trouble("failed", "ValueError", "no", "Traceback", exit=items.Ended("error", "broke"))


@pytest.mark.parametrize(
    "said", [HELLO, WELCOME, Refusal(Reason.CLOSING, "soon")], ids=lambda one: type(one).__name__
)
def test_frames_of_the_handshake_come_back(said: Any) -> None:
    assert decode_handshake(encode(said)) == said


@pytest.mark.parametrize(
    "said",
    [
        items.Items((1, 2), (3, [{"k": "over", "child": 1}])),
        items.Beat(1.5, None, (0, 1), (2, 3)),
        items.Bye("end"),
        Refusal(Reason.SILENT),
    ],
    ids=lambda one: type(one).__name__,
)
def test_frames_come_back(said: Any) -> None:
    assert decode_frame(encode(said)) == said


REF: list[Any] = ["n", "i", "/a", 1]
TO = items.Address("/a", 3, ("n", "i"))
SAID: list[Any] = [
    items.Tell(TO, {"$": "t", "x": [1]}, REF, True),
    items.Ask(1, TO, None, REF, 2.5),
    items.Reply(1, [1, {}]),
    items.Fail(1, TROUBLE),
    items.Cancel(1),
    items.Credit(TO, 5),
    items.Order(TO, "stop"),
    items.Watch(TO),
    items.Gone(TO, items.Ended("normal", "", 1)),
    items.Unread(TO, "why"),
    items.Call(1, "find", TO, [1]),
    items.Fact(1, "Spawned", 0.5, REF, {"a": 1}),
    items.Join("g", REF),
    items.Leave("g", REF),
    items.Undo(1, 2),
    items.ChildOrder(1, "halt"),
    items.Ready(1),
    items.Done(1, 2, None, TROUBLE),
    items.Later(1, 2),
    items.Over(1),
    items.Alive([(1, 0.5)]),
]


@pytest.mark.parametrize("said", SAID, ids=lambda one: type(one).__name__)
def test_items_come_back(said: Any) -> None:
    assert decode_item(parse(encode(said))) == said


def test_each_item_is_found_by_the_kind_that_it_says() -> None:
    assert all(kind == cls.KIND for kind, cls in cast("Any", items.ITEMS).items())


def test_an_address_can_stand_in_a_table() -> None:
    for address in (TO, items.Address("/a"), items.Address("/a", 3)):
        assert items.Address.of(address.key) == address
        assert address.key in {address.key}


def test_what_has_its_default_is_not_said() -> None:
    assert encode(items.Bye()) == '{"k":"bye"}'
    assert encode(items.Over(1)) == '{"k":"over","child":1}'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ('{"k":"bye"} {}', "no JSON"),
        ("null", "use one of"),
        ("[]", "use one of"),
        ('"bye"', "use one of"),
        ("{}", "use one of"),
        ('{"k":null}', "use one of"),
        ('{"k":[[[]]]}', "use one of"),
        ('{"k":"tell"}', "unknown kind 'tell'"),
        ('{"k":"bye","reason":1}', "expected str"),
        ('{"k":"bye","more":1}', "more"),
        ('{"k":"beat","time":1}', "a wrong beat: .*echo"),
        ('{"k":"beat","time":NaN,"echo":null,"sent":[0,0],"ack":[0,0]}', "NaN is no JSON"),
        ('{"k":"beat","time":1e999,"echo":null,"sent":[0,0],"ack":[0,0]}', "too large"),
        ('{"k":"beat","time":true,"echo":null,"sent":[0,0],"ack":[0,0]}', "time"),
        ('{"k":"beat","time":1,"echo":null,"sent":[0,0,0],"ack":[0,0]}', "sent"),
        ('{"k":"beat","time":1,"echo":null,"sent":[0,0.5],"ack":[0,0]}', "sent"),
        ('{"k":"items","ack":[0,0],"c":[1,{}]}', "a wrong items"),
        ('{"k":"items","ack":"ab"}', "a wrong items"),
        ('{"k":"refused","reason":"just so"}', "a wrong refused"),
    ],
)
def test_a_frame_that_is_not_as_the_protocol_says_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadFrame, match=why) as caught:
        decode_frame(text)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "value",
    [
        1,
        [],
        {"k": "bye"},
        {"k": "tell"},
        {"k": "tell", "to": {"path": 1}, "m": 1},
        {"k": "tell", "to": {"path": "/a", "node": ["n"]}, "m": 1},
        {"k": "ask", "id": "1"},
        {"k": "alive", "children": [["1", 2]]},
        {"k": "fell", "child": 1, "exit": {"kind": "error"}},
        {"k": "credit", "to": {"path": "/a"}, "n": 1.5},
    ],
    ids=json.dumps,
)
def test_an_item_that_is_not_as_the_protocol_says_is_refused(value: Any) -> None:
    with pytest.raises(BadFrame):
        decode_item(value)


# --- how deep ------------------------------------------------------------------------------


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


@given(
    st.recursive(
        st.integers() | st.text(alphabet='[]{}"\\a,:'),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='[]{}"\\a'), inner, max_size=3)
        ),
        max_leaves=30,
    ),
    st.integers(0, 6),
    st.booleans(),
)
def test_brackets_in_texts_make_nothing_deep(value: Any, deepest: int, spaces: bool) -> None:
    text = json.dumps(value, separators=(", ", ": ") if spaces else (",", ":"))
    assert is_deep(text, deepest) == (depth(value) > deepest)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_json_that_is_too_deep_is_refused_before_it_is_parsed(opening: str, closing: str) -> None:
    levels = len(opening) - len(opening.replace("[", "").replace("{", ""))
    fits = DEEPEST // levels
    assert depth(parse(opening * fits + "1" + closing * fits)) == DEEPEST
    for times in (fits + 1, 1000, 100_000):
        with pytest.raises(BadFrame, match="in each other"):
            parse(opening * times + "1" + closing * times)
        with pytest.raises(BadFrame):
            parse(opening * times)
