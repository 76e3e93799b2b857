"""Posted messages, replies and saved states as JSON text, for stores that outlive the process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, NoReturn, cast

import attrs

from actors.core.ref import Ref
from actors.delivery.endings import Note
from actors.delivery.errors import Unreadable
from actors.delivery.ticket import Failure
from actors.errors import NotSerializable
from actors.messages import MESSAGES
from actors.remote.codec import Codec, Raw
from actors.remote.strict import BadValue

__all__ = ["JsonCoder", "plain_codec"]

_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_dump_escaped = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_load: Final = json.loads


class _NoRefs:
    """A ref means an actor's life, which nothing that is kept outlives."""

    def ref_out(self, ref: Ref) -> NoReturn:
        raise NotSerializable(
            Ref, "cannot be kept, it ends with its node: put its path in the message instead"
        )

    def ref_in(self, coded: list[Any]) -> NoReturn:
        raise BadValue("a ref cannot be kept, so this is none of ours")


class _RefsMeanNothing:
    """A ref is of use where there is a link, and a child that is spoken to in lines has none."""

    def ref_out(self, ref: Ref) -> NoReturn:
        raise NotSerializable(Ref, "cannot be said to a child, which has no link: say its path instead")

    def ref_in(self, coded: list[Any]) -> NoReturn:
        raise BadValue("a child has no refs to give")


def plain_codec() -> Codec:
    """The codec of links, for who has no link."""
    return Codec(_RefsMeanNothing())


class JsonCoder:
    """See `Coder`: messages by their tags, values as they describe themselves."""

    def __init__(self) -> None:
        self._codec = Codec(_NoRefs())

    @property
    def words(self) -> JsonCoder:
        """See `Coder`."""
        return self

    def out(self, message: object) -> str:
        """See `Coder`."""
        return _written(self._codec.message_out, message)

    def back(self, payload: str) -> Any:
        """See `Coder`."""
        return self._read(self._message_in, payload)

    def _message_in(self, coded: Any) -> Any:
        try:
            return self._codec.message_in(coded)
        except BadValue as error:
            tag: Any = cast("dict[str, Any]", coded).get("$") if isinstance(coded, dict) else None
            if not isinstance(tag, str) or MESSAGES.find(tag) is None:
                raise
            raise BadValue(f"a wrong {tag}: {error}") from None

    def given(self, text: str) -> Raw:
        """See `Coder`. It is kept as it is; where its class is loaded, it has to be one."""
        coded = self._read(self._whole, text)
        if MESSAGES.find(coded["$"]) is not None:
            self.back(text)
        return Raw(coded)

    def _whole(self, coded: Any) -> dict[str, Any]:
        if not isinstance(coded, dict) or not isinstance(cast("dict[str, Any]", coded).get("$"), str):
            raise BadValue(
                'a message is an object with its tag under "$": {"$": "shop.Order", "item": "tea"}'
            )
        return cast("dict[str, Any]", coded)

    def told(self, payload: str | None) -> str | None:
        """See `Coder`."""
        return payload

    def value_out(self, value: object) -> str:
        """See `Coder`."""
        return _written(self._codec.value_out, value)

    def value_back(self, payload: str | None) -> Any:
        """See `Coder`."""
        return None if payload is None else self._read(self._codec.value_in, payload)

    def _read(self, reader: Any, payload: str) -> Any:
        try:
            return reader(_load(payload))
        except BadValue as error:
            raise Unreadable(str(error)) from None
        except ValueError as error:
            raise Unreadable(f"no JSON: {error}") from None

    def note_out(self, note: Note) -> str:
        """See `Coder`."""
        return _written(attrs.asdict, note)

    def note_back(self, payload: str) -> Note:
        """See `Coder`."""
        try:
            facts = _load(payload)
            failure = facts.pop("failure")
            return Note(failure=None if failure is None else Failure(**failure), **facts)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Unreadable(f"no note about a ticket: {error}") from None


def _written(coded_by: Callable[[Any], Any], value: object) -> str:
    """A value as JSON text that every engine can keep. Raises `NotSerializable`, whatever is wrong."""
    try:
        coded = coded_by(value)
        text = _dump(coded)
        # half a pair of surrogates, as in the name of a file that is no UTF-8, has to be escaped
        return text if text.isascii() or _is_utf8(text) else _dump_escaped(coded)
    except NotSerializable:
        raise
    except Exception as error:  # a number of 5,000 digits, a list that contains itself
        raise NotSerializable(type(value), f"cannot be kept: {error}; put something else in it") from error


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
