"""A request to a person, its answer, and what happens when none comes. Pure.

Times are seconds on the clock of trio.
"""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Iterable
from typing import Any, Final, cast

import attrs

from actors.checks import check_seconds
from actors.people.errors import InvalidAnswer

__all__ = [
    "APPROVAL",
    "CLARIFICATION",
    "NO_RESPONSE",
    "RAISE",
    "Answer",
    "Default",
    "Escalate",
    "PersonRequest",
    "Raise",
    "Rung",
    "check_answer",
    "check_by",
    "check_default",
    "check_name",
    "check_text",
    "checked_request",
    "plain_size",
    "rungs_of",
    "shown",
]

APPROVAL: Final = "approval"
"""A kind that takes True or False."""
CLARIFICATION: Final = "clarification"
"""A kind that takes text."""
NO_RESPONSE: Final = "No response received within timeout period."
"""What a clarification is when nobody has answered."""
_LONGEST_NAME: Final = 128
_LONGEST_KEY: Final = 512
_MOST_OPTIONS: Final = 100
_PLAIN: Final = (str, int, float, bool)


class Raise(enum.Enum):
    """The type of `RAISE`."""

    RAISE = "raise"

    def __repr__(self) -> str:
        return "actors.RAISE"


RAISE: Final = Raise.RAISE
"""As a default: when nobody answers in time, `NoAnswer` is raised."""


@attrs.frozen
class Escalate:
    """As a default: when nobody answers in time, the request goes to another person.

    That one has `timeout` seconds; then `default` is the answer, or `RAISE`, or the next `Escalate`.
    """

    to: str
    timeout: float = 300.0
    default: Any = RAISE

    def __attrs_post_init__(self) -> None:
        check_name("Escalate.to", self.to)
        check_seconds("Escalate.timeout", self.timeout)


Default = Any
"""A value, `RAISE`, or an `Escalate`."""


@attrs.frozen
class Rung:
    """The next one to be asked, and for how many seconds."""

    to: str
    timeout: float


@attrs.frozen
class PersonRequest:
    """A question that waits for a person's answer.

    `options` are what may be answered; () for an approval (True or False), a clarification (text), and where
    everything may. `to` is whom it is for, None: for anybody. `deadline` is in seconds on trio's clock
    on this node, infinity where it waits as long as it takes. The higher `priority` comes first.
    `asked` is when it was asked, `sender` the path of the actor that asks, `node` the name of its system;
    `digest` is that of the action that is to be approved.
    """

    id: str
    kind: str
    text: str
    options: tuple[Any, ...] = ()
    to: str | None = None
    deadline: float = math.inf
    priority: int = 0
    asked: float = 0.0
    sender: str | None = None
    node: str = ""
    key: str | None = None
    digest: str | None = None

    @property
    def place(self) -> tuple[int, float]:
        """Where it stands among others: by priority, then by age."""
        return -self.priority, self.asked

    def is_same_question(self, other: PersonRequest) -> bool:
        """Whether an answer to the one is an answer to the other."""
        return (self.kind, self.text, self.digest) == (other.kind, other.text, other.digest) and _same(
            self.options, other.options
        )


@attrs.frozen
class Answer:
    """What came of a request: `by` is who has answered, None where they did not say, `at` when.

    `is_default`: nobody has; `value` is what was to be taken then.
    """

    id: str
    kind: str
    value: Any
    by: str | None
    at: float
    is_default: bool = False


# --- at the door ----------------------------------------------------------------


def checked_request(request: PersonRequest, max_text: int) -> PersonRequest:
    """The request as it is given, if it is one; raises ValueError or TypeError with the cure."""
    check_name("kind", request.kind)
    check_text("text", request.text)
    if not request.text.strip():
        raise ValueError("text is empty: nobody can answer an empty question")
    if len(request.text) > max_text:
        raise ValueError(
            f"text has {len(request.text)} characters, and may have {max_text}: ask shortly and say where "
            f"the rest is, or allow more with Asking(max_text=...)"
        )
    if request.to is not None:
        check_name("to", request.to)
    if request.key is not None:
        check_name("key", request.key, _LONGEST_KEY)
    if isinstance(request.priority, bool) or not isinstance(request.priority, int):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"priority must be a whole number, not {shown(request.priority)}")
    if not -(2**31) <= request.priority < 2**31:
        raise ValueError(f"priority must be between -2**31 and 2**31, not {shown(request.priority)}")
    options = _options(request.kind, request.options)
    length = sum(len(one) for one in options if isinstance(one, str))
    if length > max_text:
        raise ValueError(
            f"options have {length} characters together, and may have {max_text}: offer short ones and say "
            f"in the text what they mean, or allow more with Asking(max_text=...)"
        )
    return request if request.options == () else attrs.evolve(request, options=options)


def _options(kind: str, given: object) -> tuple[Any, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"options must be a sequence, not {shown(given)}: write options=('yes', 'no')")
    options = tuple(cast("Iterable[Any]", given))
    if options and kind in (APPROVAL, CLARIFICATION):
        takes = "True or False" if kind == APPROVAL else "text"
        raise ValueError(f"a request of kind {kind!r} takes {takes}, and no options: choose another kind")
    if len(options) > _MOST_OPTIONS:
        raise ValueError(
            f"{len(options)} options are more than a person can choose from: {_MOST_OPTIONS} at most"
        )
    for index, one in enumerate(options):
        if type(one) not in _PLAIN or plain_size(one) is None:
            raise TypeError(
                f"options must be texts, finite numbers or truth values, and {shown(one)} is none"
            )
        if isinstance(one, str):
            check_text("an option", one)
        if any(_is(one, other) for other in options[:index]):
            raise ValueError(f"the option {shown(one)} is there twice")
    return options


def check_default(kind: str, default: Default) -> None:
    """Raises TypeError for a default that is no answer to such a request."""
    while isinstance(default, Escalate):
        default = default.default
    if default is RAISE:
        return
    wanted = {APPROVAL: bool, CLARIFICATION: str}.get(kind)
    if wanted is not None and not isinstance(default, wanted):
        raise TypeError(
            f"default={shown(default)} is no answer to a request of kind {kind!r}: "
            f"write a {wanted.__name__}, actors.RAISE, or actors.Escalate(to=...)"
        )


def rungs_of(default: Default) -> tuple[tuple[Rung, ...], Any]:
    """Who is asked after the first one, and what is taken in the end."""
    rungs: list[Rung] = []
    while isinstance(default, Escalate):
        rungs.append(Rung(default.to, default.timeout))
        default = default.default
    return tuple(rungs), default


def check_answer(request: PersonRequest, value: object, max_answer: int) -> Any:
    """The answer as it is taken: a copy, and of the options the one that was offered.

    Raises `InvalidAnswer` for what the request does not take.
    """
    wanted: str | None = None
    if request.kind == APPROVAL:
        wanted = None if isinstance(value, bool) else "True or False"
    elif request.kind == CLARIFICATION:
        wanted = None if isinstance(value, str) else "text"
    elif request.options:
        for one in request.options:
            if _is(value, one):
                return one
        wanted = "one of " + ", ".join(map(shown, request.options))
    if wanted is not None:
        raise InvalidAnswer(request.id, wanted, shown(value))
    if isinstance(value, str) and len(value) > max_answer:  # before it is written out
        raise InvalidAnswer(request.id, f"an answer of {max_answer} characters at most", f"{len(value)}")
    text = _plain(value)
    if text is None:
        raise InvalidAnswer(request.id, "plain data as JSON has it", shown(value))
    if len(text) > max_answer:
        raise InvalidAnswer(request.id, f"an answer of {max_answer} characters at most", f"{len(text)}")
    return json.loads(text)


def check_by(by: object) -> None:
    """Raises TypeError and ValueError for what is no name of a person; None is allowed."""
    if by is not None:
        check_name("by", by)


def plain_size(value: object) -> int | None:
    """How many characters it has as JSON; None for what JSON cannot say, or says otherwise."""
    text = _plain(value)
    return None if text is None else len(text)


def _plain(value: object) -> str | None:
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
        return text if _same(json.loads(text), value) else None
    except (TypeError, ValueError, RecursionError):
        return None


def _same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: True is not 1, and a tuple comes back from JSON as a list."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        ones, others = cast("list[Any]", one), cast("list[Any]", other)
        return len(ones) == len(others) and all(map(_same, ones, others))
    if isinstance(one, dict):
        named, renamed = cast("dict[Any, Any]", one), cast("dict[Any, Any]", other)
        return named.keys() == renamed.keys() and all(_same(named[key], renamed[key]) for key in named)
    return bool(one == other)


def _is(one: object, other: object) -> bool:
    """The same option: True is not 1, but 1.0 is, which other languages write as 1."""
    if type(one) not in _PLAIN or type(other) not in _PLAIN:
        return False
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def shown(value: object) -> str:
    """A foreign value on a line: it may be anything."""
    try:
        text = repr(value) if not isinstance(value, str) or len(value) < 200 else repr(value[:80])
    except Exception as error:
        text = f"a {type(value).__name__} whose repr fails with {type(error).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."


def check_text(what: str, value: object) -> None:
    """Raises TypeError and ValueError for what is no text that can be sent."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be text, not {shown(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{what} has half a character in it (a lone surrogate): {ascii(value)[:80]}"
        ) from None


def check_name(what: str, value: object, longest: int = _LONGEST_NAME) -> None:
    """Raises TypeError and ValueError for what is no name."""
    check_text(what, value)
    assert isinstance(value, str)
    if not value.strip() or len(value) > longest or not value.isprintable():
        raise ValueError(f"{what} must be a text of 1 to {longest} printable characters, not {value[:150]!r}")
