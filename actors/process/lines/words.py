"""What a child's lines say, and what is said to it, as bytes. Pure.

Two spellings of one protocol. "json" has one object a line, and one object may say several things
at once (`{"id": 1, "reply": "x", "usage": {"tokens": 7}}`); "text" has one word in front that
tells what the line is. Whatever is no line of the protocol is `Garbage`, and never an error: who
speaks here is a program that somebody else wrote.

A line is one message or none: what says of one of its own words something that it cannot mean is
garbage in that word alone, so that a wrong `usage` does not cost the reply beside it.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, Literal, TypeAlias, cast

import attrs

__all__ = [
    "SHOWN",
    "Alive",
    "Answered",
    "Cancelled",
    "Chunk",
    "Failed",
    "Garbage",
    "Logged",
    "Protocol",
    "Ready",
    "Said",
    "TurnedDown",
    "Used",
    "cancel_line",
    "message_line",
    "read",
    "shown",
    "stop_line",
]

Protocol = Literal["json", "text"]
SHOWN: Final = 200
"""Characters of what a child wrote that an event, an error or the log shows."""
_LARGEST: Final = 2**53
"""What every language can count to."""


@attrs.frozen
class Ready:
    """It takes messages from now on."""


@attrs.frozen
class Answered:
    """The reply to a request."""

    id: int
    value: Any


@attrs.frozen
class Failed:
    """The request has failed, and nothing else."""

    id: int
    text: str


@attrs.frozen
class TurnedDown:
    """It will not do what was asked."""

    id: int
    why: str


@attrs.frozen
class Cancelled:
    """It has ended a request because it was told to."""

    id: int


@attrs.frozen
class Chunk:
    """A part of a reply."""

    id: int
    value: Any


@attrs.frozen
class Alive:
    """A sign of life, with so many bytes of output made elsewhere."""

    n_bytes: int = 0


@attrs.frozen
class Used:
    """What it has spent."""

    tokens: int = 0
    money: float = 0.0
    tool_calls: int = 0


@attrs.frozen
class Logged:
    """Something for people."""

    text: str


@attrs.frozen
class Garbage:
    """A line, or a word of one, that says nothing; and why not. Shortened."""

    line: str
    why: str


Said: TypeAlias = (
    "Ready | Answered | Failed | TurnedDown | Cancelled | Chunk | Alive | Used | Logged | Garbage"
)


def shown(line: bytes | str) -> str:
    """The beginning of a line, for people."""
    text = line[: 4 * SHOWN].decode(errors="replace") if isinstance(line, bytes) else line
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


# --- to the child ---------------------------------------------------------------


def message_line(
    protocol: Protocol, value: Any, id: int | None, asked: bool, timeout: float | None = None
) -> bytes:
    """A request (`asked`) or message; one with an id is to be answered. ValueError for what has no line."""
    if protocol == "text":
        return _text_line("-" if id is None else str(id), value)
    said: dict[str, Any] = {} if id is None else {"id": id}
    said["request" if asked else "message"] = value
    if timeout is not None:
        said["timeout"] = round(timeout, 3)
    return _object(said)


def cancel_line(protocol: Protocol, id: int) -> bytes:
    """The request is not wanted any more."""
    return b"cancel %d\n" % id if protocol == "text" else _object({"cancel": id})


def stop_line(protocol: Protocol) -> bytes:
    """Nothing more will come: it is to end."""
    return b"stop\n" if protocol == "text" else _object({"stop": True})


def _text_line(head: str, value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError(
            'cannot be said with protocol="text", which has no objects: say a str, or use "json"'
        )
    if "\n" in value or "\r" in value:
        raise ValueError('has more than one line, and protocol="text" has one a message: use "json"')
    return f"{head} {value}\n".encode(errors="replace")


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode  # ASCII, which every child reads


def _object(said: dict[str, Any]) -> bytes:
    return _encode(said).encode() + b"\n"


# --- from the child -------------------------------------------------------------


def read(protocol: Protocol, line: bytes) -> list[Said]:
    """All that a line says, in the order in which it counts; one without anything is `Garbage`."""
    line = line.removesuffix(b"\r")
    if not line.strip():
        return []
    return _read_json(line) if protocol == "json" else _read_text(line)


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_decode = json.JSONDecoder(parse_constant=_no_number).decode


def _read_json(line: bytes) -> list[Said]:
    try:
        said: object = _decode(line.decode())
        if isinstance(said, dict):
            return _Object(line, cast("dict[str, Any]", said)).read()
        why = "is no JSON object"
    except UnicodeDecodeError:
        why = "is no UTF-8"
    except RecursionError:
        why = "is nested too deeply"
    except ValueError:  # or a number of thousands of digits
        why = "is no JSON"
    return [Garbage(shown(line), why)]


class _Object:
    """One object, word by word."""

    def __init__(self, line: bytes, said: dict[str, Any]) -> None:
        self._line = line
        self._words = said

    def read(self) -> list[Said]:
        words = self._words
        found = [reader(self, words[word]) for word, reader in _READERS if word in words]
        about = [word for word in (*_ENDS, "chunk") if word in words]
        if about or (not found and "usage" not in words and "id" in words):
            found.extend(self._about_request(about))
        if "usage" in words:  # last: to be told that it was too much, one must have had what it was spent on
            found.append(self.usage(words["usage"]))
        return found or [self._garbage("has none of the words of the protocol")]

    def _garbage(self, why: str) -> Garbage:
        return Garbage(shown(self._line), why)

    def _about_request(self, about: list[str]) -> list[Said]:
        id = _as_id(self._words.get("id"))
        if id is None:
            said = "has no id" if "id" not in self._words else "has an id that is no whole number"
            return [self._garbage(f"{said}: whose {about[0] if about else 'answer'} is it?")]
        found: list[Said] = [Chunk(id, self._words["chunk"])] if "chunk" in about else []
        ends = [word for word in about if word in _ENDS]
        if len(ends) > 1:
            found.append(Failed(id, f"it answered with {' and '.join(ends)} at once"))
        elif ends:
            found.append(_end(id, ends[0], self._words[ends[0]]))
        elif not about:
            found.append(Failed(id, "it answered with neither a reply nor an error"))
        return found

    def ready(self, value: object) -> Said:
        return Ready() if value is True else self._garbage('says of "ready" something else than true')

    def progress(self, value: object) -> Said:
        return Alive(value if type(value) is int and 0 <= value <= _LARGEST else 0)

    def log(self, value: object) -> Said:
        return Logged(_as_text(value))

    def usage(self, value: object) -> Said:
        if not isinstance(value, dict):
            return self._garbage('has a "usage" that is no object')
        used = cast("dict[str, object]", value)
        tokens, money, calls = (used.get(name, 0) for name in ("tokens", "money", "tool_calls"))
        if not (_is_count(tokens) and _is_count(calls) and _is_amount(money)):
            return self._garbage('has a "usage" with something that is no amount of 0 or more')
        return Used(cast("int", tokens), float(cast("float", money)), cast("int", calls))


_READERS: Final = (
    ("log", _Object.log),
    ("ready", _Object.ready),
    ("progress", _Object.progress),
)
_ENDS: Final = ("reply", "error", "refused", "cancelled")


def _end(id: int, word: str, value: object) -> Said:
    if word == "reply":
        return Answered(id, value)
    if word == "cancelled":
        return Cancelled(id)
    text = _as_text(value)
    return Failed(id, text) if word == "error" else TurnedDown(id, text)


def _as_id(value: object) -> int | None:
    """Ids are ours, and small; some languages write 1.0 for 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LARGEST:
        return None
    return int(value) if int(value) == value else None


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else _encode(value)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST


def _is_amount(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 <= value <= _LARGEST
        and math.isfinite(value)
    )


def _read_text(line: bytes) -> list[Said]:
    text = line.decode(errors="replace")
    head, _, rest = text.partition(" ")
    if head.isascii() and head.isdigit():
        id = _as_id(int(head)) if len(head) < 17 else None
        return (
            [Garbage(shown(line), "has an id that is no number of ours")]
            if id is None
            else [Answered(id, rest)]
        )
    match head:
        case "ready" if not rest:
            return [Ready()]
        case "progress":
            return [Alive(int(rest) if rest.isascii() and rest.isdigit() and len(rest) < 16 else 0)]
        case "log":
            return [Logged(rest)]
        case "usage":
            return [_text_usage(line, rest)]
        case "error" | "refused" | "chunk" | "cancelled":
            return [_text_about(line, head, rest)]
        case _:
            return [Garbage(shown(line), "does not begin with an id or a word of the protocol")]


def _text_about(line: bytes, word: str, rest: str) -> Said:
    number, _, text = rest.partition(" ")
    digits = number.isascii() and number.isdigit() and len(number) < 17
    id = _as_id(int(number)) if digits else None
    if id is None:
        return Garbage(shown(line), f"has no id: whose {word} is it?")
    return Chunk(id, text) if word == "chunk" else _end(id, word, text)


def _text_usage(line: bytes, rest: str) -> Said:
    pairs = [word.partition("=") for word in rest.split()]
    try:
        used = {name: float(value) if name == "money" else int(value) for name, _, value in pairs}
    except ValueError:
        used = {"": 0}
    known = bool(used) and used.keys() <= {"tokens", "money", "tool_calls"}
    if not known or not all(_is_amount(value) for value in used.values()):
        return Garbage(shown(line), 'has a usage that is not like "tokens=12 money=0.5 tool_calls=1"')
    return Used(int(used.get("tokens", 0)), float(used.get("money", 0)), int(used.get("tool_calls", 0)))
