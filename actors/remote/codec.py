"""Between what users say and JSON.

Rules of this file. What users say is coded by the annotations of the message class (cattrs),
strictly: an int is no str, an unknown field is a mistake. Where an annotation says nothing
(`Any`, `object`, a reply) the value describes itself: a message is an object with its tag
under "$", and what JSON has no word for is an object with one key that begins with "$".
A class is found by its tag, never imported by its name.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, Protocol, cast, get_args, get_origin

import attrs
from cattrs.fns import identity
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn
from cattrs.preconf.json import make_converter

from actors.core.ref import Ref
from actors.errors import NotSerializable
from actors.messages import MESSAGES, Request, Terminated, tag_of
from actors.remote.shapes import (
    BUILT_IN,
    BUILT_IN_TAGS,
    fits,
    has_odd_keys,
    is_loose,
    is_message,
    is_ref,
    needs_words,
    says_nothing,
)
from actors.remote.strict import (
    BadValue,
    as_bytes,
    as_list,
    as_pairs,
    checked_ref,
    float_in,
    float_out,
    make_strict,
    special_float,
    why,
)
from actors.remote.troubles import ended_in, ended_out
from actors.remote.wire import decode_ended

__all__ = ["Codec", "Raw", "RefBook"]

_TAG: Final = "$"


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
        make_strict(converter)
        converter.register_unstructure_hook(float, float_out)
        converter.register_structure_hook(float, float_in)
        converter.register_unstructure_hook(bytes, lambda value: base64.b64encode(value).decode())
        converter.register_structure_hook(bytes, lambda value, _: as_bytes(value))
        converter.register_unstructure_hook_func(says_nothing, self.value_out)
        converter.register_structure_hook_func(says_nothing, lambda value, _: self.value_in(value))
        converter.register_unstructure_hook_factory(is_loose, self._loose_writer)
        converter.register_structure_hook_func(is_loose, self._loose_in)
        converter.register_unstructure_hook_factory(has_odd_keys, self._pairs_writer)
        converter.register_structure_hook_func(has_odd_keys, self._pairs_in)
        converter.register_unstructure_hook_func(is_ref, self._ref_out)
        converter.register_structure_hook_func(is_ref, lambda value, _: self._ref_in(value))
        converter.register_unstructure_hook_func(is_message, self._message_out)
        converter.register_structure_hook_func(is_message, self._message_in)
        converter.register_structure_hook_func(needs_words, self._union_in)
        converter.register_unstructure_hook_func(needs_words, self.value_out)
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
            rest = str(error).partition(" ")[2]
            raise NotSerializable(error.kind, f"in a {type(message).__qualname__} {rest}") from None
        except Exception as error:  # cattrs raises groups of anything
            raise NotSerializable(type(message), f"cannot be coded: {why(error)}") from error

    def message_in(self, coded: Any) -> Any:
        """A message from JSON. Raises `BadValue`."""
        try:
            return self._tagged_in(coded, None)
        except BadValue:
            raise
        except Exception as error:
            raise BadValue(why(error)) from None

    def _message_out(self, message: Any) -> dict[str, Any]:
        cls = cast("type[Any]", type(message))
        fn = self._out.get(cls)
        if fn is None:
            fn = self._out[cls] = self._writer(cls)
        return fn(message)

    def _writer(self, cls: type[Any]) -> Callable[[Any], dict[str, Any]]:
        tag = BUILT_IN_TAGS.get(cls) or tag_of(cls)
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
            found = BUILT_IN.get(tag) or MESSAGES.find(tag)
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
        ended = attrs.asdict(ended_out(message.exit, self))
        return {_TAG: "actors.Terminated", "ref": self._ref_out(message.ref), "exit": ended}

    def _terminated_in(self, fields: dict[str, Any]) -> Terminated:
        ended = decode_ended(fields["exit"])
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
            return float_out(value)
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
            raise BadValue(f"a wrong {given.get(_TAG, special)}: {why(error)}") from None
        return {key: self.value_in(one) for key, one in given.items()}

    def _special_in(self, special: str, coded: Any) -> Any:
        if special == "$ref":
            return self.ref_in(coded)
        if special == "$bytes":
            return as_bytes(coded)
        if special == "$float":
            return special_float(coded)
        if special == "$dict":
            return {self.value_in(key): self.value_in(one) for key, one in as_pairs(coded)}
        for kind, name in _CONTAINERS.items():
            if name == special:
                return kind(self.value_in(one) for one in as_list(coded))
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
        return {into(key, key_kind): into(one, value_kind) for key, one in as_pairs(coded["$dict"])}

    def _union_in(self, coded: Any, kind: Any) -> Any:
        """A union that JSON cannot tell apart: by the tag, or as it describes itself."""
        value, members = self.value_in(coded), get_args(kind)
        if any(fits(value, one) for one in members):
            return value
        if type(value) is int and float in members:
            return float(value)
        raise BadValue(f"{coded!r:.60} is none of {kind}")


_CONTAINERS: Final[dict[type, str]] = {tuple: "$tuple", set: "$set", frozenset: "$frozenset"}


def _unknown_name(error: NameError) -> str:
    return f"has an annotation that only the type checker knows ({error}): import it for real"
