"""Any value as a short text or plain JSON, whatever it has in it: for those who look, not to be read back.

What is looked at belongs to users: a `repr` may raise, be huge, or take long. Here at most so many parts of a
value are looked at, each is cut, and what raises is said to. Only a `repr` that somebody wrote by hand
is called as it is. The texts have no control characters and no lone surrogates; markup is left as it is,
so whoever shows them must show them as text.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, cast

import attrs

from actors.core.ref import Ref

__all__ = ["BRIEF", "LONGEST", "brief", "clean", "error_line", "origins", "plain", "raised_at"]

LONGEST: Final = 500
"""Characters of a text."""
BRIEF: Final = 200
"""Characters of what is said of a message."""
_PARTS: Final = 40
"""Parts of a value that are looked at, in all."""
_ITEMS: Final = 6
"""Items of a container that are shown."""
_DEEP: Final = 4
_PIECE: Final = 80
"""Characters of a text in a value."""
_BITS: Final = 256
_CAUSES: Final = 8
_FRAMES: Final = 5000
_JOINERS: Final = "\u200c\u200d"
_RAISED: Final = (Exception, SystemExit, GeneratorExit)
"""What code of users may raise here; Ctrl-C is not theirs."""


def clean(text: str, limit: int = LONGEST) -> str:
    """The text on one line of at most `limit` characters; what cannot be seen is escaped."""
    if len(text) <= limit and text.isprintable():
        return text
    line = text[: 2 * limit]
    if not line.isprintable():
        line = " ".join(line.split())
        if not line.isprintable():
            line = "".join(one if one.isprintable() or one in _JOINERS else _escaped(one) for one in line)
    return line if len(line) <= limit and len(text) <= 2 * limit else line[: limit - 1] + "…"


def _escaped(one: str) -> str:
    return one.encode("unicode_escape").decode()


# --- what `repr` would say --------------------------------------------------------


def brief(value: object, limit: int = BRIEF) -> str:
    """What `repr` says of a value, or the beginning of it. Never raises."""
    try:
        return clean(_said(value, _DEEP, [_PARTS]), limit)
    except _RAISED as error:
        return f"<{_name(value)}: its repr raises {type(error).__name__}>"


def _name(value: object) -> str:
    return clean(str.__str__(type(value).__qualname__), _PIECE)


def _said(value: Any, deep: int, left: list[int]) -> str:
    """`left` has one number: how many parts may still be looked at."""
    left[0] -= 1
    kind = cast("type[Any]", type(value))
    if value is None or kind is bool or kind is float:
        return repr(value)
    if kind is str or kind is bytes:
        return repr(value) if len(value) <= _PIECE else repr(value[:_PIECE]) + "…"
    if kind is int:
        return repr(value) if value.bit_length() <= _BITS else f"<an int of {value.bit_length()} bits>"
    if isinstance(value, Ref):
        return value.path
    if isinstance(value, BaseException):
        return error_line(value, _PIECE)
    if deep <= 0 or left[0] <= 0:
        return "…"
    if kind in _BRACKETS:
        opened, closed = _BRACKETS[kind]
        return (
            opened + _listed(value, deep, left) + ("," if kind is tuple and len(value) == 1 else "") + closed
        )
    if kind is dict:
        return "{" + _pairs(value, deep, left) + "}"
    names = _shown_fields(kind)
    if names is None:
        return _own_words(value)
    return f"{_name(value)}({', '.join(_fields(value, names, deep, left))})"


_BRACKETS: Final[Mapping[type, tuple[str, str]]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    deque: ("deque([", "])"),
}


def _listed(values: Any, deep: int, left: list[int]) -> str:
    said = [_said(one, deep - 1, left) for one in islice(values, _ITEMS)]
    return ", ".join(said) + (f", … {len(values)} in all" if len(values) > _ITEMS else "")


def _pairs(values: dict[Any, Any], deep: int, left: list[int]) -> str:
    said = [
        f"{_said(key, deep - 1, left)}: {_said(one, deep - 1, left)}"
        for key, one in islice(values.items(), _ITEMS)
    ]
    return ", ".join(said) + (f", … {len(values)} in all" if len(values) > _ITEMS else "")


def _fields(value: Any, names: tuple[str, ...], deep: int, left: list[int]) -> Iterator[str]:
    for name in names:
        if left[0] <= 0:
            yield "…"
            return
        yield f"{name}={_said(getattr(value, name, None), deep - 1, left)}"


def _shown_fields(kind: type[Any]) -> tuple[str, ...] | None:
    """The fields that a `repr` which nobody wrote by hand shows; None where there is another one."""
    own: Any = kind.__repr__
    if attrs.has(kind):
        code = getattr(own, "__code__", None)
        if code is not None and code.co_filename.startswith("<attrs generated"):
            return tuple(field.name for field in attrs.fields(kind) if field.repr is True)
        return None
    fields = getattr(kind, "__dataclass_fields__", None)
    if fields is None or not hasattr(own, "__wrapped__"):
        return None
    return tuple(name for name, field in fields.items() if field.repr)


def _own_words(value: object) -> str:
    try:
        return str.__str__(repr(value))[: 2 * BRIEF]
    except _RAISED as error:
        return f"<{_name(value)}: its repr raises {type(error).__name__}>"


# --- errors -------------------------------------------------------------------------


def error_line(error: BaseException, limit: int = LONGEST) -> str:
    """The error's type and text on one line, as `one_line` says it, and never more than that."""
    kind = type(error)
    name = clean(str.__str__(kind.__name__), _PIECE)
    text = _text_of(error, kind)
    return clean(f"{name}: {text}" if text and not text.isspace() else name, limit)


def _text_of(error: BaseException, kind: type[BaseException]) -> str:
    try:
        if kind.__str__ in (BaseException.__str__, KeyError.__str__):  # which would say all that it has
            args = error.args
            if not args:
                return ""
            if len(args) == 1 and type(args[0]) is str and kind.__str__ is BaseException.__str__:
                return args[0][: 2 * LONGEST]
            return brief(args[0] if len(args) == 1 else args)
        return str.__str__(str(error))[: 2 * LONGEST]
    except _RAISED:
        return ""


def origins(error: BaseException) -> list[str]:
    """What the error came from, a line each, the nearest first: causes, and what was handled meanwhile."""
    found: list[str] = []
    seen = {id(error)}
    for cause in _chain(error):
        if id(cause) in seen or len(found) == _CAUSES:
            break
        seen.add(id(cause))
        found.append(error_line(cause))
    return found


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", cause)
            yield from islice(group.exceptions, _ITEMS)
        context = None if cause.__suppress_context__ else cause.__context__
        cause = cause.__cause__ or context
        if cause is not None:
            yield cause


def raised_at(error: BaseException) -> str | None:
    """The innermost place of its traceback that is not below the program; None without one."""
    trace, found = error.__traceback__, None
    for _ in range(_FRAMES):
        if trace is None:
            break
        if not _is_below(trace.tb_frame.f_globals.get("__name__")):
            found = trace
        trace = trace.tb_next
    if found is None:
        return None
    code = found.tb_frame.f_code
    return clean(f"{code.co_qualname} ({code.co_filename}:{found.tb_lineno})")


def _is_below(module: object) -> bool:
    """Whether it is a module of ours, of trio, or what stands between a limit of trio and its block."""
    return isinstance(module, str) and (module == "contextlib" or module.startswith(("actors.", "trio.")))


# --- plain values ---------------------------------------------------------------------


def plain(value: Any, deep: int = 3) -> Any:
    """What JSON can say of a value: our own records as objects, other objects as texts. Never raises."""
    kind = cast("type[Any]", type(value))
    if value is None or kind is bool:
        return value
    if kind is str:
        return clean(value)
    if kind is int:
        return value if value.bit_length() < 64 else brief(value)
    if kind is float:
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Ref):
        return value.path
    if isinstance(value, BaseException):
        return error_line(value)
    if isinstance(value, enum.Enum):
        return plain(value.value, deep - 1) if deep else brief(value)
    if deep and kind in (list, tuple):
        return _plain_list(cast("Iterable[Any]", value), deep)
    if deep and kind is dict:
        items = islice(cast("dict[Any, Any]", value).items(), _PARTS)
        return {clean(key) if type(key) is str else brief(key): plain(one, deep - 1) for key, one in items}
    if deep and attrs.has(kind) and kind.__module__.startswith("actors."):
        fields = attrs.fields(kind)
        return {field.name: plain(getattr(value, field.name, None), deep - 1) for field in fields}
    return brief(value)


def _plain_list(values: Iterable[Any], deep: int) -> list[Any]:
    return [plain(one, deep - 1) for one in islice(values, _PARTS)]
