"""Between what a client says in JSON and what actors are told: text, and messages by their tags."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from actors.errors import NotSerializable
from actors.mcp.faults import ToolFault, refusing
from actors.messages import MESSAGES, Request, Text
from actors.observe.brief import brief
from actors.remote.codec import Codec
from actors.remote.strict import BadValue

if TYPE_CHECKING:
    from actors.core.ref import Ref

__all__ = ["Said", "Values", "described"]

Said = str | dict[str, Any]
"""A message of a client's: text, or an object with its tag under "$"."""
_TAG: Final = "$"


class _Book:
    """Refs as [node, incarnation, path, serial]: a client may say those alone that it reaches."""

    def __init__(self, find: Callable[[str], Ref]) -> None:
        self._find = find

    def ref_out(self, ref: Ref) -> list[Any]:
        return list(ref.identity)

    def ref_in(self, coded: list[Any]) -> Ref:
        try:
            ref = self._find(str(coded[2]))
        except ToolFault as fault:
            raise BadValue(str(fault)) from None
        if list(ref.identity) != list(coded[:4]):
            raise BadValue(f"the actor at {coded[2]!r:.200} is another one by now")
        return ref


class Values:
    """The codec of one server: `find` is how the agent at work finds an actor, `tags` what it may say."""

    def __init__(self, find: Callable[[str], Ref], tags: Collection[str]) -> None:
        self._codec = Codec(_Book(find))
        self._tags = tuple(tags)
        for tag in self._tags:
            if MESSAGES.find(tag) is None:
                raise ValueError(f"no message class with the tag {tag!r} is loaded: import its module first")

    def told(self, said: Said, text: type | None) -> Any:
        """What is told: a text as it is, or in the class that its actor takes. Raises `ToolFault`."""
        if isinstance(said, str):
            return said if text is None else _in(text, said)
        return self._tagged(said)

    def asked(self, said: Said, text: type | None) -> Request[Any]:
        """What is asked; raises `ToolFault` for what has no reply."""
        given: Any = _in(text or Text, said) if isinstance(said, str) else self._tagged(said)
        if isinstance(given, Request):
            return cast("Request[Any]", given)
        raise ToolFault(f"a {type(given).__name__} is told, and has no reply: use `tell`")

    def _tagged(self, said: dict[str, Any]) -> Any:
        tag = said.get(_TAG)
        if not isinstance(tag, str):
            shape = '{"$": "shop.Order", "item": "tea"}'
            raise ToolFault(
                f'a message is text, or an object with its tag under "$", as {shape}. {self._may}'
            )
        if tag not in self._tags:
            raise ToolFault(f"messages with the tag {tag!r:.100} do not pass here. {self._may}")
        try:
            return self._codec.message_in(said)
        except BadValue as error:
            raise ToolFault(f"a wrong {tag}: {error}. It is {described(tag)}") from None

    @property
    def _may(self) -> str:
        if not self._tags:
            return "Text alone passes"
        return f"Besides text these pass: {', '.join(self._tags)}"

    def given(self, said: Any) -> Any:
        """A reply or an answer of a client's: JSON, with messages by their tags. Raises `ToolFault`."""
        try:
            return self._codec.value_in(said)
        except BadValue as error:
            raise ToolFault(f"this value cannot be read: {error}") from None
        except RecursionError:
            raise ToolFault("this value cannot be read: it is too deep") from None

    def out(self, value: Any) -> Any:
        """A value as JSON, a tuple as an array. What JSON has no word for is described: {"$repr": "..."}."""
        plain: Any = list(cast("tuple[Any, ...]", value)) if type(value) is tuple else value
        try:
            return self._codec.value_out(plain)
        except (NotSerializable, RecursionError, ValueError):
            return {"$repr": brief(plain, 2000)}


def _in(cls: type, text: str) -> Any:
    field = attrs.fields(cls)[0]
    with refusing(ValueError, TypeError):
        return cls(**{field.alias or field.name: text})


def described(tag: str) -> str:
    """A message class as a client may write it: its tag, its fields, what it is for."""
    cls = MESSAGES.find(tag)
    if cls is None:
        return tag
    fields = [f'"{field.name}": {_kind(field.type)}' for field in attrs.fields(cast("type[Any]", cls))]
    about = (cls.__doc__ or "").strip().partition("\n")[0]
    how = "" if issubclass(cls, Request) else " (told, not asked)"
    return "{" + ", ".join([f'"$": "{tag}"', *fields]) + "}" + how + (f": {about}" if about else "")


def _kind(annotation: object) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
