"""Messages: the `@message` decorator, requests, and the notices that the framework sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, dataclass_transform, overload

import attrs

from actors.errors import NotSerializable, TagTaken

if TYPE_CHECKING:
    from actors.core.ref import Ref
    from actors.exits import Exit

__all__ = [
    "MAIN",
    "MESSAGES",
    "MessageRegistry",
    "Nudge",
    "Request",
    "StreamRequest",
    "Terminated",
    "Text",
    "TicketReply",
    "home_of",
    "message",
    "tag_of",
]

R_co = TypeVar("R_co", covariant=True)
T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T", bound=type)

_TAG = "__actors_tag__"
MAIN = "__actors_main__"
"""What `__main__` of a program is called in the node processes that it starts."""


class Request(Generic[R_co]):
    """A message that is answered: asking a `Request[R]` yields an `R`.

    Derive message classes from it; it has no fields and no behaviour of its own.
    """

    __slots__ = ()


class StreamRequest(Request[tuple[T_co, ...]], Generic[T_co]):
    """A request that is answered in chunks: `ref.stream` gives each `T`, asking it all of them in a tuple.

    Its handler is an async generator. Told, it runs, and its chunks go nowhere.
    """

    __slots__ = ()


@attrs.frozen
class Terminated:
    """The one notice a watcher gets when the actor it watches is finally gone."""

    ref: Ref
    exit: Exit


@attrs.frozen
class Nudge:
    """What the monitor tells an agent that may be in trouble. Without a handler it is ignored.

    `reason` is "silent", "stuck", "waiting" or "errors"; `seconds` how long it has lasted
    (0 for errors); `attempt` counts from 1.
    """

    reason: str
    seconds: float = 0.0
    attempt: int = 1


@attrs.frozen
class TicketReply:
    """How a message that an actor has posted ended: told to it, and posted like any message.

    `value` is the reply; or `error` says why there is none: `Refused`, `TicketFailed`,
    `TicketTimedOut`, `TicketCancelled`. Without a handler it is ignored.
    """

    ticket_id: str
    value: Any = None
    error: BaseException | None = None


@attrs.define
class MessageRegistry:
    """Wire tag → message class. Open: classes enter whenever they are defined."""

    _classes: dict[str, type] = attrs.field(factory=dict[str, type])

    def add(self, tag: str, cls: type) -> None:
        """Enter `cls`; the same class defined again replaces itself, else raises `TagTaken`."""
        owner = self._classes.get(tag)
        if owner is not None and _identity(owner) != _identity(cls):
            raise TagTaken(tag, owner, cls)
        self._classes[tag] = cls

    def find(self, tag: str) -> type | None:
        """The class of a tag, or None. Nothing is ever imported for it."""
        return self._classes.get(tag)


def home_of(what: object) -> str:
    """The module that a class or function is known by in all processes of a program."""
    module: str = what.__module__
    return "__main__" if module == MAIN else module


def _identity(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


MESSAGES = MessageRegistry()
"""The tags of this process. Class definitions are process-wide in Python, so this is too."""


@overload
@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field,))
def message(cls: T, /) -> T: ...
@overload
@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field,))
def message(*, tag: str) -> Callable[[T], T]: ...
def message(cls: Any = None, /, *, tag: str | None = None) -> Any:
    """Make a class a message: frozen, with slots, and with a wire tag.

    The tag is `module.qualname` unless `tag=` gives a stable one. Defining the same
    class again replaces the entry; another class with the same tag raises `TagTaken`.
    """
    if tag is not None and not isinstance(tag, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a tag is a str, not {tag!r}: write @message(tag='greet/2')")

    def decorate(plain: type) -> type:
        frozen = attrs.frozen(plain)
        chosen = f"{home_of(plain)}.{plain.__qualname__}" if tag is None else tag
        if not chosen:
            raise ValueError("a tag cannot be empty: write @message(tag='greet/2')")
        MESSAGES.add(chosen, frozen)
        setattr(frozen, _TAG, chosen)
        return frozen

    if cls is None:
        return decorate
    if not isinstance(cls, type):
        raise TypeError(f"@message decorates a class, not {cls!r}: write @message or @message(tag='greet/2')")
    return decorate(cls)


def tag_of(cls: type) -> str:
    """The wire tag of a message class; raises `NotSerializable` for any other class."""
    if not isinstance(cls, type):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"tag_of takes a message class, not {cls!r}: write tag_of(type(message))")
    tag = cls.__dict__.get(_TAG)
    if tag is None:
        raise NotSerializable(cls)
    return tag


@message(tag="actors.Text")
class Text(Request[Any]):
    """A text that is asked by who does not know what messages an actor takes: a person, an agent of MCP.

    Who wants such has a handler for it. `Lines` says it to its child as it does a `Call`, `Terminal` pastes
    it. A text that is told is a `str`.
    """

    text: str
