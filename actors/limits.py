"""What bounds a run: deadlines, silence, stalls and error patterns. Frozen, plain data.

Times are seconds. Every record checks itself when it is made and raises ValueError
with the cure. `actors.timeouts` and `actors.monitor` carry out what they say.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import attrs

from actors.checks import count, finite, one_of, record, seconds, yes_or_no
from actors.outcome import FailureKind

if TYPE_CHECKING:
    from actors.core.ref import Ref

__all__ = [
    "DEFAULT_PATTERNS",
    "Ladder",
    "Oversight",
    "Pattern",
    "PatternStream",
    "Stall",
    "Timeout",
    "TimeoutMode",
    "Watchdog",
]

TimeoutMode = Literal["progressive", "fixed", "adaptive"]
PatternStream = Literal["stderr", "stdout", "both"]
if TYPE_CHECKING:
    Predicate: TypeAlias = Callable[[str, str], bool]
    OnDetection: TypeAlias = Callable[[Ref, str], object]
    PatternLike: TypeAlias = "str | Pattern"
else:
    Predicate = OnDetection = PatternLike = Any  # converters let them through as they are


def _share(_: object, field: attrs.Attribute[float | None], value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise ValueError(f"{field.name} is a share of the silence limit between 0 and 1, not {value!r}")


@attrs.frozen
class Ladder:
    """What happens on the way to the silence limit (`no_activity`), as shares of it. None leaves a rung out.

    `notice`: an event. `nudge`: an event, and the message `Nudge` to the agent, behind what
    waits there, unless one waits already. `warn`: an event. At the whole of it the run is
    ended. Any activity leads back to the ground.
    """

    notice: float | None = attrs.field(default=0.5, validator=_share)
    nudge: float | None = attrs.field(default=0.75, validator=_share)
    warn: float | None = attrs.field(default=0.9, validator=_share)

    def __attrs_post_init__(self) -> None:
        rungs = [share for share in (self.notice, self.nudge, self.warn) if share is not None]
        if rungs != sorted(rungs):
            raise ValueError(f"a ladder goes up: notice <= nudge <= warn, not {rungs}")


def _check_factor(_: object, __: object, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 1:
        raise ValueError(f"factor must be more than 1, or the limit would never grow, not {value!r}")


@attrs.frozen
class Timeout:
    """How long one run may take: one handling of a message, or a function's or process's whole run.

    - "progressive": the limit is `initial`. When it is used up and the last activity is
      younger than `extend_within`, it grows by `factor`, up to `maximum`.
    - "fixed": `initial` alone.
    - "adaptive": as progressive, from the 0.9 quantile of the last 10 successful runs of
      the path in place of `initial`, at most `maximum`, as soon as there are 3.

    Silence of `no_activity` seconds (None: never) ends a run earlier; `ladder` says what
    happens on the way there. Activity is output, `ctx.progress()`, and the activity of an
    actor's own children. The clock of silence stands still while the actor waits for
    its own child, or inside `ctx.waiting(...)`.
    """

    mode: TimeoutMode = attrs.field(default="progressive", validator=one_of(TimeoutMode))
    initial: float = attrs.field(default=60.0, validator=seconds(above=True))
    maximum: float = attrs.field(default=300.0, validator=seconds(above=True))
    extend_within: float = attrs.field(default=10.0, validator=seconds())
    factor: float = attrs.field(default=1.5, validator=[_check_factor, finite])
    no_activity: float | None = attrs.field(
        default=30.0, validator=attrs.validators.optional(seconds(above=True))
    )
    ladder: Ladder | None = attrs.field(default=None, validator=record(Ladder, "actors.Ladder(...)"))

    def __attrs_post_init__(self) -> None:
        if self.mode != "fixed" and self.initial > self.maximum:
            raise ValueError(
                f"initial ({self.initial:g} s) is above maximum ({self.maximum:g} s): "
                f'raise maximum, or use mode="fixed", which has no maximum'
            )
        if self.ladder is not None and self.no_activity is None:
            raise ValueError("a ladder leads to the silence limit: set no_activity")


def _as_kind(value: object) -> FailureKind:
    try:
        return FailureKind(value)
    except ValueError:
        raise ValueError(f"kind must be one of {', '.join(FailureKind)}, not {value!r}") from None


@attrs.frozen
class Pattern:
    """A regular expression whose appearance in the output ends the run, and what kind of failure it is.

    Case is ignored. `kind` is a `FailureKind` or its name; `stream` is "stderr", "stdout" or "both".
    """

    regex: str
    kind: FailureKind = attrs.field(default=FailureKind.PATTERN, converter=_as_kind, kw_only=True)
    stream: PatternStream = attrs.field(default="stderr", validator=one_of(PatternStream), kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_regex("regex", self.regex)


def _check_regex(name: str, regex: object) -> None:
    if not isinstance(regex, str):
        raise ValueError(f"{name} must be a regular expression as a str, or a Pattern, not {regex!r}")
    try:
        empty = re.compile(regex).search("") is not None
    except re.error as error:
        where = "" if error.pos is None else f" at position {error.pos}"
        raise ValueError(f"{name} {regex!r} is no regular expression: {error.msg}{where}") from None
    if empty:
        raise ValueError(f"{name} {regex!r} matches the empty string and would end every run")


_KINDS = MappingProxyType(
    {
        r"rate.?limit": FailureKind.RATE_LIMIT,
        r"\b429\b": FailureKind.RATE_LIMIT,
        r"connection.?(?:refused|reset|error)": FailureKind.PATTERN,
        r"ECONNRESET": FailureKind.PATTERN,
        r"API.?error": FailureKind.PATTERN,
        r"authentication.?failed": FailureKind.PERMANENT,
        r"model.?not.?available": FailureKind.PERMANENT,
        r"quota.?exceeded": FailureKind.RATE_LIMIT,
        r"invalid.?api.?key": FailureKind.PERMANENT,
        r"unauthorized": FailureKind.PERMANENT,
        r"forbidden": FailureKind.PERMANENT,
    }
)
DEFAULT_PATTERNS: tuple[str, ...] = tuple(_KINDS)
"""What agents write to stderr when going on is of no use. Regular expressions, case ignored.

The first two and the quota are rate limits, those about keys and permissions permanent.
"""


def _as_patterns(value: object) -> tuple[Any, ...]:
    if isinstance(value, str | Pattern) or not isinstance(value, Iterable):
        raise ValueError(f"patterns must be a list of regular expressions, not {value!r}")
    return tuple(
        Pattern(**cast("dict[str, Any]", one)) if isinstance(one, dict) else one
        for one in cast("Iterable[Any]", value)
    )


def _as_predicates(value: object) -> tuple[Any, ...]:
    if callable(value) or not isinstance(value, Iterable):
        raise ValueError(f"predicates must be a list of functions, not {value!r}")
    return tuple(cast("Iterable[Any]", value))


def _check_patterns(_: object, field: attrs.Attribute[Any], value: tuple[object, ...]) -> None:
    for index, pattern in enumerate(value):
        if not isinstance(pattern, Pattern):
            _check_regex(f"{field.name}[{index}]", pattern)


def _check_predicates(_: object, field: attrs.Attribute[Any], value: tuple[object, ...]) -> None:
    for index, predicate in enumerate(value):
        if not callable(predicate) or inspect.iscoroutinefunction(predicate):
            raise ValueError(
                f"{field.name}[{index}] must be a function of (stdout_tail, stderr_tail) that is "
                f"not async, not {predicate!r}"
            )


@attrs.frozen
class Stall:
    """When the monitor ends a run early.

    Every `check_interval` from the start of a run it looks whether there were `min_output`
    bytes and then more than `threshold` seconds without a sign of life; after
    `confirmations` such looks in a row the run is ended, or with `terminate=False` only
    reported. A function or process is watched all its life, an actor while a handler runs.

    `patterns` are looked for in stderr as it arrives (a `Pattern` chooses its stream), and
    `predicates`, functions of (stdout_tail, stderr_tail), the last 4 KiB of each as text,
    are asked then: any hit ends the run at once, whatever `terminate` says. A predicate
    that raises is dropped with an event. `on_detection(ref, reason)` is called for every
    detection; it must not block, and what it raises is logged.
    """

    threshold: float = attrs.field(default=120.0, validator=seconds(above=True))
    check_interval: float = attrs.field(default=5.0, validator=[seconds(above=True), finite])
    min_output: int = attrs.field(default=100, validator=count(0))
    confirmations: int = attrs.field(default=2, validator=count(1))
    terminate: bool = attrs.field(default=True, validator=yes_or_no)
    patterns: tuple[PatternLike, ...] = attrs.field(
        default=DEFAULT_PATTERNS, converter=_as_patterns, validator=_check_patterns
    )
    predicates: tuple[Predicate, ...] = attrs.field(
        default=(),
        converter=_as_predicates,
        validator=_check_predicates,
        repr=False,
        metadata={"data": False},
    )
    on_detection: OnDetection | None = attrs.field(
        default=None,
        validator=attrs.validators.optional(attrs.validators.is_callable()),
        repr=False,
        metadata={"data": False},
    )

    def resolved(self) -> tuple[Pattern, ...]:
        """The patterns with their kinds and streams: those of `DEFAULT_PATTERNS` know their kind."""
        return tuple(
            pattern
            if isinstance(pattern, Pattern)
            else Pattern(pattern, kind=_KINDS.get(pattern, FailureKind.PATTERN))
            for pattern in self.patterns
        )


@attrs.frozen(kw_only=True)
class Oversight:
    """When the monitor steps in for an agent in trouble, before anything is ended.

    An agent is in trouble when a handler (or the function) shows no sign of life for
    `stuck` seconds, when it waits for a person or its own child for `waiting` seconds, or
    when `errors` incarnations in a row have failed. The monitor then intervenes: an event,
    and the message `Nudge` to the agent; at most `interventions` times, at least `cooldown`
    seconds apart. After the last one its supervisor is told by an event that it needs
    help. Recovery (a sign of life, the end of the wait, a message handled) starts over.
    """

    stuck: float | None = attrs.field(default=300.0, validator=attrs.validators.optional(seconds(above=True)))
    waiting: float | None = attrs.field(
        default=120.0, validator=attrs.validators.optional(seconds(above=True))
    )
    errors: int | None = attrs.field(default=3, validator=attrs.validators.optional(count(1)))
    interventions: int = attrs.field(default=3, validator=count(1))
    cooldown: float = attrs.field(default=60.0, validator=[seconds(above=True), finite])


@attrs.frozen
class Watchdog:
    """When a thread reports that the event loop stands still. Seconds.

    After `warn` it logs a line that names the place, after `dump` the stacks of all threads.
    """

    warn: float = attrs.field(default=1.0, validator=[seconds(above=True), finite])
    dump: float = attrs.field(default=5.0, validator=[seconds(above=True), finite])

    def __attrs_post_init__(self) -> None:
        if self.warn > self.dump:
            raise ValueError(f"warn ({self.warn:g} s) comes after dump ({self.dump:g} s): swap them")
