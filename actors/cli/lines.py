"""One event, one line: text for people, or JSON for programs.

`at` is in seconds since the run began. JSON is strict: what it cannot say (infinity,
bytes, objects) is text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, cast

import attrs

from actors.core.ref import Ref
from actors.errors import one_line
from actors.events import Event, Restarting
from actors.exits import Exit
from actors.names import ROOT
from actors.process import ProcessFailed

__all__ = [
    "Fact",
    "Notice",
    "Output",
    "as_json",
    "as_text",
    "causes",
    "error_text",
    "exit_text",
    "plain",
    "shorten",
    "to_json",
]

LONGEST_TEXT = 1000
"""Characters of a text in JSON."""
LONGEST_LINE = 120
"""Characters of one field in a line for people."""
LONGEST_CAUSE = 400
"""Characters of a cause."""


@attrs.frozen
class Output:
    """A line that a process wrote."""

    at: float
    path: str
    stream: str
    line: str


@attrs.frozen
class Notice:
    """What the program says of its own about `path`; `str` is the line for people."""

    at: float
    path: str

    @property
    def lasting(self) -> bool:
        """Whether it stays on a terminal; else the next one takes its place."""
        return True


Fact: TypeAlias = Event | Output | Notice


def as_json(fact: Fact, since: float) -> str:
    """One JSON object on one line: `at`, `event`, `path`, then the fields of the event."""
    head = {"at": round(fact.at - since, 6), "event": type(fact).__name__, "path": path_of(fact)}
    return to_json(head | {key: plain(value) for key, value in _fields(fact).items()})


def as_text(fact: Fact, since: float) -> str:
    """One line for people."""
    if isinstance(fact, Output):
        return f"{fact.path} | {fact.line}"
    if isinstance(fact, Notice):
        return str(fact)
    fields = _fields(fact)
    if isinstance(fact, Restarting):
        del fields["exit"]  # the line before has it
    said = ", ".join(f"{key} {_said(value)}" for key, value in fields.items() if value is not None)
    return f"{fact.at - since:8.3f} s  {path_of(fact)}  {type(fact).__name__}  {said}".rstrip()


def path_of(fact: Fact) -> str:
    """Whom it is about; the root when nobody alone."""
    if isinstance(fact, Output | Notice):
        return fact.path
    ref = getattr(fact, "ref", None)
    path = getattr(fact, "path", ROOT)
    return path if ref is None else cast("Ref", ref).path


def _fields(fact: Fact) -> dict[str, Any]:
    names = (field.name for field in attrs.fields(type(fact)))
    return {name: getattr(fact, name) for name in names if name not in ("at", "ref", "path")}


def _said(value: object) -> str:
    if isinstance(value, Exit):
        return shorten(exit_text(value), LONGEST_LINE)
    if isinstance(value, float):
        return f"{value:.3g}"
    found = plain(value)
    return shorten(found if isinstance(found, str) else to_json(found), LONGEST_LINE)


def exit_text(exit: Exit) -> str:
    """The kind of an exit, and its reason where that says more; of a process, its code and last words."""
    if isinstance(exit.error, ProcessFailed):
        return f"{exit.kind} ({_last_words(exit.error)})"
    usual = exit.kind.lower().replace("_", " ")
    return str(exit.kind) if exit.reason == usual else f"{exit.kind} ({exit.reason})"


def error_text(error: BaseException) -> str:
    """An error on one line; of a process, its code and last words."""
    if isinstance(error, ProcessFailed):
        return _last_words(error)
    return one_line(error)


def _last_words(error: ProcessFailed) -> str:
    code = error.completed.returncode
    ending = f"code {code}" if code >= 0 else f"signal {-code}"
    if error.ready is not None:
        ending = f"{ending} before it was ready"
    words = error.completed.stderr.decode(errors="replace").rstrip().rpartition("\n")[2].strip()
    return f"{ending}: {words}" if words else ending


def shorten(text: str, limit: int) -> str:
    """`text` on one line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def causes(error: BaseException) -> tuple[str, ...]:
    """The error and what caused it, one line each, the nearest first; no line repeats the next one."""
    cause = error.__cause__
    if cause is None:
        return (shorten(one_line(error), LONGEST_CAUSE),)
    said = one_line(error)
    for joint in ("; last: ", ": "):
        said = said.replace(joint + one_line(cause), "")
    return (shorten(said, LONGEST_CAUSE), *causes(cause))


# --- JSON -----------------------------------------------------------------------


def to_json(value: object) -> str:
    """Strict JSON on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """What JSON can say of a value."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str | bytes):
        return _text(value)
    if isinstance(value, Ref):
        return value.path
    if isinstance(value, BaseException):
        return _text(one_line(value))
    return _composite(value)


def _composite(value: Any) -> Any:
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value).items()
        return {str(key): plain(inner) for key, inner in pairs}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in cast("Iterable[Any]", value)]
    kind = cast("type[Any]", type(value))
    if attrs.has(kind):
        return {field.name: plain(getattr(value, field.name)) for field in attrs.fields(kind)}
    return _text(repr(value))


def _text(value: str | bytes) -> str:
    """The end of a long text says most, as with the output of a process. Lone surrogates become `?`."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    cut = text if len(text) <= LONGEST_TEXT else "…" + text[1 - LONGEST_TEXT :]
    return cut.encode(errors="replace").decode()
