"""Between objects and JSON. Two converters: one for what nodes say, one for what users say.

Rules of this file. What users say is coded by the annotations of the message class (cattrs),
strictly: an int is no str, an unknown field is a mistake. Where an annotation says nothing
(`Any`, `object`, a reply) the value describes itself: a message is an object with its tag
under "$", and what JSON has no word for is an object with one key that begins with "$".
A class is found by its tag, never imported by its name.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import types
import typing
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, Protocol, Union, cast, get_args, get_origin

import attrs
from cattrs import Converter, transform_error
from cattrs.fns import identity
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn
from cattrs.preconf.json import make_converter
from cattrs.v import format_exception

from actors.core.ref import Ref
from actors.errors import NotSerializable
from actors.messages import MESSAGES, Nudge, Request, Terminated, tag_of
from actors.remote.handshake import Hello, Refusal, Welcome
from actors.remote.items import FRAMES, ITEMS, Ended
from actors.remote.jsontext import BadFrame, parse

__all__ = [
    "BadFrame",
    "BadValue",
    "Codec",
    "Raw",
    "RefBook",
    "decode_frame",
    "decode_handshake",
    "decode_item",
    "dump",
    "encode",
]

_TAG: Final = "$"


class BadValue(Exception):
    """A value of the other end's that cannot be decoded here: an unknown tag, a wrong field."""


class RefBook(Protocol):
    """Who knows which ref is which."""

    def ref_out(self, ref: Ref, /) -> list[Any]:
        """A ref as [node, incarnation, path, serial]."""
        ...

    def ref_in(self, coded: list[Any], /) -> Ref:
        """The ref that the other end means."""
        ...


@attrs.frozen
class Raw(Request[Any]):
    """A message as the JSON value it is on the wire, for who does not have its class."""

    json: Any


# --- what nodes say ------------------------------------------------------------------


def _strict(kind: type) -> Callable[[Any, Any], Any]:
    def check(value: Any, wanted: Any) -> Any:
        if value.__class__ is not kind:
            raise BadValue(f"expected {kind.__name__}, not {value!r:.80}")
        return value if wanted is kind else wanted(value)  # an enum of texts is a kind of text

    return check


def _float_out(value: float) -> Any:
    """JSON has no word for infinity."""
    return value if math.isfinite(value) else {"$float": str(value)}


def _float_in(value: Any, kind: Any) -> float:
    if value.__class__ is dict and value.keys() == {"$float"}:
        return _special_float(value["$float"])
    return _number(value, kind)


def _special_float(name: Any) -> float:
    try:
        return _FLOATS[name]
    except (KeyError, TypeError):
        raise BadValue('a special number is {"$float": "inf"}, "-inf" or "nan"') from None


_FLOATS: Final = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def _number(value: Any, _: Any) -> float:
    if value.__class__ is float or value.__class__ is int:
        return float(value)
    raise BadValue(f"expected a number, not {value!r:.80}")


_ROWS: Final = (list, tuple, set, frozenset)


def _make_strict(converter: Converter) -> None:
    for kind in (int, str, bool):
        converter.register_structure_hook(kind, _strict(kind))
    converter.register_structure_hook(float, _number)

    def read(value: Any, kind: Any) -> Any:
        """Of arrays only: cattrs takes anything that can be gone through, a text for a list of texts."""
        given, args = _list(value), get_args(kind)
        origin = cast("Callable[[Any], Any]", get_origin(kind) or kind)
        if origin is not tuple or args[1:] == (...,):
            return origin(converter.structure(one, args[0]) for one in given)
        if len(given) != len(args):
            raise BadValue(f"expected an array of {len(args)}, not of {len(given)}")
        made: list[Any] = [converter.structure(one, arg) for one, arg in zip(given, args, strict=True)]
        return tuple(made)

    converter.register_structure_hook_func(lambda kind: (get_origin(kind) or kind) in _ROWS, read)


_HANDSHAKE: Final[dict[str, type]] = {"hello": Hello, "welcome": Welcome, "refused": Refusal}
_WIRE = Converter(forbid_extra_keys=True)
_make_strict(_WIRE)
_STRUCTURE: dict[str, Callable[[Any, Any], Any]] = {}
_UNSTRUCTURE: dict[type, tuple[str, Callable[[Any], dict[str, Any]]]] = {}


def _prepare() -> None:
    for table in (FRAMES, ITEMS, _HANDSHAKE):
        for kind, cls in table.items():
            _STRUCTURE[kind] = _WIRE.get_structure_hook(cls)
            fn = make_dict_unstructure_fn(cast("type[Any]", cls), _WIRE, _cattrs_omit_if_default=True)
            _UNSTRUCTURE[cls] = (kind, fn)


def encode(said: object) -> str:
    """A frame or an item as one line of JSON. Raises `NotSerializable` for what is no JSON in it."""
    if not _UNSTRUCTURE:
        _prepare()
    kind, fn = _UNSTRUCTURE[type(said)]
    return dump({"k": kind, **fn(said)})


def dump(value: Any) -> str:
    """JSON, short; raises `NotSerializable`."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False, default=_not_json)
    except (ValueError, RecursionError) as error:
        kind = cast("type[Any]", type(value))
        raise NotSerializable(kind, f"cannot be written as JSON: {error}") from None


def _not_json(value: object) -> typing.NoReturn:
    raise NotSerializable(type(value))


def decode_handshake(text: str) -> Hello | Welcome | Refusal:
    """A frame of the handshake; raises `BadFrame`."""
    return _decode(parse(text), _HANDSHAKE)


def decode_frame(text: str) -> Any:
    """A frame; raises `BadFrame`."""
    return _decode(parse(text), FRAMES)


def decode_item(value: Any) -> Any:
    """An item; raises `BadFrame`."""
    return _decode(value, ITEMS)


def _decode(value: Any, table: dict[str, type]) -> Any:
    if not _STRUCTURE:
        _prepare()
    kind = value.get("k") if isinstance(value, dict) else None  # pyright: ignore
    if not isinstance(kind, str) or kind not in table:
        said = f"unknown kind {kind!r:.40}" if isinstance(kind, str) else 'no object with a kind under "k"'
        raise BadFrame(f"{said}: use one of {', '.join(table)}")
    fields = {key: one for key, one in value.items() if key != "k"}  # pyright: ignore
    try:
        return _STRUCTURE[kind](fields, table[kind])
    except Exception as error:  # cattrs raises groups of anything
        raise BadFrame(f"a wrong {kind}: {_why(error)}") from None


def _why(error: BaseException) -> str:
    if not isinstance(error, BaseExceptionGroup):
        return f"{error}"[:300]
    return "; ".join(transform_error(cast("Any", error), format_exception=_explain))[:300]


def _explain(error: BaseException, kind: type | None) -> str:
    return str(error) if isinstance(error, BadValue) else format_exception(error, kind)


# --- what users say ------------------------------------------------------------------


class Codec:
    """The values of users, for one node. Decoding needs to know who has sent them: see `heard_from`."""

    def __init__(self, book: RefBook) -> None:
        self._book = book
        self._heard_from: RefBook = book
        # what cattrs knows nothing of would go out as it is
        self._converter = converter = make_converter(
            forbid_extra_keys=True, unstructure_fallback_factory=lambda _: self.value_out
        )
        for kind in (bool, int, str, type(None)):
            converter.register_unstructure_hook(kind, identity)
        _make_strict(converter)
        converter.register_unstructure_hook(float, _float_out)
        converter.register_structure_hook(float, _float_in)
        converter.register_unstructure_hook(bytes, lambda value: base64.b64encode(value).decode())
        converter.register_structure_hook(bytes, lambda value, _: _bytes(value))
        converter.register_unstructure_hook_func(_says_nothing, self.value_out)
        converter.register_structure_hook_func(_says_nothing, lambda value, _: self.value_in(value))
        converter.register_unstructure_hook_factory(_is_loose, self._loose_writer)
        converter.register_structure_hook_func(_is_loose, self._loose_in)
        converter.register_unstructure_hook_factory(_has_odd_keys, self._pairs_writer)
        converter.register_structure_hook_func(_has_odd_keys, self._pairs_in)
        converter.register_unstructure_hook_func(_is_ref, self._ref_out)
        converter.register_structure_hook_func(_is_ref, lambda value, _: self._ref_in(value))
        converter.register_unstructure_hook_func(_is_message, self._message_out)
        converter.register_structure_hook_func(_is_message, self._message_in)
        converter.register_structure_hook_func(_needs_words, self._union_in)
        converter.register_unstructure_hook_func(_needs_words, self.value_out)
        self._out: dict[type, Callable[[Any], dict[str, Any]]] = {}
        self._in: dict[type, Callable[[Any, Any], Any]] = {}

    @contextmanager
    def heard_from(self, book: RefBook) -> Generator[None]:
        """A block in which refs are read as this node means them. Nothing may be awaited in it."""
        before, self._heard_from = self._heard_from, book
        try:
            yield
        finally:
            self._heard_from = before

    # --- messages ---

    def message_out(self, message: object) -> Any:
        """A message as JSON. Raises `NotSerializable` naming the type, and of what message it is a part."""
        if isinstance(message, Raw):
            return message.json
        try:
            return self._message_out(message)
        except NotSerializable as error:
            if error.kind is type(message):
                raise
            why = str(error).partition(" ")[2]
            raise NotSerializable(error.kind, f"in a {type(message).__qualname__} {why}") from None
        except Exception as error:  # cattrs raises groups of anything
            raise NotSerializable(type(message), f"cannot be coded: {_why(error)}") from error

    def message_in(self, coded: Any) -> Any:
        """A message from JSON. Raises `BadValue`."""
        try:
            return self._tagged_in(coded, None)
        except BadValue:
            raise
        except Exception as error:
            raise BadValue(_why(error)) from None

    def _message_out(self, message: Any) -> dict[str, Any]:
        cls = cast("type[Any]", type(message))
        fn = self._out.get(cls)
        if fn is None:
            fn = self._out[cls] = self._writer(cls)
        return fn(message)

    def _writer(self, cls: type[Any]) -> Callable[[Any], dict[str, Any]]:
        tag = _BUILT_IN_TAGS.get(cls) or tag_of(cls)
        if cls is Terminated:
            return self._terminated_out
        try:
            fn = make_dict_unstructure_fn(cls, self._converter)
        except NameError as error:
            raise NotSerializable(cls, _unknown_name(error)) from None
        return lambda message: {_TAG: tag, **fn(message)}

    def _message_in(self, coded: Any, cls: Any) -> Any:
        return self._tagged_in(coded, cls)

    def _tagged_in(self, coded: Any, expected: type | None) -> Any:
        if not isinstance(coded, dict):
            raise BadValue(f'a message is an object with its tag under "$", not {coded!r:.60}')
        given = cast("dict[str, Any]", coded)
        tag = given.get(_TAG)
        if tag is None and expected is not None:
            cls = expected
        elif not isinstance(tag, str):
            raise BadValue('a message needs its tag, as in {"$": "shop.Order", ...}')
        else:
            found = _BUILT_IN.get(tag) or MESSAGES.find(tag)
            if found is None:
                raise BadValue(f"no message class with the tag {tag!r:.80} is loaded here: import its module")
            if expected is not None and not issubclass(found, expected):
                raise BadValue(f"{tag} is no {expected.__qualname__}")
            cls = found
        fields = {key: one for key, one in given.items() if key != _TAG}
        if cls is Terminated:
            return self._terminated_in(fields)
        fn = self._in.get(cls)
        if fn is None:
            try:
                made: Any = make_dict_structure_fn(
                    cast("type[Any]", cls), self._converter, _cattrs_forbid_extra_keys=True
                )
            except NameError as error:
                raise BadValue(f"{cls.__qualname__} {_unknown_name(error)}") from None
            fn = self._in[cls] = made
        return fn(fields, cls)

    def _terminated_out(self, message: Terminated) -> dict[str, Any]:
        """The error in it travels as text, its value where it can."""
        from actors.remote.troubles import ended_out

        ended = attrs.asdict(ended_out(message.exit, cast("Any", self)))
        return {_TAG: "actors.Terminated", "ref": self._ref_out(message.ref), "exit": ended}

    def _terminated_in(self, fields: dict[str, Any]) -> Terminated:
        from actors.remote.troubles import ended_in

        ended = _WIRE.structure(fields["exit"], Ended)
        return Terminated(self._ref_in(fields["ref"]), ended_in(ended, self))

    # --- refs ---

    def _ref_out(self, ref: Ref) -> dict[str, Any]:
        return {"$ref": self._book.ref_out(ref)}

    def _ref_in(self, coded: Any) -> Ref:
        if not isinstance(coded, dict) or len(coded) != 1 or "$ref" not in coded:  # pyright: ignore[reportUnknownArgumentType]
            raise BadValue('a ref is {"$ref": [node, incarnation, path, serial]}')
        return self.ref_in(coded["$ref"])  # pyright: ignore[reportUnknownArgumentType]

    def ref_in(self, coded: Any) -> Ref:
        """A ref from its list; raises `BadValue`."""
        return self._heard_from.ref_in(checked_ref(coded))

    # --- values that describe themselves ---

    def value_out(self, value: Any) -> Any:
        """Any value as JSON. Raises `NotSerializable` naming the type."""
        cls = cast("type[Any]", type(value))
        if value is None or cls in (bool, int, str):
            return value
        if cls is float:
            return _float_out(value)
        if cls is list:
            return [self.value_out(one) for one in value]
        if cls is dict:
            return self._dict_out(value)
        wrap = _CONTAINERS.get(cls)
        if wrap is not None:
            return {wrap: [self.value_out(one) for one in value]}
        if cls is bytes:
            return {"$bytes": base64.b64encode(value).decode()}
        if isinstance(value, Ref):
            return self._ref_out(value)
        if isinstance(value, Raw):
            return value.json
        return self._message_out(value)

    def _dict_out(self, value: dict[Any, Any]) -> Any:
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: self.value_out(one) for key, one in value.items()}
        return {"$dict": [[self.value_out(key), self.value_out(one)] for key, one in value.items()]}

    def value_in(self, coded: Any) -> Any:
        """The value that JSON describes. Raises `BadValue`."""
        if isinstance(coded, list):
            return [self.value_in(one) for one in cast("list[Any]", coded)]
        if not isinstance(coded, dict):
            return coded
        given = cast("dict[str, Any]", coded)
        special = next(iter(given), "")
        try:
            if _TAG in given:
                return self._tagged_in(given, None)
            if len(given) == 1 and special.startswith("$"):
                return self._special_in(special, given[special])
        except BadValue:
            raise
        except Exception as error:  # of a class of users', or a group of cattrs
            raise BadValue(f"a wrong {given.get(_TAG, special)}: {_why(error)}") from None
        return {key: self.value_in(one) for key, one in given.items()}

    def _special_in(self, special: str, coded: Any) -> Any:
        if special == "$ref":
            return self.ref_in(coded)
        if special == "$bytes":
            return _bytes(coded)
        if special == "$float":
            return _special_float(coded)
        if special == "$dict":
            return {self.value_in(key): self.value_in(one) for key, one in _pairs(coded)}
        for kind, name in _CONTAINERS.items():
            if name == special:
                return kind(self.value_in(one) for one in _list(coded))
        raise BadValue(f"unknown {special!r:.40}")

    def _loose_writer(self, kind: Any) -> Callable[[Any], Any]:
        """What is no exact list, dict, ... but one of its kind goes out as one."""
        origin = get_origin(kind) or kind
        return lambda value: self.value_out(origin(value) if isinstance(value, origin) else value)

    def _loose_in(self, coded: Any, kind: Any) -> Any:
        """A list, dict, ... whose annotation does not say of what."""
        origin = get_origin(kind) or kind
        value: Any = self.value_in(coded)
        if origin is not list and isinstance(value, list):
            value = origin(value)  # pyright: ignore[reportUnknownArgumentType]
        if not isinstance(value, origin):
            raise BadValue(f"expected {origin.__name__}, not {coded!r:.60}")
        return value

    def _pairs_writer(self, kind: Any) -> Callable[[Any], Any]:
        """A dict whose keys are no texts: in JSON they would become some."""
        key_kind, value_kind = get_args(kind)

        def write(value: Any) -> Any:
            out = self._converter.unstructure
            return {"$dict": [[out(key, key_kind), out(one, value_kind)] for key, one in value.items()]}

        return write

    def _pairs_in(self, coded: Any, kind: Any) -> Any:
        if not isinstance(coded, dict) or coded.keys() != {"$dict"}:  # pyright: ignore[reportUnknownMemberType]
            raise BadValue(f'a dict whose keys are no texts is {{"$dict": [[key, value]]}}, no {coded!r:.60}')
        key_kind, value_kind = get_args(kind)
        into = self._converter.structure
        return {into(key, key_kind): into(one, value_kind) for key, one in _pairs(coded["$dict"])}

    def _union_in(self, coded: Any, kind: Any) -> Any:
        """A union that JSON cannot tell apart: by the tag, or as it describes itself."""
        value, members = self.value_in(coded), get_args(kind)
        if any(_fits(value, one) for one in members):
            return value
        if type(value) is int and float in members:
            return float(value)
        raise BadValue(f"{coded!r:.60} is none of {kind}")


_BUILT_IN: Final[dict[str, type]] = {"actors.Terminated": Terminated, "actors.Nudge": Nudge}
_BUILT_IN_TAGS: Final[dict[type, str]] = {cls: tag for tag, cls in _BUILT_IN.items()}
_CONTAINERS: Final[dict[type, str]] = {tuple: "$tuple", set: "$set", frozenset: "$frozenset"}


def checked_ref(coded: Any) -> list[Any]:
    """[node, incarnation, path, serial], or with the node where it runs; raises `BadValue`."""
    shape = (str, str, str, int, str)
    if not isinstance(coded, list):
        raise BadValue(f"a ref is [node, incarnation, path, serial], not {coded!r:.60}")
    given = cast("list[Any]", coded)
    if not 4 <= len(given) <= 5 or any(
        type(one) is not kind for one, kind in zip(given, shape, strict=False)
    ):
        raise BadValue(f"a ref is [node, incarnation, path, serial], not {coded!r:.60}")
    return given


def _unknown_name(error: NameError) -> str:
    return f"has an annotation that only the type checker knows ({error}): import it for real"


def _list(coded: Any) -> list[Any]:
    if not isinstance(coded, list):
        raise BadValue(f"expected an array, not {coded!r:.60}")
    return cast("list[Any]", coded)


def _pairs(coded: Any) -> list[Any]:
    given = _list(coded)
    if not all(isinstance(one, list) and len(cast("list[Any]", one)) == 2 for one in given):
        raise BadValue(f"expected an array of [key, value], not {coded!r:.60}")
    return given


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise BadValue(f"bytes are base64 text, not {value!r:.40}")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise BadValue(f"no base64: {error}") from None


def _says_nothing(kind: Any) -> bool:
    return kind is Any or kind is object or isinstance(kind, typing.TypeVar)


def _is_loose(kind: Any) -> bool:
    if kind in (list, dict, tuple, set, frozenset):
        return True
    if get_origin(kind) not in (list, dict, tuple, set, frozenset):
        return False
    return any(_says_nothing(one) for one in get_args(kind))


def _is_ref(kind: Any) -> bool:
    return kind is Ref


def _is_message(kind: Any) -> bool:
    origin = get_origin(kind) or kind
    return isinstance(origin, type) and (origin in _BUILT_IN_TAGS or "__actors_tag__" in origin.__dict__)


def _has_odd_keys(kind: Any) -> bool:
    """Bytes become texts that can be read back."""
    if get_origin(kind) is not dict or _is_loose(kind):
        return False
    key = get_args(kind)[0]
    return not (isinstance(key, type) and issubclass(key, str | bytes))


def _fits(value: Any, kind: Any) -> bool:
    origin = get_origin(kind) or kind
    if _says_nothing(kind):
        return True
    if origin is typing.Literal:
        return any(type(value) is type(one) and value == one for one in get_args(kind))
    if type(value) is bool:
        return origin is bool
    return isinstance(value, origin)


def _needs_words(kind: Any) -> bool:
    """A union in which JSON alone does not say what is meant."""
    if get_origin(kind) not in (Union, types.UnionType):
        return False
    members = [one for one in get_args(kind) if one is not type(None)]
    plain = any(_is_message(one) or _is_ref(one) or one in (bytes, float) for one in members)
    return len(members) > 1 and plain
