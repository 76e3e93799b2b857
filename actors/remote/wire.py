"""What nodes say to each other as JSON: frames and items, by their kinds."""

from __future__ import annotations

import json
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, Final, cast

from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn

from actors.errors import NotSerializable
from actors.remote.handshake import Hello, Refusal, Welcome
from actors.remote.items import FRAMES, ITEMS, Ended
from actors.remote.jsontext import BadFrame, parse
from actors.remote.strict import make_strict, why

__all__ = ["decode_ended", "decode_frame", "decode_handshake", "decode_item", "dump", "encode"]

_HANDSHAKE: Final[dict[str, type]] = {"hello": Hello, "welcome": Welcome, "refused": Refusal}
_WIRE = Converter(forbid_extra_keys=True)
make_strict(_WIRE)
_KINDS: Final = {cls: kind for table in (FRAMES, ITEMS, _HANDSHAKE) for kind, cls in table.items()}


@cache
def _reader(cls: type) -> Callable[[Any, Any], Any]:
    """Made when it is first wanted: all at once would hold up the first link by a tenth of a second."""
    return _WIRE.get_structure_hook(cls)


@cache
def _writer(cls: type) -> tuple[str, Callable[[Any], dict[str, Any]]]:
    """See `_reader`."""
    fn = make_dict_unstructure_fn(cast("type[Any]", cls), _WIRE, _cattrs_omit_if_default=True)
    return _KINDS[cls], fn


def encode(said: object) -> str:
    """A frame or an item as one line of JSON. Raises `NotSerializable` for what is no JSON in it."""
    kind, fn = _writer(type(said))
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


def decode_ended(value: Any) -> Ended:
    """The exit in a notice; raises what cattrs raises."""
    return _WIRE.structure(value, Ended)


def _decode(value: Any, table: dict[str, type]) -> Any:
    kind = value.get("k") if isinstance(value, dict) else None  # pyright: ignore
    if not isinstance(kind, str) or kind not in table:
        said = f"unknown kind {kind!r:.40}" if isinstance(kind, str) else 'no object with a kind under "k"'
        raise BadFrame(f"{said}: use one of {', '.join(table)}")
    fields = {key: one for key, one in value.items() if key != "k"}  # pyright: ignore
    try:
        return _reader(table[kind])(fields, table[kind])
    except Exception as error:  # cattrs raises groups of anything
        raise BadFrame(f"a wrong {kind}: {why(error)}") from None
